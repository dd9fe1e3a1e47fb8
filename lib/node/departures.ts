/**
 * When batches leave. What is bound for one peer in one turn of the event loop leaves as one message, but
 * for the first: a single caller waits for it, so it leaves as soon as the code that filled it has returned.
 */
import type { Clock } from "../base/clock.ts";
import type { Peer } from "./peer.ts";

export class Departures {
  readonly #clock: Clock;
  #waiting: Peer[] = [];
  #firstLeft = false;

  readonly #leaveFirst = (): void => {
    this.leave();
    this.#clock.microtask(this.#awaitTurnEnd);
  };

  /** Set after the client has written to its socket, because somebody waits for the bytes, nobody for this. */
  readonly #awaitTurnEnd = (): void => {
    this.#clock.immediate(this.#endTurn);
  };

  readonly #endTurn = (): void => {
    this.#firstLeft = false;
    this.leave();
  };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Makes the batch of `peer` leave in time. The peer makes sure that it asks once per batch. */
  add(peer: Peer): void {
    if (this.#waiting.push(peer) === 1 && !this.#firstLeft) {
      this.#firstLeft = true;
      this.#clock.microtask(this.#leaveFirst);
    }
  }

  /** Flushes every peer that waits, now. */
  leave(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const peer of waiting) {
      peer.flush();
    }
  }
}
