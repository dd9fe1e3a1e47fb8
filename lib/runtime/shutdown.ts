/** The graceful end of a node, phase by phase, and the record of it. */
import type { Process } from "../actor/process.ts";
import type { ActorSystem } from "../actor/system.ts";
import { delay } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { ForeignGateway } from "../node/foreign-gateway.ts";
import type { NodeFloor } from "../node/node-floor.ts";
import type { AnnouncedService, Transport } from "../transport/transport.ts";

export interface StopPhase {
  readonly phase: "handOver" | "refuse" | "drain" | "tree" | "storage" | "goodbye" | "transport" | "server";
  readonly ms: number;
  /** What did not go as it should: mailboxes not empty in time, an error. */
  readonly problem?: string;
}

export type StopReport = readonly StopPhase[];

export interface ShutdownParts {
  readonly system: ActorSystem;
  readonly floor: NodeFloor;
  readonly gateway: ForeignGateway;
  readonly transport: Transport;
  readonly root: Process;
  readonly service: AnnouncedService | undefined;
  /** Lets other nodes take over what this one does for the cluster, while everything still runs. */
  readonly handOver?: () => Promise<void>;
  /** Closes what the tree has written to. */
  readonly closeStorage?: () => Promise<void>;
  /** Ends what the node started for itself, such as a nats-server. */
  readonly after?: () => Promise<void>;
}

const DRAIN_POLL_MS = 5;

export class Shutdown {
  readonly closed: Promise<Error | undefined>;
  readonly #parts: ShutdownParts;
  #settle: (error: Error | undefined) => void = () => undefined;
  #stopping: Promise<StopReport> | undefined;

  constructor(parts: ShutdownParts) {
    this.#parts = parts;
    this.closed = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get underWay(): boolean {
    return this.#stopping !== undefined;
  }

  /** Stops the node; a second call gets the first one's report. `cause`: why, when nobody asked for it. */
  stop(cause?: Error): Promise<StopReport> {
    this.#stopping ??= this.#run(cause);
    return this.#stopping;
  }

  async #run(cause: Error | undefined): Promise<StopReport> {
    const { system, floor, gateway, transport, root, service, handOver, closeStorage, after } = this.#parts;
    const phases: StopPhase[] = [];
    const phase = async (
      name: StopPhase["phase"],
      action: () => Promise<string | undefined>,
    ): Promise<void> => {
      const startedAt = system.clock.now();
      let problem: string | undefined;
      try {
        problem = await action();
      } catch (thrown) {
        problem = messageOf(thrown);
      }
      const ms = Math.round(system.clock.now() - startedAt);
      phases.push({ phase: name, ms, ...(problem === undefined ? {} : { problem }) });
      if (problem !== undefined) {
        system.log.warn(`stopping, phase ${name}: ${problem}`);
      }
    };
    if (handOver !== undefined && cause === undefined) {
      await phase("handOver", () => this.#bounded(handOver()));
    }
    await phase("refuse", () => {
      gateway.stop();
      return this.#bounded(service?.stop());
    });
    await phase("drain", () => this.#drain());
    await phase("tree", () => this.#endTree(root));
    if (closeStorage !== undefined) {
      await phase("storage", () => this.#bounded(closeStorage()));
    }
    await phase("goodbye", async () => {
      floor.stop();
      return undefined;
    });
    await phase("transport", () => this.#bounded(transport.close({ drain: true })));
    await phase("server", () => this.#bounded(after?.()));
    system.close();
    this.#settle(cause);
    return phases;
  }

  /** Waits for `work`, at most `2 x drainMs`: what hangs must not keep the node from ending. */
  async #bounded(work: Promise<void> | undefined): Promise<string | undefined> {
    const { clock, limits } = this.#parts.system;
    const waitMs = 2 * limits.drainMs;
    return new Promise((resolve, reject) => {
      const timer = clock.setTimer(() => resolve(`not over after ${waitMs} ms`), waitMs);
      Promise.resolve(work)
        .then(() => resolve(undefined), reject)
        .finally(() => clock.clearTimer(timer));
    });
  }

  /** Waits until every mailbox is empty and nobody is in an async handler, at most `drainMs`. */
  async #drain(): Promise<string | undefined> {
    const { system } = this.#parts;
    const deadline = system.clock.now() + system.limits.drainMs;
    for (;;) {
      const waiting = [...system.processes()].filter((each) => each.mailboxLength > 0 || each.busy);
      if (waiting.length === 0) {
        return undefined;
      }
      if (system.clock.now() >= deadline) {
        const messages = waiting.reduce((sum, each) => sum + each.mailboxLength, 0);
        return `${waiting.length} processes still had ${messages} messages after ${system.limits.drainMs} ms`;
      }
      await delay(system.clock, DRAIN_POLL_MS);
    }
  }

  #endTree(root: Process): Promise<string | undefined> {
    return new Promise((resolve) => {
      if (!root.alive) {
        resolve(undefined);
        return;
      }
      root.onEnd(() => resolve(undefined));
      root.pushSystem(() => root.end("shutdown"));
    });
  }
}
