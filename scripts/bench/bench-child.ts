/** The child process of one bench: `{ suite, bench, rounds, short }` in, samples out. */
import { z } from "zod";
import { serveJob } from "./child.ts";
import { SUITES } from "./suites.ts";

const JOB = z.object({ suite: z.string(), bench: z.string(), rounds: z.int(), short: z.boolean() });

serveJob(async (given, parent) => {
  const job = JOB.parse(given);
  const suite = SUITES.find(({ name }) => name === job.suite);
  const bench = suite?.benches.find(({ name }) => name === job.bench);
  if (bench === undefined) {
    throw new Error(`there is no bench ${job.suite}/${job.bench}`);
  }
  return await bench.run({ rounds: job.rounds, short: job.short, progress: parent.progress });
});
