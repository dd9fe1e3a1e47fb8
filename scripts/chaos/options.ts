/** The command line of `npm run chaos`. */
import { parseArgs } from "node:util";
import { messageOf } from "../../lib/base/errors.ts";
import { UsageError, whole } from "../usage.ts";
import type { Durability } from "./faults.ts";

const MINUTES_DEFAULT = 2;
const MINUTES_MAX = 7 * 24 * 60;
const CLIENTS_DEFAULT = 8;
const CLIENTS_MIN = 8;
const CLIENTS_MAX = 64;

export const USAGE = `npm run chaos -- [--minutes N] [--nodes 3|5] [--servers 1|3] [--durability memory|disk]
                 [--seed K] [--clients C] [--json]

  --minutes N        how long faults and load go on, fractions allowed (default ${MINUTES_DEFAULT})
  --nodes 3|5        node processes (default 3)
  --servers 1|3      nats-servers; three are routed to each other (default 1)
  --durability ...   memory or disk; disk adds deaths of majorities and damaged journals (default memory)
  --seed K           what the faults and the load are drawn from (default: another one each time, printed)
  --clients C        ${CLIENTS_MIN} to ${CLIENTS_MAX} clients, each with one operation open at a time (default ${CLIENTS_DEFAULT})
  --json             one JSON object on standard output, everything else on standard error

Exit code 0: nothing lost, linearizable, recovered in time, enough faults and load; 1: otherwise, and history and
logs are kept in a folder that is named; 2: flags that cannot be.`;

export interface RunCommand {
  readonly command: "run";
  readonly minutes: number;
  readonly nodes: 3 | 5;
  readonly servers: 1 | 3;
  readonly durability: Durability;
  /** Undefined: to be drawn. */
  readonly seed: number | undefined;
  readonly clients: number;
  readonly json: boolean;
}

export type Command = RunCommand | { readonly command: "help" };

/** Reads `args`; throws UsageError. */
export function parseCommand(args: readonly string[]): Command {
  const flags = readFlags(args);
  if (flags.help === true) {
    return { command: "help" };
  }
  const { minutes, nodes = "3", servers = "1", durability = "memory", seed, clients } = flags;
  return {
    command: "run",
    minutes: minutes === undefined ? MINUTES_DEFAULT : readMinutes(minutes),
    nodes: oneOf("nodes", nodes, [3, 5]),
    servers: oneOf("servers", servers, [1, 3]),
    durability: oneOf("durability", durability, ["memory", "disk"]),
    seed: seed === undefined ? undefined : whole("seed", seed, 0, Number.MAX_SAFE_INTEGER),
    clients: clients === undefined ? CLIENTS_DEFAULT : whole("clients", clients, CLIENTS_MIN, CLIENTS_MAX),
    json: flags.json === true,
  };
}

function readMinutes(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value > 0 && value <= MINUTES_MAX)) {
    throw new UsageError(
      `--minutes is ${JSON.stringify(text)}; allowed: a number above 0, at most ${MINUTES_MAX}`,
    );
  }
  return value;
}

function oneOf<const Value extends string | number>(
  name: string,
  text: string,
  allowed: readonly Value[],
): Value {
  const value = allowed.find((each) => String(each) === text);
  if (value === undefined) {
    throw new UsageError(`--${name} is ${JSON.stringify(text)}; allowed: ${allowed.join(", ")}`);
  }
  return value;
}

function readFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        minutes: { type: "string" },
        nodes: { type: "string" },
        servers: { type: "string" },
        durability: { type: "string" },
        seed: { type: "string" },
        clients: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (thrown) {
    throw new UsageError(`${messageOf(thrown)}\n\n${USAGE}`);
  }
}
