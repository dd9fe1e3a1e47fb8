/**
 * The clock port: time, timers and turns of the event loop.
 *
 * Everything above the ports takes its time from here, so that the same code runs on real time in
 * production and on virtual time in the simulator (`virtual-clock.ts`).
 */

/** A timer that has been set; opaque to everyone but the clock that made it. */
export interface Timer {
  /** Whether the timer still waits. */
  readonly active: boolean;
}

export interface Clock {
  /** Monotonic milliseconds, with fractions. Its zero means nothing; only differences do. */
  now(): number;
  /** Milliseconds since the Unix epoch, for people and for files; may jump. */
  wallNow(): number;
  /** Runs `callback` once after `delayMs`. `unref` timers do not keep the process alive. */
  setTimer(callback: () => void, delayMs: number, options?: { unref?: boolean }): Timer;
  /** Harmless when the timer has fired or was cleared before. */
  clearTimer(timer: Timer): void;
  /** Runs `callback` when the current callback has returned, before any input or timer. */
  microtask(callback: () => void): void;
  /** Runs `callback` in this turn of the loop, after the input that is already there. */
  immediate(callback: () => void): void;
}

/** A promise that resolves after `delayMs`. */
export function delay(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(resolve, delayMs);
  });
}

/** A wall-clock time as ISO 8601, for people and for foreign clients. */
export function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
