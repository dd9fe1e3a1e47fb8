/** The command line of `npm run explore`. */
import { parseArgs } from "node:util";
import { messageOf } from "../../lib/base/errors.ts";
import { UsageError, whole } from "../usage.ts";

const STATES_DEFAULT = 1_000_000;
const STATES_MAX = 100_000_000;
/** So many counters fit into what the exploration remembers of epochs. */
const EPOCHS_MAX = 7;
const WRITES_MAX = 9;
const CLAIMS_MAX = 21;

export const USAGE = `npm run explore -- [--states N] [--epochs E] [--claims C] [--writes W] [--crashes 0|1] [--questions] [--json]

  --states N     stop when so many states have been found (default ${STATES_DEFAULT})
  --epochs E     the highest counter of an epoch (default 3)
  --claims C     claims in all, of whatever counter (default: as many as epochs)
  --writes W     entries that writers append besides barriers (default 2)
  --crashes 0|1  replicas that die; for each an empty one starts under another name (default 1)
  --questions    explore the questions before claims too, instead of answering each yes at once
  --json         one JSON object on standard output, everything else on standard error

Exit code 0: no violation; 1: a violation, with the shortest way there; 2: flags that cannot be.`;

export interface ExploreCommand {
  readonly states: number;
  readonly epochs: number;
  readonly claims: number;
  readonly writes: number;
  readonly crashes: number;
  readonly questions: boolean;
  readonly json: boolean;
}

/** Reads `args`; null when help is asked for. Throws UsageError. */
export function parseCommand(args: readonly string[]): ExploreCommand | null {
  const flags = readFlags(args);
  if (flags.help === true) {
    return null;
  }
  const epochs = whole("epochs", flags.epochs ?? "3", 1, EPOCHS_MAX);
  return {
    states: whole("states", flags.states ?? String(STATES_DEFAULT), 1, STATES_MAX),
    epochs,
    claims: whole("claims", flags.claims ?? String(epochs), 1, CLAIMS_MAX),
    writes: whole("writes", flags.writes ?? "2", 0, WRITES_MAX),
    crashes: whole("crashes", flags.crashes ?? "1", 0, 1),
    questions: flags.questions === true,
    json: flags.json === true,
  };
}

function readFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        states: { type: "string" },
        epochs: { type: "string" },
        claims: { type: "string" },
        writes: { type: "string" },
        crashes: { type: "string" },
        questions: { type: "boolean" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (thrown) {
    throw new UsageError(`${messageOf(thrown)}\n\n${USAGE}`);
  }
}
