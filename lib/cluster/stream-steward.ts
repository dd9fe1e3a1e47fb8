/**
 * The steward of one stream, at its open writer: gives the orders that bring its members in line with what
 * is wanted, one at a time, and keeps quiet while one is being carried out.
 */
import { messageOf } from "../base/errors.ts";
import type { ReplicaHome } from "../stream/replica-home.ts";
import type { ReplicaId } from "../stream/replica-id.ts";
import type { OrderAnswer } from "../stream/requests.ts";
import type { Logger } from "../telemetry/log.ts";
import { reconcile } from "./reconcile.ts";
import type { StreamOrder } from "./stream-host.ts";

export interface StewardHost {
  readonly log: Logger;
  /** Gives an order to the stream's replica on this node. */
  order(message: StreamOrder, timeoutMs: number): Promise<OrderAnswer>;
  /** Called when an order or a request has been decided, so that the next may follow. */
  done(): void;
}

/** Longer than a replica takes to decide an order. */
const ORDER_TIMEOUT_MS = 15_000;

export class StreamSteward {
  readonly #host: StewardHost;
  #ordering = false;
  readonly #asking = new Set<string>();

  constructor(host: StewardHost) {
    this.#host = host;
  }

  /** Takes the next step for the stream, if its writer is here and there is one. `wanted`: the preferred writer first. */
  step(home: ReplicaHome, wanted: readonly string[], up: ReadonlySet<string>): void {
    const { role, self, hard } = home.replica;
    if (this.#ordering || role !== "open" || hard.activated === null) {
      return;
    }
    const { learners } = home.status;
    const { configuration } = hard.activated;
    const step = reconcile({ configuration, self, learners, wanted, up, behind: notReady(home) });
    if (step === null) {
      return;
    }
    const what = `stream ${home.options.stream}`;
    this.#ordering = true;
    const order: StreamOrder =
      "reconfigure" in step
        ? { type: "reconfigure", members: step.reconfigure }
        : { type: "handOver", to: step.handOver };
    this.#host.log.info(`${what}: ${order.type}`, step);
    this.#host
      .order(order, ORDER_TIMEOUT_MS)
      .then(
        (answer) => this.#host.log.debug(`${what}: ${order.type} is ${answer.status}`, answer),
        (thrown: unknown) => this.#host.log.debug(`${what}: ${order.type} failed: ${messageOf(thrown)}`),
      )
      .finally(() => {
        this.#ordering = false;
        this.#host.done();
      });
  }

  /** Runs `request` unless one under the same key is under way. What fails comes again with the next look. */
  once(key: string, request: () => Promise<unknown>): void {
    if (this.#asking.has(key)) {
      return;
    }
    this.#asking.add(key);
    Promise.resolve()
      .then(request)
      .catch((thrown: unknown) => this.#host.log.debug(`${key}: ${messageOf(thrown)}`))
      .finally(() => {
        this.#asking.delete(key);
        this.#host.done();
      });
  }
}

/** Three heartbeats that were not answered: a member that has died is not known as down before long. */
const SILENT_TICKS = 3;

/** Members that could not take over at once: not heard in this epoch, or not of late, or far behind. */
function notReady({ replica: { writer, log }, settings }: ReplicaHome): ReadonlySet<ReplicaId> {
  const unready = new Set<ReplicaId>();
  for (const [member, { silentTicks, matchSeq }] of writer?.progress ?? []) {
    const isBehind = writer === null || matchSeq < writer.barrierSeq;
    if (isBehind || silentTicks > SILENT_TICKS || log.lastSeq - matchSeq > settings.windowEntries) {
      unready.add(member);
    }
  }
  return unready;
}
