/**
 * The one writer of a folder's log: gathers what is appended, writes it, syncs it, answers.
 *
 * Group commit: while a write and its sync run, whatever is appended gathers in the next batch and goes
 * down with one write and one sync. The first append after a rest waits for the end of this turn of the
 * event loop, so that all that is appended in the turn goes together. An operation of the disk that
 * fails is final: a failed sync may have lost what a second one would claim to have saved.
 */
import type { Clock, Timer } from "../base/clock.ts";
import { SupercastError } from "../base/errors.ts";
import { DiskError } from "../disk/disk.ts";
import { Batch, type BufferPool, type Framer, type RecordFields, type Waiter } from "./batch.ts";
import { JournalError } from "./errors.ts";
import { RECORD_HEADER_BYTES, type RecordType } from "./format.ts";
import type { Settings } from "./options.ts";
import type { Segment } from "./segment.ts";
import type { SegmentStore } from "./segment-store.ts";

/** Counters since opening. */
export interface WriteStats {
  records: number;
  recordBytes: number;
  writes: number;
  syncs: number;
  /** The most records that went down with one write. */
  batchRecordsMax: number;
}

export class LogWriter {
  readonly stats: WriteStats = { records: 0, recordBytes: 0, writes: 0, syncs: 0, batchRecordsMax: 0 };
  /** The LSN up to which records are in the files, and up to which they are durable. */
  writtenLsn: number;
  durableLsn: number;
  readonly #clock: Clock;
  readonly #settings: Settings;
  readonly #store: SegmentStore;
  readonly #framer: Framer;
  readonly #pool: BufferPool;
  readonly #onFailure: (error: JournalError) => void;
  /** Called after every sync. */
  readonly #onSynced: () => void;
  readonly #queue: Batch[] = [];
  /** The batch that is being written. */
  #inFlight: Batch | null = null;
  #queuedBytes = 0;
  #syncWaiters: Waiter[] = [];
  #running = false;
  #idleWaiters: (() => void)[] = [];
  #intervalTimer: Timer | null = null;
  #failure: JournalError | null = null;

  constructor(
    clock: Clock,
    settings: Settings,
    store: SegmentStore,
    framer: Framer,
    hooks: { readonly onFailure: (error: JournalError) => void; readonly onSynced: () => void },
  ) {
    this.#clock = clock;
    this.#settings = settings;
    this.#store = store;
    this.#framer = framer;
    this.#pool = new Pool(settings);
    this.#onFailure = hooks.onFailure;
    this.#onSynced = hooks.onSynced;
    this.writtenLsn = framer.segment.endLsn;
    this.durableLsn = this.writtenLsn;
  }

  /** The LSN behind the last record that was framed. */
  get endLsn(): number {
    return this.#framer.segment.endLsn;
  }

  get segment(): Segment {
    return this.#framer.segment;
  }

  get failure(): JournalError | null {
    return this.#failure;
  }

  /** Throws unless `bytes` more of payload in `records` records may be taken in. */
  admit(records: number, bytes: number): void {
    if (this.#failure !== null) {
      throw this.#failure;
    }
    const { maxPendingBytes } = this.#settings;
    if (
      this.#queuedBytes > 0 &&
      this.#queuedBytes + bytes + records * RECORD_HEADER_BYTES > maxPendingBytes
    ) {
      throw new SupercastError("overload", `more than ${maxPendingBytes} bytes wait to be written`);
    }
  }

  /** Frames a record into the batch that leaves next; answers its LSN. */
  frame(type: RecordType, fields: RecordFields, payload?: Uint8Array): number {
    const batch = this.#openBatch();
    const before = batch.used;
    const lsn = this.#framer.frame(batch, type, fields, payload);
    this.#queuedBytes += batch.used - before;
    this.stats.records += 1;
    this.stats.recordBytes += batch.used - before;
    return lsn;
  }

  /** Sends off what was framed. */
  submit(): void {
    const batch = this.#queue.at(-1);
    if (this.#settings.sync === "writeThrough" && batch !== undefined) {
      batch.closed = true;
    }
    this.#start();
  }

