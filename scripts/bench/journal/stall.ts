/** How late timers are while 64 writers append durably. */
import type { Journal } from "../../../lib/journal/journal.ts";
import { atMost, quantile } from "../statistics.ts";
import type { Bench } from "../suite.ts";
import { inPlace, openBenchJournal, RECORD } from "./place.ts";

const WRITERS = 64;
const TICKS = 400;
const ABOVE_IDLE_MS = 5;

/** The 99th percentile of the lateness of a 1 ms timer. */
async function lateness(): Promise<number> {
  const late: number[] = [];
  for (let tick = 0; tick < TICKS; tick++) {
    const start = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 1));
    late.push(performance.now() - start - 1);
  }
  return quantile(late, 0.99);
}

async function latenessUnderLoad(journal: Journal): Promise<number> {
  let running = true;
  const writers = Array.from({ length: WRITERS }, async () => {
    while (running) {
      await journal.append(RECORD);
    }
  });
  const late = await lateness();
  running = false;
  await Promise.all(writers);
  return late;
}

export const STALL: Bench = {
  name: "stall",
  measure: "event-loop stall while 64 writers run",
  unit: "ms above idle, p99",
  settings:
    "sync batch, 100-byte records; lateness of a 1 ms timer, 400 ticks idle and 400 under load per round",
  baselines: [{ name: "the bound", settings: "5 ms above idle", constant: ABOVE_IDLE_MS, target: atMost(1) }],
  run: (context) =>
    inPlace(context, async (folder) => {
      const journal = await openBenchJournal(folder, "batch");
      const ours: number[] = [];
      for (let round = 0; round < context.rounds; round++) {
        context.progress(`round ${round + 1} of ${context.rounds}`);
        const idle = await lateness();
        ours.push(Math.max(0.01, (await latenessUnderLoad(journal)) - idle));
      }
      await journal.close();
      return { ours, again: [], baselines: {}, notes: [] };
    }),
};
