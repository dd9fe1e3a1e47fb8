/** Waiting for conditions of the real world, with a deadline instead of a sleep. */
import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 10;

/**
 * Resolves when `condition` holds. Throws, naming `what`, when it does not within `deadlineMs`.
 */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs: number = 5_000,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > deadline) {
      throw new Error(`not within ${deadlineMs} ms: ${what}`);
    }
    await delay(POLL_MS);
  }
}
