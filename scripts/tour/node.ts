/**
 * One node of the tour, in a process of its own: what a program that uses the library looks like. The
 * connection comes from the environment, as scripts/tour/cluster.ts sets it.
 */
import { parseArgs } from "node:util";
import { reportFailure } from "../../lib/cli/failure.ts";
import { runNode } from "../../lib/cli/run-node.ts";
import { CONNECTION_SETTINGS, loadOptions } from "../../lib/config/load.ts";
import { checkConnection, type NodeOptions } from "../../lib/config/options.ts";
import type { Node } from "../../lib/runtime/node.ts";
import type { NodePorts } from "../../lib/runtime/ports.ts";
import { startNode } from "../../lib/runtime/start-node.ts";
import { createLogger } from "../../lib/telemetry/logger.ts";
import { WORKERS, WordCounter } from "./word-count.ts";

/** What happens is shown by the tour itself; logs are for when it fails. */
export const LOG_LEVEL = "warn";

/** A node with its supervised workers. */
export async function startTourNode(options: NodeOptions, ports: NodePorts): Promise<Node> {
  const node = await startNode(options, ports);
  for (const name of WORKERS) {
    await node.start(WordCounter, undefined, { name });
  }
  return node;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      name: { type: "string", default: "" },
      peers: { type: "string", default: "" },
      tied: { type: "boolean", default: false },
    },
  });
  const settings = CONNECTION_SETTINGS;
  const { options } = loadOptions({ env: process.env, flags: new Map(), settings });
  const connection = checkConnection(options);
  const log = createLogger({ level: LOG_LEVEL });
  const start = (): Promise<Node> =>
    startTourNode({ ...connection, name: values.name, peers: values.peers.split(",") }, { log });
  return runNode({ start, onReady: () => undefined, log, tied: values.tied, quiet: true });
}

if (process.argv[1] === import.meta.filename) {
  try {
    process.exitCode = await main();
  } catch (error) {
    process.exitCode = reportFailure(error, { json: false, command: "start" });
  }
}
