/**
 * The beat of a process: one timer for all of its replicas, so that they tick in the same turn of the loop and
 * what they send to one node leaves as one message.
 */
import type { Clock, Timer } from "../base/clock.ts";

export class Beat {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #listeners = new Set<() => void>();
  #timer: Timer | null = null;

  constructor(clock: Clock, intervalMs: number) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /** Calls `listener` at every beat, which must not throw; returns what ends that. */
  add(listener: () => void): () => void {
    const entry = (): void => listener();
    this.#listeners.add(entry);
    this.#timer ??= this.#clock.setTimer(() => this.#strike(), this.#intervalMs);
    return () => {
      this.#listeners.delete(entry);
      if (this.#listeners.size === 0 && this.#timer !== null) {
        this.#clock.clearTimer(this.#timer);
        this.#timer = null;
      }
    };
  }

  #strike(): void {
    this.#timer = this.#clock.setTimer(() => this.#strike(), this.#intervalMs);
    for (const listener of this.#listeners) {
      listener();
    }
  }
}
