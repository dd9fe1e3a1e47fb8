/**
 * What the world asserts about logs, at every step of every replica: one history, without holes, that grows
 * and is never taken back where it is committed (I3, I4, I5, I7, I8, I13, I14, I15, I22).
 */
import { compareEpochs, EPOCH_ZERO, type Epoch } from "../../../lib/journal/epoch.ts";
import { isMember } from "../../../lib/stream/configuration.ts";
import { type Entry, KIND_BARRIER } from "../../../lib/stream/entry.ts";
import type { Log } from "../../../lib/stream/log.ts";
import type { ReplicaId } from "../../../lib/stream/replica-id.ts";
import type { ReplicaState, StreamEffect, StreamEvent } from "../../../lib/stream/replica-state.ts";
import { epochKey, epochText, type Observed, shortId, type World } from "./world.ts";

export class LogObserver {
  readonly #world: World;
  /** The chain of each entry ever written, by seq and epoch. */
  readonly #chains = new Map<string, string>();

  constructor(world: World) {
    this.#world = world;
  }

  step(before: ReplicaState, event: StreamEvent, after: ReplicaState, seen: Observed): void {
    const world = this.#world;
    const who = shortId(after.self);
    if (after.log !== before.log) {
      this.#entries(before.log, after.log, after.self);
      this.#kept(before, after, who);
      if (event.type === "message" && isOld(event, before)) {
        world.violate("I3", `${who} changed its log for an epoch below its promise`);
      }
      if (seen.vouched !== null && after.log.lastSeq < seen.vouched.seq) {
        seen.vouched = null;
      }
    }
    world.expect(
      after.commitSeq >= before.commitSeq && after.commitSeq <= after.log.lastSeq,
      "I15",
      () =>
        `${who}: commit ${before.commitSeq} became ${after.commitSeq}, the log ends at ${after.log.lastSeq}`,
    );
    if (event.type === "propose" && after.log.lastSeq > before.log.lastSeq) {
      const pending = before.log.lastSeq - before.commitSeq;
      const { pendingMax } = before.settings;
      world.expect(
        pending < pendingMax,
        "I22",
        () => `${who} appended with ${pending} of ${pendingMax} pending`,
      );
    }
    if (after.commitSeq > before.commitSeq) {
      this.#commits(before, after, who);
    }
  }

