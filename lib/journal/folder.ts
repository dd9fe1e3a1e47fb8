/**
 * A journal's folder: one log on disk, shared by many streams.
 *
 * It owns the segments, the one writer, the state files and the lock. A stream (`journal.ts`) frames its
 * records through it; entries of several streams share segments, writes and syncs. What is written here
 * about the order of steps is what recovery relies on.
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { type Disk, type DiskLock, joinPath } from "../disk/disk.ts";
import { Framer } from "./batch.ts";
import { JournalError } from "./errors.ts";
import { FORMAT_VERSION } from "./format.ts";
import { LogWriter, type WriteStats } from "./log-writer.ts";
import type { Settings } from "./options.ts";
import { LogReader } from "./reader.ts";
import type { RecoveryReport } from "./repair.ts";
import { nextHeader, Segment } from "./segment.ts";
import { SegmentStore } from "./segment-store.ts";
import { Serial } from "./serial.ts";
import { type SlotFile, SlotFile as Slots } from "./slots.ts";
import { type JournalState, type SnapshotInfo, type StreamState, streamStateName } from "./state.ts";
import { StreamLog } from "./stream-log.ts";

/** The ports a folder works on. */
export interface Ports {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
}

/** What the folder holds of one stream. */
export interface StreamEntry {
  readonly log: StreamLog;
  readonly slots: SlotFile;
  state: StreamState;
  /** The newest sound snapshot. */
  snapshot: SnapshotInfo | null;
  /** Set while a `Journal` is open on the stream: makes a snapshot when the folder needs room. */
  relieve: (() => Promise<boolean>) | null;
  open: boolean;
}

/** What opening has put together. */
export interface FolderParts {
  readonly path: string;
  readonly ports: Ports;
  readonly settings: Settings;
  readonly lock: DiskLock;
  readonly slots: SlotFile;
  readonly state: JournalState;
  readonly segments: Segment[];
  readonly streams: Map<string, StreamEntry>;
  readonly report: RecoveryReport;
}

export interface FolderStats extends WriteStats {
  readonly segments: number;
  readonly segmentBytes: number;
  readonly segmentsRemoved: number;
  /** Streams copied forward because they held up the removal of a segment. */
  readonly copiedForward: number;
  readonly endLsn: number;
  readonly durableLsn: number;
}

export const STREAM_ID_MAX = 0xffff;

export class JournalFolder {
  readonly path: string;
  readonly ports: Ports;
  readonly settings: Settings;
  /** What opening found. */
  readonly recovery: RecoveryReport;
  readonly store: SegmentStore;
  readonly writer: LogWriter;
  readonly reader: LogReader;
  readonly streams: Map<string, StreamEntry>;
  /** Snapshots, removals and backups, one at a time. */
  readonly upkeep = new Serial();
  segmentsRemoved = 0;
  copiedForward = 0;
  readonly #lock: DiskLock;
  readonly #slots: SlotFile;
  #state: JournalState;
  #markTimer: Timer | null = null;
  #closing: Promise<void> | null = null;
  #releasing: Promise<void> | null = null;
  #relieving = false;
  readonly #onRoom: (folder: JournalFolder) => Promise<void>;

