/**
 * Notices when this process's event loop stands still: a timer that should fire every `TICK_MS` fires late.
 *
 * The NATS server gives a slow consumer no reason when it cuts it off; a loop that has just stood still is one.
 */
import type { Clock, Timer } from "../base/clock.ts";

const TICK_MS = 200;
/** Being late by less is no standstill. */
const LATE_MS = 500;
/** A standstill explains what happens up to so long after it. */
const RECENT_MS = 2_000;

export class LoopWatch {
  readonly #clock: Clock;
  #timer: Timer;
  #dueAt = 0;
  #lateMs = 0;
  #lateAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#timer = this.#set();
  }

  /** By how much the loop was late just now, in milliseconds; 0 when it was not. */
  recentStandstillMs(): number {
    this.#measure();
    return this.#clock.now() - this.#lateAt <= RECENT_MS ? this.#lateMs : 0;
  }

  stop(): void {
    this.#clock.clearTimer(this.#timer);
  }

  #set(): Timer {
    this.#dueAt = this.#clock.now() + TICK_MS;
    return this.#clock.setTimer(() => this.#tick(), TICK_MS, { unref: true });
  }

  #tick(): void {
    this.#measure();
    this.#timer = this.#set();
  }

  #measure(): void {
    const now = this.#clock.now();
    const lateMs = now - this.#dueAt;
    if (lateMs >= LATE_MS) {
      this.#lateMs = lateMs;
      this.#lateAt = now;
    }
  }
}
