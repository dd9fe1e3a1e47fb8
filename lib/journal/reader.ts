/**
 * Reading entries back from the segments: a bounded number of reads side by side, each verifying what it
 * reads once more, each keeping its segments from being removed while it goes on.
 */
import { SupercastError } from "../base/errors.ts";
import type { LogEntry } from "./entry.ts";
import type { RecordHeader } from "./format.ts";
import type { Settings } from "./options.ts";
import type { SegmentStore } from "./segment-store.ts";
import type { StreamLog } from "./stream-log.ts";
import { requireIndexed, Walk } from "./walk.ts";

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
