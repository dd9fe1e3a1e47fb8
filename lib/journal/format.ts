/**
 * The bytes of a journal: segment header and record header, both directions.
 *
 * `docs/journal-format.md` describes them for readers in other languages; the two must agree. All numbers
 * are little endian. A record's checksums are seeded with its segment's random salt and its LSN is its
 * own position, so that bytes left from another file or another place never look valid.
 */
import { invariant } from "../base/invariant.ts";
import { SECTOR_BYTES } from "../disk/disk.ts";
import type { Word64 } from "./chain.ts";
import { crc32c } from "./crc32c.ts";

export const FORMAT_VERSION = 1;
/** The only checksum so far: CRC32C. */
export const CHECKSUM_CRC32C = 1;
export const SEGMENT_HEADER_BYTES = 4096;
export const RECORD_HEADER_BYTES = 64;
/** What a segment keeps free for the record that closes it, with the gap that may precede it. */
export const SEAL_RESERVE_BYTES = 2 * RECORD_HEADER_BYTES;
export const PAYLOAD_BYTES_MAX = 16 * 1024 * 1024;

export const RECORD = {
  /** One entry of a stream. */
  entry: 1,
  /** All entries of the stream up to `seq` are committed. */
  commit: 2,
  /** The stream's entries above `seq` are void; the chain is that of `seq`. */
  truncate: 3,
  /** The stream's history begins anew after `seq`, with the given chain: a snapshot took its place. */
  reset: 4,
  /** Live entries follow once more, from `seq` + 1, because their old segment is to go. */
  copyBegin: 5,
  copy: 6,
  /** The copies since `copyBegin` take the place of what they were copied from. */
  copyEnd: 7,
  /** The last record of a segment; `seq` counts its records. */
  seal: 8,
} as const;

export type RecordType = (typeof RECORD)[keyof typeof RECORD];

/** Set in the type byte when the payload itself fills a sector with zeros; see `judgeTail`. */
export const FLAG_BLANK_SECTOR = 0x80;
const TYPE_MASK = 0x0f;

/** A record header as numbers; reused from record to record where that saves garbage. */
export interface RecordHeader {
  type: number;
  blankSector: boolean;
  kind: number;
  stream: number;
  length: number;
  lsn: number;
  syncedLsn: number;
  epochCounter: number;
  epochOwner: Word64;
  seq: number;
  chain: Word64;
  payloadCrc: number;
}

export function emptyHeader(): RecordHeader {
  return {
    type: 0,
    blankSector: false,
    kind: 0,
    stream: 0,
    length: 0,
    lsn: 0,
    syncedLsn: 0,
    epochCounter: 0,
    epochOwner: { high: 0, low: 0 },
    seq: 0,
    chain: { high: 0, low: 0 },
    payloadCrc: 0,
  };
}

/** Where a record that may begin at `offset` does begin: a header never crosses a sector. */
export function recordStart(offset: number): number {
  const room = SECTOR_BYTES - (offset % SECTOR_BYTES);
  return room < RECORD_HEADER_BYTES ? offset + room : offset;
}

/** Where the record after one at `start` with `length` payload bytes may begin. */
export function recordEnd(start: number, length: number): number {
  return start + RECORD_HEADER_BYTES + ((length + 7) & ~7);
}

/** Writes all of a header but the synced LSN and the header checksum, which `sealHeader` adds. */
export function writeHeader(view: DataView, at: number, header: Readonly<RecordHeader>): void {
  view.setUint32(at + 4, header.payloadCrc, true);
  view.setUint8(at + 8, header.type | (header.blankSector ? FLAG_BLANK_SECTOR : 0));
  view.setUint8(at + 9, header.kind);
  view.setUint16(at + 10, header.stream, true);
  view.setUint32(at + 12, header.length, true);
  setUint53(view, at + 16, header.lsn);
  setUint53(view, at + 32, header.epochCounter);
  view.setUint32(at + 40, header.epochOwner.low, true);
  view.setUint32(at + 44, header.epochOwner.high, true);
  setUint53(view, at + 48, header.seq);
  view.setUint32(at + 56, header.chain.low, true);
  view.setUint32(at + 60, header.chain.high, true);
}

/** Adds what is known only when the batch leaves: how far the log is durable, and the header's checksum. */
export function sealHeader(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  syncedLsn: number,
  salt: number,
): void {
  setUint53(view, at + 24, syncedLsn);
  view.setUint32(at, crc32c(bytes, at + 4, at + RECORD_HEADER_BYTES, salt), true);
}

/**
 * Reads the header at `at` into `header`. False when it is not one: wrong checksum, or not the record of
 * position `lsn`. `trusting` leaves the checksum out, for who has verified the same bytes before.
 */
export function readHeader(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  lsn: number,
  salt: number,
  header: RecordHeader,
  trusting: boolean = false,
): boolean {
  if (getUint53(view, at + 16) !== lsn) {
    return false;
  }
  if (!trusting && crc32c(bytes, at + 4, at + RECORD_HEADER_BYTES, salt) !== view.getUint32(at, true)) {
    return false;
  }
  const type = view.getUint8(at + 8);
  header.payloadCrc = view.getUint32(at + 4, true);
  header.type = type & TYPE_MASK;
  header.blankSector = (type & FLAG_BLANK_SECTOR) !== 0;
  header.kind = view.getUint8(at + 9);
  header.stream = view.getUint16(at + 10, true);
  header.length = view.getUint32(at + 12, true);
  header.lsn = lsn;
  header.syncedLsn = getUint53(view, at + 24);
  header.epochCounter = getUint53(view, at + 32);
  header.epochOwner.low = view.getUint32(at + 40, true);
  header.epochOwner.high = view.getUint32(at + 44, true);
  header.seq = getUint53(view, at + 48);
  header.chain.low = view.getUint32(at + 56, true);
  header.chain.high = view.getUint32(at + 60, true);
  return true;
}

