/**
 * Who runs next: ready processes take turns of `quantumMessages`, and one turn of the event loop ends
 * after `turnMessages` messages or `turnMs`, whichever comes first, so that neither a busy process nor
 * a loop of awaited calls starves timers, sockets or other processes.
 *
 * Processes made ready run in a microtask, because that is the shortest way from a cast to its
 * handler. When the turn's budget is spent they wait for the loop's next round.
 */
import type { Clock } from "../base/clock.ts";
import type { Limits } from "../base/limits.ts";

export interface Runnable {
  /** Handles at most `quantum` messages and says how many it handled; never throws. */
  run(quantum: number): number;
}

export class Scheduler {
  readonly #clock: Clock;
  readonly #limits: Limits;
  #queue: Runnable[] = [];
  #head = 0;
  #armed = false;
  #running = false;
  #turnOpen = false;
  #turnLeft = 0;
  #turnEndsAt = 0;

  readonly #drain = (): void => {
    this.#armed = false;
    if (!this.#turnOpen) {
      this.#openTurn();
    }
    this.#runReady();
  };

  readonly #endTurn = (): void => {
    this.#turnOpen = false;
    if (this.#head < this.#queue.length) {
      this.#drain();
    }
  };

  constructor(clock: Clock, limits: Limits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Queues `process` for its next quantum. The process makes sure that it is queued once only. */
  ready(process: Runnable): void {
    this.#queue.push(process);
    if (!this.#armed && !this.#running && !(this.#turnOpen && this.#turnLeft <= 0)) {
      this.#armed = true;
      this.#clock.microtask(this.#drain);
    }
  }

  #openTurn(): void {
    this.#turnOpen = true;
    this.#turnLeft = this.#limits.turnMessages;
    this.#turnEndsAt = this.#clock.now() + this.#limits.turnMs;
    this.#clock.immediate(this.#endTurn);
  }

  #runReady(): void {
    this.#running = true;
    try {
      this.#runTurn(this.#limits.quantumMessages);
    } finally {
      // Also when a run threw, which is a defect: it surfaces, and the others go on next turn.
      this.#running = false;
      this.#forgetRun();
    }
  }

  #runTurn(quantum: number): void {
    while (this.#head < this.#queue.length && this.#turnLeft > 0) {
      const process = this.#queue[this.#head];
      this.#head += 1;
      if (process !== undefined) {
        // A run that handled nothing (a system message, a stale entry) still costs something.
        this.#turnLeft -= process.run(quantum) + 1;
      }
      if (this.#clock.now() > this.#turnEndsAt) {
        this.#turnLeft = 0;
      }
    }
  }

  #forgetRun(): void {
    if (this.#head === this.#queue.length) {
      this.#queue = this.#head > 1024 ? [] : this.#queue;
      this.#queue.length = 0;
      this.#head = 0;
    } else if (this.#head > 65_536) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
  }
}
