/**
 * Damage to the journal of a node that is down: what a disk can do that reports success and does not keep it.
 *
 * It works on segment files, wherever below the folder they lie, and says what it did. Nothing that runs may
 * have them open.
 */
import { open, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Random } from "../../lib/base/random.ts";

export const DAMAGES = ["tail", "flip", "segment"] as const;

/**
 * `tail`: the end of the newest segment is gone; `flip`: one bit is another; `segment`: a whole file is missing.
 */
export type Damage = (typeof DAMAGES)[number];

const SEGMENT = /^segment-[0-9a-f]{16}\.wal$/;
/** Segments have their whole length from the start; what is written ends with the last byte that is not 0. */
const BLOCK_BYTES = 64 * 1024;
/** At most so much of the written part is cut off. */
const CUT_BYTES_MAX = 64 * 1024;

/** Damages what lies below `folder`; resolves with what was done, for the log. Throws when there is no segment. */
export async function damageJournal(folder: string, damage: Damage, random: Random): Promise<string> {
  const segments = await segmentsBelow(folder);
  const newest = segments.at(-1);
  if (newest === undefined) {
    throw new Error(`there is no segment of a journal below ${folder}`);
  }
  const any = segments[random.below(segments.length)] ?? newest;
  switch (damage) {
    case "tail":
      return cutTail(newest, random);
    case "flip":
      return flipBit(any, random);
    case "segment":
      await rm(any);
      return `${basename(any)} removed, one of ${segments.length}`;
  }
}

/** Segment files, oldest first. */
async function segmentsBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && SEGMENT.test(entry.name));
  return files.map((entry) => join(entry.parentPath, entry.name)).sort();
}

async function cutTail(file: string, random: Random): Promise<string> {
  const handle = await open(file, "r+");
  try {
    const end = await writtenEnd(handle);
    const cut = 1 + random.below(Math.min(end, CUT_BYTES_MAX));
    await handle.truncate(end - cut);
    return `${basename(file)} cut off at ${end - cut}, ${cut} written bytes are gone`;
  } finally {
    await handle.close();
  }
}

async function flipBit(file: string, random: Random): Promise<string> {
  const handle = await open(file, "r+");
  try {
    const at = random.below(await writtenEnd(handle));
    const bit = random.below(8);
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, at);
    byte[0] = (byte[0] ?? 0) ^ (1 << bit);
    await handle.write(byte, 0, 1, at);
    return `${basename(file)}: bit ${bit} of byte ${at} flipped`;
  } finally {
    await handle.close();
  }
}

/** Where the written part ends. Throws for a file without any. */
async function writtenEnd(handle: Awaited<ReturnType<typeof open>>): Promise<number> {
  const block = Buffer.alloc(BLOCK_BYTES);
  const { size } = await handle.stat();
  for (let end = size; end > 0; end -= BLOCK_BYTES) {
    const start = Math.max(0, end - BLOCK_BYTES);
    const { bytesRead } = await handle.read(block, 0, end - start, start);
    for (let index = bytesRead - 1; index >= 0; index--) {
      if (block[index] !== 0) {
        return start + index + 1;
      }
    }
  }
  throw new Error("the segment holds nothing but zeros");
}
