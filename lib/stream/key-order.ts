/**
 * The keys of a table in their order, which is by UTF-16 code units, as JavaScript's `<` has it.
 *
 * A row of short sorted runs: finding the place of a key takes two binary searches, putting it in moves part
 * of one run. So a table of any size can be walked from any key on, and the walk finds its way again by the
 * key where it stopped, on whichever replica that is.
 *
 * Keys that come and go are only noted at first. They go to their places together, in order, when someone
 * walks or when there are many: that costs less than one by one, because neighbours are found in memory that
 * was just used, and a key that comes and soon goes again costs next to nothing.
 */
import { invariant } from "../base/invariant.ts";

/** A run longer than this becomes two. */
const RUN_MAX = 512;
/** So few that putting them into their places is over in some milliseconds. */
const NOTED_MAX = 4_096;

export class KeyOrder {
  /** None empty. */
  readonly #runs: string[][] = [];
  /** Keys that have come (true) or gone (false) since; nothing for one that did both. */
  readonly #noted = new Map<string, boolean>();
  #changes = 0;

  /** A key that is not here. */
  add(key: string): void {
    this.#note(key, true);
  }

  /** A key that is here. One that is not is found out at the latest when its place is looked for. */
  remove(key: string): void {
    this.#note(key, false);
  }

  #note(key: string, present: boolean): void {
    this.#changes += 1;
    const noted = this.#noted.get(key);
    invariant(noted !== present, "a key comes and goes by turns");
    if (noted === undefined) {
      this.#noted.set(key, present);
    } else {
      this.#noted.delete(key);
    }
    if (this.#noted.size >= NOTED_MAX) {
      this.#settle();
    }
  }

  /** Puts what is noted into its places. */
  #settle(): void {
    for (const key of [...this.#noted.keys()].sort()) {
      if (this.#noted.get(key) === true) {
        this.#insert(key);
      } else {
        this.#delete(key);
      }
    }
    this.#noted.clear();
  }

  #insert(key: string): void {
    // A key behind all others goes into the last run.
    const at = Math.min(this.#runFor(key), this.#runs.length - 1);
    const run = this.#runs[at];
    if (run === undefined) {
      this.#runs.push([key]);
      return;
    }
    run.splice(placeOf(run, key), 0, key);
    if (run.length > RUN_MAX) {
      this.#runs.splice(at + 1, 0, run.splice(run.length >> 1));
    }
  }

  #delete(key: string): void {
    const at = this.#runFor(key);
    const run = this.#runs[at];
    const place = run === undefined ? 0 : placeOf(run, key);
    invariant(run !== undefined && run[place] === key, "a key that leaves its order stands in it");
    run.splice(place, 1);
    if (run.length === 0) {
      this.#runs.splice(at, 1);
    }
  }

  /** All keys behind `after`, or all. Nothing may be added or removed while it goes on. */
  *keys(after: string | null = null): Generator<string, void> {
    this.#settle();
    const changes = this.#changes;
    let at = after === null ? 0 : this.#runFor(after);
    let run = this.#runs[at];
    let place = run === undefined || after === null ? 0 : placeOf(run, after);
    if (run?.[place] === after) {
      place += 1;
    }
    while (run !== undefined) {
      for (; place < run.length; place++) {
        const key = run[place];
        if (key !== undefined) {
          yield key;
          invariant(changes === this.#changes, "keys are not changed while they are walked through");
        }
      }
      at += 1;
      run = this.#runs[at];
      place = 0;
    }
  }

  /** The first run that ends with `key` or behind it; the number of runs when none does. */
  #runFor(key: string): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const last = this.#runs[middle]?.at(-1);
      if (last !== undefined && last < key) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}

/** Where `key` stands in a sorted run, or would stand. */
function placeOf(run: readonly string[], key: string): number {
  let low = 0;
  let high = run.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const found = run[middle];
    if (found !== undefined && found < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}
