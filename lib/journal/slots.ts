/**
 * A small state that must never be lost: one file with two checksummed copies of the same JSON text.
 *
 * An update writes and syncs the first copy, then the second, and is done only then. So at any moment one
 * copy is whole, whichever write a crash tears, and damage to either copy of a finished update costs
 * nothing. (Two alternating slots would give back the older state, a forgotten promise among it, when the
 * newer one is damaged.)
 */
import { messageOf } from "../base/errors.ts";
import { type Disk, DiskError, type DiskFile, joinPath, readWhole } from "../disk/disk.ts";
import { crc32c } from "./crc32c.ts";
import { JournalDamagedError, JournalError } from "./errors.ts";
import { FORMAT_VERSION, getText, getUint53, putText, setUint53, viewOf } from "./format.ts";

const MAGIC = "SCASTSLT";
const HEADER_BYTES = 32;
const CRC_AT = 28;
export const SLOT_BYTES = 16 * 1024;

/** A state file's content as read, and which of its copies, if any, does not hold it. */
export interface SlotContent {
  readonly value: unknown;
  readonly generation: number;
  readonly staleCopy: 0 | 1 | null;
}

/** Reads a state file without changing it. Throws `journal_damaged` when both copies are bad. */
export async function readSlots(disk: Disk, path: string): Promise<SlotContent> {
  const bytes = await readWhole(disk, path, 2 * SLOT_BYTES);
  const first = decodeSlot(bytes.subarray(0, SLOT_BYTES), path);
  const second = decodeSlot(bytes.subarray(SLOT_BYTES), path);
  const firstCounts = first !== null && (second === null || first.generation >= second.generation);
  const newer = firstCounts ? first : second;
  if (newer === null) {
    throw new JournalDamagedError({ file: path, offset: 0, what: "both copies of the state are damaged" });
  }
  const alike = first?.generation === second?.generation;
  const staleCopy = alike ? null : firstCounts ? 1 : 0;
  return { value: parse(newer.text, path), generation: newer.generation, staleCopy };
}

export class SlotFile {
  readonly #file: DiskFile;
  #generation: number;
  #tail: Promise<void> = Promise.resolve();

  private constructor(file: DiskFile, generation: number) {
    this.#file = file;
    this.#generation = generation;
  }

  /** A new state file, complete and durable under its name when this resolves. */
  static async create(disk: Disk, folder: string, name: string, value: unknown): Promise<SlotFile> {
    const draft = joinPath(folder, `${name}.tmp`);
    const slot = encodeSlot(value, 1, draft);
    const bytes = new Uint8Array(2 * SLOT_BYTES);
    bytes.set(slot, 0);
    bytes.set(slot, SLOT_BYTES);
    await removeIfThere(disk, draft);
    const file = await disk.open(draft, "create");
    try {
      await file.writeDurably(bytes, 0);
    } finally {
      await file.close();
    }
    await disk.rename(draft, joinPath(folder, name));
    await disk.syncFolder(folder);
    return new SlotFile(await disk.open(joinPath(folder, name), "update"), 1);
  }

  /** Opens a state file that `readSlots` has found sound. */
  static async open(disk: Disk, path: string, content: SlotContent): Promise<SlotFile> {
    const file = await disk.open(path, "update");
    if (content.staleCopy !== null) {
      // Only the copy that is not good is written: the good one may be the only one there is.
      const slot = encodeSlot(content.value, content.generation, path);
      try {
        await file.writeDurably(slot, content.staleCopy * SLOT_BYTES);
      } catch (thrown) {
        await file.close();
        throw thrown;
      }
    }
    return new SlotFile(file, content.generation);
  }

  /** Resolves when the new state is durable in both copies. Updates take effect in call order. */
  update(value: unknown): Promise<void> {
    this.#generation += 1;
    const slot = encodeSlot(value, this.#generation, this.#file.path);
    const done = this.#tail.then(async () => {
      await this.#file.writeDurably(slot, 0);
      await this.#file.writeDurably(slot, SLOT_BYTES);
    });
    this.#tail = done;
    return done;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

function encodeSlot(value: unknown, generation: number, path: string): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(value));
  if (text.length > SLOT_BYTES - HEADER_BYTES) {
    throw new JournalError(
      "journal_failed",
      `${path}: a state of ${text.length} bytes does not fit its slot`,
    );
  }
  const bytes = new Uint8Array(HEADER_BYTES + text.length);
  const view = viewOf(bytes);
  putText(bytes, 0, MAGIC);
  view.setUint32(8, FORMAT_VERSION, true);
  view.setUint32(12, text.length, true);
  setUint53(view, 16, generation);
  bytes.set(text, HEADER_BYTES);
  view.setUint32(CRC_AT, crc32c(text, 0, text.length, crc32c(bytes, 0, CRC_AT)), true);
  return bytes;
}

function decodeSlot(bytes: Uint8Array, path: string): { text: string; generation: number } | null {
  if (bytes.length < HEADER_BYTES || getText(bytes, 0, MAGIC.length) !== MAGIC) {
    return null;
  }
  const view = viewOf(bytes);
  const end = HEADER_BYTES + view.getUint32(12, true);
  if (end > bytes.length) {
    return null;
  }
  const seed = crc32c(bytes, 0, CRC_AT);
  if (crc32c(bytes, HEADER_BYTES, end, seed) !== view.getUint32(CRC_AT, true)) {
    return null;
  }
  const version = view.getUint32(8, true);
  if (version > FORMAT_VERSION) {
    throw newerFormat(path, version);
  }
  return {
    text: new TextDecoder().decode(bytes.subarray(HEADER_BYTES, end)),
    generation: getUint53(view, 16),
  };
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw new JournalDamagedError(
      { file: path, offset: HEADER_BYTES, what: `the state is no JSON: ${messageOf(thrown)}` },
      { cause: thrown },
    );
  }
}

/** The refusal of files from a later version. */
export function newerFormat(path: string, version: number): JournalError {
  const known = `this version knows ${FORMAT_VERSION}`;
  return new JournalError("journal_format", `${path}: written in format version ${version}; ${known}`);
}

/** Removes a file that may be left from an earlier attempt. */
export async function removeIfThere(disk: Disk, path: string): Promise<void> {
  try {
    await disk.remove(path);
  } catch (thrown) {
    if (!(thrown instanceof DiskError) || thrown.code !== "not_found") {
      throw thrown;
    }
  }
}
