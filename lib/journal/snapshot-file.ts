/**
 * Snapshot files: written beside their final name, checksummed piece by piece and as a whole, synced,
 * read back, renamed, the folder synced. What bears the final name is complete.
 */
import { type Disk, DiskError, type DiskFile, folderOf, joinPath } from "../disk/disk.ts";
import { parseWord64, type Word64 } from "./chain.ts";
import { crc32c } from "./crc32c.ts";
import { type Epoch, ownerText, ownerWord } from "./epoch.ts";
import { JournalDamagedError } from "./errors.ts";
import { FORMAT_VERSION, getText, getUint53, putText, setUint53, viewOf } from "./format.ts";
import type { SnapshotSink, SnapshotSource } from "./machine.ts";
import { newerFormat, removeIfThere } from "./slots.ts";
import type { SnapshotInfo } from "./state.ts";

const MAGIC = "SCASTSNP";
const HEADER_BYTES = 64;
const HEADER_CRC_AT = 60;
const CHUNK_HEADER_BYTES = 8;
const CHUNK_BYTES = 64 * 1024;
const FOOTER_BYTES = 16;

interface Target {
  readonly stream: number;
  readonly seq: number;
  readonly epoch: Epoch;
  readonly chain: Readonly<Word64>;
}

/** Gathers what a builder writes into chunks on disk. */
class SnapshotWriter implements SnapshotSink {
  bytes = 0;
  position = HEADER_BYTES;
  crc = 0;
  readonly #file: DiskFile;
  readonly #chunk = new Uint8Array(CHUNK_HEADER_BYTES + CHUNK_BYTES);
  #used = 0;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + CHUNK_BYTES - this.#used);
      this.#chunk.set(piece, CHUNK_HEADER_BYTES + this.#used);
      this.#used += piece.length;
      at += piece.length;
      if (this.#used === CHUNK_BYTES) {
        await this.#flush();
      }
    }
    this.bytes += bytes.length;
  }

  async finish(): Promise<void> {
    if (this.#used > 0) {
      await this.#flush();
    }
    const footer = new Uint8Array(FOOTER_BYTES);
    const view = viewOf(footer);
    setUint53(view, 4, this.bytes);
    view.setUint32(12, crc32c(footer, 0, 12, this.crc), true);
    await this.#file.write(footer, this.position);
    await this.#file.sync();
  }

  async #flush(): Promise<void> {
    const end = CHUNK_HEADER_BYTES + this.#used;
    const view = viewOf(this.#chunk);
    view.setUint32(0, this.#used, true);
    // Seeded with the chunk before, so that chunks cannot be swapped or left out.
    this.crc = crc32c(this.#chunk, CHUNK_HEADER_BYTES, end, this.crc);
    view.setUint32(4, this.crc, true);
    await this.#file.write(this.#chunk.subarray(0, end), this.position);
    this.position += end;
    this.#used = 0;
  }
}

/**
 * Writes a snapshot through `fill` and gives it its name once it has been read back. Resolves to what the
 * stream's state is to say of it. A failure leaves nothing under the final name.
 */
export async function writeSnapshot(
  disk: Disk,
  path: string,
  target: Target,
  fill: (sink: SnapshotSink) => void | Promise<void>,
): Promise<{ readonly bytes: number }> {
  const draft = `${path}.tmp`;
  await removeIfThere(disk, draft);
  const file = await disk.open(draft, "create");
  let bytes: number;
  try {
    await file.write(encodeHeader(target), 0);
    const writer = new SnapshotWriter(file);
    await fill(writer);
    await writer.finish();
    bytes = writer.bytes;
  } finally {
    await file.close();
  }
  await verifySnapshot(disk, draft);
  await disk.rename(draft, path);
  await disk.syncFolder(folderOf(path));
  return { bytes };
}

/** Reads a snapshot from end to end. Throws `journal_damaged` naming file and offset. */
export async function verifySnapshot(disk: Disk, path: string): Promise<Target & { readonly bytes: number }> {
  const file = await disk.open(path, "read");
  try {
    const target = await readTarget(file, path);
    let bytes = 0;
    for await (const chunk of readChunks(file, path)) {
      bytes += chunk.length;
    }
    return { ...target, bytes };
  } finally {
    await file.close();
  }
}

/** The snapshot that a stream's state names. Throws `journal_damaged` when it is missing or not sound. */
export async function openSnapshot(
  disk: Disk,
  path: string,
  stream: number,
  info: SnapshotInfo,
): Promise<SnapshotSource> {
  const found = await verifyPresent(disk, path);
  const chain = parseWord64(info.chain);
  const same =
    found.stream === stream &&
    found.seq === info.seq &&
    found.bytes === info.bytes &&
    found.chain.high === chain?.high &&
    found.chain.low === chain.low;
  if (!same) {
    throw new JournalDamagedError({
      file: path,
      offset: 0,
      what: "is not the snapshot that the stream's state names",
    });
  }
  return new StoredSnapshot(disk, path, found);
}

async function verifyPresent(disk: Disk, path: string): Promise<Target & { readonly bytes: number }> {
  try {
    return await verifySnapshot(disk, path);
  } catch (thrown) {
    if (thrown instanceof DiskError && thrown.code === "not_found") {
      throw new JournalDamagedError(
        { file: path, offset: 0, what: "the snapshot is missing" },
        { cause: thrown },
      );
    }
    throw thrown;
  }
}

class StoredSnapshot implements SnapshotSource {
  readonly seq: number;
  readonly epoch: Epoch;
  readonly bytes: number;
  readonly #disk: Disk;
  readonly #path: string;

  constructor(disk: Disk, path: string, found: Target & { readonly bytes: number }) {
    this.#disk = disk;
    this.#path = path;
    this.seq = found.seq;
    this.epoch = found.epoch;
    this.bytes = found.bytes;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    const file = await this.#disk.open(this.#path, "read");
    try {
      yield* readChunks(file, this.#path);
    } finally {
      await file.close();
    }
  }

  async readAll(): Promise<Uint8Array> {
    const whole = new Uint8Array(this.bytes);
    let at = 0;
    for await (const chunk of this.chunks()) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }
}

function encodeHeader(target: Target): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = viewOf(bytes);
  const owner = ownerWord(target.epoch.owner);
  putText(bytes, 0, MAGIC);
  view.setUint32(8, FORMAT_VERSION, true);
  view.setUint16(12, target.stream, true);
  setUint53(view, 16, target.seq);
  setUint53(view, 24, target.epoch.counter);
  view.setUint32(32, owner.low, true);
  view.setUint32(36, owner.high, true);
  view.setUint32(40, target.chain.low, true);
  view.setUint32(44, target.chain.high, true);
  view.setUint32(HEADER_CRC_AT, crc32c(bytes, 0, HEADER_CRC_AT), true);
  return bytes;
}

async function readTarget(file: DiskFile, path: string): Promise<Target> {
  const bytes = new Uint8Array(HEADER_BYTES);
  const got = await file.read(bytes, 0);
  const view = viewOf(bytes);
  const sound =
    got === HEADER_BYTES &&
    getText(bytes, 0, MAGIC.length) === MAGIC &&
    crc32c(bytes, 0, HEADER_CRC_AT) === view.getUint32(HEADER_CRC_AT, true);
  if (!sound) {
    throw new JournalDamagedError({ file: path, offset: 0, what: "the snapshot's header is damaged" });
  }
  if (view.getUint32(8, true) > FORMAT_VERSION) {
    throw newerFormat(path, view.getUint32(8, true));
  }
  return {
    stream: view.getUint16(12, true),
    seq: getUint53(view, 16),
    epoch: {
      counter: getUint53(view, 24),
      owner: ownerText(view.getUint32(36, true), view.getUint32(32, true)),
    },
    chain: { low: view.getUint32(40, true), high: view.getUint32(44, true) },
  };
}

/** The content, piece by piece; throws when a piece, the total or the end of the file is not as it should be. */
async function* readChunks(file: DiskFile, path: string): AsyncGenerator<Uint8Array> {
  const lead = new Uint8Array(FOOTER_BYTES);
  const view = viewOf(lead);
  let position = HEADER_BYTES;
  let crc = 0;
  let total = 0;
  for (;;) {
    const got = await file.read(lead, position);
    const length = view.getUint32(0, true);
    if (got < CHUNK_HEADER_BYTES || length > CHUNK_BYTES) {
      throw damagedAt(path, position, "the snapshot ends in the middle or a length in it is wrong");
    }
    if (length === 0) {
      break;
    }
    const chunk = new Uint8Array(length);
    const stored = view.getUint32(4, true);
    await file.read(chunk, position + CHUNK_HEADER_BYTES);
    crc = crc32c(chunk, 0, length, crc);
    if (crc !== stored) {
      throw damagedAt(path, position, "the checksum of a piece of the snapshot is wrong");
    }
    position += CHUNK_HEADER_BYTES + length;
    total += length;
    yield chunk;
  }
  const whole = getUint53(view, 4) === total && crc32c(lead, 0, 12, crc) === view.getUint32(12, true);
  if (!whole || (await file.size()) !== position + FOOTER_BYTES) {
    throw damagedAt(path, position, "the end of the snapshot is damaged");
  }
}

function damagedAt(file: string, offset: number, what: string): JournalDamagedError {
  return new JournalDamagedError({ file, offset, what });
}

/** The path of a draft or a snapshot inside a journal's folder. */
export function snapshotPath(folder: string, name: string): string {
  return joinPath(folder, name);
}