  /**
   * A promise maker for what has been framed so far: resolves when it is in the files, and durable where
   * the sync mode promises that.
   */
  acknowledgement(): () => Promise<void> {
    const batch = this.#queue.at(-1) ?? this.#inFlight;
    return () =>
      new Promise((resolve, reject) => {
        if (batch === null || batch.done) {
          resolve();
        } else if (this.#failure !== null) {
          reject(this.#failure);
        } else {
          batch.waiters.push({ resolve, reject });
        }
      });
  }

  /** Resolves when everything framed so far is durable, whatever the sync mode. */
  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) {
        reject(this.#failure);
        return;
      }
      this.#syncWaiters.push({ resolve, reject });
      this.#start();
    });
  }

  /** Resolves when nothing is being written or waits to be. */
  async idle(): Promise<void> {
    while (this.#running) {
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    }
  }

  stopTimers(): void {
    if (this.#intervalTimer !== null) {
      this.#clock.clearTimer(this.#intervalTimer);
      this.#intervalTimer = null;
    }
  }

  /** Makes `thrown` the journal's end: everyone who waits is told, everyone who comes is refused. */
  fail(thrown: unknown): void {
    if (this.#failure !== null) {
      return;
    }
    const full = thrown instanceof DiskError && thrown.code === "no_space";
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const failure = new JournalError(full ? "journal_full" : "journal_failed", message, { cause: thrown });
    this.#failure = failure;
    this.stopTimers();
    const batches = this.#inFlight === null ? this.#queue : [this.#inFlight, ...this.#queue];
    const waiters = [...batches.flatMap((batch) => batch.waiters), ...this.#syncWaiters];
    this.#inFlight = null;
    this.#queue.length = 0;
    this.#syncWaiters = [];
    for (const waiter of waiters) {
      waiter.reject(failure);
    }
    this.#onFailure(failure);
  }

  #openBatch(): Batch {
    const last = this.#queue.at(-1);
    if (last !== undefined && !last.closed) {
      return last;
    }
    const batch = new Batch(this.#pool, this.#settings.bufferBytes);
    this.#queue.push(batch);
    return batch;
  }

  #start(): void {
    if (this.#running || this.#failure !== null) {
      return;
    }
    this.#running = true;
    this.#clock.immediate(() => {
      this.#run()
        .catch((thrown: unknown) => this.fail(thrown))
        .finally(() => this.#rest());
    });
  }

  #rest(): void {
    this.#running = false;
    const waiting = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const resolve of waiting) {
      resolve();
    }
    if (this.#queue.length > 0 || this.#syncWaiters.length > 0) {
      this.#start();
    }
  }

  async #run(): Promise<void> {
    while (this.#failure === null && (this.#queue.length > 0 || this.#syncWaiters.length > 0)) {
      const batch = this.#queue.shift();
      if (batch !== undefined) {
        await this.#writeBatch(batch);
      }
      if (this.#syncWaiters.length > 0 && this.#queue.length === 0) {
        await this.#syncNow();
      }
    }
  }

  async #writeBatch(batch: Batch): Promise<void> {
    batch.closed = true;
    this.#inFlight = batch;
    const durably = this.#settings.sync === "batch" || this.#settings.sync === "writeThrough";
    batch.seal(this.durableLsn);
    try {
      for (const extent of batch.extents) {
        await this.#store.writeExtent(extent, batch.bytes, durably);
      }
    } catch (thrown) {
      this.fail(thrown);
      return;
    }
    this.#inFlight = null;
    batch.done = true;
    this.#queuedBytes -= batch.used;
    this.writtenLsn = batch.endLsn;
    this.stats.writes += batch.extents.length;
    this.stats.batchRecordsMax = Math.max(this.stats.batchRecordsMax, batch.records);
    if (durably) {
      this.stats.syncs += batch.extents.length;
      this.durableLsn = batch.endLsn;
      this.#onSynced();
    } else {
      this.#scheduleInterval();
    }
    batch.release();
    for (const waiter of batch.waiters) {
      waiter.resolve();
    }
    this.#prepareNext();
  }

  async #syncNow(): Promise<void> {
    const count = this.#syncWaiters.length;
    const { writtenLsn } = this;
    if (this.durableLsn < writtenLsn) {
      try {
        await this.#store.sync();
      } catch (thrown) {
        this.fail(thrown);
        return;
      }
      this.stats.syncs += 1;
      this.durableLsn = writtenLsn;
      this.#onSynced();
    }
    for (const waiter of this.#syncWaiters.splice(0, count)) {
      waiter.resolve();
    }
  }

  #scheduleInterval(): void {
    if (this.#settings.sync !== "interval" || this.#intervalTimer !== null) {
      return;
    }
    const run = (): void => {
      this.#intervalTimer = null;
      // The failure has been told to everyone by `fail`; this waiter is nobody.
      this.sync().catch(() => undefined);
    };
    this.#intervalTimer = this.#clock.setTimer(run, this.#settings.syncIntervalMs);
  }

  #prepareNext(): void {
    const { segment } = this;
    const { segmentBytes, recordsPerSegment } = segment.header;
    const half = segment.endOffset * 2 > segmentBytes || segment.records * 2 > recordsPerSegment;
    if (half && !this.#store.preparing) {
      this.#store.prepare();
    }
  }
}

/** Two spare buffers of the usual size are kept; larger ones go back at once. */
class Pool implements BufferPool {
  readonly #settings: Settings;
  readonly #spare: Uint8Array[] = [];

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  take(bytes: number): Uint8Array {
    const spare = this.#spare.at(-1);
    if (spare !== undefined && spare.length >= bytes) {
      this.#spare.pop();
      return spare;
    }
    return this.#settings.allocate(bytes);
  }

  give(buffer: Uint8Array): void {
    if (this.#spare.length < 2 && buffer.length <= 16 * this.#settings.bufferBytes) {
      this.#spare.push(buffer);
    } else {
      this.#settings.release(buffer);
    }
  }
}
