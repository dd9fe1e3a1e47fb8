/**
 * Backup and restore: the whole folder as one stream of bytes.
 *
 * A backup is a magic number and then frames: length, CRC32C seeded with the frame before, bytes. The
 * first frame is a JSON manifest, which holds the states and lists the files; the files' bytes follow in
 * its order, in frames that never mix two files. It ends with an empty frame, so that a stream that was
 * cut short is noticed. Restoring writes everything beside a state file that comes last: a restore that
 * was interrupted leaves no journal.
 */
import { type Disk, type DiskFile, joinPath } from "../disk/disk.ts";
import { crc32c } from "./crc32c.ts";
import { invalid, JournalError } from "./errors.ts";
import { inFolder, type JournalFolder } from "./folder.ts";
import { decodeSegmentHeader, FORMAT_VERSION, putText, segmentNumber, viewOf } from "./format.ts";
import { SlotFile } from "./slots.ts";
import {
  isSnapshotName,
  JOURNAL_STATE_NAME,
  snapshotName,
  streamStateName,
  toJournalState,
  toStreamState,
} from "./state.ts";

const MAGIC = "SCASTBAK";
const FRAME_HEADER_BYTES = 8;
const FRAME_BYTES = 256 * 1024;
const MANIFEST_BYTES_MAX = 64 * 1024 * 1024;

interface BackupFile {
  readonly name: string;
  /** The bytes that follow; a segment is filled up with zeros to the length its header tells. */
  readonly bytes: number;
}

interface Manifest {
  readonly format: number;
  readonly state: unknown;
  readonly streams: readonly unknown[];
  readonly files: readonly BackupFile[];
}

/** The folder as it is durable now. Segments and snapshots stay until the stream has been read or left. */
export async function* createBackup(folder: JournalFolder): AsyncGenerator<Uint8Array> {
  const gate = new Gate();
  const upkeep = folder.upkeep.run(() => gate.passed);
  try {
    await folder.writer.sync();
    const frames = new FrameWriter();
    const manifest = await planBackup(folder);
    yield frames.magic();
    yield frames.frame(new TextEncoder().encode(JSON.stringify(manifest)));
    for (const { name, bytes } of manifest.files) {
      const file = await folder.ports.disk.open(inFolder(folder, name), "read");
      try {
        for (let at = 0; at < bytes; at += FRAME_BYTES) {
          const piece = new Uint8Array(Math.min(FRAME_BYTES, bytes - at));
          await file.read(piece, at);
          yield frames.frame(piece);
        }
      } finally {
        await file.close();
      }
    }
    yield frames.frame(new Uint8Array(0));
  } finally {
    gate.open();
    await upkeep;
  }
}

/** Something to wait for that another opens. */
class Gate {
  readonly passed: Promise<void>;
  #resolve: (() => void) | null = null;

