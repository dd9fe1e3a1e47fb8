/**
 * Performs the effects of a replica's steps. Each may be performed twice, after a crash in between, and then
 * does nothing the second time that would not be right.
 */
import type { CastMessage } from "../actor/protocol.ts";
import { unreachable } from "../base/invariant.ts";
import { publishEvent } from "../telemetry/events.ts";
import { AppendOutbox } from "./append-outbox.ts";
import type { Letter, Message } from "./messages.ts";
import { PROTOCOL_VERSION } from "./messages.ts";
import type { OrderDesk } from "./order-desk.ts";
import type { ReadDesk } from "./read-desk.ts";
import type { ReplicaHome, Unfinished } from "./replica-home.ts";
import { nodeOf, type ReplicaId } from "./replica-id.ts";
import type { StreamEffect } from "./replica-state.ts";
import type { Parcel, RequestAnswer, StreamProtocol } from "./requests.ts";
import type { SnapshotMessage } from "./snapshot-messages.ts";
import type { TransferEffect } from "./transfers.ts";

/** What performing needs of the actor. */
export interface PerformerHost {
  readonly home: ReplicaHome;
  readonly reads: ReadDesk;
  readonly orders: OrderDesk;
  redirect(): RequestAnswer;
  /** The own epoch has ended. */
  closed(): void;
  /** To the replica of this stream on another node. */
  cast(node: string, message: CastMessage<StreamProtocol>): void;
  nudgeLater(): void;
  transfer(effects: readonly TransferEffect[]): void;
  cutLater(): void;
}

type Effect<Type extends StreamEffect["type"]> = Extract<StreamEffect, { readonly type: Type }>;

export class EffectPerformer {
  readonly #host: PerformerHost;
  readonly #outbox: AppendOutbox | null;

  constructor(host: PerformerHost) {
    const { settings, ports, options } = host.home;
    const { appendEntries, appendBytes } = settings;
    this.#host = host;
    this.#outbox =
      options.mode === "async"
        ? new AppendOutbox({
            ...{ clock: ports.clock, appendEntries, appendBytes },
            send: (to, append) => this.#post(to, append),
          })
        : null;
  }

  perform({ effect, log, staged }: Unfinished): void {
    const { home, reads, orders } = this.#host;
    switch (effect.type) {
      case "send":
        this.#sendLetter(effect.to, effect.message);
        break;
      case "store":
        home.storage?.store(effect);
        break;
      case "commit":
        this.#commit(log, effect.seq);
        break;
      case "heldByQuorum":
        home.batches.held(effect.seq);
        break;
      case "install":
        this.#install(effect, staged);
        break;
      case "opened":
      case "claimFailed":
        orders.decided(effect);
        break;
      case "closed":
        this.#closed(effect);
        break;
      case "role":
        this.#role(effect);
        break;
      case "sendSnapshot":
        home.transfers.begin(effect.to, home.replicated);
        this.#host.cutLater();
        break;
      case "readReady":
        reads.ready(effect.id, effect.seq);
        break;
      case "readRefused":
        reads.refused(effect.id);
        break;
      case "nudge":
        this.#host.nudgeLater();
        break;
      case "confirmTail":
        home.storage?.confirmTail();
        break;
      case "truncated":
        break; // what is cut is not applied, and a batch in it stays undecided
      case "caughtUp":
        home.ports.log.info(`${effect.replica} holds all of ${home.options.stream}`);
        home.options.changed?.();
        break;
      default:
        unreachable(effect);
    }
  }

  sendParcel(to: ReplicaId, message: SnapshotMessage): void {
    const { home } = this.#host;
    const { stream, lineage } = home.options;
    const parcel: Parcel = { v: PROTOCOL_VERSION, stream, lineage, from: home.replica.self, to, message };
    if (nodeOf(to) !== home.ports.node) {
      this.#host.cast(nodeOf(to), { type: "snapshot", parcel });
    }
  }

  #sendLetter(to: readonly ReplicaId[], message: Message): void {
    if (this.#outbox !== null && message.type === "append" && message.entries.length > 0) {
      this.#outbox.add(to, message);
      return;
    }
    this.#outbox?.flush();
    this.#post(to, message);
  }

  #post(to: readonly ReplicaId[], message: Message): void {
    const { home } = this.#host;
    const { stream, lineage } = home.options;
    const letter: Letter = { v: PROTOCOL_VERSION, stream, lineage, from: home.replica.self, to, message };
    const nodes = new Set(to.map(nodeOf));
    nodes.delete(home.ports.node); // another replica on this node is an older one of this stream
    const many = nodes.size > 1 && message.type === "append" && message.entries.length > 0;
    if (many && home.options.fanOut?.(letter) === true) {
      return;
    }
    for (const node of nodes) {
      this.#host.cast(node, { type: "letter", letter });
    }
  }

  #commit(log: Unfinished["log"], seq: number): void {
    const { home, reads } = this.#host;
    home.apply(log, seq, (entry) => home.batches.committed(entry, this.#host.redirect()));
    home.storage?.commit(seq);
    reads.applied(home.replicated.appliedSeq);
    home.options.applied?.();
  }

  /** The staged state becomes the state. It has been verified; performed twice it is there already. */
  #install({ base }: Effect<"install">, staged: Unfinished["staged"]): void {
    const { home, reads } = this.#host;
    if (staged === null || home.replicated.appliedSeq >= base.seq) {
      return;
    }
    this.#host.transfer(home.transfers.cancelSources("the state was replaced by a snapshot"));
    home.replicated = staged;
    home.ports.log.info(
      `${home.replica.self} has taken a snapshot of ${home.options.stream} up to ${base.seq}`,
    );
    const known = home.replicated;
    home.batches.installed(
      base,
      ({ clientId, requestSeq }) => known.answered(clientId, requestSeq),
      this.#host.redirect(),
    );
    reads.applied(base.seq);
    home.options.applied?.();
  }

  /** What the own epoch has not committed is seen no more. */
  #closed(effect: Effect<"closed">): void {
    const { home, orders } = this.#host;
    const { replica, batches, options } = home;
    home.replicated.dropOverlay();
    batches.epochChanged();
    this.#host.closed();
    orders.decided(effect);
    publishEvent("supercast:stream:epochLost", () => ({
      node: home.ports.node,
      stream: options.stream,
      replica: replica.self,
      epoch: effect.epoch.counter,
      uncommitted: batches.undecided,
      lastSeq: replica.log.lastSeq,
    }));
  }

  #role({ role, previous }: Effect<"role">): void {
    const { home } = this.#host;
    const { self } = home.replica;
    home.ports.log.info(`${self} is ${role} of ${home.options.stream}`, { previous });
    publishEvent("supercast:stream:role", () => ({
      node: home.ports.node,
      stream: home.options.stream,
      replica: self,
      role,
      previous,
    }));
    home.options.changed?.();
  }
}
