/**
 * What one replica makes of one event, found out once for each state of a replica and each event: the worlds
 * of an exploration are many, but most of what happens in them has happened before.
 */

import { messageOf } from "../../lib/base/errors.ts";
import type { Epoch } from "../../lib/journal/epoch.ts";
import { type Configuration, hasQuorum, majorityOf, problemOf } from "../../lib/stream/configuration.ts";
import type {
  OpenProof,
  ReplicaState,
  Stepped,
  StreamEffect,
  StreamEvent,
} from "../../lib/stream/replica-state.ts";
import { membersOf, type Proposal } from "./ballots.ts";
import { ballotOf, found, idOf, SLOTS } from "./names.ts";
import type { Things } from "./things.ts";

export type StepFunction = (state: ReplicaState, event: StreamEvent, nowMs: number) => Stepped;

/** A move of one replica. */
export type Move =
  | { readonly type: "deliver"; readonly packet: number }
  /** `members`: a mask of slots, 0 for the present members. A claim or an epoch on its way is given up for it. */
  | { readonly type: "claim"; readonly counter: number; readonly members: number; readonly force: boolean }
  | { readonly type: "propose"; readonly write: number }
  | { readonly type: "nudge" };

/** What came of a move, as far as a replica can know. */
export interface Outcome {
  /** The replica's next state. */
  readonly next: number;
  readonly sends: readonly number[];
  /** What it now takes for committed, when that has become more; else -1. */
  readonly commit: number;
  /** Whose copies the owner of an epoch counted for that commit, and how many it needs. */
  readonly owned: { readonly members: number; readonly quorum: number } | null;
  readonly opened: Epoch | null;
  /** Whether the opened epoch has other members than the one before. */
  readonly reconfigured: boolean;
  readonly proposes: Proposal | null;
  /** What is wrong with it whatever the rest of the world looks like. */
  readonly fault: string | null;
}

const PAYLOAD = 48;

const NOTHING = { sends: [], commit: -1, owned: null, opened: null, reconfigured: false, proposes: null };
const NO_FAULT = null;

export class Moves {
  readonly #things: Things;
  readonly #step: StepFunction;
  readonly #outcomes: Map<number, Outcome>[] = [];
  readonly #questions: boolean;
  steps = 0;

  /** `questions`: whether a question before a claim travels; else it is answered yes at once. */
  constructor(things: Things, step: StepFunction, questions: boolean) {
    this.#things = things;
    this.#step = step;
    this.#questions = questions;
  }

  outcome(replica: number, move: Move): Outcome {
    let row = this.#outcomes[replica];
    if (row === undefined) {
      row = new Map();
      this.#outcomes[replica] = row;
    }
    const key = keyOf(move);
    let outcome = row.get(key);
    if (outcome === undefined) {
      outcome = this.#find(replica, move);
      row.set(key, outcome);
    }
    return outcome;
  }