  effect(effect: StreamEffect, before: ReplicaState, after: ReplicaState, seen: Observed): void {
    if (effect.type === "truncated") {
      this.#world.coverage.truncations += 1;
      this.#world.expect(
        effect.seq >= before.commitSeq,
        "I8",
        () => `${shortId(after.self)} cut its log after ${effect.seq}, committed up to ${before.commitSeq}`,
      );
    } else if (effect.type === "send" && effect.message.type === "ack") {
      this.#acknowledged(effect.message, after, seen);
    } else if (effect.type === "send" && effect.message.type === "sealOk" && effect.message.tailCertain) {
      const { last, epoch } = effect.message;
      // An answer that waited for the disk may come when it is of no use any more, and then no harm.
      const asked = this.#isAsking(epoch);
      const { log } = after;
      this.#world.expect(
        !asked || log.position(last.seq)?.chain === last.chain || last.seq < log.base.seq,
        "I13",
        () => `${shortId(after.self)} offered a log that ends at ${last.seq}, which it does not hold`,
      );
    }
  }

  /** Whether the owner of an epoch still gathers answers to its seal. */
  #isAsking(epoch: Epoch): boolean {
    return [...this.#world.replicas.values()].some(({ state: { claim } }) => {
      return claim !== null && claim.source === null && compareEpochs(claim.epoch, epoch) === 0;
    });
  }

  /** New entries: their place in the one history, the barrier first in each epoch. */
  #entries(before: Log, after: Log, self: ReplicaId): void {
    for (let seq = after.lastSeq; seq > after.base.seq; seq--) {
      const entry = after.entry(seq);
      if (entry === null) {
        this.#world.violate(
          "I13",
          `${shortId(self)} has no entry ${seq} between ${after.base.seq} and ${after.lastSeq}`,
        );
        return;
      }
      if (before.entry(seq) === entry) {
        return;
      }
      this.#entry(entry, after, shortId(self));
      this.#world.holders?.hold(self, seq, entry.epoch);
    }
  }

  #entry(entry: Entry, log: Log, who: string): void {
    const world = this.#world;
    const { seq, epoch, chain, kind } = entry;
    const key = `${seq} ${epochKey(epoch)}`;
    const known = this.#chains.get(key);
    if (known === undefined) {
      this.#chains.set(key, chain);
    }
    world.expect(known === undefined || known === chain, "I4", () => {
      return `${who} holds another entry ${seq} of epoch ${epochText(epoch)} than was seen elsewhere`;
    });
    const previous = log.position(seq - 1);
    if (previous !== null) {
      const order = compareEpochs(epoch, previous.epoch);
      world.expect(order >= 0, "I14", () => `${who}: the epoch goes down at ${seq}`);
      world.expect(order === 0 || kind === KIND_BARRIER, "I14", () => {
        return `${who}: entry ${seq} begins epoch ${epochText(epoch)} and is no barrier`;
      });
    }
  }

  /** What was committed is still there, as it was, or has moved into the base. */
  #kept(before: ReplicaState, after: ReplicaState, who: string): void {
    const { commitSeq } = before;
    const was = before.log.position(commitSeq);
    const is = after.log.position(commitSeq);
    this.#world.expect(
      after.log.base.seq > commitSeq || (is !== null && is.chain === was?.chain),
      "I8",
      () => `${who} has lost the entry ${commitSeq}, which it knew to be committed`,
    );
  }

  #commits(before: ReplicaState, after: ReplicaState, who: string): void {
    const world = this.#world;
    const { writer, log, commitSeq } = after;
    // A snapshot commits what it stands for at once; only its end can be compared.
    const from = Math.max(before.commitSeq + 1, log.base.seq === 0 ? 1 : log.base.seq);
    for (let seq = from; seq <= commitSeq; seq++) {
      const position = log.position(seq);
      const known = world.committed[seq];
      if (known !== undefined) {
        world.expect(position?.chain === known.chain, "I7", () => {
          return `${who} committed another entry ${seq} than was committed before in ${epochText(known.by)}`;
        });
      } else if (writer === null) {
        world.violate("I8", `${who} takes ${seq} for committed, which no writer has committed`);
        return;
      } else {
        this.#committedBy(seq, after);
      }
    }
    if (writer !== null) {
      this.#quorum(after, who);
    }
  }

  #committedBy(seq: number, { log, writer }: ReplicaState): void {
    const entry = log.entry(seq);
    const { committed, coverage } = this.#world;
    if (entry !== null && writer !== null) {
      if (committed.length === 0) {
        const payload = new Uint8Array(0);
        committed.push({ chain: "", by: writer.epoch, epoch: EPOCH_ZERO, payload, kind: KIND_BARRIER });
      }
      const { chain, epoch, payload, kind } = entry;
      coverage.commits += 1;
      if (committed.length === seq) {
        committed.push({ chain, by: writer.epoch, epoch, payload, kind });
      } else {
        this.#world.violate("I7", `${seq} is committed before ${committed.length}`);
      }
    }
  }

  /** I11: whatever a writer commits is really held, as durably as promised, by a write quorum of its members. */
  #quorum({ log, commitSeq, writer }: ReplicaState, who: string): void {
    if (writer === null) {
      return;
    }
    const { configuration } = writer;
    const position = log.position(commitSeq);
    let holders = 0;
    for (const member of configuration.members) {
      const held = this.#world.replicas.get(member)?.state;
      const durable = held !== undefined && (held.durableSeq >= commitSeq || held.log.base.seq >= commitSeq);
      const same = held?.log.position(commitSeq)?.chain === position?.chain;
      const compacted = held !== undefined && held.log.base.seq > commitSeq;
      holders += durable && (same || compacted) ? 1 : 0;
    }
    this.#world.expect(holders >= configuration.writeQuorum, "I11", () => {
      return `${who} committed ${commitSeq}, held by ${holders} of ${configuration.writeQuorum} that are needed`;
    });
  }

  #acknowledged(
    ack: {
      readonly epoch: { counter: number; owner: string };
      readonly seq: number;
      readonly heldSeq: number;
    },
    after: ReplicaState,
    seen: Observed,
  ): void {
    const who = shortId(after.self);
    const { log, role, tailCertain, hard } = after;
    this.#world.expect(ack.heldSeq <= log.lastSeq && ack.seq <= ack.heldSeq, "I13", () => {
      return `${who} acknowledges ${ack.seq}, held ${ack.heldSeq}, its log ends at ${log.lastSeq}`;
    });
    this.#world.expect(compareEpochs(ack.epoch, hard.promise) <= 0, "I3", () => {
      return `${who} acknowledges epoch ${epochText(ack.epoch)} above its promise`;
    });
    const member = hard.activated !== null && isMember(hard.activated.configuration, after.self);
    this.#world.expect(role !== "damaged" && (tailCertain || !member), "I24", () => {
      return `${who} acknowledges as ${role}${tailCertain ? "" : " with an uncertain tail"}`;
    });
    this.#ownersLog(ack, after, who);
    const position = log.position(ack.seq);
    if (position !== null && (seen.vouched === null || position.seq >= seen.vouched.seq)) {
      seen.vouched = { seq: position.seq, chain: position.chain };
    }
  }

  /** What is acknowledged equals the owner's log up to there, as far as the owner still has it. */
  #ownersLog(
    { epoch, heldSeq }: { readonly epoch: { counter: number; owner: string }; readonly heldSeq: number },
    after: ReplicaState,
    who: string,
  ): void {
    for (const { state } of this.#world.replicas.values()) {
      if (
        state.owner === epoch.owner &&
        state.writer !== null &&
        compareEpochs(state.writer.epoch, epoch) === 0
      ) {
        const own = after.log.position(heldSeq);
        const owners = state.log.position(heldSeq);
        this.#world.expect(own === null || owners === null || own.chain === owners.chain, "I13", () => {
          return `${who} acknowledges ${heldSeq} of ${epochText(epoch)} and holds something else there`;
        });
      }
    }
  }
}

function isOld(event: Extract<StreamEvent, { type: "message" }>, { hard }: ReplicaState): boolean {
  const { message } = event;
  return (
    (message.type === "append" || message.type === "entries") &&
    compareEpochs(message.epoch, hard.promise) < 0
  );
}
