/** Who wants to hear of a transport's events. */
import type { TransportEvent } from "./transport.ts";

type Listener = (event: TransportEvent) => void;

export class Listeners {
  readonly #listeners = new Set<Listener>();
  /** Listeners that threw. They are also reported to the others, as `handlerFailed`. */
  failures = 0;

  add(listener: Listener): () => void {
    const own: Listener = (event) => listener(event);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  emit(event: TransportEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        this.failures += 1;
        this.#report(listener, event, error);
      }
    }
  }

  /** A listener that fails on the report of a failure is only counted, or they would go on for ever. */
  #report(failed: Listener, event: TransportEvent, error: unknown): void {
    const report: TransportEvent = { type: "handlerFailed", subject: `event ${event.type}`, error };
    for (const listener of [...this.#listeners].filter((other) => other !== failed)) {
      try {
        listener(report);
      } catch {
        this.failures += 1;
      }
    }
  }
}
