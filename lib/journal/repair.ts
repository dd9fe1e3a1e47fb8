/**
 * What opening for writing does to a folder that `recovery.ts` found sound: cuts a torn tail, makes
 * durable what it keeps, removes leftovers. Each step may be cut short by a crash and is then done again.
 */
import { type Disk, joinPath } from "../disk/disk.ts";
import { SEGMENT_HEADER_BYTES } from "./format.ts";
import type { Found, FoundTail } from "./found.ts";
import type { Segment } from "./segment.ts";
import { writeZeros } from "./segment-store.ts";
import { removeIfThere } from "./slots.ts";

/** What an opening found and did. */
export interface RecoveryReport {
  /** There was no journal; this one was created. */
  readonly created: boolean;
  /** It had been closed in order. */
  readonly closedInOrder: boolean;
  /** The machine has not started anew since; what was written and not synced is still there. */
  readonly sameBoot: boolean;
  readonly tail: "clean" | "torn" | "uncertain";
  readonly tailWhy: string;
  /** Bytes of the tail that were cut off; an uncertain tail is kept in `cutFile`. */
  readonly cutBytes: number;
  readonly cutFile: string | null;
  readonly segments: number;
  readonly streams: number;
}

const COPY_BYTES = 1024 * 1024;

/** Cuts the tail and makes the rest durable; resolves to the file that keeps an uncertain tail. */
export async function repairTail(disk: Disk, folder: string, found: Found): Promise<string | null> {
  const segment = found.segments.at(-1);
  if (segment === undefined) {
    return null;
  }
  const { tail } = found;
  const cutFile = tail?.verdict === "uncertain" ? await keepTail(disk, folder, segment, tail) : null;
  const file = await disk.open(segment.path, "update");
  try {
    if (tail !== null && tail.usedEnd > tail.offset) {
      await writeZeros(file, tail.offset, tail.usedEnd);
    }
    if (!found.state.closed) {
      // A page that a failed sync left behind counts as clean, and no later sync would write it: what was
      // read may be in the cache only. Written again it is dirty again.
      const from = Math.max(SEGMENT_HEADER_BYTES, segment.offsetOf(found.state.syncedLsn));
      for (let at = from; at < segment.endOffset; at += COPY_BYTES) {
        const piece = new Uint8Array(Math.min(COPY_BYTES, segment.endOffset - at));
        await file.read(piece, at);
        await file.write(piece, at);
      }
      await file.sync();
    }
  } finally {
    await file.close();
  }
  return cutFile;
}

/** Removes what belongs to nothing. */
export async function removeLeftovers(disk: Disk, folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await removeIfThere(disk, joinPath(folder, name));
  }
  if (names.length > 0) {
    await disk.syncFolder(folder);
  }
}

/**
 * An uncertain tail may be all there is of an acknowledged batch: it is kept for whoever looks into it. A
 * file that is there already is left: a crash may have come when the tail was half filled with zeros, and
 * then that file is the only one with the whole of it.
 */
async function keepTail(disk: Disk, folder: string, segment: Segment, tail: FoundTail): Promise<string> {
  const bytes = new Uint8Array(tail.usedEnd - tail.offset);
  const from = await disk.open(segment.path, "read");
  try {
    await from.read(bytes, tail.offset);
  } finally {
    await from.close();
  }
  const draft = joinPath(folder, "tail.tmp");
  await removeIfThere(disk, draft);
  const to = await disk.open(draft, "create");
  try {
    await to.writeDurably(bytes, 0);
  } finally {
    await to.close();
  }
  const path = joinPath(folder, cutName(segment.lsnAt(tail.offset), await disk.list(folder)));
  await disk.rename(draft, path);
  await disk.syncFolder(folder);
  return path;
}

/** The first name for what is cut at `lsn` that is not taken. */
function cutName(lsn: number, taken: readonly string[]): string {
  const stem = `tail-${lsn.toString(16).padStart(16, "0")}`;
  let name = `${stem}.cut`;
  for (let count = 1; taken.includes(name); count++) {
    name = `${stem}-${count}.cut`;
  }
  return name;
}