  /** `onRoom`: called when the segments exceed `maxLogBytes`. */
  constructor(parts: FolderParts, onRoom: (folder: JournalFolder) => Promise<void>) {
    this.path = parts.path;
    this.ports = parts.ports;
    this.settings = parts.settings;
    this.recovery = parts.report;
    this.streams = parts.streams;
    this.#lock = parts.lock;
    this.#slots = parts.slots;
    this.#state = parts.state;
    this.#onRoom = onRoom;
    this.store = new SegmentStore(
      parts.ports.disk,
      parts.path,
      parts.segments,
      parts.settings.preallocateBytes,
      {
        created: (segment) => this.#segmentCreated(segment),
        grown: (segment) => this.#saveState({ allocatedBytes: segment.allocatedBytes }),
      },
    );
    const first = parts.segments.at(-1) ?? this.#nextSegment(null);
    const framer = new Framer(first, (previous) => this.#nextSegment(previous));
    this.writer = new LogWriter(parts.ports.clock, parts.settings, this.store, framer, {
      onFailure: (error) => this.#failed(error),
      onSynced: () => this.#scheduleMark(),
    });
    this.reader = new LogReader(parts.settings, this.store);
  }

  /** Creates the first segment, or takes up the newest. The folder works once this has resolved. */
  async start(): Promise<void> {
    const newest = this.store.segments.at(-1);
    if (newest === undefined || this.#state.lastSegment < 0) {
      await this.store.create(this.writer.segment);
    } else {
      await this.store.openActive(newest);
    }
  }

  /** The state of a stream, created durably when there is none of that name. */
  async stream(name: string): Promise<StreamEntry> {
    this.requireOpen();
    const known = this.streams.get(name);
    if (known !== undefined) {
      return known;
    }
    return this.upkeep.run(async () => {
      const again = this.streams.get(name);
      if (again !== undefined) {
        return again;
      }
      const id = this.#freeId();
      const state: StreamState = {
        format: FORMAT_VERSION,
        id,
        name,
        hardState: null,
        snapshots: [],
        commitSeq: 0,
        syncedSeq: 0,
        syncedLsn: this.writer.durableLsn,
        bootId: this.#state.bootId,
        tailCertain: true,
      };
      const slots = await this.guard(() =>
        Slots.create(this.ports.disk, this.path, streamStateName(id), state),
      );
      const log = new StreamLog(id, this.settings.cacheMetadata);
      const entry: StreamEntry = { log, slots, state, snapshot: null, relieve: null, open: false };
      this.streams.set(name, entry);
      return entry;
    });
  }

  /** Changes a stream's state, durably. What the log holds by now is noted with it. */
  async saveStream(entry: StreamEntry, change: Partial<StreamState>): Promise<void> {
    const { commitSeq, lastSeq } = entry.log;
    await this.writer.sync();
    entry.state = {
      ...entry.state,
      commitSeq: Math.max(entry.state.commitSeq, commitSeq),
      syncedSeq: lastSeq,
      syncedLsn: this.writer.durableLsn,
      bootId: this.#state.bootId,
      ...change,
    };
    const state = entry.state;
    await this.guard(() => entry.slots.update(state));
  }

  /**
   * Removes the oldest segments in which every stream is past its snapshot. What made the entries void
   * or squashed them is durable before: the state files name the snapshots, the log is synced.
   */
  async removeSegments(): Promise<number> {
    await this.writer.sync();
    const { segments } = this.store;
    const last = segments.length - 1;
    let count = 0;
    while (count < last && this.#isPast(segments[count])) {
      count += 1;
    }
    const first = segments[count];
    if (count === 0 || first === undefined) {
      return 0;
    }
    await this.#saveState({ firstSegment: first.number });
    const removed = segments.slice(0, count);
    for (const { log } of this.streams.values()) {
      const highest = Math.max(0, ...removed.map((segment) => segment.lastSeqOf(log.id)));
      log.dropBefore(highest + 1);
    }
    await this.guard(() => this.store.removeFirst(count));
    this.segmentsRemoved += count;
    return count;
  }

  stats(): FolderStats {
    return {
      ...this.writer.stats,
      segments: this.store.segments.length,
      segmentBytes: this.store.totalBytes,
      segmentsRemoved: this.segmentsRemoved,
      copiedForward: this.copiedForward,
      endLsn: this.writer.endLsn,
      durableLsn: this.writer.durableLsn,
    };
  }

  requireOpen(): void {
    if (this.#closing !== null && this.writer.failure === null) {
      throw new JournalError("journal_closed", `${this.path}: the journal is closed`);
    }
    if (this.writer.failure !== null) {
      throw this.writer.failure;
    }
  }

  /** Runs an operation on the disk; when it fails so does the journal. */
  async guard<T>(operation: () => Promise<T>): Promise<T> {
    if (this.writer.failure !== null) {
      throw this.writer.failure;
    }
    try {
      return await operation();
    } catch (thrown) {
      this.writer.fail(thrown);
      throw this.writer.failure ?? thrown;
    }
  }

  get bootId(): string {
    return this.#state.bootId;
  }

  get state(): JournalState {
    return this.#state;
  }

  /** Writes and syncs what waits, notes the exact end, releases the lock. Harmless when called again. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Lets files and lock go and writes nothing: for an opening that failed half-way. */
  abandon(): Promise<void> {
    this.#stopTimers();
    this.#closing ??= this.#release();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#stopTimers();
    try {
      if (this.writer.failure === null) {
        await this.upkeep.run(async () => {
          await this.writer.sync();
          await this.#saveState({ closed: true });
        });
      }
    } finally {
      await this.#release();
    }
  }

  /** After a failure nothing more is written; files and lock are let go. */
  #failed(error: JournalError): void {
    this.#stopTimers();
    const closing = this.writer.idle().then(() => this.#release());
    this.#closing ??= closing;
    // Whatever cannot be closed stays with the process; the failure itself is what the owner is told.
    closing.catch(() => undefined);
    this.settings.onFailure(error);
  }

  #release(): Promise<void> {
    this.#releasing ??= this.#letGo();
    return this.#releasing;
  }

