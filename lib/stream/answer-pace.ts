/**
 * Answers that need nobody else would let a caller that awaits one after the other go on for ever without a
 * turn for the network. After `burst` of them in one round of the loop, the next ones wait for its next round.
 */
import type { Clock } from "../base/clock.ts";
import { Fifo } from "../base/fifo.ts";

interface Held {
  readonly answer: () => void;
}

export class AnswerPace {
  readonly #clock: Clock;
  readonly #burst: number;
  readonly #held = new Fifo<Held>();
  #sent = 0;

  constructor(clock: Clock, burst: number) {
    this.#clock = clock;
    this.#burst = burst;
  }

  send(answer: () => void): void {
    if (this.#sent >= this.#burst) {
      this.#held.push({ answer });
      return;
    }
    if (this.#sent === 0) {
      this.#clock.immediate(() => this.#nextRound());
    }
    this.#sent += 1;
    answer();
  }

  #nextRound(): void {
    this.#sent = 0;
    for (let count = Math.min(this.#burst, this.#held.length); count > 0; count--) {
      const held = this.#held.shift();
      if (held !== undefined) {
        this.send(held.answer);
      }
    }
  }
}
