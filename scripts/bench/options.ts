/** The command line of `npm run bench`. */
import { parseArgs } from "node:util";
import { messageOf } from "../../lib/base/errors.ts";
import { UsageError } from "../usage.ts";
import type { Bench, Suite } from "./suite.ts";

export const ROUNDS_DEFAULT = 7;
const ROUNDS_MAX = 1_000;

export const USAGE = `npm run bench -- [--only NAME] [--rounds N] [--short] [--json] [--list]

  --only NAME   a suite (actors) or one bench of it (actors/local-cast); may be repeated
  --rounds N    rounds per bench, 1 to ${ROUNDS_MAX} (default ${ROUNDS_DEFAULT})
  --short       what takes minutes takes seconds; no target is met by it
  --json        one JSON object on standard output, everything else on standard error
  --list        what there is to measure, and measure nothing`;

export interface Selected {
  readonly suite: Suite;
  readonly benches: readonly Bench[];
}

export interface RunCommand {
  readonly command: "run";
  readonly selected: readonly Selected[];
  readonly rounds: number;
  readonly short: boolean;
  readonly json: boolean;
}

export type Command = RunCommand | { readonly command: "list" } | { readonly command: "help" };

/** Reads `args`; throws UsageError. */
export function parseCommand(args: readonly string[], suites: readonly Suite[]): Command {
  const { only, rounds, short, json, list, help } = readFlags(args);
  if (help === true) {
    return { command: "help" };
  }
  const selected = select(only ?? [], suites);
  const count = checkRounds(rounds);
  return list === true
    ? { command: "list" }
    : { command: "run", selected, rounds: count, short: short === true, json: json === true };
}

function readFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: "string", multiple: true },
        rounds: { type: "string" },
        short: { type: "boolean" },
        json: { type: "boolean" },
        list: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (thrown) {
    throw new UsageError(`${messageOf(thrown)}\n\n${USAGE}`);
  }
}

function checkRounds(text: string | undefined): number {
  const rounds = text === undefined ? ROUNDS_DEFAULT : Number(text);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > ROUNDS_MAX) {
    throw new UsageError(
      `--rounds is ${JSON.stringify(text)}; allowed: a whole number from 1 to ${ROUNDS_MAX}`,
    );
  }
  return rounds;
}

/** The benches that `names` mean, in the order of the suites; all of them when there are no names. */
function select(names: readonly string[], suites: readonly Suite[]): Selected[] {
  const known = suites.flatMap((suite) => [
    suite.name,
    ...suite.benches.map((bench) => fullName(suite, bench)),
  ]);
  for (const name of names) {
    if (!known.includes(name)) {
      throw new UsageError(`--only is ${JSON.stringify(name)}; allowed: ${known.join(", ")}`);
    }
  }
  const wanted = (suite: Suite, bench: Bench): boolean =>
    names.length === 0 || names.includes(suite.name) || names.includes(fullName(suite, bench));
  return suites
    .map((suite) => ({ suite, benches: suite.benches.filter((bench) => wanted(suite, bench)) }))
    .filter(({ benches }) => benches.length > 0);
}

export function fullName(suite: Suite, bench: Bench): string {
  return `${suite.name}/${bench.name}`;
}
