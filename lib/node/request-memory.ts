/** Answers to foreign requests that carried a `requestId`, kept so that a repeat takes effect once. */
import type { Clock } from "../base/clock.ts";
import { SupercastError } from "../base/errors.ts";
import type { Limits } from "../base/limits.ts";
import type { ForeignAnswer } from "../wire/foreign.ts";

type Answer = (answer: ForeignAnswer) => void;

interface Remembered {
  readonly at: number;
  answer: ForeignAnswer | undefined;
  bytes: number;
  /** Who else asked while the answer was not there yet. */
  readonly waiting: Answer[];
}

export interface RequestMemoryOptions {
  readonly clock: Clock;
  readonly limits: Pick<Limits, "requestIds" | "requestIdMs" | "requestIdBytes">;
  /** What an answer takes in memory, roughly. */
  readonly bytesOf: (answer: ForeignAnswer) => number;
}

export class RequestMemory {
  readonly #clock: Clock;
  readonly #limits: RequestMemoryOptions["limits"];
  readonly #bytesOf: RequestMemoryOptions["bytesOf"];
  /** In order of arrival. */
  readonly #requests = new Map<string, Remembered>();
  #bytes = 0;
  #waiting = 0;

  constructor({ clock, limits, bytesOf }: RequestMemoryOptions) {
    this.#clock = clock;
    this.#limits = limits;
    this.#bytesOf = bytesOf;
  }

  get size(): number {
    return this.#requests.size;
  }

  /**
   * Begins a request. Undefined when it is a repeat: `answer` gets the first one's answer, now or when it
   * comes. Otherwise the function to settle it with. Throws `overload` when the memory is full of what
   * must still be remembered.
   */
  begin(key: string, answer: Answer): Answer | undefined {
    this.#forgetOld();
    const known = this.#requests.get(key);
    if (known !== undefined) {
      this.#repeat(known, answer);
      return undefined;
    }
    const { requestIds, requestIdBytes } = this.#limits;
    if (this.#requests.size >= requestIds) {
      throw new SupercastError("overload", `${requestIds} requests with a requestId are remembered already`);
    }
    if (this.#bytes >= requestIdBytes) {
      throw new SupercastError("overload", `${requestIdBytes} bytes of answers are remembered already`);
    }
    const request: Remembered = { at: this.#clock.now(), answer: undefined, bytes: 0, waiting: [] };
    this.#requests.set(key, request);
    return (outcome) => this.#settle(key, request, answer, outcome);
  }

  #repeat(known: Remembered, answer: Answer): void {
    if (known.answer !== undefined) {
      answer(known.answer);
      return;
    }
    const { requestIds } = this.#limits;
    if (this.#waiting >= requestIds) {
      throw new SupercastError("overload", `${requestIds} repeats wait for their first answer already`);
    }
    this.#waiting += 1;
    known.waiting.push(answer);
  }

  #settle(key: string, request: Remembered, answer: Answer, outcome: ForeignAnswer): void {
    if (this.#requests.get(key) === request) {
      if ("error" in outcome && isRefusal(outcome.error.code)) {
        this.#requests.delete(key); // nothing happened, so the same request may be tried again
      } else {
        request.bytes = this.#bytesOf(outcome);
        this.#bytes += request.bytes;
      }
    }
    request.answer = outcome;
    const waiting = request.waiting.splice(0);
    this.#waiting -= waiting.length;
    for (const each of [answer, ...waiting]) {
      each(outcome);
    }
  }

  #forgetOld(): void {
    const now = this.#clock.now();
    for (const [key, { at, bytes }] of this.#requests) {
      if (now - at < this.#limits.requestIdMs) {
        return;
      }
      this.#requests.delete(key);
      this.#bytes -= bytes;
    }
  }
}

/** Errors that come before any effect. */
function isRefusal(code: string): boolean {
  return code === "noproc" || code === "mailbox_full" || code === "overload" || code === "invalid_message";
}