/**
 * Whether a sector's share of the payload is all zero, the payload beginning at file offset `offset`.
 * Such a sector cannot be told from one that was never written. The sector that holds the header is
 * left out: if it is missing, so is the header.
 */
export function hasBlankSector(payload: Uint8Array, offset: number): boolean {
  let at = (SECTOR_BYTES - (offset % SECTOR_BYTES)) % SECTOR_BYTES;
  while (at < payload.length) {
    const end = Math.min(at + SECTOR_BYTES, payload.length);
    if (isBlank(payload, at, end)) {
      return true;
    }
    at = end;
  }
  return false;
}

export function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    if (bytes[at] !== 0) {
      return false;
    }
  }
  return true;
}

/** What a segment file says about itself. */
export interface SegmentHeader {
  readonly version: number;
  readonly checksum: number;
  readonly recordsPerSegment: number;
  readonly number: number;
  readonly firstLsn: number;
  readonly salt: number;
  /** The salt of the segment before it; 0 for the first. */
  readonly previousSalt: number;
  /** Where the segment closes at the latest. */
  readonly segmentBytes: number;
  /** The length the file was given before its first record. */
  readonly initialBytes: number;
  /** Sixteen bytes as hexadecimal digits: the same in every file of one journal. */
  readonly journalId: string;
  readonly createdAtMs: number;
}

const SEGMENT_MAGIC = "SCASTSEG";
const SEGMENT_CRC_AT = 96;

/** The header block of a segment file. */
export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  const view = viewOf(bytes);
  putText(bytes, 0, SEGMENT_MAGIC);
  view.setUint32(8, header.version, true);
  view.setUint32(12, header.checksum, true);
  view.setUint32(16, header.recordsPerSegment, true);
  view.setUint32(20, header.salt, true);
  view.setUint32(24, header.previousSalt, true);
  setUint53(view, 32, header.number);
  setUint53(view, 40, header.firstLsn);
  setUint53(view, 48, header.segmentBytes);
  setUint53(view, 56, header.initialBytes);
  setUint53(view, 64, header.createdAtMs);
  bytes.set(Buffer.from(header.journalId, "hex"), 72);
  view.setUint32(SEGMENT_CRC_AT, crc32c(bytes, 0, SEGMENT_CRC_AT), true);
  return bytes;
}

/** The header of a segment file, or what is wrong with it: text for damage, a number for its version. */
export function decodeSegmentHeader(
  bytes: Uint8Array,
): SegmentHeader | { readonly problem: string } | { readonly newerVersion: number } {
  if (bytes.length < SEGMENT_HEADER_BYTES) {
    return {
      problem: `the segment header is cut off after ${bytes.length} of ${SEGMENT_HEADER_BYTES} bytes`,
    };
  }
  const view = viewOf(bytes);
  if (getText(bytes, 0, SEGMENT_MAGIC.length) !== SEGMENT_MAGIC) {
    return { problem: "not a segment: the magic number is wrong" };
  }
  // Every version keeps magic, version and this checksum in their places; the rest is its own.
  if (crc32c(bytes, 0, SEGMENT_CRC_AT) !== view.getUint32(SEGMENT_CRC_AT, true)) {
    return { problem: "the checksum of the segment header is wrong" };
  }
  if (!isBlank(bytes, SEGMENT_CRC_AT + 4, SEGMENT_HEADER_BYTES)) {
    return { problem: "the unused part of the segment header is not zero" };
  }
  const version = view.getUint32(8, true);
  if (version > FORMAT_VERSION) {
    return { newerVersion: version };
  }
  return {
    version,
    checksum: view.getUint32(12, true),
    recordsPerSegment: view.getUint32(16, true),
    salt: view.getUint32(20, true),
    previousSalt: view.getUint32(24, true),
    number: getUint53(view, 32),
    firstLsn: getUint53(view, 40),
    segmentBytes: getUint53(view, 48),
    initialBytes: getUint53(view, 56),
    createdAtMs: getUint53(view, 64),
    journalId: Buffer.from(bytes.subarray(72, 88)).toString("hex"),
  };
}

const SEGMENT_NAME = /^segment-([0-9a-f]{16})\.wal$/;

export function segmentName(number: number): string {
  return `segment-${number.toString(16).padStart(16, "0")}.wal`;
}

/** The number in a segment's file name, or null for other names. */
export function segmentNumber(name: string): number | null {
  const digits = SEGMENT_NAME.exec(name)?.[1];
  return digits === undefined ? null : Number.parseInt(digits, 16);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function setUint53(view: DataView, at: number, value: number): void {
  if (!(Number.isSafeInteger(value) && value >= 0)) {
    // The text is only made when it is needed: this runs several times per record.
    invariant(false, `${value} is not an integer from 0 to 2^53 - 1`);
  }
  view.setUint32(at, value % 0x1_0000_0000, true);
  view.setUint32(at + 4, value / 0x1_0000_0000, true);
}

export function getUint53(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000;
}

export function putText(bytes: Uint8Array, at: number, text: string): void {
  for (let index = 0; index < text.length; index++) {
    bytes[at + index] = text.charCodeAt(index);
  }
}

export function getText(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}
