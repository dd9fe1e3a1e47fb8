/**
 * Reading a segment from its start, chunk by chunk, and looking at what follows its last valid record.
 */
import { type DiskFile, SECTOR_BYTES } from "../disk/disk.ts";
import { crc32c } from "./crc32c.ts";
import {
  emptyHeader,
  getUint53,
  isBlank,
  RECORD,
  RECORD_HEADER_BYTES,
  type RecordHeader,
  readHeader,
  recordEnd,
  recordStart,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  viewOf,
} from "./format.ts";
import type { TailFacts } from "./tail.ts";

/** Takes a valid record; answers what is wrong with it as part of its history, or null. */
export type RecordVisitor = (
  header: Readonly<RecordHeader>,
  view: DataView,
  payloadAt: number,
) => string | null;

export interface ScanEnd {
  /** File offset behind the last valid record. */
  readonly endOffset: number;
  readonly records: number;
  readonly sealed: boolean;
  /** A valid record that the visitor refused, and why. */
  readonly refused: string | null;
}

export const CHUNK_BYTES = 1024 * 1024;
export const OVERLAP_BYTES = 64 * 1024;

/** What one pass over a chunk came to: where it stopped, and why. */
type Step = { readonly stop: "more" | "end" | "sealed"; readonly offset: number; readonly need: number };

/** A window over a segment file: `bytes` stands for the file from `start`. */
interface Chunk {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly start: number;
  /** The file ends in it. */
  readonly last: boolean;
}

export class SegmentScanner {
  readonly #file: DiskFile;
  readonly #size: number;
  readonly #segment: SegmentHeader;
  readonly #visit: RecordVisitor;
  readonly #header = emptyHeader();
  /** Two buffers by turns: one is looked at while the other is being read. */
  #buffers: readonly [Uint8Array, Uint8Array] | null = null;
  #records = 0;
  #refused: string | null = null;

  /** `size`: the length of the file. */
  constructor(file: DiskFile, size: number, segment: SegmentHeader, visit: RecordVisitor) {
    this.#file = file;
    this.#size = size;
    this.#segment = segment;
    this.#visit = visit;
  }

  /**
   * Hands every valid record to the visitor, in order, up to the first that is not or the file's end.
   * While one chunk is looked at the next is being read; the two overlap by more than a usual record, so
   * that the one the first chunk cuts off is whole in the second.
   */
  async scan(): Promise<ScanEnd> {
    let from = SEGMENT_HEADER_BYTES;
    let chunk = await this.#read(from, CHUNK_BYTES);
    for (;;) {
      const ahead = chunk.last ? null : this.#read(chunk.start + CHUNK_BYTES - OVERLAP_BYTES, CHUNK_BYTES);
      const step = this.#scanChunk(chunk, from);
      const next = await ahead;
      if (step.stop !== "more") {
        return {
          endOffset: step.offset,
          records: this.#records,
          sealed: step.stop === "sealed",
          refused: this.#refused,
        };
      }
      from = step.offset;
      const whole = next !== null && from >= next.start && from + step.need <= next.start + CHUNK_BYTES;
      chunk = whole ? next : await this.#read(from, Math.max(CHUNK_BYTES, step.need));
    }
  }

  async #read(start: number, length: number): Promise<Chunk> {
    const buffer = this.#buffer(Math.min(length, Math.max(0, this.#size - start)));
    const got = await this.#file.read(buffer, start);
    const bytes = buffer.subarray(0, got);
    return { bytes, view: viewOf(bytes), start, last: start + got >= this.#size };
  }

  /** Memory for a chunk that may be written over once the one after the next is asked for. */
  #buffer(length: number): Uint8Array {
    if (length > CHUNK_BYTES) {
      return new Uint8Array(length);
    }
    const [next, other] = this.#buffers ?? [new Uint8Array(CHUNK_BYTES), new Uint8Array(CHUNK_BYTES)];
    this.#buffers = [other, next];
    return next.subarray(0, length);
  }

  #scanChunk(chunk: Chunk, from: number): Step {
    const { bytes, view, start, last } = chunk;
    const header = this.#header;
    const { firstLsn, salt } = this.#segment;
    let end = from;
    for (;;) {
      const at = recordStart(end) - start;
      if (at + RECORD_HEADER_BYTES > bytes.length) {
        return { stop: last ? "end" : "more", offset: end, need: 2 * RECORD_HEADER_BYTES };
      }
      const lsn = firstLsn + start + at - SEGMENT_HEADER_BYTES;
      if (!readHeader(bytes, view, at, lsn, salt, header)) {
        return { stop: "end", offset: end, need: 0 };
      }
      const payloadAt = at + RECORD_HEADER_BYTES;
      const next = recordEnd(start + at, header.length);
      if (next - start > bytes.length) {
        return { stop: last ? "end" : "more", offset: end, need: next - end };
      }
      if (
        crc32c(bytes, payloadAt, next - start, salt) !== header.payloadCrc ||
        !isBlank(bytes, end - start, at)
      ) {
        return { stop: "end", offset: end, need: 0 };
      }
      if (header.type === RECORD.seal) {
        this.#refused =
          header.seq === this.#records ? null : `sealed with ${header.seq} records, not ${this.#records}`;
        return { stop: this.#refused === null ? "sealed" : "end", offset: next, need: 0 };
      }
      this.#refused = this.#visit(header, view, payloadAt);
      if (this.#refused !== null) {
        return { stop: "end", offset: end, need: 0 };
      }
      this.#records += 1;
      end = next;
    }
  }
}

