/**
 * Reads that wait: for a majority to confirm the position that a quorum read needs, and for a position to be
 * applied. Quorum reads that arrive in one turn share one confirmation.
 */

/** Someone who waits for a position. */
export interface Reader {
  /** The position it wants at least. */
  readonly minSeq: number;
  readonly deadlineAt: number;
  /** Called once: true when the position is applied, false when it was not confirmed or not reached in time. */
  done(reached: boolean): void;
}

interface Waiting {
  readonly seq: number;
  readonly reader: Reader;
}

export class PendingReads {
  /** Of this turn: not yet asked for. */
  #gathered: Reader[] = [];
  /** By the id under which the confirmation was asked for, in order. */
  readonly #asked = new Map<number, readonly Reader[]>();
  /** In order of arrival. */
  #waiting: Waiting[] = [];
  #lowestSeq = Number.POSITIVE_INFINITY;
  #count = 0;

  /** Readers that have not been answered. */
  get count(): number {
    return this.#count;
  }

  /** A quorum read. True for the first of a turn: `take` is to be called at the end of it. */
  gather(reader: Reader): boolean {
    this.#count += 1;
    return this.#gathered.push(reader) === 1;
  }

  /** The quorum reads of this turn are asked for under `id`. */
  take(id: number): void {
    this.#asked.set(id, this.#gathered);
    this.#gathered = [];
  }

  /** Confirmed: what is applied up to `seq` may answer. Ids that nobody waits for are none of ours. */
  ready(id: number, seq: number, appliedSeq: number): void {
    const readers = this.#asked.get(id) ?? [];
    this.#asked.delete(id);
    for (const reader of readers) {
      this.#count -= 1;
      this.waitFor(Math.max(seq, reader.minSeq), reader, appliedSeq);
    }
  }

  refused(id: number): void {
    const readers = this.#asked.get(id) ?? [];
    this.#asked.delete(id);
    for (const reader of readers) {
      this.#end(reader, false);
    }
  }

  /** Answers `reader` as soon as `seq` is applied. */
  waitFor(seq: number, reader: Reader, appliedSeq: number): void {
    this.#count += 1;
    if (seq <= appliedSeq) {
      this.#end(reader, true);
    } else {
      this.#waiting.push({ seq, reader });
      this.#lowestSeq = Math.min(this.#lowestSeq, seq);
    }
  }

  applied(seq: number): void {
    if (seq >= this.#lowestSeq) {
      this.#settle((waiting) => waiting.seq <= seq, true);
    }
  }

  /** Gives up what has waited too long. */
  tick(nowMs: number): void {
    this.#settle(({ reader }) => reader.deadlineAt <= nowMs, false);
    for (const [id, readers] of this.#asked) {
      if (readers.every(({ deadlineAt }) => deadlineAt <= nowMs)) {
        this.refused(id);
      }
    }
  }

  #settle(chosen: (waiting: Waiting) => boolean, reached: boolean): void {
    const over = this.#waiting.filter(chosen);
    if (over.length === 0) {
      return;
    }
    this.#waiting = this.#waiting.filter((waiting) => !chosen(waiting));
    this.#lowestSeq = this.#waiting.reduce(
      (lowest, { seq }) => Math.min(lowest, seq),
      Number.POSITIVE_INFINITY,
    );
    for (const { reader } of over) {
      this.#end(reader, reached);
    }
  }

  #end(reader: Reader, reached: boolean): void {
    this.#count -= 1;
    reader.done(reached);
  }
}
