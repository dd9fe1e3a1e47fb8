/** Taking samples: warm-up, then rounds in which ours and its peers take turns. */
import { median } from "./statistics.ts";
import type { Context, Samples } from "./suite.ts";

const WARM_UP_ROUNDS = 2;
/** How long one contender is measured in one round. */
const ROUND_MS = 250;

/** Someone who is measured. */
export interface Contender {
  /** The name of the baseline; for ours it is not looked at. */
  readonly name: string;
  /** One measurement, in the bench's unit. */
  round(): number | Promise<number>;
}

/**
 * Measures ours, the peers and ours again in every round, beginning with another one each time, so that
 * none always runs in the wake of the same neighbour.
 */
export async function interleave(
  context: Context,
  ours: Contender,
  peers: readonly Contender[],
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
    for (let turn = 0; turn < columns.length; turn++) {
      const column = columns[(turn + Math.abs(round)) % columns.length];
      globalThis.gc?.();
      const value = await column?.contender.round();
      if (round >= 0 && value !== undefined) {
        column?.values.push(value);
      }
    }
  }
  return samples;
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

/** Microseconds that one operation takes, p50: runs `operation` one by one for a while. */
export async function latencyUs(operation: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  const end = performance.now() + ROUND_MS;
  let before = performance.now();
  while (before < end) {
    await operation();
    const after = performance.now();
    times.push((after - before) * 1000);
    before = after;
  }
  return median(times);
}
