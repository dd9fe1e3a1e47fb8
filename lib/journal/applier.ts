/**
 * Brings committed entries to a state machine, one after the other, and tells those who wait for it.
 */
import type { Clock, Timer } from "../base/clock.ts";
import { SupercastError } from "../base/errors.ts";
import type { LogEntry } from "./entry.ts";
import { JournalError } from "./errors.ts";
import type { StateMachine } from "./machine.ts";
import { Serial } from "./serial.ts";

interface Waiter {
  readonly holds: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  readonly timer: Timer | null;
}

/** Where the applier takes entries from. */
export type EntrySource = (from: number, to: number) => AsyncIterable<readonly LogEntry[]>;

export class Applier {
  /** The last entry the machine has taken. */
  appliedSeq = 0;
  readonly #clock: Clock;
  readonly #machine: StateMachine | null;
  readonly #source: EntrySource;
  /** Told of each entry after the machine has taken it. */
  readonly #onApplied: (entry: LogEntry) => void | Promise<void>;
  /** Applying, restoring and inline snapshots exclude each other. */
  readonly exclusive = new Serial();
  #waiters: Waiter[] = [];
  #failure: JournalError | null = null;

  constructor(
    clock: Clock,
    machine: StateMachine | null,
    source: EntrySource,
    onApplied: (entry: LogEntry) => void | Promise<void>,
  ) {
    this.#clock = clock;
    this.#machine = machine;
    this.#source = source;
    this.#onApplied = onApplied;
  }

  /** Applies what is committed up to `seq` and not applied yet. */
  applyTo(seq: number): Promise<void> {
    return this.exclusive.run(() => this.applyNow(seq));
  }

  /** The same for a caller that runs in `exclusive` already. */
  async applyNow(seq: number): Promise<void> {
    if (this.#failure !== null) {
      throw this.#failure;
    }
    if (seq > this.appliedSeq) {
      if (this.#machine === null) {
        this.appliedSeq = seq;
      } else {
        await this.#feed(this.#machine, seq);
      }
      this.notify();
    }
  }

  /** Resolves when `holds` does; throws `timeout` after `timeoutMs`. */
  wait(holds: () => boolean, timeoutMs: number | undefined, what: string): Promise<void> {
    if (this.#failure !== null) {
      return Promise.reject(this.#failure);
    }
    if (holds()) {
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const expire = (): void => {
        this.#waiters = this.#waiters.filter((each) => each !== waiter);
        reject(new SupercastError("timeout", `${what} did not happen within ${timeoutMs} ms`));
      };
      const timer = timeoutMs === undefined ? null : this.#clock.setTimer(expire, timeoutMs);
      const waiter: Waiter = { holds, resolve, reject, timer };
      this.#waiters.push(waiter);
    });
  }

  /** Looks again at what is waited for. */
  notify(): void {
    if (this.#waiters.length === 0) {
      return;
    }
    const waiting = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiting) {
      if (waiter.holds()) {
        this.#settle(waiter);
        waiter.resolve();
      } else {
        this.#waiters.push(waiter);
      }
    }
  }

  /** Nothing will be applied any more: whoever waits is told why. */
  end(error: JournalError): void {
    this.#failure ??= error;
    const waiting = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiting) {
      this.#settle(waiter);
      waiter.reject(error);
    }
  }

  async #feed(machine: StateMachine, to: number): Promise<void> {
    for await (const run of this.#source(this.appliedSeq + 1, to)) {
      for (const entry of run) {
        try {
          const applied = machine.apply(entry);
          if (applied !== undefined) {
            await applied;
          }
        } catch (thrown) {
          // The entry may have taken half its effect; only a replay from the start is sound again.
          const message = `the state machine failed at entry ${entry.seq}: ${String(thrown)}`;
          this.end(new JournalError("journal_failed", message, { cause: thrown }));
          throw this.#failure ?? thrown;
        }
        this.appliedSeq = entry.seq;
        const noted = this.#onApplied(entry);
        if (noted !== undefined) {
          await noted;
        }
      }
    }
  }

  #settle(waiter: Waiter): void {
    if (waiter.timer !== null) {
      this.#clock.clearTimer(waiter.timer);
    }
  }
}
