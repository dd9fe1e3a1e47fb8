/**
 * What belongs to one process beside its mailbox: its timers, what must be undone at its end, and its
 * AbortSignal. All of it ends with the process.
 *
 * Made on first use, because most processes of a large system own nothing of this.
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { ExitReason } from "../base/reason.ts";

/** What setting a timer on an ended process gives: nothing waits. */
export const SPENT_TIMER: Timer = { active: false };

export class Belongings {
  readonly #timers = new Set<Timer>();
  readonly #cleanups = new Set<() => void>();
  #abort: AbortController | null = null;

  setTimer(clock: Clock, callback: () => void, delayMs: number): Timer {
    const timer: Timer = clock.setTimer(() => {
      this.#timers.delete(timer);
      callback();
    }, delayMs);
    this.#timers.add(timer);
    return timer;
  }

  clearTimer(clock: Clock, timer: Timer): void {
    clock.clearTimer(timer);
    this.#timers.delete(timer);
  }

  /** Keeps `cleanup` for the end; returns what takes it back. */
  onEnd(cleanup: () => void): () => void {
    // Wrapped, so that a function added twice runs twice.
    const entry = (): void => cleanup();
    this.#cleanups.add(entry);
    return () => {
      this.#cleanups.delete(entry);
    };
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    return this.#abort.signal;
  }

  /** Ends it all. A cleanup that throws goes to `report` and holds up nothing. */
  release(clock: Clock, reason: ExitReason, report: (thrown: unknown) => void): void {
    for (const timer of this.#timers) {
      clock.clearTimer(timer);
    }
    this.#timers.clear();
    for (const cleanup of this.#cleanups) {
      try {
        cleanup();
      } catch (thrown) {
        report(thrown);
      }
    }
    this.#cleanups.clear();
    this.#abort?.abort(reason);
  }
}
