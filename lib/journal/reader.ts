/**
 * Reading entries back from the segments: a bounded number of reads side by side, each verifying what it
 * reads once more, each keeping its segments from being removed while it goes on.
 */
import { SupercastError } from "../base/errors.ts";
import { crc32c } from "./crc32c.ts";
import { LogEntry } from "./entry.ts";
import { EPOCH_ZERO, type Epoch, ownerText } from "./epoch.ts";
import { JournalDamagedError } from "./errors.ts";
import {
  emptyHeader,
  RECORD,
  RECORD_HEADER_BYTES,
  type RecordHeader,
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

/** Hands out the right to read; who comes too many waits, in order. */
export class ReaderSlots {
  #free: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number, waitingMax: number) {
    this.#free = count;
    this.#waitingMax = waitingMax;
  }

  async take(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    if (this.#waiting.length >= this.#waitingMax) {
      throw new SupercastError("overload", `${this.#waitingMax} reads wait already (maxWaitingReads)`);
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) {
      this.#free += 1;
    } else {
      next();
    }
  }
}

export class LogReader {
  /** Set while opening replays what it has read and verified a moment ago: not verified once more. */
  trusting = false;
  readonly #settings: Settings;
  readonly #store: SegmentStore;
  readonly #slots: ReaderSlots;

  constructor(settings: Settings, store: SegmentStore) {
    this.#settings = settings;
    this.#store = store;
    this.#slots = new ReaderSlots(settings.maxConcurrentReads, settings.maxWaitingReads);
  }

  /** The entries of `log` from `from` to `to`, in runs as they are read. Both must be there. */
  async *runs(log: StreamLog, from: number, to: number): AsyncGenerator<LogEntry[]> {
    if (from > to) {
      return;
    }
    await this.#slots.take();
    const pinned = this.#store.segmentOf(this.#find(log, from));
    pinned.pins += 1;
    try {
      const walk = new Walk(this.#settings, this.#store, log, from, to, this.trusting);
      while (!walk.done) {
        yield await walk.next();
      }
    } finally {
      pinned.pins -= 1;
      this.#slots.give();
    }
  }

  /** The header of the record of entry `seq`. */
  async header(log: StreamLog, seq: number): Promise<RecordHeader> {
    const walk = new Walk(this.#settings, this.#store, log, seq, seq, false);
    const pinned = this.#store.segmentOf(this.#find(log, seq));
    pinned.pins += 1;
    try {
      while (!walk.done) {
        await walk.next();
      }
    } finally {
      pinned.pins -= 1;
    }
    return walk.lastHeader;
  }

  #find(log: StreamLog, seq: number): number {
    requireIndexed(log, seq);
    return log.index.find(seq);
  }
}

function requireIndexed(log: StreamLog, seq: number): void {
  if (seq < log.index.firstSeq || seq > log.index.lastSeq) {
    const range = `the log holds entries ${log.index.firstSeq} to ${log.index.lastSeq}`;
    throw new SupercastError("invalid_message", `entry ${seq} is not there: ${range}`, {
      details: { field: "seq" },
    });
  }
}

/** One pass over the records of a stream. */
class Walk {
  done = false;
  readonly lastHeader = emptyHeader();
  readonly #settings: Settings;
  readonly #store: SegmentStore;
  readonly #log: StreamLog;
  readonly #to: number;
  readonly #trusting: boolean;
  #seq: number;
  #segment: Segment;
  #offset: number;
  #stepBytes: number;
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
    const entries = this.#collect(bytes);
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
    this.#stepBytes = Math.min(2 * this.#stepBytes, Math.max(STEP_BYTES_MAX, this.#settings.bufferBytes));
    return bytes.subarray(0, got);
  }

  #jump(): void {
    requireIndexed(this.#log, this.#seq);
    const lsn = this.#log.index.find(this.#seq);
    this.#segment = this.#store.segmentOf(lsn);
    this.#offset = this.#segment.offsetOf(lsn);
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
    const payloadEnd = payloadAt + header.length;
    const { salt } = this.#segment.header;
    const paddedEnd = recordEnd(start + at, header.length) - start;
    if (!this.#trusting && crc32c(bytes, payloadAt, paddedEnd, salt) !== header.payloadCrc) {
      throw this.#damage(start + at, `the payload of entry ${header.seq} is damaged`);
    }
    const { chain, epochCounter, epochOwner } = header;
    const owner = ownerText(epochOwner.high, epochOwner.low);
    if (this.#epoch.counter !== epochCounter || this.#epoch.owner !== owner) {
      this.#epoch = { counter: epochCounter, owner };
    }
    return new LogEntry(
      header.seq,
      this.#epoch,
      header.kind,
      bytes.subarray(payloadAt, payloadEnd),
      chain.high,
      chain.low,
    );
  }

  #damage(offset: number, what: string): JournalDamagedError {
    return new JournalDamagedError({ file: this.#segment.path, offset, what });
  }
}
