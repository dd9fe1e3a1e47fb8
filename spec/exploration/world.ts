/**
 * A world as numbers: four places for replicas, what is left to do, what is committed, and the messages on
 * their way, in order. Two equal messages on their way count as one, since messages are lost but never doubled.
 */
import { allowedFor, found, IDENTITY, permutation, SLOTS } from "./names.ts";
import type { Things } from "./things.ts";

/** `words[0..3]`: the replicas by slot. */
export const BUDGET = SLOTS;
export const COMMIT = SLOTS + 1;
export const PACKETS = SLOTS + 2;

/** Nobody has been born under this name. */
export const UNBORN = -1;

/** Messages on their way; more would mean that something answers itself. */
export const PACKETS_MAX = 200;

export interface Budget {
  readonly writes: number;
  readonly crashes: number;
  readonly claims: number;
  /** The highest counter that any epoch has had. */
  readonly counter: number;
}

export function budgetOf(word: number): Budget {
  return {
    writes: word & 255,
    crashes: (word >>> 8) & 255,
    claims: (word >>> 16) & 255,
    counter: word >>> 24,
  };
}

export function budgetWord({ writes, crashes, claims, counter }: Budget): number {
  return writes | (crashes << 8) | (claims << 16) | (counter << 24);
}

/** A world while it is made: as long as it needs to be. */
export class World {
  readonly words = new Int32Array(PACKETS + PACKETS_MAX);
  length = PACKETS;

  set(words: Int32Array): void {
    this.words.set(words);
    this.length = words.length;
  }

  copyFrom(other: World): void {
    const { words, length } = other;
    for (let index = 0; index < length; index++) {
      this.words[index] = words[index] ?? UNBORN;
    }
    this.length = length;
  }

  at(index: number): number {
    return this.words[index] ?? UNBORN;
  }

  hasPacket(packet: number): boolean {
    for (let index = PACKETS; index < this.length; index++) {
      if (this.words[index] === packet) {
        return true;
      }
    }
    return false;
  }

  addPacket(packet: number): void {
    if (this.length >= this.words.length) {
      throw new Error(`more than ${PACKETS_MAX} messages are on their way`);
    }
    if (!this.hasPacket(packet)) {
      this.words[this.length] = packet;
      this.length += 1;
    }
  }

  removePacketAt(index: number): void {
    this.length -= 1;
    this.words[index] = this.at(this.length);
  }

  /** By insertion: they are few, and mostly in order. */
  sortPackets(): void {
    for (let index = PACKETS + 1; index < this.length; index++) {
      const packet = this.at(index);
      let to = index;
      for (; to > PACKETS && this.at(to - 1) > packet; to--) {
        this.words[to] = this.at(to - 1);
      }
      this.words[to] = packet;
    }
  }

  /** The epochs that can be seen in it. */
  ballots(things: Things): number {
    let mask = things.of(this.at(COMMIT)).ballots;
    for (let slot = 0; slot < SLOTS; slot++) {
      const replica = this.at(slot);
      mask |= replica === UNBORN ? 0 : things.of(replica).ballots;
    }
    for (let index = PACKETS; index < this.length; index++) {
      mask |= things.of(this.at(index)).ballots;
    }
    return mask;
  }

  /** Fills `into` with this world under permutation `by`. */
  renameInto(things: Things, by: number, into: World): void {
    const map = permutation(by);
    for (let slot = 0; slot < SLOTS; slot++) {
      const replica = this.at(slot);
      into.words[found(map[slot], "such slot")] = replica === UNBORN ? UNBORN : things.renamed(replica, by);
    }
    into.words[BUDGET] = this.at(BUDGET);
    into.words[COMMIT] = things.renamed(this.at(COMMIT), by);
    for (let index = PACKETS; index < this.length; index++) {
      into.words[index] = things.renamed(this.at(index), by);
    }
    into.length = this.length;
    into.sortPackets();
  }
}

/** How many signs there are; the last is that of the unborn, who go to the end. */
const SIGNS = 256;

/** Chooses one of the worlds that are the same but for names; says which permutation led to it. */
export class Canon {
  readonly #things: Things;
  readonly #candidate = new World();
  readonly #ties = new Map<number, Map<number, readonly number[]>>();
  high = 0;
  low = 0;

  constructor(things: Things) {
    this.#things = things;
  }

  /** Fills `into`, and `high` and `low` with its hash. */
  choose(world: World, into: World): number {
    let best = -1;
    for (const number of this.#tied(world)) {
      world.renameInto(this.#things, number, this.#candidate);
      const { high, low } = this;
      this.#hash(this.#candidate);
      if (best < 0 || this.high < high || (this.high === high && this.low < low)) {
        best = number;
        into.copyFrom(this.#candidate);
      } else {
        this.high = high;
        this.low = low;
      }
    }
    return best;
  }

  /** Fills `into` with the world under the names it has, and `high` and `low` with its hash. */
  keep(world: World, into: World): void {
    world.renameInto(this.#things, IDENTITY, into);
    this.#hash(into);
  }

  /** Permutations that put the replicas in order by what does not depend on names; most often it is one. */
  #tied(world: World): readonly number[] {
    let signs = 0;
    for (let slot = 0; slot < SLOTS; slot++) {
      const replica = world.at(slot);
      signs = signs * SIGNS + (replica === UNBORN ? SIGNS - 1 : this.#things.of(replica).sign);
    }
    const ballots = world.ballots(this.#things);
    let row = this.#ties.get(ballots);
    if (row === undefined) {
      row = new Map();
      this.#ties.set(ballots, row);
    }
    let tied = row.get(signs);
    if (tied === undefined) {
      tied = inOrder(signs, ballots);
      row.set(signs, tied);
    }
    return tied;
  }

  #hash(world: World): void {
    let high = Math.imul(world.at(BUDGET) + 1, 0x9e3779b1);
    let low = Math.imul(world.at(BUDGET) + 7, 0x85ebca6b);
    for (let index = 0; index < world.length; index++) {
      const part = world.at(index);
      if (index !== BUDGET && part !== UNBORN) {
        const facts = this.#things.of(part);
        high = (high + facts.high) | 0;
        low = (low + facts.low) | 0;
      }
    }
    this.high = mix(high ^ Math.imul(low, 0x2545f491));
    this.low = mix(low);
  }
}

/** Of the permutations that may be, those that sort the signs best. */
function inOrder(signs: number, ballots: number): readonly number[] {
  const digits = Array.from(
    { length: SLOTS },
    (_, slot) => Math.floor(signs / SIGNS ** (SLOTS - 1 - slot)) % SIGNS,
  );
  let least = Number.POSITIVE_INFINITY;
  let tied: number[] = [];
  for (const number of allowedFor(ballots)) {
    const map = permutation(number);
    const order = digits.reduce((sum, sign, slot) => sum + sign * SIGNS ** (SLOTS - 1 - (map[slot] ?? 0)), 0);
    if (order < least) {
      least = order;
      tied = [];
    }
    if (order === least) {
      tied.push(number);
    }
  }
  return tied;
}

function mix(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
