/**
 * The part of a stream's log that a replica keeps in memory: a base, which stands for everything before,
 * and the entries after it without a hole.
 *
 * A Log is a value: every change makes a new one. Logs that follow from each other share their entries, so
 * that an append at the end costs what it adds.
 */
import { invariant } from "../base/invariant.ts";
import { compareEpochs } from "../journal/epoch.ts";
import { type Entry, ORIGIN, type Position } from "./entry.ts";

export class Log {
  /** Everything up to here is committed and no longer held as entries. */
  readonly base: Position;
  readonly #entries: Entry[];
  /** The entries of this log are `#entries[#start, #end)`. */
  readonly #start: number;
  readonly #end: number;

  private constructor(base: Position, entries: Entry[], start: number, end: number) {
    this.base = base;
    this.#entries = entries;
    this.#start = start;
    this.#end = end;
  }

  static empty(base: Position = ORIGIN): Log {
    return new Log(base, [], 0, 0);
  }

  get lastSeq(): number {
    return this.base.seq + this.#end - this.#start;
  }

  get last(): Position {
    return this.#end === this.#start ? this.base : this.#at(this.#end - 1);
  }

  /** The position at `seq`, or null where this log cannot tell. */
  position(seq: number): Position | null {
    if (seq === this.base.seq) {
      return this.base;
    }
    return this.entry(seq);
  }

  entry(seq: number): Entry | null {
    return seq > this.base.seq && seq <= this.lastSeq
      ? this.#at(this.#start + seq - this.base.seq - 1)
      : null;
  }

  /** The entries with `fromSeq <= seq <= toSeq`, as far as they are held. */
  slice(fromSeq: number, toSeq: number): Entry[] {
    const from = this.#start + Math.max(0, fromSeq - this.base.seq - 1);
    const to = this.#start + Math.max(0, Math.min(toSeq, this.lastSeq) - this.base.seq);
    return this.#entries.slice(from, to);
  }

  /** Entries from `fromSeq` on, as many as fit into `maxEntries` and `maxBytes`, at least one if there is one. */
  page(fromSeq: number, maxEntries: number, maxBytes: number): Entry[] {
    const found: Entry[] = [];
    let bytes = 0;
    for (let seq = fromSeq; seq <= this.lastSeq && found.length < maxEntries; seq++) {
      const entry = this.entry(seq);
      if (entry === null || (found.length > 0 && bytes + entry.payload.byteLength > maxBytes)) {
        break;
      }
      bytes += entry.payload.byteLength;
      found.push(entry);
    }
    return found;
  }

  /** The log with `entries` after its last; they follow it by seq, and their epochs do not go down. */
  append(entries: readonly Entry[]): Log {
    const { last } = this;
    let previous: Position = last;
    for (const entry of entries) {
      invariant(entry.seq === previous.seq + 1, "an appended entry follows the last one");
      invariant(compareEpochs(entry.epoch, previous.epoch) >= 0, "epochs along a log never decrease");
      previous = entry;
    }
    const shared = this.#entries.length === this.#end ? this.#entries : this.#entries.slice(0, this.#end);
    shared.push(...entries);
    return new Log(this.base, shared, this.#start, shared.length);
  }

  truncateAfter(seq: number): Log {
    invariant(seq >= this.base.seq, "a log is not cut below its base");
    return seq >= this.lastSeq
      ? this
      : new Log(this.base, this.#entries, this.#start, this.#start + seq - this.base.seq);
  }

  /** The log with everything up to `seq` in its base. */
  compactTo(seq: number): Log {
    const base = this.position(seq);
    if (base === null || seq === this.base.seq) {
      return this;
    }
    const { epoch, chain } = base;
    const start = this.#start + seq - this.base.seq;
    const rest = this.#entries.slice(start, this.#end);
    return new Log({ seq, epoch, chain }, rest, 0, rest.length);
  }

  #at(index: number): Entry {
    const entry = this.#entries[index];
    invariant(entry !== undefined, "a log holds every entry between its base and its end");
    return entry;
  }
}
