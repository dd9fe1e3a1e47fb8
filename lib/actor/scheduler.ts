/**
 * Who runs next: ready processes take turns of `quantumMessages`, and one turn of the event loop ends
 * after `turnMessages` messages or `turnMs`, whichever comes first, so that neither a busy process nor
 * a loop of awaited calls starves timers, sockets or other processes.
 *
 * Processes made ready run in a microtask, because that is the shortest way from a cast to its
 * handler; those that input makes ready run when it has been taken in (`hold`, `release`). When half
 * of the budget is spent the loop is asked to tell of its next round, and when all of it is spent they
 * wait for that: so a turn that handles little never asks, which would cost it more than its messages.
 */
import type { Clock } from "../base/clock.ts";
import type { Limits } from "../base/limits.ts";

export interface Runnable {
  /** Handles at most `quantum` messages and says how many it handled; never throws. */
  run(quantum: number): number;
}

/** Relief in one round of the loop takes as long as so many turns; then what finds no room is refused. */
const RELIEF_TURNS = 8;

export class Scheduler {
  readonly #clock: Clock;
  readonly #limits: Limits;
  #queue: Runnable[] = [];
  #head = 0;
  #armed = false;
  #running = false;
  #held = false;
  /** What is left of the present half of the turn. */
  #messagesLeft = 0;
  #halfEndsAt = 0;
  /** The second half: the loop has been asked to tell of its next round. */
  #asked = false;
  #reliefLeftMs: number;

  readonly #drain = (): void => {
    this.#armed = false;
    this.#runTurn();
  };

  readonly #endTurn = (): void => {
    this.#asked = false;
    this.#reliefLeftMs = RELIEF_TURNS * this.#limits.turnMs;
    this.#budget(1 / 2);
    this.#runTurn();
  };

  constructor(clock: Clock, limits: Limits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#reliefLeftMs = RELIEF_TURNS * limits.turnMs;
    this.#budget(1 / 2);
  }

  /** Queues `process` for its next quantum. The process makes sure that it is queued once only. */
  ready(process: Runnable): void {
    this.#queue.push(process);
    if (!this.#armed && !this.#running && !this.#held && !this.#waits()) {
      this.#armed = true;
      this.#clock.microtask(this.#drain);
    }
  }

  /** From now until `release` nobody runs, because several are about to be made ready at once. */
  hold(): void {
    this.#held = true;
  }

  /** Runs who is ready, on the caller's stack, which must hold no handler. */
  release(): void {
    this.#held = false;
    this.#runTurn();
  }

  /**
   * Runs one more turn at once, because input finds no room in a mailbox: so it is taken no faster
   * than it is handled. When relief has taken too long in this round of the loop, nothing is run.
   */
  relieve(): void {
    if (this.#running || this.#reliefLeftMs <= 0 || this.#head === this.#queue.length) {
      return;
    }
    const beganAt = this.#clock.now();
    this.#ask();
    this.#budget(1);
    this.#runReady();
    this.#reliefLeftMs -= this.#clock.now() - beganAt;
  }

  /** Whether the turn's budget is spent. */
  #waits(): boolean {
    return this.#asked && this.#messagesLeft <= 0;
  }

  #budget(turns: number): void {
    this.#messagesLeft = this.#limits.turnMessages * turns;
    this.#halfEndsAt = this.#clock.now() + this.#limits.turnMs * turns;
  }

  #ask(): void {
    if (!this.#asked) {
      this.#asked = true;
      this.#clock.immediate(this.#endTurn);
    }
  }

  /** Runs who is ready for as long as the turn's budget lasts. */
  #runTurn(): void {
    if (this.#head < this.#queue.length && !this.#waits()) {
      this.#runReady();
    }
  }

  #runReady(): void {
    this.#running = true;
    try {
      this.#runQueue(this.#limits.quantumMessages);
    } finally {
      // Also when a run threw, which is a defect: it surfaces, and the others go on next turn.
      this.#running = false;
      this.#forgetRun();
      if (this.#queue.length > 0) {
        this.#ask();
      }
    }
  }

  #runQueue(quantum: number): void {
    do {
      const process = this.#queue[this.#head];
      this.#head += 1;
      if (process !== undefined) {
        // A run that handled nothing (a system message, a stale entry) still costs something.
        this.#messagesLeft -= process.run(quantum) + 1;
      }
      this.#spend();
    } while (this.#head < this.#queue.length && !this.#waits());
  }

  #spend(): void {
    if (this.#messagesLeft > 0 && this.#clock.now() <= this.#halfEndsAt) {
      return;
    }
    if (this.#asked) {
      this.#messagesLeft = 0;
    } else {
      this.#ask();
      this.#budget(1 / 2);
    }
  }

  #forgetRun(): void {
    if (this.#head === this.#queue.length) {
      if (this.#head === 1) {
        this.#queue.pop(); // the usual case: unlike a length of 0, it keeps the array's storage
      } else {
        this.#queue = [];
      }
      this.#head = 0;
    } else if (this.#head > 65_536) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
  }
}
