/**
 * One pass over the records of a stream, step by step, from an entry's place to another's.
 *
 * Every record is verified once more, except while opening replays what it has verified a moment ago.
 */
import { SupercastError } from "../base/errors.ts";
import { crc32c } from "./crc32c.ts";
import { LogEntry } from "./entry.ts";
import { EPOCH_ZERO, type Epoch, ownerText } from "./epoch.ts";
import { JournalDamagedError } from "./errors.ts";
import {
  emptyHeader,
  getUint53,
  RECORD,
  RECORD_HEADER_BYTES,
  readHeader,
  recordEnd,
  recordStart,
  viewOf,
} from "./format.ts";
import type { Settings } from "./options.ts";
import type { Segment } from "./segment.ts";
import type { SegmentStore } from "./segment-store.ts";
import type { StreamLog } from "./stream-log.ts";

/** A read that goes on takes larger steps, up to this. */
const STEP_BYTES_MAX = 1024 * 1024;

export class Walk {
  done = false;
  readonly lastHeader = emptyHeader();
  readonly #settings: Settings;
  readonly #store: SegmentStore;
  readonly #log: StreamLog;
  readonly #to: number;
  readonly #trusting: boolean;
  readonly #known: boolean;
  #seq: number;
  #segment: Segment;
  #offset: number;
  #stepBytes: number;
  /** The file ended before what was asked for. */
  #short = false;
  #epoch: Epoch = EPOCH_ZERO;
  #ahead: Promise<Uint8Array> | null = null;

  constructor(
    settings: Settings,
    store: SegmentStore,
    log: StreamLog,
    from: number,
    to: number,
    trusting: boolean,
  ) {
    this.#trusting = trusting;
    this.#known = trusting && log.index.dense;
    this.#settings = settings;
    this.#store = store;
    this.#log = log;
    this.#seq = from;
    this.#to = to;
    this.#stepBytes = settings.bufferBytes;
    const lsn = log.index.find(from);
    this.#segment = store.segmentOf(lsn);
    this.#offset = this.#segment.offsetOf(lsn);
  }

  /**
   * Answers the entries of one step, which may be none. The next step is being read when it resolves, so
   * that whoever takes the entries does not wait for the disk.
   */
  async next(): Promise<LogEntry[]> {
    const bytes = await (this.#ahead ?? this.#read());
    this.#ahead = null;
    const from = this.#offset;
    const entries = this.#known ? this.#collectKnown(bytes) : this.#collect(bytes);
    if (this.#short && this.#offset === from && !this.done) {
      throw this.#damage(from + bytes.length, "the file ends in a record that had been read before");
    }
    if (!this.done) {
      this.#ahead = this.#read();
      // Whoever asks for the next step meets the failure; nobody may ask.
      this.#ahead.catch(() => undefined);
    }
    return entries;
  }

  async #read(): Promise<Uint8Array> {
    if (this.#offset >= this.#segment.endOffset) {
      this.#jump();
    }
    const bytes = this.#settings.allocate(Math.min(this.#stepBytes, this.#segment.endOffset - this.#offset));
    const got = await this.#store.read(this.#segment, bytes, this.#offset);
    this.#short = got < bytes.length;
    this.#stepBytes = Math.min(2 * this.#stepBytes, Math.max(STEP_BYTES_MAX, this.#settings.bufferBytes));
    return bytes.subarray(0, got);
  }

  #jump(): void {
    requireIndexed(this.#log, this.#seq);
    const lsn = this.#log.index.find(this.#seq);
    this.#segment = this.#store.segmentOf(lsn);
    this.#offset = this.#segment.offsetOf(lsn);
  }

  /**
   * The entries of one step where every place is known and all has been verified a moment ago: each is
   * taken from its place, and what lies between them is not looked at.
   */
  #collectKnown(bytes: Uint8Array): LogEntry[] {
    const view = viewOf(bytes);
    const entries: LogEntry[] = [];
    const segment = this.#segment;
    const { index } = this.#log;
    const start = this.#offset;
    const segmentEnd = segment.endOffset;
    const to = this.#to;
    let seq = this.#seq;
    let end = start;
    while (seq <= to) {
      const lsn = index.find(seq);
      const offset = segment.offsetOf(lsn);
      const at = offset - start;
      if (offset >= segmentEnd || at + RECORD_HEADER_BYTES > bytes.length) {
        end = Math.min(offset, segmentEnd);
        break;
      }
      const length = view.getUint32(at + 12, true);
      if (getUint53(view, at + 16) !== lsn || view.getUint32(at + 48, true) !== seq % 0x1_0000_0000) {
        throw this.#damage(offset, "a record that had been read before is damaged");
      }
      end = recordEnd(offset, length);
      if (end - start > bytes.length) {
        this.#stepBytes = Math.max(this.#stepBytes, end - offset);
        end = offset;
        break;
      }
      entries.push(this.#knownEntry(bytes, view, at, seq, length));
      seq += 1;
    }
    this.#seq = seq;
    this.#offset = end;
    this.done = seq > to;
    return entries;
  }

