/**
 * `npm run simulate -- --bug-bank`: every bug of the bank in a copy of its own, and whether its detector finds
 * it. Exit code 0: all were found; 1: some were not; 2: flags that cannot be.
 */
import { readFile, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { UsageError } from "../../scripts/usage.ts";
import { BANK, LEFT_OUT } from "./bank.ts";
import type { Bug } from "./bug.ts";
import { type Finding, huntAll } from "./hunt.ts";
import { PAGE, withFindings } from "./page.ts";

const ROOT = resolve(import.meta.dirname, "../..");

const USAGE = `npm run simulate -- --bug-bank [--bug N] [--jobs J] [--json] [--write]

  --bug N    this bug only
  --jobs J   processes that share the work (default: the number of cores)
  --json     one JSON object on standard output
  --write    writes the table into ${PAGE}; not with --bug`;

interface Flags {
  readonly bugs: readonly Bug[];
  readonly jobs: number;
  readonly json: boolean;
  readonly write: boolean;
}

function readFlags(args: readonly string[]): Flags | "help" {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(args);
  } catch (thrown) {
    throw new UsageError(thrown instanceof Error ? thrown.message : String(thrown));
  }
  if (values.help === true) {
    return "help";
  }
  const jobs = values.jobs === undefined ? availableParallelism() : Number(values.jobs);
  if (!Number.isSafeInteger(jobs) || jobs < 1 || jobs > 256) {
    throw new UsageError(`--jobs is ${JSON.stringify(values.jobs)}; allowed: a whole number from 1 to 256`);
  }
  const bugs = BANK.filter(({ id }) => values.bug === undefined || String(id) === values.bug);
  if (bugs.length === 0) {
    const known = BANK.map(({ id }) => id).join(", ");
    throw new UsageError(`--bug is ${JSON.stringify(values.bug)}; known: ${known}`);
  }
  const write = values.write === true;
  if (write && values.bug !== undefined) {
    throw new UsageError("--write does not go with --bug: the table is written as a whole");
  }
  return { bugs, jobs, json: values.json === true, write };
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      "bug-bank": { type: "boolean" },
      bug: { type: "string" },
      jobs: { type: "string" },
      json: { type: "boolean" },
      write: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  }).values;
}

async function main(args: readonly string[]): Promise<number> {
  const flags = readFlags(args);
  if (flags === "help") {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const findings = await huntAll(ROOT, flags.bugs, flags.jobs, (finding) => {
    process.stderr.write(`${told(finding)}\n`);
  });
  const found = findings.filter((finding) => finding.found).length;
  if (flags.json) {
    const rows = findings.map(({ bug: { id, title }, ...rest }) => ({ id, title, ...rest }));
    process.stdout.write(`${JSON.stringify({ planted: findings.length, found, findings: rows })}\n`);
  } else {
    process.stdout.write(`${found} of ${findings.length} planted bugs found\n`);
  }
  if (flags.write) {
    const file = resolve(ROOT, PAGE);
    await writeFile(file, withFindings(await readFile(file, "utf8"), findings, LEFT_OUT));
  }
  return found === findings.length ? 0 : 1;
}

function told({ bug, found, seeds, by, line, tookMs }: Finding): string {
  const verdict = found ? `found after ${seeds} by ${by}: ${line}` : `NOT FOUND in ${seeds}`;
  return `${bug.id} ${bug.title} (${(tookMs / 1_000).toFixed(1)} s): ${verdict}`;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (thrown) {
  if (!(thrown instanceof UsageError)) {
    throw thrown;
  }
  process.stderr.write(`${thrown.message}\n\n${USAGE}\n`);
  process.exitCode = 2;
}
