/**
 * The checks that run nothing: format, lint, layering, types. `node scripts/check.mjs` does them all,
 * `node scripts/check.mjs lint layering` those that are named.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT, run, step } from "./lib/terminal.mjs";

const HOUSE = ["lib", "actors", "supervisors"];

/**
 * What each check runs, from node_modules/.bin, in the folder that is checked.
 *
 * @type {Record<string, { title: string, command: (root: string) => [string, ...string[]] }>}
 */
const CHECKS = {
  format: {
    title: "format and order of imports (`npm run format` mends it)",
    command: () => ["biome", "check", "--linter-enabled=false", "."],
  },
  lint: {
    title: "lint",
    command: () => ["biome", "lint", "--error-on-warnings", "--max-diagnostics=200", "."],
  },
  layering: {
    title: "layering",
    command: (root) => [
      "depcruise",
      ...["--config", ".dependency-cruiser.cjs", "--output-type", "err-long"],
      ...HOUSE.filter((folder) => existsSync(join(root, folder))),
    ],
  },
  types: {
    title: "types",
    command: () => ["tsc", "--project", "tsconfig.json"],
  },
};

/** The names of all checks, in the order in which they run. */
export const CHECK_NAMES = Object.keys(CHECKS);

/**
 * Runs one check on the tree in `root`.
 *
 * @param {string} name
 * @param {string} [root] default: this clone
 * @returns {Promise<{ ok: boolean, output: string }>}
 */
export function runCheck(name, root = ROOT) {
  const check = CHECKS[name];
  if (check === undefined) {
    throw new Error(`there is no check ${JSON.stringify(name)}; there are ${CHECK_NAMES.join(", ")}`);
  }
  const [tool, ...args] = check.command(root);
  return run(join(ROOT, "node_modules", ".bin", tool), args, { cwd: root });
}

/**
 * Runs checks one after the other, tells how each went and prints what the failed ones say.
 *
 * @param {string[]} [names] default: all
 * @returns {Promise<string[]>} the names of those that failed
 */
export async function runChecks(names = CHECK_NAMES) {
  const failed = [];
  for (const name of names) {
    const title = CHECKS[name]?.title ?? name;
    const { ok, output } = await step(
      process.stdout,
      title,
      () => runCheck(name),
      (result) => result.ok,
    );
    if (!ok) {
      failed.push(name);
      process.stdout.write(`${output.trim()}\n`);
    }
  }
  return failed;
}

if (process.argv[1] === import.meta.filename) {
  const names = process.argv.slice(2);
  const failed = await runChecks(names.length === 0 ? CHECK_NAMES : names);
  process.exitCode = failed.length === 0 ? 0 : 1;
}
