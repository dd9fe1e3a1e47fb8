/**
 * Framing: turns entries and marks into the bytes of the next write, and decides where they will lie.
 *
 * Positions are given when a record is framed, not when it is written, so that a record can carry its own
 * LSN; a batch may therefore span the end of a segment, and is then written in several extents.
 */
import { invariant } from "../base/invariant.ts";
import type { Word64 } from "./chain.ts";
import { crc32c } from "./crc32c.ts";
import { type Epoch, ownerWord } from "./epoch.ts";
import {
  emptyHeader,
  hasBlankSector,
  RECORD,
  RECORD_HEADER_BYTES,
  type RecordType,
  recordEnd,
  recordStart,
  SEAL_RESERVE_BYTES,
  sealHeader,
  viewOf,
  writeHeader,
} from "./format.ts";
import type { Segment } from "./segment.ts";

/** A run of a batch's bytes that goes to one place of one segment. */
export interface Extent {
  readonly segment: Segment;
  /** File offset. */
  readonly position: number;
  readonly start: number;
  end: number;
}

export interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** The memory that batches are built in. */
export interface BufferPool {
  take(bytes: number): Uint8Array;
  give(buffer: Uint8Array): void;
}

const NOTHING = new Uint8Array(0);
const EPOCH_NONE: Epoch = { counter: 0, owner: "0000000000000000" };

export class Batch {
  bytes: Uint8Array;
  used = 0;
  /** The LSN behind the last record. */
  endLsn = 0;
  /** Nothing more goes in. */
  closed = false;
  /** It is where the sync mode wants it. */
  done = false;
  readonly extents: Extent[] = [];
  readonly waiters: Waiter[] = [];
  #view: DataView;
  /** Where the headers begin, and the salt of their segments. */
  readonly #headers: number[] = [];
  readonly #salts: number[] = [];
  readonly #pool: BufferPool;

  constructor(pool: BufferPool, bytes: number) {
    this.#pool = pool;
    this.bytes = pool.take(bytes);
    this.#view = viewOf(this.bytes);
  }

  get empty(): boolean {
    return this.used === 0;
  }

  /** Room for a record that takes `gap` and `length` bytes; answers where its header begins. */
  reserve(segment: Segment, gap: number, length: number): number {
    this.#grow(this.used + gap + length);
    const last = this.extents.at(-1);
    if (last === undefined || last.segment !== segment) {
      this.extents.push({ segment, position: segment.endOffset, start: this.used, end: this.used });
    }
    const at = this.used + gap;
    this.bytes.fill(0, this.used, at);
    this.used = at + length;
    const extent = this.extents.at(-1);
    invariant(extent !== undefined, "a record lies in an extent");
    extent.end = this.used;
    this.#headers.push(at);
    this.#salts.push(segment.header.salt);
    return at;
  }

  get view(): DataView {
    return this.#view;
  }

  get records(): number {
    return this.#headers.length;
  }

  /** Completes the headers: every record then tells how far the log was durable when it left. */
  seal(syncedLsn: number): void {
    for (let index = 0; index < this.#headers.length; index++) {
      sealHeader(this.bytes, this.#view, this.#headers[index] ?? 0, syncedLsn, this.#salts[index] ?? 0);
    }
  }

  release(): void {
    this.#pool.give(this.bytes);
    this.bytes = NOTHING;
  }

  #grow(needed: number): void {
    if (needed <= this.bytes.length) {
      return;
    }
    const larger = this.#pool.take(Math.max(needed, 2 * this.bytes.length));
    larger.set(this.bytes.subarray(0, this.used));
    this.#pool.give(this.bytes);
    this.bytes = larger;
    this.#view = viewOf(larger);
  }
}

/** What a record says besides its payload. */
export interface RecordFields {
  readonly stream: number;
  readonly seq: number;
  readonly epoch: Epoch;
  readonly kind: number;
  readonly chain: Readonly<Word64>;
}

export class Framer {
  /** The segment that the next record goes to. */
  segment: Segment;
  readonly #nextSegment: (previous: Segment) => Segment;
  readonly #header = emptyHeader();

  constructor(segment: Segment, nextSegment: (previous: Segment) => Segment) {
    this.segment = segment;
    this.#nextSegment = nextSegment;
  }

  /** Frames one record into `batch`, after closing the segment when it has no room; answers its LSN. */
  frame(batch: Batch, type: RecordType, fields: RecordFields, payload: Uint8Array = NOTHING): number {
    const { header } = this.segment;
    const end = recordEnd(recordStart(this.segment.endOffset), payload.length);
    const full =
      end > header.segmentBytes - SEAL_RESERVE_BYTES || this.segment.records >= header.recordsPerSegment;
    if (full || this.segment.sealed) {
      this.#roll(batch);
    }
    return this.#put(batch, type, fields, payload);
  }

  #roll(batch: Batch): void {
    const { segment } = this;
    if (!segment.sealed) {
      const fields = {
        stream: 0,
        seq: segment.records,
        epoch: EPOCH_NONE,
        kind: 0,
        chain: { high: 0, low: 0 },
      };
      this.#put(batch, RECORD.seal, fields, NOTHING);
      segment.sealed = true;
    }
    this.segment = this.#nextSegment(segment);
  }

  #put(batch: Batch, type: RecordType, fields: RecordFields, payload: Uint8Array): number {
    const { segment } = this;
    const start = recordStart(segment.endOffset);
    const end = recordEnd(start, payload.length);
    const at = batch.reserve(segment, start - segment.endOffset, end - start);
    const payloadAt = at + RECORD_HEADER_BYTES;
    const { bytes } = batch;
    bytes.set(payload, payloadAt);
    bytes.fill(0, payloadAt + payload.length, at + end - start);
    const header = this.#header;
    header.type = type;
    header.blankSector = hasBlankSector(payload, start + RECORD_HEADER_BYTES);
    header.kind = fields.kind;
    header.stream = fields.stream;
    header.length = payload.length;
    header.lsn = segment.lsnAt(start);
    header.epochCounter = fields.epoch.counter;
    header.epochOwner = ownerWord(fields.epoch.owner);
    header.seq = fields.seq;
    header.chain = fields.chain;
    header.payloadCrc = crc32c(bytes, payloadAt, at + end - start, segment.header.salt);
    writeHeader(batch.view, at, header);
    segment.endOffset = end;
    segment.records += 1;
    batch.endLsn = segment.endLsn;
    return header.lsn;
  }
}
