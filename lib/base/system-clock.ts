/** The real clock: Node's timers and turns. */
import type { Clock, Timer } from "./clock.ts";

class SystemTimer implements Timer {
  active = true;
  handle: NodeJS.Timeout | null = null;
}

class SystemClock implements Clock {
  now(): number {
    return performance.now();
  }

  wallNow(): number {
    return Date.now();
  }

  setTimer(callback: () => void, delayMs: number, options: { unref?: boolean } = {}): Timer {
    const timer = new SystemTimer();
    timer.handle = setTimeout(() => {
      timer.active = false;
      callback();
    }, delayMs);
    if (options.unref === true) {
      timer.handle.unref();
    }
    return timer;
  }

  clearTimer(timer: Timer): void {
    if (timer instanceof SystemTimer && timer.handle !== null) {
      clearTimeout(timer.handle);
      timer.active = false;
    }
  }

  microtask(callback: () => void): void {
    queueMicrotask(callback);
  }

  immediate(callback: () => void): void {
    setImmediate(callback);
  }
}

export const systemClock: Clock = new SystemClock();
