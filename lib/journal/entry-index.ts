/**
 * Where the entries of a stream lie: sequence number to LSN.
 *
 * `DenseIndex` keeps position and chain of every entry in typed columns, 16 bytes each; `SparseIndex`
 * every 128th position, and the reader walks the records from there. Both know the first and the last
 * entry, and in both the walk from a found position meets no void entry before the one looked for and
 * stays in its segment: a truncation and a new segment always start a new point.
 */
import { invariant } from "../base/invariant.ts";
import type { Word64 } from "./chain.ts";

/** The record of entry `seq` is at `lsn`. */
interface IndexPoint {
  readonly seq: number;
  readonly lsn: number;
}

export interface EntryIndex {
  /** The first entry indexed; `lastSeq` + 1 when there is none. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Whether `find` answers the very place of every entry. */
  readonly dense: boolean;
  /** Empties the index; the next entry is `seq`. */
  restart(seq: number): void;
  /** Adds the entry after the last; `newSegment` when it is the stream's first in its segment. */
  push(lsn: number, chain: Readonly<Word64>, newSegment: boolean): void;
  truncateAfter(seq: number): void;
  dropBefore(seq: number): void;
  /** The LSN of entry `seq`, which must be indexed, or of the nearest known entry before it. */
  find(seq: number): number;
  /** The chain after entry `seq`, or null where only the record itself knows. */
  chainAt(seq: number): Word64 | null;
}

export function createIndex(cacheMetadata: boolean, firstSeq: number): EntryIndex {
  return cacheMetadata ? new DenseIndex(firstSeq) : new SparseIndex(firstSeq);
}

const CAPACITY_MIN = 64;

class DenseIndex implements EntryIndex {
  readonly dense = true;
  #firstSeq: number;
  #count = 0;
  #lsns = new Float64Array(CAPACITY_MIN);
  #chains = new Uint32Array(2 * CAPACITY_MIN);

  constructor(firstSeq: number) {
    this.#firstSeq = firstSeq;
  }

  get firstSeq(): number {
    return this.#firstSeq;
  }

  get lastSeq(): number {
    return this.#firstSeq + this.#count - 1;
  }

  restart(seq: number): void {
    this.#firstSeq = seq;
    this.#count = 0;
  }

  push(lsn: number, chain: Readonly<Word64>): void {
    if (this.#count === this.#lsns.length) {
      this.#resize(2 * this.#count);
    }
    this.#lsns[this.#count] = lsn;
    this.#chains[2 * this.#count] = chain.high;
    this.#chains[2 * this.#count + 1] = chain.low;
    this.#count += 1;
  }

  truncateAfter(seq: number): void {
    this.#count = Math.min(this.#count, Math.max(0, seq - this.#firstSeq + 1));
  }

  dropBefore(seq: number): void {
    const dropped = Math.min(this.#count, seq - this.#firstSeq);
    if (dropped <= 0) {
      return;
    }
    this.#lsns.copyWithin(0, dropped, this.#count);
    this.#chains.copyWithin(0, 2 * dropped, 2 * this.#count);
    this.#firstSeq += dropped;
    this.#count -= dropped;
    if (this.#count < this.#lsns.length / 4 && this.#lsns.length > CAPACITY_MIN) {
      this.#resize(Math.max(CAPACITY_MIN, 2 * this.#count));
    }
  }

  find(seq: number): number {
    return this.#lsns[this.#slot(seq)] ?? 0;
  }

  chainAt(seq: number): Word64 {
    const slot = this.#slot(seq);
    return { high: this.#chains[2 * slot] ?? 0, low: this.#chains[2 * slot + 1] ?? 0 };
  }

  #slot(seq: number): number {
    const slot = seq - this.#firstSeq;
    if (slot < 0 || slot >= this.#count) {
      invariant(false, `entry ${seq} is not indexed`);
    }
    return slot;
  }

  #resize(capacity: number): void {
    const lsns = new Float64Array(capacity);
    lsns.set(this.#lsns.subarray(0, this.#count));
    const chains = new Uint32Array(2 * capacity);
    chains.set(this.#chains.subarray(0, 2 * this.#count));
    this.#lsns = lsns;
    this.#chains = chains;
  }
}

const STRIDE = 128;

class SparseIndex implements EntryIndex {
  readonly dense = false;
  #firstSeq: number;
  #lastSeq: number;
  #points: IndexPoint[] = [];
  #afterTruncation = false;

  constructor(firstSeq: number) {
    this.#firstSeq = firstSeq;
    this.#lastSeq = firstSeq - 1;
  }

  get firstSeq(): number {
    return this.#firstSeq;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  restart(seq: number): void {
    this.#firstSeq = seq;
    this.#lastSeq = seq - 1;
    this.#points = [];
  }

  push(lsn: number, _chain: Readonly<Word64>, newSegment: boolean): void {
    const seq = this.#lastSeq + 1;
    const newest = this.#points.at(-1);
    if (newest === undefined || newSegment || this.#afterTruncation || seq - newest.seq >= STRIDE) {
      this.#points.push({ seq, lsn });
      this.#afterTruncation = false;
    }
    this.#lastSeq = seq;
  }

  truncateAfter(seq: number): void {
    if (seq >= this.#lastSeq) {
      return;
    }
    this.#lastSeq = Math.max(seq, this.#firstSeq - 1);
    while ((this.#points.at(-1)?.seq ?? 0) > this.#lastSeq) {
      this.#points.pop();
    }
    this.#afterTruncation = true;
  }

  dropBefore(seq: number): void {
    if (seq <= this.#firstSeq) {
      return;
    }
    const from = Math.min(seq, this.#lastSeq + 1);
    let kept = 0;
    while (kept + 1 < this.#points.length && (this.#points[kept + 1]?.seq ?? 0) <= from) {
      kept += 1;
    }
    // The caller drops by whole segments and every segment begins with a point, so that the points left
    // all lie in segments that are still there.
    this.#points = this.#points.slice(kept);
    this.#firstSeq = from;
  }

  find(seq: number): number {
    invariant(seq >= this.#firstSeq && seq <= this.#lastSeq, `entry ${seq} is not indexed`);
    let low = 0;
    let high = this.#points.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#points[middle]?.seq ?? 0) <= seq) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    const point = this.#points[low];
    invariant(point !== undefined && point.seq <= seq, `no place is known at or before entry ${seq}`);
    return point.lsn;
  }

  chainAt(): null {
    return null;
  }
}