  async #letGo(): Promise<void> {
    await this.writer.idle();
    await this.store.close();
    for (const { slots } of this.streams.values()) {
      await slots.close();
    }
    await this.#slots.close();
    await this.#lock.release();
  }

  #isPast(segment: Segment | undefined): boolean {
    if (segment === undefined || segment.pins > 0 || segment.endLsn > this.writer.durableLsn) {
      return false;
    }
    for (const { log, snapshot } of this.streams.values()) {
      if (segment.lastSeqOf(log.id) > (snapshot?.seq ?? 0)) {
        return false;
      }
    }
    return true;
  }

  #freeId(): number {
    const used = new Set([...this.streams.values()].map(({ log }) => log.id));
    for (let id = 1; id <= STREAM_ID_MAX; id++) {
      if (!used.has(id)) {
        return id;
      }
    }
    throw new JournalError("journal_busy", `${this.path}: all ${STREAM_ID_MAX} streams are taken`);
  }

  #nextSegment(previous: Segment | null): Segment {
    const { settings, ports } = this;
    const header = nextHeader(previous, ports.random.below(0x1_0000_0000), {
      recordsPerSegment: this.#state.recordsPerSegment,
      segmentBytes: settings.segmentBytes,
      initialBytes: settings.preallocateBytes,
      journalId: this.#state.journalId,
      createdAtMs: Math.floor(ports.clock.wallNow()),
    });
    const segment = new Segment(this.path, header, 0);
    this.store.segments.push(segment);
    return segment;
  }

  async #segmentCreated(segment: Segment): Promise<void> {
    await this.#saveState({
      lastSegment: segment.number,
      allocatedBytes: segment.allocatedBytes,
      syncedLsn: segment.header.firstLsn,
    });
    if (this.store.totalBytes > this.settings.maxLogBytes && !this.#relieving) {
      this.#relieving = true;
      // Not awaited: the writer must go on for room to be made.
      this.#onRoom(this)
        .catch((thrown: unknown) => this.writer.fail(thrown))
        .finally(() => {
          this.#relieving = false;
        });
    }
  }

  #scheduleMark(): void {
    if (this.#markTimer !== null || this.#closing !== null) {
      return;
    }
    const mark = (): void => {
      this.#markTimer = null;
      if (this.#state.syncedLsn < this.writer.durableLsn && this.writer.failure === null) {
        // A failure of the state file has closed the journal by then.
        this.#saveState({}).catch(() => undefined);
      }
    };
    this.#markTimer = this.ports.clock.setTimer(mark, this.settings.markIntervalMs, { unref: true });
  }

  #saveState(change: Partial<JournalState>): Promise<void> {
    const syncedLsn = Math.max(this.#state.syncedLsn, this.writer.durableLsn);
    const state = { ...this.#state, syncedLsn, ...change };
    this.#state = state;
    return this.guard(() => this.#slots.update(state));
  }

  #stopTimers(): void {
    this.writer.stopTimers();
    if (this.#markTimer !== null) {
      this.ports.clock.clearTimer(this.#markTimer);
      this.#markTimer = null;
    }
  }
}

/** The path of a file in a folder. */
export function inFolder(folder: JournalFolder, name: string): string {
  return joinPath(folder.path, name);
}