/** What `judgeTail` wants to know, and where the last byte that is not zero lies. */
export interface TailLook {
  readonly facts: TailFacts;
  /** File offset of the place. */
  readonly offset: number;
  /** File offset behind the last byte that is not zero; at most `offset` when only zeros follow. */
  readonly usedEnd: number;
}

/** Looks at the last segment from `endOffset` on. Reads the file to its end, once. */
export async function examineTail(
  file: DiskFile,
  segment: SegmentHeader,
  endOffset: number,
  stateSyncedLsn: number,
): Promise<TailLook> {
  const rest = await readRest(file, endOffset);
  const view = viewOf(rest);
  const at = recordStart(endOffset) - endOffset;
  const offset = endOffset + at;
  const lsn = segment.firstLsn + offset - SEGMENT_HEADER_BYTES;
  const header = emptyHeader();
  const complete = at + RECORD_HEADER_BYTES <= rest.length;
  const headerValid = complete && readHeader(rest, view, at, lsn, segment.salt, header);
  const usedEnd = endOffset + lastUsed(rest);
  return {
    offset,
    usedEnd,
    facts: {
      lsn,
      stateSyncedLsn,
      laterSyncedLsn: laterSynced(rest, view, endOffset, segment, at + 8),
      headerBlank: isBlank(rest, at, Math.min(rest.length, at + RECORD_HEADER_BYTES)),
      headerValid,
      sectorMissing: headerValid && !header.blankSector && lacksSector(rest, at, offset, header.length),
      restBlank: usedEnd <= endOffset,
    },
  };
}

/** The file from `from` to its last used byte, and a header's length beyond it where the file has it. */
async function readRest(file: DiskFile, from: number): Promise<Uint8Array> {
  const size = await file.size();
  const end = Math.min(size, (await findUsedEnd(file, from, size)) + RECORD_HEADER_BYTES);
  const rest = new Uint8Array(Math.max(0, end - from));
  const got = await file.read(rest, from);
  return rest.subarray(0, got);
}

const ZEROS = Buffer.alloc(CHUNK_BYTES);

/** An offset at or behind the last byte that is not zero, found without holding the file in memory. */
async function findUsedEnd(file: DiskFile, from: number, size: number): Promise<number> {
  const chunk = Buffer.allocUnsafe(Math.max(0, Math.min(CHUNK_BYTES, size - from)));
  let usedEnd = from;
  for (let at = from; at < size; ) {
    const got = await file.read(chunk.subarray(0, Math.min(chunk.length, size - at)), at);
    if (got === 0) {
      break;
    }
    if (ZEROS.compare(chunk, 0, got, 0, got) !== 0) {
      usedEnd = at + lastUsed(chunk.subarray(0, got));
    }
    at += got;
  }
  return usedEnd;
}

function lastUsed(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) {
    end -= 1;
  }
  return end;
}

/** Whether some sector's share of the payload behind the header at `at` holds only zeros. */
function lacksSector(rest: Uint8Array, at: number, offset: number, length: number): boolean {
  const payloadAt = at + RECORD_HEADER_BYTES;
  const payloadEnd = payloadAt + length;
  let from = at + SECTOR_BYTES - (offset % SECTOR_BYTES);
  while (from < payloadEnd) {
    const to = Math.min(from + SECTOR_BYTES, payloadEnd);
    if (isBlank(rest, from, Math.min(to, rest.length))) {
      return true;
    }
    from = to;
  }
  return false;
}

/** A record carries its own position, so that a valid one is found at any multiple of eight bytes. */
function laterSynced(
  rest: Uint8Array,
  view: DataView,
  endOffset: number,
  segment: SegmentHeader,
  from: number,
): number {
  const header = emptyHeader();
  let synced = 0;
  const end = Math.min(rest.length - RECORD_HEADER_BYTES, lastUsed(rest));
  for (let at = from; at <= end; at += 8) {
    const lsn = segment.firstLsn + endOffset + at - SEGMENT_HEADER_BYTES;
    if (getUint53(view, at + 16) === lsn && readHeader(rest, view, at, lsn, segment.salt, header)) {
      synced = Math.max(synced, header.syncedLsn);
    }
  }
  return synced;
}
