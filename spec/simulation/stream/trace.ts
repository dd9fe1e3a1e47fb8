/**
 * The trace of a simulated run: a hash over everything that happened, and the last events for people.
 *
 * Two runs of one seed are equal exactly when their hashes are. What a record says is put into words only
 * when somebody reads it; the hash takes numbers and short texts, so that tracing costs little.
 */

/** Records kept for the report of a failure. */
export const RECORDS_KEPT = 400;

interface TraceRecord {
  readonly atMs: number;
  readonly who: string;
  readonly tell: () => string;
}

export class Trace {
  readonly #now: () => number;
  readonly #keptMax: number;
  readonly #ring: TraceRecord[] = [];
  #next = 0;
  #count = 0;
  #high = 0x9e3779b9;
  #low = 0x243f6a88;

  /** `keptMax`: records kept; Infinity keeps all. */
  constructor(now: () => number, keptMax: number = RECORDS_KEPT) {
    this.#now = now;
    this.#keptMax = keptMax;
  }

  /** Records so far. */
  get count(): number {
    return this.#count;
  }

  /** Something rare, in words. */
  note(who: string, what: string): void {
    this.#mixText(what);
    this.event(who, () => what);
  }

  /** Something frequent: `numbers` go into the hash, `tell` is asked only when the record is shown. */
  event(who: string, tell: () => string, ...numbers: readonly number[]): void {
    const atMs = this.#now();
    this.#count += 1;
    this.#mix(Math.round(atMs * 1_000));
    this.#mixText(who);
    for (const number of numbers) {
      this.#mix(number);
    }
    const record = { atMs, who, tell };
    if (this.#ring.length < this.#keptMax) {
      this.#ring.push(record);
    } else {
      this.#ring[this.#next] = record;
      this.#next = (this.#next + 1) % this.#keptMax;
    }
  }

  /** The hash so far, sixteen hexadecimal digits. */
  hash(): string {
    return [this.#high, this.#low].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /** The last records, oldest first, a line each; `tail`: at most so many. */
  lines(tail: number = this.#keptMax): string[] {
    const ordered = [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
    const shown = Number.isFinite(tail) ? ordered.slice(-tail) : ordered;
    return shown.map(({ atMs, who, tell }) => `${atMs.toFixed(3).padStart(10)} ${who.padEnd(8)} ${tell()}`);
  }

  #mixText(text: string): void {
    for (let index = 0; index < text.length; index++) {
      this.#low = Math.imul(this.#low ^ text.charCodeAt(index), 0x01000193);
    }
    this.#mix(text.length);
  }

  #mix(value: number): void {
    const low = value | 0;
    const high = Math.floor(value / 0x1_0000_0000) | 0;
    this.#low = Math.imul(this.#low ^ low, 0x85ebca6b);
    this.#high = Math.imul(this.#high ^ high ^ this.#low, 0xc2b2ae35);
    this.#low ^= this.#high >>> 15;
    this.#high ^= this.#low >>> 13;
  }
}
