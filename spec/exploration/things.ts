/**
 * The parts that worlds are made of, each with a number: states of replicas, copies of the dead, messages on
 * their way, and what is committed. There are few of them, next to the worlds that they make up: a world is a
 * handful of numbers, and what a part is under other names is found out once.
 */
import { CHAIN_START, extendChain, type Word64 } from "../../lib/journal/chain.ts";
import { chained, type Entry } from "../../lib/stream/entry.ts";
import type { Log } from "../../lib/stream/log.ts";
import type { Message } from "../../lib/stream/messages.ts";
import type { ReplicaId } from "../../lib/stream/replica-id.ts";
import type { ReplicaState } from "../../lib/stream/replica-state.ts";
import { ballotsIn, type Proposal, proposalsIn } from "./ballots.ts";
import { keyOf } from "./keys.ts";
import { found, IDENTITY, PERMUTATIONS, slotOf } from "./names.ts";
import { normalMessage, normalState } from "./normal.ts";
import { EntryBook, Renaming } from "./renaming.ts";

export type Thing =
  | { readonly kind: "replica"; readonly state: ReplicaState }
  /** Died; what it held counts for what it has acknowledged. */
  | { readonly kind: "dead"; readonly self: ReplicaId; readonly log: Log }
  | { readonly kind: "packet"; readonly from: ReplicaId; readonly to: ReplicaId; readonly message: Message }
  /** The history up to the end of `chain` is committed. */
  | { readonly kind: "commit"; readonly chain: string };

/** What is asked about a part again and again. */
export interface Facts {
  readonly thing: Thing;
  /** Whose it is; of a packet, who gets it. -1 for commits. */
  readonly slot: number;
  /** The sender of a packet; else -1. */
  readonly from: number;
  /** Two words of 32 bits, random as far as anyone can tell, and the same in every run. */
  readonly high: number;
  readonly low: number;
  /** The epochs that can be seen in it. */
  readonly ballots: number;
  /** Which configurations it says were proposed, and in which epochs. */
  readonly proposals: readonly Proposal[];
  /** Eight bits that do not depend on names. */
  readonly sign: number;
  /** The log, or what is committed. */
  readonly path: readonly Entry[];
  /** Its number under each permutation of the names; -1 where nobody has asked. */
  readonly renamed: Int32Array;
}

const encoder = new TextEncoder();

export class Things {
  readonly #facts: Facts[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #book = new EntryBook();
  readonly #renamings = PERMUTATIONS.map((_, number) => new Renaming(this.#book, number));

  get count(): number {
    return this.#facts.length;
  }

  of(number: number): Facts {
    const facts = this.#facts[number];
    if (facts === undefined) {
      throw new Error(`there is no part ${number}`);
    }
    return facts;
  }

  replica(state: ReplicaState): number {
    return this.#number({ kind: "replica", state: normalState(state) });
  }

  dead({ self, log }: ReplicaState): number {
    return this.#number({ kind: "dead", self, log });
  }

  /** -1 for a message that nobody would do anything with. */
  packet(from: ReplicaId, to: ReplicaId, message: Message): number {
    const normal = normalMessage(message);
    return normal === null ? -1 : this.#number({ kind: "packet", from, to, message: normal });
  }

  commit(chain: string): number {
    return this.#number({ kind: "commit", chain });
  }

  /** The number of what part `number` is under permutation `by` of the names. */
  renamed(number: number, by: number): number {
    if (by === IDENTITY) {
      return number;
    }
    const { thing, renamed } = this.of(number);
    const known = renamed[by] ?? -1;
    if (known >= 0) {
      return known;
    }
    const other = this.#rename(thing, found(this.#renamings[by], "such permutation"));
    renamed[by] = other;
    return other;
  }

  #rename(thing: Thing, renaming: Renaming): number {
    switch (thing.kind) {
      case "replica":
        return this.replica(renaming.state(thing.state));
      case "dead": {
        const log = renaming.log(thing.log.last.chain);
        return this.#number({ kind: "dead", self: renaming.id(thing.self), log });
      }
      case "packet": {
        const { from, to, message } = thing;
        return this.packet(renaming.id(from), renaming.id(to), renaming.message(message));
      }
      case "commit":
        return this.commit(renaming.log(thing.chain).last.chain);
    }
  }

  #number(thing: Thing): number {
    const key = keyOf(thing);
    const known = this.#numbers.get(key);
    if (known !== undefined) {
      return known;
    }
    if (thing.kind === "replica") {
      this.#book.addLog(thing.state.log);
    }
    const number = this.#facts.length;
    this.#numbers.set(key, number);
    this.#facts.push(this.#factsOf(thing, key));
    return number;
  }

  #factsOf(thing: Thing, key: string): Facts {
    const path = this.#pathOf(thing);
    const { high, low } = wordsOf(key);
    return {
      thing,
      slot: slotOfThing(thing),
      from: thing.kind === "packet" ? slotOf(thing.from) : -1,
      high: high | 0,
      low: low | 0,
      ballots: ballotsIn(thing, path),
      proposals: proposalsIn(thing),
      sign: signOf(thing),
      path,
      renamed: new Int32Array(PERMUTATIONS.length).fill(-1),
    };
  }

  #pathOf(thing: Thing): readonly Entry[] {
    switch (thing.kind) {
      case "replica":
        return thing.state.log.slice(1, thing.state.log.lastSeq);
      case "dead":
        return thing.log.slice(1, thing.log.lastSeq);
      case "commit":
        return this.#book.pathTo(thing.chain);
      case "packet": {
        const { message } = thing;
        return message.type === "append" || message.type === "entries"
          ? chained(message.prev.chain, message.entries)
          : [];
      }
    }
  }
}

function slotOfThing(thing: Thing): number {
  switch (thing.kind) {
    case "replica":
      return slotOf(thing.state.self);
    case "dead":
      return slotOf(thing.self);
    case "packet":
      return slotOf(thing.to);
    case "commit":
      return -1;
  }
}

function wordsOf(text: string): Word64 {
  const bytes = encoder.encode(text);
  const words = { ...CHAIN_START };
  const link = { epochCounter: 0, epochOwner: { high: 0, low: 0 }, seq: 0, kind: 0 };
  extendChain(words, link, new DataView(bytes.buffer, 0, bytes.byteLength), 0, bytes.byteLength);
  return words;
}

/** Tells most replicas that cannot be the same under other names apart, cheaply. */
function signOf(thing: Thing): number {
  if (thing.kind === "dead") {
    return 254;
  }
  if (thing.kind !== "replica") {
    return 0;
  }
  const { role, hard, log, commitSeq, writer, claim } = thing.state;
  const features = [role.length, role.charCodeAt(1), hard.promise.counter, log.lastSeq, commitSeq];
  const counters = [hard.activated?.epoch.counter ?? 0, log.last.epoch.counter, claim === null ? 0 : 1];
  let sign = writer === null ? 7 : 11;
  for (const feature of [...features, ...counters]) {
    sign = Math.imul(sign, 31) + feature;
  }
  return (sign >>> 0) % 251;
}