  #knownEntry(bytes: Uint8Array, view: DataView, at: number, seq: number, length: number): LogEntry {
    const payloadAt = bytes.byteOffset + at + RECORD_HEADER_BYTES;
    return new LogEntry(
      seq,
      this.#epochFor(getUint53(view, at + 32), view.getUint32(at + 44, true), view.getUint32(at + 40, true)),
      view.getUint8(at + 9),
      new Uint8Array(bytes.buffer, payloadAt, length),
      view.getInt32(at + 60, true),
      view.getInt32(at + 56, true),
    );
  }

  /** Entries beside each other mostly share their epoch. */
  #epochFor(counter: number, ownerHigh: number, ownerLow: number): Epoch {
    const owner = ownerText(ownerHigh, ownerLow);
    if (this.#epoch.counter !== counter || this.#epoch.owner !== owner) {
      this.#epoch = { counter, owner };
    }
    return this.#epoch;
  }

  #collect(bytes: Uint8Array): LogEntry[] {
    const view = viewOf(bytes);
    const entries: LogEntry[] = [];
    const header = this.lastHeader;
    const segment = this.#segment;
    const { id, index } = this.#log;
    const start = this.#offset;
    let end = start;
    while (this.#seq <= this.#to && end < segment.endOffset) {
      const at = recordStart(end) - start;
      if (at + RECORD_HEADER_BYTES > bytes.length) {
        break;
      }
      const lsn = segment.lsnAt(start + at);
      if (!readHeader(bytes, view, at, lsn, segment.header.salt, header, this.#trusting)) {
        throw this.#damage(start + at, "a record that had been read before is damaged");
      }
      const next = recordEnd(start + at, header.length);
      if (next - start > bytes.length) {
        this.#stepBytes = Math.max(this.#stepBytes, next - end);
        break;
      }
      end = next;
      if (header.stream !== id || header.seq !== this.#seq) {
        continue;
      }
      if (header.type !== RECORD.entry && header.type !== RECORD.copy) {
        continue;
      }
      requireIndexed(this.#log, this.#seq);
      if (index.find(this.#seq) > lsn) {
        // This one is void: the entry of that number was replaced or copied further on.
        this.#offset = end;
        this.#jump();
        return entries;
      }
      entries.push(this.#entry(bytes, at, start));
      this.#seq += 1;
    }
    this.#offset = end;
    this.done = this.#seq > this.#to;
    return entries;
  }

  #entry(bytes: Uint8Array, at: number, start: number): LogEntry {
    const header = this.lastHeader;
    const payloadAt = at + RECORD_HEADER_BYTES;
    const { salt } = this.#segment.header;
    const paddedEnd = recordEnd(start + at, header.length) - start;
    if (!this.#trusting && crc32c(bytes, payloadAt, paddedEnd, salt) !== header.payloadCrc) {
      throw this.#damage(start + at, `the payload of entry ${header.seq} is damaged`);
    }
    const { chain, epochCounter, epochOwner } = header;
    return new LogEntry(
      header.seq,
      this.#epochFor(epochCounter, epochOwner.high, epochOwner.low),
      header.kind,
      new Uint8Array(bytes.buffer, bytes.byteOffset + payloadAt, header.length),
      chain.high,
      chain.low,
    );
  }

  #damage(offset: number, what: string): JournalDamagedError {
    return new JournalDamagedError({ file: this.#segment.path, offset, what });
  }
}

/** Throws `invalid_message` unless the log holds entry `seq`. */
export function requireIndexed(log: StreamLog, seq: number): void {
  if (seq < log.index.firstSeq || seq > log.index.lastSeq) {
    const range = `the log holds entries ${log.index.firstSeq} to ${log.index.lastSeq}`;
    throw new SupercastError("invalid_message", `entry ${seq} is not there: ${range}`, {
      details: { field: "seq" },
    });
  }
}
