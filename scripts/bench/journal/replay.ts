/** Replay at start: a million records of 100 bytes, in time and in memory. */
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { crc32c } from "../../../lib/journal/crc32c.ts";
import type { LogEntry } from "../../../lib/journal/entry.ts";
import type { StateMachine } from "../../../lib/journal/machine.ts";
import { openJournal } from "../../../lib/journal/open.ts";
import { interleave } from "../rounds.ts";
import { atMost } from "../statistics.ts";
import type { Bench, Samples } from "../suite.ts";
import { inPlace, openBenchJournal, RECORD } from "./place.ts";

const RECORDS = 1_000_000;
const BATCH = 1_000;
const MIB = 1024 * 1024;
const BASELINE = "reading and checksumming the same files";
const KEPT = "the data kept";

/** Keeps every payload, one after the other in one buffer. */
class Keeper implements StateMachine {
  count = 0;
  readonly #kept = new Uint8Array(RECORDS * RECORD.length);

  apply(entry: LogEntry): void {
    this.#kept.set(entry.payload, this.count * RECORD.length);
    this.count += 1;
  }
}

async function fill(folder: string): Promise<void> {
  const journal = await openBenchJournal(folder, "none");
  const batch = Array.from({ length: BATCH }, () => RECORD);
  for (let written = 0; written < RECORDS; written += BATCH) {
    await journal.append(batch);
  }
  await journal.commit();
  await journal.close();
}

/** Opens the journal, which replays it; answers the milliseconds until all is applied. */
async function replay(folder: string): Promise<number> {
  const machine = new Keeper();
  const start = performance.now();
  const journal = await openJournal(join(folder, "journal-none"), { machine });
  const took = performance.now() - start;
  await journal.close();
  if (machine.count !== RECORDS) {
    throw new Error(`replayed ${machine.count} records of ${RECORDS}`);
  }
  return took;
}

async function readAndChecksum(folder: string): Promise<number> {
  const start = performance.now();
  const dir = join(folder, "journal-none");
  const buffer = new Uint8Array(MIB);
  for (const name of (await readdir(dir)).filter((each) => each.endsWith(".wal"))) {
    const file = await open(join(dir, name));
    let got = 0;
    do {
      got = (await file.read(buffer, 0, buffer.length)).bytesRead;
      crc32c(buffer, 0, got);
    } while (got > 0);
    await file.close();
  }
  return performance.now() - start;
}

export const REPLAY_TIME: Bench = {
  name: "replay",
  measure: "replay at start, 1 million records of 100 bytes",
  unit: "ms",
  settings: "openJournal with a machine that copies every payload; segments of 64 MiB, in the page cache",
  baselines: [
    {
      name: BASELINE,
      settings: "FileHandle.read of 1 MiB at a time, the journal's own CRC32C",
      target: atMost(4),
    },
  ],
  nodeFlags: ["--expose-gc"],
  run: (context) =>
    inPlace(context, async (folder) => {
      context.progress("writing a million records");
      await fill(folder);
      const ours = { name: "ours", round: () => replay(folder) };
      return interleave(context, ours, [{ name: BASELINE, round: () => readAndChecksum(folder) }]);
    }),
};

/** By how much memory grew at most while the journal was opened, in MiB. */
async function replayPeak(folder: string): Promise<number> {
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  let peak = before;
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 5);
  await replay(folder);
  clearInterval(timer);
  return Math.max(1, (Math.max(peak, process.memoryUsage().rss) - before) / MIB);
}

export const REPLAY_MEMORY: Bench = {
  name: "replay-memory",
  measure: "replay at start, 1 million records of 100 bytes; memory",
  unit: "MiB",
  settings: "growth of the resident set in a fresh process, the kept data included, sampled every 5 ms",
  baselines: [
    {
      name: KEPT,
      settings: "a million records of 100 bytes in one buffer",
      constant: (RECORDS * RECORD.length) / MIB,
      target: atMost(2),
    },
  ],
  nodeFlags: ["--expose-gc"],
  run: (context) =>
    inPlace(context, async (folder): Promise<Samples> => {
      context.progress("writing a million records");
      await fill(folder);
      // Only the first replay of a process meets a heap that has not grown before; it is the figure.
      const first = await replayPeak(folder);
      const ours = Array.from({ length: context.rounds }, () => first);
      return { ours, again: [], baselines: {}, notes: ["one measurement: the first replay of the process"] };
    }),
};
