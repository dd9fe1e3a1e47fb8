/**
 * Deadlines of open calls, cheap enough to give every call one.
 *
 * Calls with the same timeout expire in the order in which they were made, so each timeout value has
 * one list in that order and one clock timer for its head. Adding and removing are a few pointer
 * writes; the timer is set again only when it fires.
 */
import type { Clock, Timer } from "../base/clock.ts";
import { invariant } from "../base/invariant.ts";

/** Something with a deadline. The fields belong to the Deadlines it was added to. */
export abstract class Expiring {
  expiresAt = 0;
  expiryList: ExpiryList | null = null;
  expiryPrevious: Expiring | null = null;
  expiryNext: Expiring | null = null;

  /** Called once, after the deadline has passed; the entry has been removed by then. */
  abstract expire(): void;
}

class ExpiryList {
  readonly timeoutMs: number;
  head: Expiring | null = null;
  tail: Expiring | null = null;
  timer: Timer | null = null;

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs;
  }
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #lists = new Map<number, ExpiryList>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Calls `entry.expire()` in `timeoutMs`, rounded up to whole milliseconds, unless it is removed
   * before. Infinity means never.
   */
  add(entry: Expiring, timeoutMs: number): void {
    invariant(entry.expiryList === null, "an entry has one deadline");
    if (timeoutMs === Number.POSITIVE_INFINITY) {
      return;
    }
    // Rounded, so that timeouts that were computed share lists and timers too.
    const wholeMs = Math.ceil(timeoutMs);
    let list = this.#lists.get(wholeMs);
    if (list === undefined) {
      list = new ExpiryList(wholeMs);
      this.#lists.set(wholeMs, list);
    }
    entry.expiresAt = this.#clock.now() + wholeMs;
    entry.expiryList = list;
    entry.expiryPrevious = list.tail;
    if (list.tail === null) {
      list.head = entry;
    } else {
      list.tail.expiryNext = entry;
    }
    list.tail = entry;
    if (list.timer === null) {
      this.#arm(list, wholeMs);
    }
  }

  /** Harmless when the entry has no deadline. */
  remove(entry: Expiring): void {
    const list = entry.expiryList;
    if (list === null) {
      return;
    }
    const { expiryPrevious: previous, expiryNext: next } = entry;
    if (previous === null) {
      list.head = next;
    } else {
      previous.expiryNext = next;
    }
    if (next === null) {
      list.tail = previous;
    } else {
      next.expiryPrevious = previous;
    }
    entry.expiryList = null;
    entry.expiryPrevious = null;
    entry.expiryNext = null;
  }

  /** Stops all timers; nothing expires any more. */
  close(): void {
    for (const list of this.#lists.values()) {
      if (list.timer !== null) {
        this.#clock.clearTimer(list.timer);
      }
    }
    this.#lists.clear();
  }

  #arm(list: ExpiryList, delayMs: number): void {
    list.timer = this.#clock.setTimer(() => this.#fire(list), delayMs);
  }

  #fire(list: ExpiryList): void {
    list.timer = null;
    const now = this.#clock.now();
    for (let entry = list.head; entry !== null && entry.expiresAt <= now; entry = list.head) {
      this.remove(entry);
      entry.expire();
    }
    if (list.timer !== null) {
      return; // expire() added an entry and armed the list again
    }
    if (list.head === null) {
      this.#lists.delete(list.timeoutMs);
    } else {
      this.#arm(list, Math.max(1, list.head.expiresAt - now));
    }
  }
}
