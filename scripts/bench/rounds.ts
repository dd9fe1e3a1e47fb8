/** Taking samples: warm-up, then rounds in which ours and its peers take turns. */
import { median } from "./statistics.ts";
import type { Context, Samples } from "./suite.ts";

const WARM_UP_ROUNDS = 2;
/** How long one contender is measured in one round. */
const ROUND_MS = 250;
/** How long a contender is measured at a stretch when rounds are cut into slices. */
const SLICE_MS = 20;

/** Someone who is measured. */
export interface Contender {
  /** The name of the baseline; for ours it is not looked at. */
  readonly name: string;
  /** One measurement, in the bench's unit. */
  round(): number | Promise<number>;
}

/**
 * Measures ours, the peers and ours again in every round, beginning with another one each time, so that
 * none always runs in the wake of the same neighbour. A round may be cut into `slices`, each a turn of
 * everyone, for what lasts so long that the machine changes under it; its values are the slices' medians.
 */
export async function interleave(
  context: Context,
  ours: Contender,
  peers: readonly Contender[],
  slices = 1,
): Promise<Samples> {
  const samples: Samples = { ours: [], again: [], baselines: {}, notes: [] };
  const columns = [
    { contender: ours, values: samples.ours },
    ...peers.map((contender) => {
      const values: number[] = [];
      samples.baselines[contender.name] = values;
      return { contender, values };
    }),
    { contender: ours, values: samples.again },
  ];
  for (let round = -WARM_UP_ROUNDS; round < context.rounds; round++) {
    context.progress(round < 0 ? "warming up" : `round ${round + 1} of ${context.rounds}`);
    const taken = columns.map((): number[] => []);
    for (let slice = 0; slice < slices; slice++) {
      await takeTurns(
        columns.map(({ contender }) => contender),
        taken,
        Math.abs(round) + slice,
      );
    }
    if (round >= 0) {
      for (const [column, { values }] of columns.entries()) {
        values.push(median(taken[column] ?? []));
      }
    }
  }
  return samples;
}

/** One measurement of everyone, beginning with number `first`. */
async function takeTurns(contenders: readonly Contender[], taken: number[][], first: number): Promise<void> {
  for (let turn = 0; turn < contenders.length; turn++) {
    const at = (first + turn) % contenders.length;
    globalThis.gc?.();
    const value = await contenders[at]?.round();
    if (value !== undefined) {
      taken[at]?.push(value);
    }
  }
}

/** Operations per second: runs `step`, which does `operations` of them, again and again for a while. */
export async function rate(operations: number, step: () => void | Promise<void>): Promise<number> {
  const start = performance.now();
  let done = 0;
  let elapsedMs = 0;
  do {
    await step();
    done += operations;
    elapsedMs = performance.now() - start;
  } while (elapsedMs < ROUND_MS);
  return (done / elapsedMs) * 1000;
}

/** Microseconds that one operation takes, p50: runs `operation` one by one for the length of a slice. */
export async function latencyUs(operation: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  const end = performance.now() + SLICE_MS;
  let before = performance.now();
  while (before < end) {
    await operation();
    const after = performance.now();
    times.push((after - before) * 1000);
    before = after;
  }
  return median(times);
}
