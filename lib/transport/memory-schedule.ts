/**
 * What is under way between the clients of a memory hub, in the order in which it arrives.
 *
 * Nothing runs inside the call that put it here: what is due runs in an immediate of the clock, what is not
 * runs from a timer. So a run under virtual time depends on its inputs alone.
 */
import type { Clock, Timer } from "../base/clock.ts";

interface Entry {
  readonly at: number;
  readonly run: () => void;
}

export class Schedule {
  readonly #clock: Clock;
  #ready: (() => void)[] = [];
  #pumping = false;
  /** Sorted by time; entries of one time in the order in which they came. */
  readonly #later: Entry[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs `action` in the next immediate, after whatever was put here before and is due. */
  soon(action: () => void): void {
    this.#ready.push(action);
    this.#pumpSoon();
  }

  /** Runs `action` at the time `at`, after whatever has the same time and was put here before. */
  at(at: number, action: () => void): void {
    let index = this.#later.length;
    while (index > 0 && (this.#later[index - 1]?.at ?? at) > at) {
      index -= 1;
    }
    this.#later.splice(index, 0, { at, run: action });
    if (index === 0) {
      this.#setTimer();
    }
  }

  #pumpSoon(): void {
    if (!this.#pumping) {
      this.#pumping = true;
      this.#clock.immediate(() => this.#pump());
    }
  }

  /** What is added meanwhile waits for the next immediate, so that timers and input get their turn. */
  #pump(): void {
    this.#pumping = false;
    const ready = this.#ready;
    this.#ready = [];
    for (const action of ready) {
      action();
    }
  }

  #setTimer(): void {
    if (this.#timer !== undefined) {
      this.#clock.clearTimer(this.#timer);
      this.#timer = undefined;
    }
    const [first] = this.#later;
    if (first !== undefined) {
      const waitMs = Math.max(0, first.at - this.#clock.now());
      this.#timer = this.#clock.setTimer(() => this.#onTimer(), waitMs, { unref: true });
    }
  }

  #onTimer(): void {
    const now = this.#clock.now();
    const due = this.#later.findIndex((entry) => entry.at > now);
    const entries = this.#later.splice(0, due < 0 ? this.#later.length : due);
    for (const entry of entries) {
      this.#ready.push(entry.run);
    }
    if (entries.length > 0) {
      this.#pumpSoon();
    }
    this.#setTimer();
  }
}
