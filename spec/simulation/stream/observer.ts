/**
 * The observer hangs on every replica's probe and sees each step of each replica as it is taken, with the
 * whole world in view: the global invariants of the protocol are asserted here.
 *
 * It promises to change nothing: a run with it is the run without it.
 */
import { compareEpochs, EPOCH_ZERO } from "../../../lib/journal/epoch.ts";
import type { Message } from "../../../lib/stream/messages.ts";
import type { ReplicaId } from "../../../lib/stream/replica-id.ts";
import type {
  HardState,
  ReplicaState,
  StreamEffect,
  StreamEvent,
} from "../../../lib/stream/replica-state.ts";
import { EpochObserver } from "./observed-epochs.ts";
import { KeepingObserver } from "./observed-keeping.ts";
import { LogObserver } from "./observed-log.ts";
import { epochText, membersText, type Observed, shortId, type World } from "./world.ts";

export class Observer {
  readonly world: World;
  readonly #epochs: EpochObserver;
  readonly #logs: LogObserver;
  readonly #keeping: KeepingObserver;
  /** Stores that have been asked for and are not done, by replica. */
  readonly #stores = new Map<ReplicaId, { readonly mark: number; readonly hard: HardState | null }[]>();
  readonly #hashes = new Map<number, { readonly hash: string; readonly who: string }>();

  constructor(world: World) {
    this.world = world;
    this.#epochs = new EpochObserver(world);
    this.#logs = new LogObserver(world);
    this.#keeping = new KeepingObserver(world);
  }

  /** The probe of one life of one replica; another id than before is the beginning of another one. */
  probe(): (
    before: ReplicaState,
    event: StreamEvent,
    after: ReplicaState,
    effects: readonly StreamEffect[],
  ) => void {
    let seen: Observed | null = null;
    return (before, event, after, effects) => {
      if (seen?.self !== before.self) {
        seen = this.#begin(before);
      }
      this.#step(seen, before, event, after, effects);
    };
  }

  /** The process of this replica has ended. `lost`: what it had in memory, or on disk, is gone. */
  ended(replica: ReplicaId, lost: boolean): void {
    const seen = this.world.replicas.get(replica);
    if (seen !== undefined) {
      seen.down = true;
      seen.lost ||= lost;
      seen.endedIn = seen.state.hard.promise;
      if (lost) {
        this.world.holders?.returned(replica, seen.state.log, null);
      }
      this.#stores.delete(replica);
      this.#keeping.ended(replica);
    }
  }

  /** A replica is about to delete what it holds because the stream does not need it any more. */
  deletes(replica: ReplicaId): void {
    const seen = this.world.replicas.get(replica);
    if (seen !== undefined) {
      this.#keeping.deletes(seen);
    }
  }

  /** Another state stands where the applied state was; the positions of both. */
  replaced(replica: ReplicaId, before: number, after: number): void {
    this.#keeping.replaced(replica, before, after);
  }

  /** I16 and I17: who has applied the same entries has the same state. */
  applied(replica: ReplicaId, appliedSeq: number, hash: string): void {
    const known = this.#hashes.get(appliedSeq);
    if (known === undefined) {
      this.#hashes.set(appliedSeq, { hash, who: shortId(replica) });
    } else if (known.hash !== hash) {
      const other = `${known.who} has ${known.hash}`;
      this.world.violate("I16", `at ${appliedSeq} ${shortId(replica)} has state ${hash}, ${other}`);
    }
    this.world.expect(appliedSeq <= this.world.committedSeq, "I8", () => {
      return `${shortId(replica)} has applied ${appliedSeq}, committed is ${this.world.committedSeq}`;
    });
  }

  // --- one life -----------------------------------------------------------------------------------

