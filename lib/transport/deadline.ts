/** Waiting, but not for ever. */
import type { Clock } from "../base/clock.ts";

/** Resolves when `work` has settled, whichever way, or after `deadlineMs`. */
export function settledWithin(clock: Clock, work: Promise<unknown>, deadlineMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(resolve, deadlineMs);
    const done = (): void => {
      clock.clearTimer(timer);
      resolve();
    };
    work.then(done, done);
  });
}
