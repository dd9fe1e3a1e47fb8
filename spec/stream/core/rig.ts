/**
 * Pure replicas by hand: letters wait until they are delivered, links can be cut, ticks come when they are
 * given, stores are done when they are done, each has a clock of its own and may stand still. Nothing is random.
 */
import { majorityOf } from "../../../lib/stream/configuration.ts";
import type { Message } from "../../../lib/stream/messages.ts";
import type { ReplicaId } from "../../../lib/stream/replica-id.ts";
import type {
  ReplicaState,
  StreamEffect,
  StreamEvent,
  StreamSettings,
} from "../../../lib/stream/replica-state.ts";
import { createReplica, type ReplicaOrigin, step } from "../../../lib/stream/step.ts";

export const SETTINGS: StreamSettings = {
  durability: "memory",
  failureTicks: 10,
  stepDownTicks: 10,
  claimTicks: 20,
  retryTicks: 2,
  pendingMax: 100,
  windowEntries: 50,
  appendEntries: 10,
  appendBytes: 10_000,
  keptEntries: 1_000,
  learnersMax: 3,
  acknowledgeHeld: false,
  leaseMs: 0,
  clockDrift: 0.25,
};

export interface Letter {
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  readonly message: Message;
}

/** A replica's own clock: it runs at a rate of its own from an offset of its own. */
export interface RigClock {
  readonly rate: number;
  readonly offsetMs: number;
}

const TRUE_CLOCK: RigClock = { rate: 1, offsetMs: 0 };

type EffectOf<T extends StreamEffect["type"]> = Extract<StreamEffect, { type: T }>;

export class Rig {
  readonly settings: StreamSettings;
  readonly #states = new Map<ReplicaId, ReplicaState>();
  readonly #effects = new Map<ReplicaId, StreamEffect[]>();
  readonly #cuts = new Set<string>();
  readonly #clocks = new Map<ReplicaId, RigClock>();
  /** Who stands still, with the letters that wait for it. */
  readonly #asleep = new Map<ReplicaId, Letter[]>();
  letters: Letter[] = [];
  /** The true time. */
  nowMs = 0;

  /** Founders a/1, b/1, ... of one stream; `members` of them. */
  constructor(members: number, settings: Partial<StreamSettings> = {}) {
    this.settings = { ...SETTINGS, ...settings };
    const ids = Array.from({ length: members }, (_, index) => `${String.fromCharCode(97 + index)}/1`);
    const genesis = majorityOf(ids);
    for (const id of ids) {
      this.add(id, { genesis });
    }
  }

  add(id: ReplicaId, origin: ReplicaOrigin = {}): void {
    this.#states.set(id, createReplica(id, this.settings, origin));
    this.#effects.set(id, []);
  }

  remove(id: ReplicaId): void {
    this.#states.delete(id);
  }

  get ids(): ReplicaId[] {
    return [...this.#states.keys()];
  }

  state(id: ReplicaId): ReplicaState {
    const state = this.#states.get(id);
    if (state === undefined) {
      throw new Error(`no replica ${id}`);
    }
    return state;
  }

  /** The effects of one kind that a replica has asked for so far. */
  effects<T extends StreamEffect["type"]>(id: ReplicaId, type: T): EffectOf<T>[] {
    const all = this.#effects.get(id) ?? [];
    return all.filter((effect): effect is EffectOf<T> => effect.type === type);
  }

  feed(id: ReplicaId, event: StreamEvent): void {
    const { state, effects } = step(this.state(id), event, this.clockMs(id));
    this.#states.set(id, state);
    this.#effects.get(id)?.push(...effects);
    for (const effect of effects) {
      if (effect.type === "send") {
        this.letters.push(...effect.to.map((to) => ({ from: id, to, message: effect.message })));
      }
    }
  }

  /** Gives a replica another clock than the true one. */
  setClock(id: ReplicaId, clock: RigClock): void {
    this.#clocks.set(id, clock);
  }

  /** What the own clock of a replica shows. It goes on while the replica stands still. */
  clockMs(id: ReplicaId): number {
    const { rate, offsetMs } = this.#clocks.get(id) ?? TRUE_CLOCK;
    return offsetMs + rate * this.nowMs;
  }

  /** The process stands still: it takes no ticks, and letters wait for it. */
  sleep(id: ReplicaId): void {
    this.#asleep.set(id, this.#asleep.get(id) ?? []);
  }

  /** It goes on: what waited for it is on its way again, before what comes now. */
  wake(id: ReplicaId): void {
    this.letters.unshift(...(this.#asleep.get(id) ?? []));
    this.#asleep.delete(id);
  }

  cut(from: ReplicaId, to: ReplicaId): void {
    this.#cuts.add(`${from} ${to}`);
  }

  /** Cuts a replica off from all others, both ways. */
  isolate(id: ReplicaId): void {
    for (const other of this.ids) {
      this.cut(id, other);
      this.cut(other, id);
    }
  }

  heal(): void {
    this.#cuts.clear();
  }

  /** Delivers everything, and what follows from it, until nothing is on its way. */
  deliver(): void {
    for (let rounds = 0; this.letters.length > 0; rounds++) {
      if (rounds > 1_000) {
        throw new Error("the letters do not end");
      }
      this.deliverRound();
    }
  }

  /** Delivers what is on its way now, and nothing that follows from it. */
  deliverRound(): void {
    for (const letter of this.letters.splice(0)) {
      const { from, to, message } = letter;
      const waiting = this.#asleep.get(to);
      if (waiting !== undefined) {
        waiting.push(letter);
      } else if (this.#states.has(to) && !this.#cuts.has(`${from} ${to}`)) {
        this.feed(to, { type: "message", from, message });
      }
    }
  }

  /** Takes the letters of one type out of the post. */
  intercept(type: Message["type"]): Letter[] {
    const taken = this.letters.filter(({ message }) => message.type === type);
    this.letters = this.letters.filter(({ message }) => message.type !== type);
    return taken;
  }

  /** One tick for each that is awake, in order of their ids, with everything delivered after it. */
  tick(times: number = 1): void {
    for (let count = 0; count < times; count++) {
      this.nowMs += 100;
      for (const id of this.ids.filter((each) => !this.#asleep.has(each))) {
        this.feed(id, { type: "tick", draw: 0 });
      }
      this.deliver();
    }
  }

  /** Makes `id` the writer with the members there are. */
  open(id: ReplicaId): void {
    this.feed(id, { type: "claim", configuration: null, force: true });
    this.deliver();
  }

  propose(id: ReplicaId, ...texts: string[]): void {
    const encoder = new TextEncoder();
    this.feed(id, { type: "propose", payloads: texts.map((text) => encoder.encode(text)) });
  }

  /** What is committed at a replica, barriers left out. */
  committed(id: ReplicaId): string[] {
    const { log, commitSeq } = this.state(id);
    const decoder = new TextDecoder();
    return log
      .slice(1, commitSeq)
      .filter(({ kind }) => kind === 0)
      .map(({ payload }) => decoder.decode(payload));
  }

  /** Reports every store that a replica has asked for as done. */
  store(id: ReplicaId): void {
    for (const { mark } of this.effects(id, "store")) {
      if (mark > this.state(id).storedMark) {
        this.feed(id, { type: "stored", mark });
      }
    }
  }
}
