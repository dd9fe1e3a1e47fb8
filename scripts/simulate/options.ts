/** The command line of `npm run simulate`. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { messageOf } from "../../lib/base/errors.ts";
import { UsageError, whole } from "../usage.ts";

const SEEDS_DEFAULT = 50;
const SEEDS_MAX = 10_000_000;
const JOBS_MAX = 256;

export const USAGE = `npm run simulate -- [--seeds N] [--first-seed F] [--seed K] [--trace] [--json] [--jobs J]

  --seeds N       how many seeds, one after the other (default ${SEEDS_DEFAULT})
  --first-seed F  the first of them (default 1)
  --seed K        this seed only, twice, and its last events when it fails
  --trace         with --seed: every event, not only the last
  --json          one JSON object on standard output, everything else on standard error
  --jobs J        processes that share the work (default: the number of cores)
  --bug-bank      plants the known bugs one at a time and looks whether they are found; more with --help

Exit code 0: no violation and at most 2 % of the seeds invalid; 1: otherwise; 2: flags that cannot be.`;

export interface RunCommand {
  readonly command: "run";
  readonly firstSeed: number;
  readonly seeds: number;
  readonly json: boolean;
  readonly jobs: number;
}

/** One seed, to look at. */
export interface ShowCommand {
  readonly command: "show";
  readonly seed: number;
  readonly trace: boolean;
  readonly json: boolean;
}

export type Command = RunCommand | ShowCommand | { readonly command: "help" };

/** Reads `args`; throws UsageError. */
export function parseCommand(args: readonly string[]): Command {
  const flags = readFlags(args);
  if (flags.help === true) {
    return { command: "help" };
  }
  const json = flags.json === true;
  if (flags.seed !== undefined) {
    const others = ["seeds", "first-seed", "jobs"] as const;
    const other = others.find((name) => flags[name] !== undefined);
    if (other !== undefined) {
      throw new UsageError(`--${other} does not go with --seed, which runs one seed`);
    }
    return {
      command: "show",
      seed: whole("seed", flags.seed, 0, Number.MAX_SAFE_INTEGER),
      trace: flags.trace === true,
      json,
    };
  }
  if (flags.trace === true) {
    throw new UsageError("--trace goes with --seed only");
  }
  const first = flags["first-seed"];
  return {
    command: "run",
    firstSeed: first === undefined ? 1 : whole("first-seed", first, 0, Number.MAX_SAFE_INTEGER - SEEDS_MAX),
    seeds: flags.seeds === undefined ? SEEDS_DEFAULT : whole("seeds", flags.seeds, 1, SEEDS_MAX),
    json,
    jobs: flags.jobs === undefined ? availableParallelism() : whole("jobs", flags.jobs, 1, JOBS_MAX),
  };
}

function readFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        seeds: { type: "string" },
        "first-seed": { type: "string" },
        seed: { type: "string" },
        trace: { type: "boolean" },
        json: { type: "boolean" },
        jobs: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (thrown) {
    throw new UsageError(`${messageOf(thrown)}\n\n${USAGE}`);
  }
}