  /** I12, and I2 after a restart: what was promised and vouched for before is still there. */
  #begin(state: ReplicaState): Observed {
    const { self, hard, log, role, tailCertain } = state;
    const known = this.world.replicas.get(self);
    const { world } = this;
    if (known === undefined) {
      const seen: Observed = {
        self,
        state,
        lives: 1,
        lost: false,
        down: false,
        durablePromise: hard.promise,
        vouched: null,
        vouchedPromise: EPOCH_ZERO,
        endedIn: EPOCH_ZERO,
      };
      world.replicas.set(self, seen);
      return seen;
    }
    const who = shortId(self);
    world.expect(!known.lost, "I12", () => `${who} speaks again although what it held is lost`);
    if (known.down) {
      known.lives += 1;
      world.holders?.returned(self, known.state.log, log);
      world.expect(compareEpochs(hard.promise, known.vouchedPromise) >= 0, "I2", () => {
        return `${who} is back with promise ${epochText(hard.promise)}, gave ${epochText(known.vouchedPromise)}`;
      });
      const { vouched } = known;
      const sound = tailCertain && role !== "damaged";
      const kept = vouched === null || log.base.seq > vouched.seq;
      world.expect(!sound || kept || log.position(vouched.seq)?.chain === vouched.chain, "I13", () => {
        return `${who} is back without entry ${vouched?.seq}, which it acknowledged; it ends at ${log.lastSeq}`;
      });
      known.down = false;
    }
    known.durablePromise = hard.promise;
    return known;
  }

  #step(
    seen: Observed,
    before: ReplicaState,
    event: StreamEvent,
    after: ReplicaState,
    effects: readonly StreamEffect[],
  ): void {
    const { world } = this;
    seen.state = after;
    world.expect(!seen.lost, "I12", () => `${shortId(after.self)} goes on although what it held is lost`);
    this.#trace(before, event, after, effects);
    if (event.type === "stored") {
      this.#stored(seen, event.mark);
    }
    this.#logs.step(before, event, after, seen);
    this.#epochs.step(before, event, after, seen);
    this.#keeping.step(before, event, after, effects);
    for (const effect of effects) {
      world.coverage.effects[effect.type] = (world.coverage.effects[effect.type] ?? 0) + 1;
      if (effect.type === "store") {
        this.#storesOf(after.self).push({ mark: effect.mark, hard: effect.hard });
      } else if (effect.type === "install") {
        world.coverage.snapshots += 1;
      }
      this.#logs.effect(effect, before, after, seen);
      this.#epochs.effect(effect, after, seen);
    }
  }

  #storesOf(replica: ReplicaId): { readonly mark: number; readonly hard: HardState | null }[] {
    const known = this.#stores.get(replica);
    if (known !== undefined) {
      return known;
    }
    const stores: { readonly mark: number; readonly hard: HardState | null }[] = [];
    this.#stores.set(replica, stores);
    return stores;
  }

  #stored(seen: Observed, mark: number): void {
    const stores = this.#storesOf(seen.self);
    for (let next = stores[0]; next !== undefined && next.mark <= mark; next = stores[0]) {
      if (next.hard !== null) {
        seen.durablePromise = next.hard.promise;
      }
      stores.shift();
    }
  }

  // --- the trace ----------------------------------------------------------------------------------

  /** Ticks that change nothing but counters are hashed and not kept. */
  #trace(
    before: ReplicaState,
    event: StreamEvent,
    after: ReplicaState,
    effects: readonly StreamEffect[],
  ): void {
    this.world.trace.event(
      shortId(after.self),
      () => describe(before, event, after, effects),
      after.log.lastSeq,
      after.commitSeq,
      after.hard.promise.counter,
      effects.length,
      event.type.length,
    );
  }
}

function describe(
  before: ReplicaState,
  event: StreamEvent,
  after: ReplicaState,
  effects: readonly StreamEffect[],
): string {
  const role = after.role === before.role ? after.role : `${before.role} -> ${after.role}`;
  const place = `${role} p${epochText(after.hard.promise)} ${after.commitSeq}:${after.log.lastSeq}`;
  const shown = effects.map(describeEffect).join("; ");
  return `[${place}] ${describeEvent(event)}${shown === "" ? "" : ` => ${shown}`}`;
}

function describeEvent(event: StreamEvent): string {
  switch (event.type) {
    case "message":
      return `${shortId(event.from)} says ${describeMessage(event.message)}`;
    case "propose":
      return `propose ${event.payloads.length}`;
    case "claim":
      return `claim${event.force ? " by force" : ""} ${event.configuration ? membersText(event.configuration) : ""}`;
    case "stored":
      return `stored ${event.mark}`;
    case "handOver":
    case "join":
      return `${event.type} ${shortId(event.to)}`;
    case "replicaDown":
    case "replicaUp":
      return `${event.type} ${shortId(event.replica)}`;
    default:
      return event.type;
  }
}

function describeEffect(effect: StreamEffect): string {
  switch (effect.type) {
    case "send":
      return `to ${effect.to.map(shortId).join(",")} ${describeMessage(effect.message)}`;
    case "store":
      return `store ${effect.mark} (${effect.entries.length} entries${effect.hard ? ", hard" : ""})`;
    case "commit":
    case "heldByQuorum":
    case "truncated":
      return `${effect.type} ${effect.seq}`;
    case "opened":
    case "closed":
      return `${effect.type} ${epochText(effect.epoch)}`;
    case "claimFailed":
      return `claimFailed ${epochText(effect.epoch)}: ${effect.reason}`;
    case "install":
      return `install ${effect.base.seq}`;
    default:
      return effect.type;
  }
}

function describeMessage(message: Message): string {
  const epoch = "epoch" in message ? ` ${epochText(message.epoch)}` : "";
  switch (message.type) {
    case "append":
      return `append${epoch} after ${message.prev.seq}: ${message.entries.length}, commit ${message.commitSeq}`;
    case "heartbeat":
      return `heartbeat${epoch} tail ${message.tail.seq}, commit ${message.commitSeq}`;
    case "ack":
      return `ack${epoch} ${message.seq}`;
    case "nack":
      return `nack${epoch} ${message.reason} ${message.hintSeq}`;
    case "sealOk":
      return `sealOk${epoch} ends ${message.last.seq}@${epochText(message.last.epoch)}, ${message.successors.length} open`;
    default:
      return `${message.type}${epoch}`;
  }
}
