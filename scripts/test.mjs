/**
 * `npm test`: set-up, checks, every spec; the last line is `N passed, N failed`, with `, N skipped` when
 * there are any. Exit code 0 only when nothing failed.
 *
 * What follows `--` goes to mocha (`npm test -- --grep mailbox`, `npm test -- spec/actor/supervisor.spec.ts`);
 * then the checks are left out, because only a part is wanted.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChecks } from "./check.mjs";
import { paint, ROOT } from "./lib/terminal.mjs";
import { setUp } from "./setup.mjs";

/**
 * @typedef {{ passed: number, failed: number, skipped: Record<string, number>, leaks: string[] }} SpecCounts
 */

/** @type {SpecCounts} */
const NOTHING = { passed: 0, failed: 0, skipped: {}, leaks: [] };

/**
 * Runs mocha in a process of its own.
 *
 * @param {string[]} args for mocha
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<{ counts: SpecCounts | undefined, code: number | null }>} no counts when mocha did not come to
 * its end
 */
async function runSpecs(args, env) {
  const folder = await mkdtemp(join(tmpdir(), "supercast-test-"));
  const output = join(folder, "counts.json");
  const mocha = join(ROOT, "node_modules", ".bin", "mocha");
  const reporter = join(ROOT, "spec", "support", "reporter.ts");
  const reporterArgs = ["--reporter", reporter, "--reporter-option", `output=${output}`];
  const child = spawn(mocha, [...reporterArgs, ...args], { cwd: ROOT, env, stdio: "inherit" });
  const stop = () => child.kill("SIGTERM");
  process.once("SIGTERM", stop);
  try {
    const code = await new Promise((done, fail) => {
      child.once("error", fail);
      child.once("close", done);
    });
    return { counts: await readCounts(output), code };
  } finally {
    process.removeListener("SIGTERM", stop);
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} file
 * @returns {Promise<SpecCounts | undefined>}
 */
async function readCounts(file) {
  return existsSync(file) ? JSON.parse(await readFile(file, "utf8")) : undefined;
}

/**
 * Set-up as a part of the test: what keeps it from working is a failure that is counted.
 *
 * @param {string[]} failures
 */
async function setUpOrTell(failures) {
  try {
    const { build, natsServer } = await setUp();
    if (natsServer.path === undefined) {
      process.stderr.write(`No nats-server: ${natsServer.why}.\n`);
      if (process.env["CI"] === "true") {
        failures.push("there must be a nats-server where CI=true");
      }
    }
    return { build, natsServer };
  } catch (error) {
    failures.push(`set-up failed: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}

/**
 * Tells what failed beside the specs, what was skipped and why, and the counts; sets the exit code.
 *
 * @param {SpecCounts} counts
 * @param {string[]} failures
 */
function conclude({ passed, failed, skipped }, failures) {
  for (const failure of failures) {
    process.stdout.write(`${paint(process.stdout, "red", "✗")} ${failure}\n`);
  }
  for (const [reason, number] of Object.entries(skipped)) {
    process.stdout.write(`${number} skipped: ${reason}\n`);
  }
  const allSkipped = Object.values(skipped).reduce((sum, number) => sum + number, 0);
  const allFailed = failed + failures.length;
  const tail = allSkipped === 0 ? "" : `, ${allSkipped} skipped`;
  process.stdout.write(`${passed} passed, ${allFailed} failed${tail}\n`);
  process.exitCode = allFailed === 0 ? 0 : 1;
}

/**
 * @param {string[]} args
 * @param {string[]} failures
 * @param {NodeJS.ProcessEnv} env
 */
async function countSpecs(args, failures, env) {
  const { counts, code } = await runSpecs(args, env);
  if (counts === undefined) {
    failures.push(`mocha ended with code ${code} before it had counted, see above`);
  } else if (counts.leaks.length > 0) {
    failures.push(`a spec left something open that kept the process alive: ${counts.leaks.join(", ")}`);
  } else if (code !== 0 && counts.failed === 0) {
    failures.push(`mocha ended with code ${code}, see above`);
  }
  return counts ?? NOTHING;
}

/** @param {string[]} args what follows `--` */
async function main(args) {
  /** @type {string[]} */
  const failures = [];
  const ready = await setUpOrTell(failures);
  if (ready === undefined) {
    conclude(NOTHING, failures);
    return;
  }
  if (args.length === 0) {
    failures.push(...(await runChecks()).map((name) => `check ${name} failed, see above`));
  } else if (!ready.build.ok) {
    process.stderr.write(`dist holds only what could be compiled: ${ready.build.output.split("\n")[0]}\n`);
  }
  const path = ready.natsServer.path;
  const env = path === undefined ? process.env : { ...process.env, NATS_SERVER: path };
  conclude(await countSpecs(args, failures, env), failures);
}

await main(process.argv.slice(2));
