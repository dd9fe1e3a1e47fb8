/** Where benches write that measure a disk: one folder of the clone, so that all contenders share it. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { Journal } from "../../../lib/journal/journal.ts";
import { openJournal } from "../../../lib/journal/open.ts";
import type { SyncMode } from "../../../lib/journal/options.ts";
import { cloneFolder } from "../peers.ts";
import type { Context, Samples } from "../suite.ts";

export const RECORD: Uint8Array = new Uint8Array(100).fill(0x61);
export const PAGE_BYTES = 4_096;
const PREFIX = "bench-";
const BENCH_MAX_MS = 2 * 60 * 60_000;
const FILE_BYTES = 64 * 1024 * 1024;

/** Runs `work` in a folder of its own, which is removed afterwards, also when this process ends before that. */
export async function inPlace(
  context: Context,
  work: (folder: string, context: Context) => Promise<Samples>,
): Promise<Samples> {
  const cache = join(cloneFolder(), ".cache");
  mkdirSync(cache, { recursive: true });
  removeInterrupted(cache);
  const folder = mkdtempSync(join(cache, PREFIX));
  const remove = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.once("exit", remove);
  try {
    return await work(folder, context);
  } finally {
    process.off("exit", remove);
    remove();
  }
}

/** Removes what benches left behind that were killed; one that still runs is younger than that. */
function removeInterrupted(cache: string): void {
  for (const name of readdirSync(cache).filter((each) => each.startsWith(PREFIX))) {
    const folder = join(cache, name);
    const { mtimeMs } = statSync(folder, { throwIfNoEntry: false }) ?? {};
    if (mtimeMs !== undefined && Date.now() - mtimeMs > BENCH_MAX_MS) {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

export function openBenchJournal(folder: string, sync: SyncMode): Promise<Journal> {
  return openJournal(join(folder, `journal-${sync}`), { sync });
}

/** A file as large as a segment, filled with zeros and synced. */
export async function preallocated(folder: string): Promise<FileHandle> {
  const file = await open(join(folder, "bare"), "w+");
  const zeros = Buffer.alloc(1024 * 1024);
  for (let at = 0; at < FILE_BYTES; at += zeros.length) {
    await file.write(zeros, 0, zeros.length, at);
  }
  await file.sync();
  return file;
}

/** Positions for writes of `bytes`, one after the other, from the start again at the file's end. */
export function positions(bytes: number): () => number {
  let at = -bytes;
  return () => {
    at = (at + bytes) % (FILE_BYTES - (FILE_BYTES % bytes));
    return at;
  };
}
