/** Answers to foreign requests that carried a `requestId`, kept so that a repeat takes effect once. */
import type { Clock } from "../base/clock.ts";
import { SupercastError } from "../base/errors.ts";
import type { ForeignAnswer } from "../wire/foreign.ts";

type Answer = (answer: ForeignAnswer) => void;

interface Remembered {
  readonly at: number;
  answer: ForeignAnswer | undefined;
  /** Who else asked while the answer was not there yet. */
  readonly waiting: Answer[];
}

export class RequestMemory {
  readonly #clock: Clock;
  readonly #bound: number;
  readonly #keepMs: number;
  /** In order of arrival. */
  readonly #requests = new Map<string, Remembered>();

  constructor(clock: Clock, bound: number, keepMs: number) {
    this.#clock = clock;
    this.#bound = bound;
    this.#keepMs = keepMs;
  }

  get size(): number {
    return this.#requests.size;
  }

  /**
   * Begins a request. Undefined when it is a repeat: `answer` gets the first one's answer, now or when it
   * comes. Otherwise the function to settle it with. Throws `overload` when the memory is full of
   * requests that must still be remembered.
   */
  begin(key: string, answer: Answer): Answer | undefined {
    const now = this.#clock.now();
    this.#forgetOld(now);
    const known = this.#requests.get(key);
    if (known !== undefined) {
      if (known.answer === undefined) {
        known.waiting.push(answer);
      } else {
        answer(known.answer);
      }
      return undefined;
    }
    if (this.#requests.size >= this.#bound) {
      throw new SupercastError("overload", `${this.#bound} requests with a requestId are remembered already`);
    }
    const request: Remembered = { at: now, answer: undefined, waiting: [] };
    this.#requests.set(key, request);
    return (outcome) => {
      request.answer = outcome;
      answer(outcome);
      for (const other of request.waiting.splice(0)) {
        other(outcome);
      }
      if ("error" in outcome && isRefusal(outcome.error.code)) {
        this.#requests.delete(key); // nothing happened, so the same request may be tried again
      }
    };
  }

  #forgetOld(now: number): void {
    for (const [key, { at }] of this.#requests) {
      if (now - at < this.#keepMs) {
        return;
      }
      this.#requests.delete(key);
    }
  }
}

/** Errors that come before any effect. */
function isRefusal(code: string): boolean {
  return code === "noproc" || code === "mailbox_full" || code === "overload" || code === "invalid_message";
}
