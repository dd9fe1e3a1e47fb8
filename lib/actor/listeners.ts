/**
 * Functions that are told of events, at once and in the order in which they were added.
 *
 * A listener that throws hurts neither who emits nor the other listeners: the error is logged.
 */
import type { Logger } from "../telemetry/log.ts";

export class Listeners<Event> {
  readonly #listeners = new Set<(event: Event) => void>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Adds a listener; returns what takes it out. Inside an actor: `this.process.onEnd(x.listen(...))`. */
  add(listener: (event: Event) => void): () => void {
    // Wrapped, so that a function added twice is two listeners.
    const entry = (event: Event): void => listener(event);
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  emit(event: Event): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (thrown) {
        this.#log.error("a listener threw", { error: thrown });
      }
    }
  }
}
