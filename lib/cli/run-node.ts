/**
 * A node in the foreground of a process: started, kept until somebody asks for its end or it ends by
 * itself, and then stopped phase by phase where one can see it.
 */
import { messageOf } from "../base/errors.ts";
import type { Node } from "../runtime/node.ts";
import type { StopReport } from "../runtime/shutdown.ts";
import type { Logger } from "../telemetry/log.ts";
import { EXIT_FAILED, EXIT_OK } from "./failure.ts";
import { coloursFor } from "./output.ts";
import { onStopSignal } from "./signals.ts";

export interface RunOptions {
  readonly start: () => Promise<Node>;
  readonly onReady: (node: Node) => void | Promise<void>;
  readonly log: Logger;
  /** End when the process that started this one is gone; needs an IPC channel to it. */
  readonly tied: boolean;
  /** Say nothing about the end. */
  readonly quiet?: boolean;
}

/**
 * Resolves with the exit code when the node has ended: 0 when it was asked to, 1 when it ended by itself.
 * Rejects with what starting it threw. SIGUSR2 switches the log between its level and debug.
 */
export async function runNode({ start, onReady, log, tied, quiet = false }: RunOptions): Promise<number> {
  const asked = new Promise<string>((resolve) => {
    onStopSignal(resolve);
    if (tied) {
      process.once("disconnect", () => resolve("the process that started this one is gone"));
      process.channel?.unref();
      if (!process.connected) {
        resolve("there is no process that this one is tied to");
      }
    }
  });
  process.on("SIGUSR2", toggleDebug(log));
  const starting = start();
  const first = await Promise.race([starting, asked]);
  if (typeof first === "string") {
    log.warn(`stopped before the node was ready: ${first}`);
    // What is under way holds the process: a connection that is tried for ever.
    process.exit(EXIT_OK);
  }
  const node = first;
  await onReady(node);
  const failure = await Promise.race([node.closed, asked.then((why) => stop(node, why, { tied, quiet }))]);
  if (failure !== undefined) {
    log.error(`node ${node.name} ended by itself: ${messageOf(failure)}`);
    return EXIT_FAILED;
  }
  return EXIT_OK;
}

async function stop(
  node: Node,
  why: string,
  { tied, quiet }: { readonly tied: boolean; readonly quiet: boolean },
): Promise<undefined> {
  if (!tied) {
    process.stderr.write(`stopping node ${node.name} (${why}); a second Ctrl-C ends it at once\n`);
  }
  const report = await node.stop();
  if (!quiet) {
    process.stderr.write(`${describeStop(node.name, report)}\n`);
  }
}

function describeStop(name: string, report: StopReport): string {
  const colours = coloursFor(process.stderr);
  const phases = report.map(({ phase, ms, problem }) => {
    const text = `${phase} ${ms} ms`;
    return problem === undefined ? text : colours.yellow(`${text} (${problem})`);
  });
  return `node ${name} stopped: ${phases.join(", ")}`;
}

function toggleDebug(log: Logger): () => void {
  const usual = log.level === "debug" ? "info" : log.level;
  return () => {
    const level = log.level === "debug" ? usual : "debug";
    log.setLevel(level);
    process.stderr.write(`log level: ${level}\n`);
  };
}