  constructor() {
    this.passed = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  open(): void {
    this.#resolve?.();
  }
}

async function planBackup(folder: JournalFolder): Promise<Manifest> {
  const { writer, store } = folder;
  const durable = store.segments.filter((segment) => segment.allocatedBytes > 0);
  const end = writer.durableLsn;
  const segments = durable.map((segment) => ({
    name: segment.path.slice(folder.path.length + 1),
    bytes: segment.offsetOf(Math.min(end, segment.endLsn)),
  }));
  const newest = durable.at(-1);
  const streams = [...folder.streams.values()].map(({ state }) => state);
  const snapshots: BackupFile[] = [];
  for (const { id, snapshots: kept } of streams) {
    for (const { seq } of kept) {
      const name = snapshotName(id, seq);
      const file = await folder.ports.disk.open(inFolder(folder, name), "read");
      snapshots.push({ name, bytes: await file.size() });
      await file.close();
    }
  }
  const state = {
    ...folder.state,
    firstSegment: durable[0]?.number ?? 0,
    lastSegment: newest?.number ?? -1,
    allocatedBytes: newest?.header.initialBytes ?? 0,
    syncedLsn: end,
    closed: true,
  };
  return { format: FORMAT_VERSION, state, streams, files: [...snapshots, ...segments] };
}

/**
 * Writes a journal's folder from a backup. The folder must hold no journal.
 * Throws `journal_damaged` when the backup is not whole, `journal_busy` when there is a journal already.
 */
export async function restoreBackup(
  disk: Disk,
  folder: string,
  source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  await disk.makeFolder(folder);
  const names = await disk.list(folder);
  if (names.includes(JOURNAL_STATE_NAME)) {
    throw new JournalError("journal_busy", `${folder} holds a journal already`);
  }
  for (const name of names.filter((each) => segmentNumber(each) !== null || isSnapshotName(each))) {
    await disk.remove(joinPath(folder, name));
  }
  const frames = new FrameReader(source);
  await frames.readMagic();
  const manifest = parseManifest(await frames.next(MANIFEST_BYTES_MAX));
  for (const file of manifest.files) {
    await restoreFile(disk, folder, file, frames);
  }
  if ((await frames.next(0)).length !== 0) {
    throw damagedBackup("more follows than the manifest lists");
  }
  for (const value of manifest.streams) {
    const state = toStreamState(value);
    if ("problems" in state) {
      throw damagedBackup(state.problems.join("; "));
    }
    await (await SlotFile.create(disk, folder, streamStateName(state.id), state)).close();
  }
  const state = toJournalState(manifest.state);
  if ("problems" in state) {
    throw damagedBackup(state.problems.join("; "));
  }
  await (await SlotFile.create(disk, folder, JOURNAL_STATE_NAME, state)).close();
}

async function restoreFile(
  disk: Disk,
  folder: string,
  { name, bytes }: BackupFile,
  frames: FrameReader,
): Promise<void> {
  if (segmentNumber(name) === null && !isSnapshotName(name)) {
    throw damagedBackup(`file name ${JSON.stringify(name)} is none of a journal's`);
  }
  const file = await disk.open(joinPath(folder, name), "create");
  try {
    let head: Uint8Array | null = null;
    for (let at = 0; at < bytes; ) {
      const piece = await frames.next(FRAME_BYTES);
      if (piece.length === 0 || at + piece.length > bytes) {
        throw damagedBackup(`${name} has not the length that the manifest tells`);
      }
      head ??= piece;
      await file.write(piece, at);
      at += piece.length;
    }
    if (segmentNumber(name) !== null) {
      await fillUp(file, head ?? new Uint8Array(0), bytes);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

async function fillUp(file: DiskFile, head: Uint8Array, bytes: number): Promise<void> {
  const header = decodeSegmentHeader(head);
  if ("problem" in header || "newerVersion" in header) {
    throw damagedBackup("a segment in it has no valid header");
  }
  for (let at = bytes; at < header.initialBytes; at += FRAME_BYTES) {
    await file.write(new Uint8Array(Math.min(FRAME_BYTES, header.initialBytes - at)), at);
  }
}

class FrameWriter {
  #crc = 0;

  magic(): Uint8Array {
    const bytes = new Uint8Array(MAGIC.length);
    putText(bytes, 0, MAGIC);
    return bytes;
  }

  frame(bytes: Uint8Array): Uint8Array {
    const framed = new Uint8Array(FRAME_HEADER_BYTES + bytes.length);
    const view = viewOf(framed);
    framed.set(bytes, FRAME_HEADER_BYTES);
    view.setUint32(0, bytes.length, true);
    this.#crc = crc32c(framed, FRAME_HEADER_BYTES, framed.length, crc32c(framed, 0, 4, this.#crc));
    view.setUint32(4, this.#crc, true);
    return framed;
  }
}

class FrameReader {
  readonly #pieces: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array(0);
  #crc = 0;

  constructor(source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) {
    this.#pieces =
      Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  }

  async readMagic(): Promise<void> {
    const bytes = await this.#take(MAGIC.length);
    if (!Buffer.from(MAGIC).equals(bytes)) {
      throw damagedBackup("it does not begin as one");
    }
  }

  async next(bytesMax: number): Promise<Uint8Array> {
    const header = await this.#take(FRAME_HEADER_BYTES);
    const view = viewOf(header);
    const length = view.getUint32(0, true);
    if (length > bytesMax) {
      throw damagedBackup(`a frame of ${length} bytes, where at most ${bytesMax} are allowed`);
    }
    const bytes = await this.#take(length);
    this.#crc = crc32c(bytes, 0, length, crc32c(header, 0, 4, this.#crc));
    if (this.#crc !== view.getUint32(4, true)) {
      throw damagedBackup("the checksum of a frame is wrong");
    }
    return bytes;
  }

  async #take(length: number): Promise<Uint8Array> {
    while (this.#held.length < length) {
      const step = await this.#pieces.next();
      if (step.done === true) {
        throw damagedBackup("it ends in the middle");
      }
      this.#held = this.#held.length === 0 ? step.value : Buffer.concat([this.#held, step.value]);
    }
    const taken = this.#held.slice(0, length);
    this.#held = this.#held.subarray(length);
    return taken;
  }
}

function parseManifest(bytes: Uint8Array): Manifest {
  const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
  if (typeof value !== "object" || value === null) {
    throw damagedBackup("the manifest is not an object");
  }
  const fields: Readonly<Record<string, unknown>> = { ...value };
  const { format, state, streams, files } = fields;
  if (typeof format === "number" && format > FORMAT_VERSION) {
    throw new JournalError(
      "journal_format",
      `the backup is of format version ${format}; this version knows ${FORMAT_VERSION}`,
    );
  }
  if (!Array.isArray(streams) || !Array.isArray(files)) {
    throw damagedBackup("the manifest lists no streams or no files");
  }
  return { format: FORMAT_VERSION, state, streams, files: files.map(toBackupFile) };
}

function toBackupFile(value: unknown): BackupFile {
  const fields: Readonly<Record<string, unknown>> = typeof value === "object" ? { ...value } : {};
  const { name, bytes } = fields;
  if (typeof name !== "string" || typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 0) {
    throw invalid("files", "a file in the backup's manifest has no name or no length");
  }
  return { name, bytes };
}

function damagedBackup(what: string): JournalError {
  return new JournalError("journal_damaged", `the backup is damaged: ${what}`);
}
