/**
 * What the world asserts about keeping what one has: a replica lets go of a stream only when the stream has let
 * go of it (I25), and of its log and state only for a snapshot that is whole (I28).
 */
import { configurationKey, isMember } from "../../../lib/stream/configuration.ts";
import type { Position } from "../../../lib/stream/entry.ts";
import type { Ack, SealOk } from "../../../lib/stream/messages.ts";
import type { ReplicaId } from "../../../lib/stream/replica-id.ts";
import type { ReplicaState, StreamEffect, StreamEvent } from "../../../lib/stream/replica-state.ts";
import { epochKey, epochText, type Observed, shortId, type World } from "./world.ts";

/** A snapshot that has taken the place of the log, and is durable when the store with this mark is done. */
interface Install {
  readonly base: Position;
  readonly mark: number;
}

/**
 * Whether a replica may delete what it holds: it knows an active configuration without it, and of no proposal
 * above that which would make it a member again.
 */
export function isReleased({ hard, self }: ReplicaState): boolean {
  const { activated, successors } = hard;
  const awaited = successors.some(({ configuration }) => isMember(configuration, self));
  return activated !== null && !isMember(activated.configuration, self) && !awaited;
}

export class KeepingObserver {
  readonly #world: World;
  /** By replica: the installs of this life, the last of them last; those that are durable go first. */
  readonly #installs = new Map<ReplicaId, Install[]>();
  readonly #lastInstall = new Map<ReplicaId, Position>();

  constructor(world: World) {
    this.#world = world;
  }

  step(
    before: ReplicaState,
    event: StreamEvent,
    after: ReplicaState,
    effects: readonly StreamEffect[],
  ): void {
    if (event.type === "stored") {
      const pending = this.#installs.get(after.self)?.filter(({ mark }) => mark > event.mark) ?? [];
      this.#installs.set(after.self, pending);
    }
    const install = effects.find((effect) => effect.type === "install");
    if (install?.type === "install") {
      this.#installed(install.base, before, event, after);
    } else if (after.log !== before.log) {
      this.#kept(before, after, effects);
    }
    for (const effect of effects) {
      if (effect.type === "send") {
        this.#sent(effect.message, after);
      } else if (effect.type === "role" && effect.role === "gone") {
        this.#releasedBy(after, "is gone");
      }
    }
  }

  /** This replica is about to delete what it holds, in good order. */
  deletes({ state }: Observed): void {
    this.#world.expect(isReleased(state), "I25", () => {
      return `${shortId(state.self)} deletes a stream that it may still be needed for`;
    });
    this.#releasedBy(state, "deletes the stream");
  }

  /** The process has ended: what was not durable is gone. */
  ended(replica: ReplicaId): void {
    this.#installs.delete(replica);
    this.#lastInstall.delete(replica);
  }

  /** Another applied state has taken the place of the one there was. */
  replaced(replica: ReplicaId, before: number, after: number): void {
    const base = this.#lastInstall.get(replica);
    this.#world.expect(base !== undefined && base.seq > before && base.seq <= after, "I28", () => {
      const by = base === undefined ? "no snapshot" : `a snapshot at ${base.seq}`;
      return `${shortId(replica)} replaced its state at ${before} by one at ${after}, for ${by}`;
    });
  }

  // --- I25 ----------------------------------------------------------------------------------------

  /** A write quorum of the configuration that it goes by has held the barrier of it: it really is active. */
  #releasedBy({ hard, self }: ReplicaState, what: string): void {
    const world = this.#world;
    const { activated } = hard;
    const who = shortId(self);
    if (activated === null || isMember(activated.configuration, self)) {
      world.violate("I25", `${who} ${what} and knows no active configuration without it`);
      return;
    }
    const { epoch, configuration } = activated;
    const opened = world.opened.find((each) => epochKey(each.epoch) === epochKey(epoch));
    const same =
      opened !== undefined && configurationKey(opened.configuration) === configurationKey(configuration);
    world.expect(same, "I25", () => {
      return `${who} ${what} for ${epochText(epoch)}, whose barrier no write quorum holds`;
    });
  }

  // --- I28 ----------------------------------------------------------------------------------------

  #installed(base: Position, before: ReplicaState, event: StreamEvent, after: ReplicaState): void {
    const world = this.#world;
    const who = shortId(after.self);
    const whole = event.type === "snapshotReceived" && event.base.chain === base.chain;
    world.expect(
      whole,
      "I28",
      () => `${who} installs ${base.seq} at ${event.type}: no whole snapshot is there`,
    );
    const ends = after.log.base.chain === base.chain && after.commitSeq === base.seq;
    world.expect(ends && base.seq > before.commitSeq, "I28", () => {
      return `${who} installs ${base.seq} over ${before.commitSeq} and goes on from ${after.commitSeq}`;
    });
    world.expect(world.committed[base.seq]?.chain === base.chain, "I28", () => {
      return `${who} installs a snapshot at ${base.seq} of something that was never committed`;
    });
    this.#lastInstall.set(after.self, base);
    if (after.settings.durability === "disk") {
      const pending = this.#installs.get(after.self) ?? [];
      this.#installs.set(after.self, [...pending, { base, mark: after.mark }]);
    }
  }

  /** Without a snapshot the log's beginning moves over what is committed only, and its end only where it is cut. */
  #kept(before: ReplicaState, after: ReplicaState, effects: readonly StreamEffect[]): void {
    const who = shortId(after.self);
    this.#world.expect(
      after.log.base.seq <= before.commitSeq || after.log.base === before.log.base,
      "I28",
      () => {
        return `${who} gave up its log below ${after.log.base.seq} with ${before.commitSeq} committed, for no snapshot`;
      },
    );
    const cut = effects.some(({ type }) => type === "truncated");
    this.#world.expect(cut || after.log.lastSeq >= before.log.lastSeq, "I28", () => {
      return `${who} held up to ${before.log.lastSeq} and holds ${after.log.lastSeq}, and nothing was cut`;
    });
  }

  /** Between the arrival of a snapshot and its being durable nothing is said that relies on it. */
  #sent(message: { readonly type: string }, { self, log }: ReplicaState): void {
    const [pending] = this.#installs.get(self) ?? [];
    if (pending === undefined || !speaksOfLog(message)) {
      return;
    }
    const said = message.type === "ack" ? message.seq : message.last.seq;
    const same = message.type === "ack" || log.position(said)?.chain === message.last.chain;
    this.#world.expect(said < pending.base.seq || !same, "I28", () => {
      return `${shortId(self)} says ${message.type} ${said} while the snapshot at ${pending.base.seq} is not durable`;
    });
  }
}

function speaksOfLog(message: { readonly type: string }): message is Ack | SealOk {
  return message.type === "ack" || message.type === "sealOk";
}
