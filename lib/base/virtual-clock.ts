/**
 * Virtual time: timers fire in order of their time and then of their setting, and nothing waits.
 *
 * `advance(ms)` runs everything that falls due, letting promises settle between two steps, so that a
 * run depends on its inputs alone. Microtasks are the engine's own; immediates run at the present
 * virtual time, before any timer.
 */
import type { Clock, Timer } from "./clock.ts";

const settled = Promise.resolve();

class VirtualTimer implements Timer {
  active = true;
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;

  constructor(at: number, order: number, callback: () => void) {
    this.at = at;
    this.order = order;
    this.callback = callback;
  }
}

export class VirtualClock implements Clock {
  #now = 0;
  #order = 0;
  readonly #timers = new TimerHeap();
  #immediates: (() => void)[] = [];
  readonly #wallStart: number;

  /** `wallStartMs`: what `wallNow()` says at virtual time 0. */
  constructor(wallStartMs: number = Date.UTC(2026, 0, 1)) {
    this.#wallStart = wallStartMs;
  }

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#wallStart + this.#now;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    this.#order += 1;
    const timer = new VirtualTimer(this.#now + Math.max(0, delayMs), this.#order, callback);
    this.#timers.push(timer);
    return timer;
  }

  clearTimer(timer: Timer): void {
    if (timer instanceof VirtualTimer) {
      timer.active = false;
    }
  }

  microtask(callback: () => void): void {
    // The same queue as `queueMicrotask`, and what it throws ends the process as well; without the asynchronous
    // scope that is made there for each.
    void settled.then(callback);
  }

  immediate(callback: () => void): void {
    this.#immediates.push(callback);
  }

  /** Runs all that falls due within the next `ms` milliseconds of virtual time. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.settle();
    for (;;) {
      const timer = this.#timers.peek();
      if (timer === undefined || timer.at > end) {
        break;
      }
      this.#timers.pop();
      if (timer.active) {
        this.#now = timer.at;
        timer.active = false;
        timer.callback();
        await this.settle();
      }
    }
    this.#now = end;
  }

  /**
   * Advances until `condition` holds, in steps of `stepMs`.
   * Throws when it still does not hold after `limitMs` of virtual time.
   */
  async until(condition: () => boolean, limitMs: number = 60_000, stepMs: number = 1): Promise<void> {
    const end = this.#now + limitMs;
    await this.settle();
    while (!condition()) {
      if (this.#now >= end) {
        throw new Error(`condition did not hold within ${limitMs} ms of virtual time`);
      }
      await this.advance(stepMs);
    }
  }

  /** Advances until `promise` settles, and returns or throws what it settled to. */
  async run<T>(promise: Promise<T>, limitMs: number = 60_000): Promise<T> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    await this.until(() => settled, limitMs);
    return promise;
  }

  /** Lets promises and immediates run to rest without moving time. */
  async settle(): Promise<void> {
    await realTurn();
    while (this.#immediates.length > 0) {
      const ready = this.#immediates;
      this.#immediates = [];
      for (const callback of ready) {
        callback();
      }
      await realTurn();
    }
  }
}

/**
 * Immediates are set so many at once: between two of one turn of the loop the engine runs all promise jobs, as
 * between two turns, and a turn of the loop costs a system call.
 */
const IMMEDIATES_AT_ONCE = 64;
/** Immediates that are set and have not run. */
let immediatesSet = 0;
/** Those who wait for one, in order. */
const waiting: (() => void)[] = [];

/** Resolves in an immediate of the real loop: every promise job that can run has run by then. */
function realTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (immediatesSet === 0) {
      setImmediates();
    }
  });
}

function setImmediates(): void {
  immediatesSet = IMMEDIATES_AT_ONCE;
  for (let count = 0; count < IMMEDIATES_AT_ONCE; count++) {
    setImmediate(onImmediate);
  }
}

function onImmediate(): void {
  immediatesSet -= 1;
  waiting.shift()?.();
  if (immediatesSet === 0 && waiting.length > 0) {
    setImmediates();
  }
}

/** A binary heap by (time, order of setting). */
class TimerHeap {
  readonly #items: VirtualTimer[] = [];

  peek(): VirtualTimer | undefined {
    return this.#items[0];
  }

  push(timer: VirtualTimer): void {
    const items = this.#items;
    let index = items.push(timer) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#before(index, parent)) {
        break;
      }
      this.#swap(index, parent);
      index = parent;
    }
  }

  pop(): void {
    const items = this.#items;
    const last = items.pop();
    if (last === undefined || items.length === 0) {
      return;
    }
    items[0] = last;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      const right = left + 1;
      let first = index;
      if (left < items.length && this.#before(left, first)) {
        first = left;
      }
      if (right < items.length && this.#before(right, first)) {
        first = right;
      }
      if (first === index) {
        return;
      }
      this.#swap(index, first);
      index = first;
    }
  }

  #before(left: number, right: number): boolean {
    const a = this.#items[left];
    const b = this.#items[right];
    if (a === undefined || b === undefined) {
      return false;
    }
    return a.at < b.at || (a.at === b.at && a.order < b.order);
  }

  #swap(left: number, right: number): void {
    const a = this.#items[left];
    const b = this.#items[right];
    if (a !== undefined && b !== undefined) {
      this.#items[left] = b;
      this.#items[right] = a;
    }
  }
}
