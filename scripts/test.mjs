/**
 * `npm test`: set-up, checks, every spec; the last line is `N passed, N failed`, with `, N skipped` when
 * there are any. Exit code 0 only when nothing failed.
 *
 * What follows `--` goes to mocha (`npm test -- --grep mailbox`, `npm test -- spec/actor/supervisor.spec.ts`);
 * then the checks are left out, because only a part is wanted.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runChecks } from "./check.mjs";
import { paint, ROOT } from "./lib/terminal.mjs";
import { runScript, setUp } from "./setup.mjs";

/**
 * @typedef {{ passed: number, failed: number, skipped: Record<string, number>, leaks: string[] }} SpecCounts
 */

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
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    process.stdout.write(`mocha ended before it had counted: ${error}\n`);
    return undefined;
  }
}

/** @param {string} what */
function tellFailure(what) {
  process.stdout.write(`${paint(process.stdout, "red", "✗")} ${what}\n`);
}

await runScript(async () => {
  const { natsServer } = await setUp();
  const args = process.argv.slice(2);
  const failures =
    args.length === 0 ? (await runChecks()).map((name) => `check ${name} failed, see above`) : [];

  const env = { ...process.env };
  if (natsServer.path !== undefined) {
    env["NATS_SERVER"] = natsServer.path;
  } else if (env["CI"] === "true") {
    failures.push(`there must be a nats-server where CI=true: ${natsServer.why}`);
  }
  const { counts, code } = await runSpecs(args, env);
  const { passed, failed, skipped, leaks } = counts ?? { passed: 0, failed: 0, skipped: {}, leaks: [] };
  if (leaks.length > 0) {
    failures.push(`a spec left something open that kept the process alive: ${leaks.join(", ")}`);
  } else if (code !== 0 && failed === 0) {
    failures.push(`mocha ended with code ${code}, see above`);
  }
  for (const failure of failures) {
    tellFailure(failure);
  }
  for (const [reason, number] of Object.entries(skipped)) {
    process.stdout.write(`${number} skipped: ${reason}\n`);
  }
  const allSkipped = Object.values(skipped).reduce((sum, number) => sum + number, 0);
  const allFailed = failed + failures.length;
  const tail = allSkipped === 0 ? "" : `, ${allSkipped} skipped`;
  process.stdout.write(`${passed} passed, ${allFailed} failed${tail}\n`);
  process.exitCode = allFailed === 0 ? 0 : 1;
});
