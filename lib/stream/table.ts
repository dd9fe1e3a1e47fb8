/**
 * The records of a stream: what each key holds, and which entry changed it last.
 *
 * A record keeps its place in the order of insertion for as long as it stays; one that is deleted and comes
 * back goes to the end. That makes `walk` right for a table that changes under it.
 */
import { invariant } from "../base/invariant.ts";
import type { Change, ReadView } from "./definition.ts";
import { KeyOrder } from "./key-order.ts";
import { HASH_RECORD, hashOf, StateHash, type ThingHash } from "./state-hash.ts";
import { walkOf } from "./walk.ts";

/** Belongs to its table, which changes it in place. */
export interface TableRecord {
  value: unknown;
  /** The entry that changed it last. */
  seq: number;
  /** Counts the insertions into this table; says nothing in another one. */
  readonly order: number;
  hash: ThingHash;
}

export class Table implements ReadView {
  readonly hash = new StateHash();
  readonly #records = new Map<string, TableRecord>();
  readonly #order = new KeyOrder();
  #inserted = 0;

  get size(): number {
    return this.#records.size;
  }

  get(key: string): unknown {
    return this.#records.get(key)?.value;
  }

  count(): number {
    return this.#records.size;
  }

  keys(after: string | null = null): IterableIterator<string> {
    return this.#order.keys(after);
  }

  record(key: string): TableRecord | undefined {
    return this.#records.get(key);
  }

  /**
   * A change of the entry at `seq`. `known`: the hash of `[key, value]`, where that has been taken already.
   * Throws `invalid_message` for a value that cannot travel, and changes nothing then.
   */
  apply(change: Change, seq: number, known: ThingHash | null = null): void {
    const { key } = change;
    const record = this.#records.get(key);
    invariant(record === undefined || record.seq <= seq, "a record is changed by later entries only");
    if ("deleted" in change) {
      if (record !== undefined) {
        this.#records.delete(key);
        this.#order.remove(key);
        this.hash.remove(record.hash);
      }
      return;
    }
    const { value } = change;
    const hash = known ?? hashOf(HASH_RECORD, [key, value], seq);
    this.hash.add(hash);
    if (record === undefined) {
      this.#inserted += 1;
      this.#order.add(key);
      this.#records.set(key, { value, seq, order: this.#inserted, hash });
    } else {
      this.hash.remove(record.hash);
      record.value = value;
      record.seq = seq;
      record.hash = hash;
    }
  }

  /** The keys that are here now and still there when their turn comes, while the table changes. */
  walk(): Iterator<string, void> {
    return walkOf(this.#records, this.#inserted);
  }
}
