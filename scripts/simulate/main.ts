/**
 * `npm run simulate`: many seeds of the simulated stream on all cores, or one of them to look at. What a seed
 * is and what is asserted stands in `spec/simulation/stream`.
 */
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE } from "../../lib/cli/failure.ts";
import { coloursFor } from "../../lib/cli/output.ts";
import { RECORDS_KEPT } from "../../spec/simulation/stream/trace.ts";
import { UsageError } from "../usage.ts";
import { parseCommand, type RunCommand, type ShowCommand, USAGE } from "./options.ts";
import { runPool, type SeedJob } from "./pool.ts";
import { SeedBar } from "./progress.ts";
import { formatSeed, formatSummary, Summary } from "./report.ts";
import { isReplayed, runChecked } from "./seeds.ts";

async function main(args: readonly string[]): Promise<number> {
  const command = parseCommand(args);
  switch (command.command) {
    case "help":
      process.stdout.write(`${USAGE}\n`);
      return EXIT_OK;
    case "show":
      return await show(command);
    case "run":
      return await runMany(command);
  }
}

/** One seed, twice: a violation that does not come again would be worth less than nothing. */
async function show({ seed, trace, json }: ShowCommand): Promise<number> {
  const options = { twice: true, keptTrace: trace ? Number.POSITIVE_INFINITY : RECORDS_KEPT };
  const result = await runChecked(seed, options);
  if (json) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
  } else {
    const shown = trace || result.verdict === "failed" ? result : { ...result, trace: [] };
    process.stdout.write(`${formatSeed(shown, coloursFor(process.stdout))}\n`);
  }
  return result.verdict === "failed" ? EXIT_FAILED : EXIT_OK;
}

async function runMany({ firstSeed, seeds, json, jobs }: RunCommand): Promise<number> {
  const summary = new Summary();
  const bar = new SeedBar(process.stderr, seeds);
  const startedAt = performance.now();
  await runPool(jobsFor(firstSeed, seeds), Math.min(jobs, seeds), (outcome) => {
    summary.add(outcome, isReplayed(outcome.seed));
    bar.update(summary);
  });
  bar.end();
  const tookMs = performance.now() - startedAt;
  const text = json
    ? JSON.stringify(summary.toJson(tookMs))
    : formatSummary(summary, tookMs, coloursFor(process.stdout));
  process.stdout.write(`${text}\n`);
  return summary.ok ? EXIT_OK : EXIT_FAILED;
}

function* jobsFor(firstSeed: number, seeds: number): Generator<SeedJob> {
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    yield { seed, twice: isReplayed(seed) };
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (thrown) {
  if (!(thrown instanceof UsageError)) {
    throw thrown;
  }
  process.stderr.write(`${thrown.message}\n`);
  process.exitCode = EXIT_USAGE;
}
