/** The real clock: Node's timers and turns. */
import type { Clock, Timer } from "./clock.ts";

/** Node's timers hold 31 bits of milliseconds; what is longer waits in several turns. */
const LONGEST_MS = 2 ** 31 - 1;

class SystemTimer implements Timer {
  active = true;
  handle: NodeJS.Timeout | null = null;
}

const SETTLED = Promise.resolve();

class SystemClock implements Clock {
  now(): number {
    return performance.now();
  }

  wallNow(): number {
    return Date.now();
  }

  setTimer(callback: () => void, delayMs: number, options: { unref?: boolean } = {}): Timer {
    const timer = new SystemTimer();
    const wait = (leftMs: number): void => {
      timer.handle = setTimeout(
        () => {
          if (leftMs > LONGEST_MS) {
            wait(leftMs - LONGEST_MS);
          } else {
            timer.active = false;
            callback();
          }
        },
        Math.min(leftMs, LONGEST_MS),
      );
      if (options.unref === true) {
        timer.handle.unref();
      }
    };
    wait(delayMs);
    return timer;
  }

  clearTimer(timer: Timer): void {
    if (timer instanceof SystemTimer && timer.handle !== null) {
      clearTimeout(timer.handle);
      timer.active = false;
    }
  }

  /** By a settled promise: queueMicrotask makes an AsyncResource each time and takes thrice as long. */
  microtask(callback: () => void): void {
    void SETTLED.then(callback);
  }

  immediate(callback: () => void): void {
    setImmediate(callback);
  }
}

export const systemClock: Clock = new SystemClock();
