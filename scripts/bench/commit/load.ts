/** What is written, by everyone alike, and how callers take turns. */

/** 40 bytes. */
export const VALUE = "v".repeat(40);
/** So many keys are written, one after the other, again and again. */
export const KEYS = 10_000;

export function keyOf(n: number): string {
  return `key-${n % KEYS}`;
}

/** Does something as caller number `caller`; `n` counts on. */
export type Step = (caller: number, n: number) => Promise<unknown>;

let counted = 0;

/** The next number of a key, unlike that of any other write under way. */
export function next(): number {
  counted += 1;
  return counted;
}

/** Operations of `callers` for `ms` milliseconds, one under way for each at any time. */
export async function runCallers(
  callers: number,
  ms: number,
  step: Step,
): Promise<{ readonly done: number; readonly tookMs: number }> {
  const start = performance.now();
  let done = 0;
  const caller = async (_: unknown, index: number): Promise<void> => {
    while (performance.now() - start < ms) {
      await step(index, next());
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return { done, tookMs: performance.now() - start };
}

/** The same, in operations per second. */
export async function perSecond(callers: number, ms: number, step: Step): Promise<number> {
  const { done, tookMs } = await runCallers(callers, ms, step);
  return (done / tookMs) * 1000;
}

/** Milliseconds of a clock that all processes of this machine share. */
export function sharedNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
