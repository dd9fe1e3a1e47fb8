/** Running one seed, and proving that it runs the same way again. */
import type { SeedResult } from "../../spec/simulation/stream/result.ts";
import { type RunOptions, runSeed } from "../../spec/simulation/stream/run.ts";

/** One seed in so many runs twice. */
export const REPLAYED_SHARE = 100;

/** Whether a seed belongs to the sample that runs twice. */
export function isReplayed(seed: number): boolean {
  return seed % REPLAYED_SHARE === 0;
}

/** Runs a seed; `twice`: a second time, which must be equal to the last byte. */
export async function runChecked(
  seed: number,
  { twice, ...options }: RunOptions & { readonly twice: boolean },
): Promise<SeedResult> {
  const result = await runSeed(seed, options);
  if (!twice) {
    return result;
  }
  const again = await runSeed(seed, options);
  if (text(result) === text(again)) {
    return result;
  }
  const message = `two runs of seed ${seed} differ: ${result.hash} and ${again.hash}`;
  const violation = { rule: "replay", message, atMs: result.figures.virtualMs };
  return {
    ...result,
    verdict: "failed",
    violations: [...result.violations, violation],
    violationCount: result.violationCount + 1,
    trace: firstDifference(result.trace, again.trace) ?? result.trace,
  };
}

/** Everything but the time that it took. */
function text(result: SeedResult): string {
  return JSON.stringify({ ...result, figures: { ...result.figures, cpuMs: 0 } });
}

function firstDifference(left: readonly string[], right: readonly string[]): string[] | undefined {
  const index = left.findIndex((line, at) => line !== right[at]);
  return index < 0 ? undefined : [...left.slice(0, index), `1: ${left[index]}`, `2: ${right[index]}`];
}
