/** The faults of a memory hub: what may happen to a message between two clients. */
import { SupercastError } from "../base/errors.ts";
import type { Random } from "../base/random.ts";

/** What happens to messages by chance. */
export interface LinkFaults {
  /** Share of the messages that vanish, from 0 to 1. Default 0. */
  readonly dropProbability?: number;
  /** Share of the messages that arrive twice. Default 0. */
  readonly duplicateProbability?: number;
  /** Bounds of the time a message takes. Default [0, 0]. Order on one subject is kept. */
  readonly delayMs?: readonly [min: number, max: number];
}

/** What happens to one message: a delay for each copy that arrives. None: it is lost. */
export type Fate = readonly number[];

const UNHARMED: Fate = [0];

/** Counts of what the faults did, for the reports of simulations. */
export interface FaultCounts {
  dropped: number;
  duplicated: number;
  delayed: number;
}

export class Faults {
  readonly counts: FaultCounts = { dropped: 0, duplicated: 0, delayed: 0 };
  readonly #random: Random;
  #everywhere: LinkFaults = {};
  readonly #links = new Map<string, LinkFaults>();
  /** Directions in which nothing arrives. */
  readonly #blocked = new Set<string>();

  constructor(random: Random) {
    this.#random = random;
  }

  setEverywhere(faults: LinkFaults): void {
    this.#everywhere = checkedFaults(faults);
  }

  setLink(from: string, to: string, faults: LinkFaults): void {
    this.#links.set(link(from, to), checkedFaults(faults));
  }

  block(from: string, to: string): void {
    this.#blocked.add(link(from, to));
  }

  unblock(from: string, to: string): void {
    this.#blocked.delete(link(from, to));
  }

  /** No more faults. */
  clear(): void {
    this.#everywhere = {};
    this.#links.clear();
    this.#blocked.clear();
  }

  /** What happens to the next message from one client to another; to itself a client speaks unharmed. */
  fate(from: string, to: string): Fate {
    if (from === to) {
      return UNHARMED;
    }
    const key = this.#blocked.size + this.#links.size > 0 ? link(from, to) : "";
    if (this.#blocked.has(key)) {
      this.counts.dropped += 1;
      return [];
    }
    const faults = this.#links.get(key) ?? this.#everywhere;
    if (this.#happens(faults.dropProbability)) {
      this.counts.dropped += 1;
      return [];
    }
    if (this.#happens(faults.duplicateProbability)) {
      this.counts.duplicated += 1;
      return [this.#delay(faults), this.#delay(faults)];
    }
    return faults.delayMs === undefined ? UNHARMED : [this.#delay(faults)];
  }

  #happens(probability: number = 0): boolean {
    return probability > 0 && this.#random.next() < probability;
  }

  #delay({ delayMs: [min, max] = [0, 0] }: LinkFaults): number {
    const delayMs = min + this.#random.next() * (max - min);
    this.counts.delayed += delayMs > 0 ? 1 : 0;
    return delayMs;
  }
}

function link(from: string, to: string): string {
  return `${from}>${to}`;
}

function checkedFaults(faults: LinkFaults): LinkFaults {
  for (const name of ["dropProbability", "duplicateProbability"] as const) {
    const value = faults[name] ?? 0;
    if (!(value >= 0 && value <= 1)) {
      throw new SupercastError("config_mismatch", `faults.${name} is ${value}; allowed: from 0 to 1`);
    }
  }
  const [min, max] = faults.delayMs ?? [0, 0];
  if (!(min >= 0 && max >= min && Number.isFinite(max))) {
    throw new SupercastError(
      "config_mismatch",
      `faults.delayMs is [${min}, ${max}]; allowed: 0 <= min <= max`,
    );
  }
  return faults;
}
