/**
 * What the clients of a chaos run ask next. Pure: drawn from a seed and from what they have seen.
 *
 * Three kinds of keys: registers, which everybody writes, deletes and reads; pairs, two keys that are only written
 * together; entries, which are written once, so that each is a witness of its own that nothing was lost. Every
 * value is unique. Registers and pairs are in use for some seconds and are then followed by new ones: on one key
 * for ever, operations of unknown outcome would become too many for whoever searches for an order.
 */
import type { Random } from "../../lib/base/random.ts";
import type { Asked } from "./history.ts";

const KEY_LIFE_MS = 5_000;
const RECENT_ENTRIES_MAX = 500;

export interface WorkloadSetting {
  readonly partitions: number;
  /** Per partition. */
  readonly registers: number;
  readonly pairs: number;
}

export interface Draw {
  readonly partition: number;
  readonly asked: Asked;
}

/** Cumulative shares. */
const SHARES = [
  ["read", 0.4],
  ["put", 0.65],
  ["delete", 0.7],
  ["pair", 0.78],
  ["readPair", 0.85],
  ["entry", 0.95],
  ["readEntry", 1],
] as const;

export class Workload {
  readonly #random: Random;
  readonly #setting: WorkloadSetting;
  /** Acknowledged entries that somebody may read again. */
  readonly #entries: { readonly key: string; readonly partition: number }[] = [];
  #serial = 0;

  constructor(random: Random, setting: WorkloadSetting) {
    this.#random = random;
    this.#setting = setting;
  }

  /** The next operation of a client, so many milliseconds after the run began. */
  next(clientId: string, elapsedMs: number): Draw {
    const { partitions, registers, pairs } = this.#setting;
    const life = Math.floor(elapsedMs / KEY_LIFE_MS);
    const partition = this.#random.below(partitions);
    const register = `r${partition}.${this.#random.below(registers)}.${life}`;
    const pair = `p${partition}.${this.#random.below(pairs)}.${life}`;
    const share = this.#random.next();
    const kind = SHARES.find(([, upTo]) => share < upTo)?.[0] ?? "read";
    switch (kind) {
      case "read":
        return { partition, asked: { kind: "read", key: register } };
      case "put":
        return { partition, asked: put([register], this.#value(clientId)) };
      case "delete":
        return { partition, asked: { kind: "write", changes: [{ op: "delete", key: register }] } };
      case "pair":
        return { partition, asked: put([`${pair}.left`, `${pair}.right`], this.#value(clientId)) };
      case "readPair": {
        const side = this.#random.below(2) === 0 ? "left" : "right";
        return { partition, asked: { kind: "read", key: `${pair}.${side}` } };
      }
      case "entry":
        return this.entry(clientId, partition);
      case "readEntry": {
        const entry = this.#entries[this.#random.below(this.#entries.length)];
        return entry === undefined
          ? this.entry(clientId, partition)
          : { partition: entry.partition, asked: { kind: "read", key: entry.key } };
      }
    }
  }

  /** A key that is written once. */
  entry(clientId: string, partition: number): Draw {
    const value = this.#value(clientId);
    return { partition, asked: put([`e.${value}`], value) };
  }

  /** An entry was acknowledged: from now on it must be there. */
  acknowledged({ partition, asked }: Draw): void {
    if (asked.kind === "write") {
      for (const { key } of asked.changes.filter((change) => change.key.startsWith("e."))) {
        this.#entries.push({ key, partition });
      }
      this.#entries.splice(0, this.#entries.length - RECENT_ENTRIES_MAX);
    }
  }

  #value(clientId: string): string {
    this.#serial += 1;
    return `${clientId}-${this.#serial}`;
  }
}

function put(keys: readonly string[], value: string): Asked {
  return { kind: "write", changes: keys.map((key) => ({ op: "put", key, value })) };
}
