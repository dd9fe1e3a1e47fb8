/**
 * One step of a replica while it is being taken: the state as far as it has come, and the effects so far.
 * What a step stores is gathered into one store effect at its end.
 */
import { compareEpochs, type Epoch } from "../journal/epoch.ts";
import type { Proposed } from "./configuration.ts";
import type { Entry, Position } from "./entry.ts";
import type { Message } from "./messages.ts";
import type { ReplicaId } from "./replica-id.ts";
import type { HardState, ReplicaState, Stepped, StreamEffect } from "./replica-state.ts";
import { type RoleEventType, roleAfter } from "./role-chart.ts";
import { remembered } from "./successors.ts";

export class Turn {
  state: ReplicaState;
  /** The replica's own clock, for leases. */
  readonly nowMs: number;
  readonly effects: StreamEffect[] = [];
  /** Whether the primary is to hear, at the end of this step, how far the log is held. */
  acknowledges = false;
  readonly #before: ReplicaState;
  readonly #held: { readonly to: ReplicaId; readonly message: Message }[] = [];
  #reset: Position | null = null;
  #truncateAfter: number | null = null;
  #entries: Entry[] = [];

  constructor(state: ReplicaState, nowMs: number) {
    this.state = state;
    this.#before = state;
    this.nowMs = nowMs;
  }

  set(change: Partial<ReplicaState>): void {
    this.state = Object.assign(copyOf(this.state), change);
  }

  effect(effect: StreamEffect): void {
    this.effects.push(effect);
  }

  send(to: ReplicaId | readonly ReplicaId[], message: Message): void {
    const receivers = typeof to === "string" ? [to] : to;
    if (receivers.length > 0) {
      this.effects.push({ type: "send", to: receivers, message });
    }
  }

  /** Sends once everything stored so far, this step included, is durable. */
  sendWhenStored(to: ReplicaId, message: Message): void {
    this.#held.push({ to, message });
  }

  role(event: RoleEventType): void {
    const previous = this.state.role;
    const role = roleAfter(previous, event);
    if (role !== previous) {
      this.set({ role });
      this.effect({ type: "role", role, previous });
    }
  }

  // --- what must not be forgotten -----------------------------------------------------------------

  /** Promises `epoch`, which belongs to `primary`: nothing older is taken any more. */
  promise(epoch: Epoch, primary: ReplicaId | null): void {
    const { hard, seenCounter } = this.state;
    this.set({
      hard: { ...hard, promise: epoch },
      primary,
      primaryDown: false,
      matchSeq: 0,
      // What an older owner said, of its rounds and by its clock, is no answer to this one.
      heard: null,
      certainFrom: null,
      seenCounter: Math.max(seenCounter, epoch.counter),
    });
  }

  /** A proposal that an activated epoch has settled since need not be remembered. */
  rememberSuccessor(proposed: Proposed): void {
    const { hard } = this.state;
    if (hard.activated !== null && compareEpochs(proposed.epoch, hard.activated.epoch) <= 0) {
      return;
    }
    this.set({ hard: { ...hard, successors: remembered(hard.successors, proposed) } });
  }

  activated(proposed: Proposed): void {
    const { hard } = this.state;
    const successors = hard.successors.filter(({ epoch }) => compareEpochs(epoch, proposed.epoch) > 0);
    this.set({ hard: { ...hard, activated: proposed, successors } });
  }

  // --- the log ------------------------------------------------------------------------------------

  append(entries: readonly Entry[]): void {
    if (entries.length > 0) {
      this.set({ log: this.state.log.append(entries) });
      this.#entries.push(...entries);
    }
  }

  truncateAfter(seq: number): void {
    const { log, matchSeq, durableSeq, stores } = this.state;
    this.set({
      log: log.truncateAfter(seq),
      matchSeq: Math.min(matchSeq, seq),
      durableSeq: Math.min(durableSeq, seq),
      stores: stores.map((store) => ({ ...store, lastSeq: Math.min(store.lastSeq, seq) })),
    });
    this.#truncateAfter = Math.min(this.#truncateAfter ?? seq, seq);
    this.#entries = this.#entries.filter((entry) => entry.seq <= seq);
    this.effect({ type: "truncated", seq });
  }

  /** A log that begins after `base`, whose state stands in for everything before. */
  resetLog(log: ReplicaState["log"], base: Position): void {
    this.set({ log, commitSeq: base.seq, matchSeq: 0, durableSeq: 0, stores: [] });
    this.#reset = base;
    this.#truncateAfter = null;
    this.#entries = [];
  }

  // --- the end ------------------------------------------------------------------------------------

  /** Gathers what this step stores into one store effect, the first of its effects. */
  gatherStore(): void {
    const { settings, log, durableSeq } = this.state;
    if (settings.durability !== "memory") {
      this.#store();
    } else if (durableSeq !== log.lastSeq) {
      this.set({ durableSeq: log.lastSeq });
    }
  }

  finish(): Stepped {
    for (const { to, message } of this.#held) {
      const { mark, storedMark, held } = this.state;
      if (storedMark >= mark) {
        this.send(to, message);
      } else {
        this.set({ held: [...held, { mark, to, message }] });
      }
    }
    return { state: this.state, effects: this.effects };
  }

  #store(): void {
    const { hard, log, mark, stores } = this.state;
    const hardChanged = hard !== this.#before.hard;
    const logChanged = this.#reset !== null || this.#truncateAfter !== null || this.#entries.length > 0;
    if (!hardChanged && !logChanged) {
      return;
    }
    const next = mark + 1;
    const promised = compareEpochs(hard.promise, this.#before.hard.promise) !== 0;
    this.set({
      mark: next,
      stores: [...stores, { mark: next, lastSeq: log.lastSeq }],
      ...(promised ? { promiseMark: next } : {}),
    });
    this.effects.unshift({
      type: "store",
      mark: next,
      reset: this.#reset,
      truncateAfter: this.#truncateAfter,
      entries: this.#entries,
      hard: hardChanged ? hard : null,
    });
  }
}

export function isHigher(left: Epoch, right: Epoch): boolean {
  return compareEpochs(left, right) > 0;
}

export function isSame(left: Epoch, right: Epoch): boolean {
  return compareEpochs(left, right) === 0;
}

export function activatedEpoch(hard: HardState): Epoch | null {
  return hard.activated?.epoch ?? null;
}

/** Field by field: spreading a state takes ten times as long, and a step copies it several times. */
function copyOf(state: ReplicaState): ReplicaState {
  return {
    self: state.self,
    owner: state.owner,
    settings: state.settings,
    role: state.role,
    hard: state.hard,
    primary: state.primary,
    log: state.log,
    commitSeq: state.commitSeq,
    matchSeq: state.matchSeq,
    durableSeq: state.durableSeq,
    tailCertain: state.tailCertain,
    life: state.life,
    certainFrom: state.certainFrom,
    mark: state.mark,
    storedMark: state.storedMark,
    stores: state.stores,
    promiseMark: state.promiseMark,
    held: state.held,
    silentTicks: state.silentTicks,
    heard: state.heard,
    patienceTicks: state.patienceTicks,
    primaryDown: state.primaryDown,
    preseal: state.preseal,
    claim: state.claim,
    writer: state.writer,
    askedReads: state.askedReads,
    leaseUntilMs: state.leaseUntilMs,
    seenCounter: state.seenCounter,
  };
}
