/** A million casts that wait before the first is handled: how fast they go through, and what they take. */
import { interleave } from "../rounds.ts";
import type { Bench, Context, Samples } from "../suite.ts";
import { Goal, makeSystem, OURS, startCounter } from "./counter.ts";

const QUEUED = 1_000_000;
const MEASURE = "local cast, 1 million queued before the first is handled";
const SETTINGS = `${OURS}; mailbox bound raised to 1,000,000`;

interface Queued {
  readonly castsPerSecond: number;
  readonly bytesEach: number;
}

/** Fills the mailbox in one turn, then lets it be worked off. */
async function fillAndDrain(): Promise<Queued> {
  const goal = new Goal();
  const counter = startCounter(makeSystem(), goal, { mailbox: QUEUED });
  const reached = goal.set(QUEUED);
  globalThis.gc?.();
  const heapBefore = process.memoryUsage().heapUsed;
  const start = performance.now();
  for (let sent = 0; sent < QUEUED; sent++) {
    counter.cast({ type: "add", n: 1 });
  }
  const filledMs = performance.now() - start;
  globalThis.gc?.();
  const bytesEach = (process.memoryUsage().heapUsed - heapBefore) / QUEUED;
  const drainStart = performance.now();
  await reached;
  const drainedMs = performance.now() - drainStart;
  return { castsPerSecond: (QUEUED / (filledMs + drainedMs)) * 1000, bytesEach };
}

const measured = (figure: keyof Queued) => {
  return async (context: Context): Promise<Samples> => {
    const ours = { name: "ours", round: async () => (await fillAndDrain())[figure] };
    const { again, ...samples } = await interleave(context, ours, []);
    return { ...samples, ours: [...samples.ours, ...again], again: [] };
  };
};

export const QUEUED_RATE: Bench = {
  name: "queued",
  measure: MEASURE,
  unit: "casts/s",
  settings: SETTINGS,
  baselines: [],
  nodeFlags: ["--expose-gc"],
  run: measured("castsPerSecond"),
};

export const QUEUED_HEAP: Bench = {
  name: "queued-heap",
  measure: `${MEASURE}: the heap it took, message objects included`,
  unit: "bytes each",
  settings: SETTINGS,
  baselines: [],
  nodeFlags: ["--expose-gc"],
  run: measured("bytesEach"),
};