  #find(replica: number, move: Move): Outcome {
    const { thing } = this.#things.of(replica);
    if (thing.kind !== "replica") {
      throw new Error("only a replica moves");
    }
    this.steps += 1;
    const before = thing.state;
    try {
      return this.#outcomeOf(before, this.#take(before, move));
    } catch (thrown) {
      const fault = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : messageOf(thrown);
      return { ...NOTHING, next: replica, fault };
    }
  }

  #take(before: ReplicaState, move: Move): Stepped {
    switch (move.type) {
      case "deliver": {
        const { thing } = this.#things.of(move.packet);
        if (thing.kind !== "packet") {
          throw new Error("only packets are delivered");
        }
        return this.#step(before, { type: "message", from: thing.from, message: thing.message }, 0);
      }
      case "claim": {
        const ready = { ...this.#givenUp(before), seenCounter: move.counter - 1 };
        const configuration = move.members === 0 ? null : configurationOf(move.members);
        const asked = this.#step(ready, { type: "claim", configuration, force: move.force }, 0);
        return this.#questions ? asked : this.#agreed(asked);
      }
      case "propose":
        return this.#step(before, { type: "propose", payloads: [Uint8Array.of(PAYLOAD + move.write)] }, 0);
      case "nudge":
        return this.#step(before, { type: "nudged" }, 0);
    }
  }

  /** Everyone agrees to a claim before anything else happens. */
  #agreed({ state, effects }: Stepped): Stepped {
    let stepped: Stepped = { state, effects: effects.filter((effect) => !isPreseal(effect)) };
    for (const asked of effects) {
      for (const from of asked.type === "send" ? asked.to : []) {
        const { preseal } = stepped.state;
        if (preseal !== null) {
          const message = { type: "presealOk", epoch: preseal.epoch } as const;
          const answered = this.#step(stepped.state, { type: "message", from, message }, 0);
          stepped = { state: answered.state, effects: [...stepped.effects, ...answered.effects] };
        }
      }
    }
    return stepped;
  }

  /** A claim on its way runs out of time, and nobody hears of it. */
  #givenUp(state: ReplicaState): ReplicaState {
    const { claim, settings } = state;
    if (claim === null) {
      return state;
    }
    const late = { ...state, claim: { ...claim, ticks: settings.claimTicks } };
    const stepped = this.#step(late, { type: "tick", draw: 0 }, 0);
    if (stepped.state.claim !== null || stepped.effects.some(({ type }) => type === "send")) {
      throw new Error("a claim that has taken too long is given up in silence");
    }
    return stepped.state;
  }

  #outcomeOf(before: ReplicaState, { state, effects }: Stepped): Outcome {
    const next = this.#things.replica(state);
    const sends: number[] = [];
    for (const effect of effects) {
      if (effect.type === "send") {
        const packets = effect.to.map((to) => this.#things.packet(state.self, to, effect.message));
        sends.push(...packets.filter((packet) => packet >= 0));
      }
    }
    const committed = state.commitSeq > before.commitSeq;
    const chain = state.log.position(state.commitSeq)?.chain;
    const { writer, claim } = state;
    const opened = effects.find((effect) => effect.type === "opened");
    const proposes = sendsSeal(effects) && claim !== null;
    return {
      next,
      sends,
      commit: committed ? this.#things.commit(found(chain, "chain at the commit position")) : -1,
      owned:
        committed && writer !== null
          ? { members: membersOf(writer.configuration), quorum: writer.configuration.writeQuorum }
          : null,
      opened: opened?.epoch ?? null,
      reconfigured:
        opened !== undefined &&
        membersOf(opened.configuration) !== membersOf(opened.proof.base.configuration),
      proposes: proposes ? { ballot: ballotOf(claim.epoch), members: membersOf(claim.configuration) } : null,
      fault: faultOf(effects),
    };
  }
}

function isPreseal(effect: StreamEffect): boolean {
  return effect.type === "send" && effect.message.type === "preseal";
}

function sendsSeal(effects: readonly StreamEffect[]): boolean {
  return effects.some((effect) => effect.type === "send" && effect.message.type === "seal");
}

function faultOf(effects: readonly StreamEffect[]): string | null {
  for (const effect of effects) {
    if (effect.type === "sendSnapshot") {
      return "a snapshot is asked for, though every log is whole";
    }
    if (effect.type === "send" && (effect.message.type === "seal" || effect.message.type === "preseal")) {
      const problem = problemOf(effect.message.configuration);
      if (problem !== null) {
        return `it proposes an unsound configuration: ${problem}`;
      }
    }
    if (effect.type === "opened") {
      const lack = lackOf(effect.configuration, effect.proof);
      if (lack !== null) {
        return lack;
      }
    }
  }
  return NO_FAULT;
}

/** What an opened epoch's proof lacks. */
function lackOf(
  configuration: Configuration,
  { base, chain, sealed, barrierHeldBy }: OpenProof,
): string | null {
  for (const { configuration: old } of [base, ...chain]) {
    if (!hasQuorum(old, old.sealQuorum, (member) => sealed.includes(member))) {
      return `it opens without a seal quorum of ${old.members.join(" ")}`;
    }
  }
  const holds = hasQuorum(configuration, configuration.writeQuorum, (member) =>
    barrierHeldBy.includes(member),
  );
  return holds ? null : "it opens without a write quorum for its barrier";
}

function configurationOf(members: number): Configuration {
  const slots = Array.from({ length: SLOTS }, (_, slot) => slot);
  return majorityOf(slots.filter((slot) => (members & (1 << slot)) !== 0).map((slot) => idOf(slot)));
}

/** Packets from 1024 on, everything else below. */
function keyOf(move: Move): number {
  switch (move.type) {
    case "deliver":
      return 1024 + move.packet;
    case "claim":
      return 64 + move.counter * 32 + move.members * 2 + (move.force ? 1 : 0);
    case "propose":
      return 1 + move.write;
    case "nudge":
      return 0;
  }
}
