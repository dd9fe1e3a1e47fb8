/**
 * A journal: the log of one stream, with a state machine on top if there is one.
 *
 * Entries are appended and numbered from 1, committed, applied in order; entries that are not committed
 * may be replaced or dropped. What `append` has acknowledged in sync mode `batch` or `writeThrough`
 * survives a crash of the machine; a journal that cannot promise that any more closes itself with an
 * error and promises nothing. (.NEXT: `PersistentState`; its names stand with the methods.)
 */
import { SupercastError } from "../base/errors.ts";
import { Applier } from "./applier.ts";
import { createBackup } from "./backup.ts";
import { formatWord64, parseWord64 } from "./chain.ts";
import { Compactor } from "./compaction.ts";
import type { LogEntry } from "./entry.ts";
import { compareEpochs, type Epoch, toEpoch } from "./epoch.ts";
import { invalid, JournalError } from "./errors.ts";
import type { JournalFolder, StreamEntry } from "./folder.ts";
import type {
  Appended,
  AppendOptions,
  CommitOptions,
  ForeignSnapshot,
  JournalStats,
  NewEntry,
  ReadOptions,
  ReplayReport,
  Submitted,
  WaitOptions,
} from "./journal-types.ts";
import type { SnapshotSource, StateMachine } from "./machine.ts";
import type { HardState } from "./state.ts";
import { chainAt, StreamEntries } from "./stream-entries.ts";
import { StreamSnapshots } from "./stream-snapshots.ts";

export class Journal {
  readonly name: string;
  readonly folder: JournalFolder;
  readonly #stream: StreamEntry;
  readonly #machine: StateMachine | null;
  readonly #entries: StreamEntries;
  readonly #applier: Applier;
  readonly #compactor: Compactor;
  readonly #snapshots: StreamSnapshots;
  readonly #ownsFolder: boolean;
  #replayed: boolean;

  /** Made by `openJournal` and `openStream`. */
  constructor(folder: JournalFolder, stream: StreamEntry, machine: StateMachine | null, ownsFolder: boolean) {
    this.name = stream.state.name;
    this.folder = folder;
    this.#stream = stream;
    this.#machine = machine;
    this.#ownsFolder = ownsFolder;
    this.#replayed = machine === null;
    this.#entries = new StreamEntries(folder, stream, machine !== null);
    const source = (from: number, to: number): AsyncIterable<readonly LogEntry[]> =>
      this.#entries.runs(from, to);
    this.#applier = new Applier(folder.ports.clock, machine, source, (entry) => {
      this.#entries.forget(entry.seq);
      return this.#compactor.onApplied(entry);
    });
    this.#applier.appliedSeq = machine === null ? stream.log.commitSeq : 0;
    this.#snapshots = new StreamSnapshots(folder, stream, source, (seq) => chainAt(folder, stream, seq));
    this.#compactor = new Compactor(folder.settings.compaction, machine, this.#applier, this.#snapshots);
    stream.open = true;
    stream.relieve = this.#compactor.possible ? () => this.#compactor.force() : null;
  }

  /** The oldest entry that can be read; `lastSeq` + 1 when there is none. */
  get firstSeq(): number {
    return this.#stream.log.index.firstSeq;
  }

  get lastSeq(): number {
    return this.#stream.log.lastSeq;
  }

  get commitSeq(): number {
    return this.#stream.log.commitSeq;
  }

  get appliedSeq(): number {
    return this.#applier.appliedSeq;
  }

  /** The entries up to here are squashed into the newest snapshot. */
  get snapshotSeq(): number {
    return this.#snapshots.snapshotSeq;
  }

  get lastEpoch(): Epoch {
    return this.#stream.log.lastEpoch;
  }

  get lastChain(): string {
    return this.#stream.log.lastChain;
  }

  /** False when the last opening had to cut an uncertain tail: entries at the end may be missing. */
  get tailCertain(): boolean {
    return this.#stream.state.tailCertain;
  }

  get hardState(): HardState | null {
    return this.#stream.state.hardState;
  }

  /**
   * Appends one entry or many; resolves when they are as safe as the sync mode says. `AppendAsync`.
   * Throws `invalid_message`, `payload_too_large`, `overload`, and the journal's failure.
   */
  async append(entries: NewEntry | readonly NewEntry[], options: AppendOptions = {}): Promise<Appended> {
    const submitted = this.submit(entries, options);
    await submitted.acknowledged();
    return submitted;
  }

  /** Like `append`, but answers at once with the numbers; throws where `append` rejects at once. */
  submit(entries: NewEntry | readonly NewEntry[], options: AppendOptions = {}): Submitted {
    this.folder.requireOpen();
    const list: readonly NewEntry[] = isMany(entries) ? entries : [entries];
    const epoch = this.#entries.epochFor(options.epoch);
    this.#entries.admit(list);
    const firstSeq = this.lastSeq + 1;
    for (const entry of list) {
      if (entry instanceof Uint8Array) {
        this.#entries.frame(entry, 0, epoch);
      } else {
        this.#entries.frame(entry.payload, entry.kind ?? 0, epoch);
      }
    }
    const chain = this.lastChain;
    this.folder.writer.submit();
    const batch = this.folder.writer.acknowledgement();
    return { firstSeq, lastSeq: this.lastSeq, chain, acknowledged: batch };
  }

  /**
   * Replaces the uncommitted entries from `startSeq` on by others, in one write.
   * Throws `invalid_message` when `startSeq` is committed or leaves a gap.
   */
  async replace(
    startSeq: number,
    entries: NewEntry | readonly NewEntry[],
    options: AppendOptions = {},
  ): Promise<Appended> {
    this.folder.requireOpen();
    this.#entries.admit(isMany(entries) ? entries : [entries]);
    await this.#entries.truncateAfter(startSeq - 1, "startSeq");
    return this.append(entries, options);
  }

  /** Drops the uncommitted entries from `startSeq` on; resolves to their number. `DropAsync`. */
  async drop(startSeq: number): Promise<number> {
    this.folder.requireOpen();
    const dropped = await this.#entries.truncateAfter(startSeq - 1, "startSeq");
    await this.folder.writer.acknowledgement()();
    return dropped;
  }

  /**
   * Commits the entries up to `seq`, by default all, and applies them; resolves to how many were not
   * committed before. `CommitAsync`.
   */
  async commit(seq: number = this.lastSeq, options: CommitOptions = {}): Promise<number> {
    this.folder.requireOpen();
    if (!Number.isSafeInteger(seq) || seq < 0 || seq > this.lastSeq) {
      throw invalid("seq", `${seq} cannot be committed; the log ends at entry ${this.lastSeq}`);
    }
    const count = Math.max(0, seq - this.commitSeq);
    if (count > 0) {
      this.#entries.frameCommit(seq);
      if (options.durable !== false) {
        await this.folder.writer.acknowledgement()();
      }
    }
    await this.#replayOnce();
    await Promise.all([this.#applier.applyTo(seq), this.#compactor.besideCommit(count)]);
    if (options.compact === true) {
      await this.#compactor.force();
    } else {
      await this.#compactor.afterCommit();
    }
    return count;
  }

  /** Appends and commits with one write. `AppendAndCommitAsync`. */
  async appendAndCommit(
    entries: NewEntry | readonly NewEntry[],
    options: AppendOptions & CommitOptions = {},
  ): Promise<Appended> {
    const { acknowledged: _, ...appended } = this.submit(entries, options);
    await this.commit(appended.lastSeq, options);
    return appended;
  }

  /** Waits until entry `seq` is committed and applied, or without one for the next commit. `WaitForCommitAsync`. */
  waitForCommit(seq: number | null = null, options: WaitOptions = {}): Promise<void> {
    this.folder.requireOpen();
    const target = seq ?? this.appliedSeq + 1;
    return this.#applier.wait(
      () => this.appliedSeq >= target,
      options.timeoutMs,
      `the commit of entry ${target}`,
    );
  }

  /** Waits until the last committed entry is of `epoch` or a later one. `EnsureConsistencyAsync`. */
  ensureConsistency(epoch: number | Epoch, options: WaitOptions = {}): Promise<void> {
    this.folder.requireOpen();
    const wanted = toEpoch(epoch);
    const holds = (): boolean => compareEpochs(this.epochAt(this.appliedSeq), wanted) >= 0;
    return this.#applier.wait(holds, options.timeoutMs, `a commit in epoch ${wanted.counter}`);
  }

  /**
   * The entries from `fromSeq` to `toSeq`, in order: by default all committed ones, with `uncommitted`
   * those above too. `ReadAsync`. Throws `invalid_message` for numbers that are not there.
   */
  async *read(fromSeq: number, toSeq?: number, options: ReadOptions = {}): AsyncGenerator<LogEntry> {
    for await (const run of this.readRuns(fromSeq, toSeq, options)) {
      yield* run;
    }
  }

  /** The same in runs, as they come from the disk: far fewer turns for long ranges. */
  async *readRuns(
    fromSeq: number,
    toSeq?: number,
    options: ReadOptions = {},
  ): AsyncGenerator<readonly LogEntry[]> {
    this.folder.requireOpen();
    const limit = options.uncommitted === true ? this.lastSeq : this.commitSeq;
    const last = toSeq ?? limit;
    if (last > limit) {
      throw invalid("toSeq", `${last} is beyond entry ${limit}`);
    }
    if (!Number.isSafeInteger(fromSeq) || (fromSeq <= last && fromSeq < this.firstSeq)) {
      throw invalid("fromSeq", `${fromSeq} is not there; the oldest entry is ${this.firstSeq}`);
    }
    yield* this.#entries.runs(fromSeq, last);
  }

  /** The epoch of entry `seq`, as far back as the log or its snapshot reach. */
  epochAt(seq: number): Epoch {
    return this.#stream.log.epochAt(seq);
  }

  /** The chain after entry `seq`. */
  async chainAt(seq: number): Promise<string> {
    return formatWord64(await chainAt(this.folder, this.#stream, seq));
  }

  /** Restores the newest snapshot and applies every committed entry after it. `ReplayAsync`. */
  async replay(): Promise<ReplayReport> {
    this.folder.requireOpen();
    this.#replayed = true;
    return this.#applier.exclusive.run(async () => {
      const snapshot = await this.openSnapshot();
      if (this.#machine !== null && snapshot !== null) {
        await this.#restore(this.#machine, snapshot);
      }
      this.#compactor.reset();
      const snapshotSeq = snapshot?.seq ?? 0;
      this.#applier.appliedSeq = snapshotSeq;
      await this.#applier.applyNow(this.commitSeq);
      return { snapshotSeq, entries: this.appliedSeq - snapshotSeq };
    });
  }

  /** Writes a snapshot of everything applied; false when there is nothing new. */
  async snapshot(): Promise<boolean> {
    this.folder.requireOpen();
    await this.#replayOnce();
    return this.#compactor.force();
  }

  /**
   * Squashes what lies in the oldest `count` segments, by default all that is applied, and removes the
   * segments that are then needless; resolves to their number. `ForceCompactionAsync`.
   */
  async compact(count: number = Number.POSITIVE_INFINITY): Promise<number> {
    this.folder.requireOpen();
    await this.#replayOnce();
    const { segments } = this.folder.store;
    const oldest = segments.slice(0, Math.min(count, segments.length));
    const highest = Math.max(0, ...oldest.map((segment) => segment.lastSeqOf(this.#stream.log.id)));
    const before = this.folder.segmentsRemoved;
    await this.#compactor.force(count >= segments.length ? this.appliedSeq : highest);
    return this.folder.segmentsRemoved - before;
  }

  /** The newest snapshot, verified, or null. */
  openSnapshot(): Promise<SnapshotSource | null> {
    return this.#snapshots.newestSnapshot();
  }

  /**
   * Takes a snapshot from elsewhere in place of this log's history, which must end before it commits to
   * as much. Uncommitted entries are dropped first. The old state counts until the new one is complete.
   */
  async installSnapshot(snapshot: ForeignSnapshot): Promise<void> {
    this.folder.requireOpen();
    const chain = parseWord64(snapshot.chain);
    if (chain === null) {
      throw invalid(
        "chain",
        `${JSON.stringify(snapshot.chain)}; allowed: sixteen lower-case hexadecimal digits`,
      );
    }
    if (!Number.isSafeInteger(snapshot.seq) || snapshot.seq <= this.commitSeq) {
      throw invalid("seq", `${snapshot.seq} is not above the committed entry ${this.commitSeq}`);
    }
    const target = { seq: snapshot.seq, epoch: toEpoch(snapshot.epoch), chain };
    await this.#applier.exclusive.run(async () => {
      await this.#entries.truncateAfter(this.commitSeq, "seq");
      await this.folder.writer.sync();
      await this.#snapshots.install(target, async (sink) => {
        for await (const piece of snapshot.content) {
          await sink.write(piece);
        }
      });
      this.#compactor.reset();
      const stored = await this.openSnapshot();
      if (this.#machine !== null && stored !== null) {
        await this.#restore(this.#machine, stored);
      }
      this.#replayed = true;
      this.#applier.appliedSeq = target.seq;
      this.#applier.notify();
    });
    await this.folder.writer.acknowledgement()();
  }

  /** Stores what the stream must never forget; durable when it resolves. */
  async setHardState(hardState: HardState): Promise<void> {
    this.folder.requireOpen();
    await this.folder.saveStream(this.#stream, { hardState });
  }

  /** Whoever knows better has checked or restored the tail: it may be counted on again. */
  async confirmTail(): Promise<void> {
    this.folder.requireOpen();
    await this.folder.saveStream(this.#stream, { tailCertain: true });
  }

  /** Makes everything appended so far durable, whatever the sync mode. */
  async sync(): Promise<void> {
    this.folder.requireOpen();
    await this.folder.writer.sync();
  }

  /** The whole folder as one stream of bytes, for `restoreJournal`. `CreateBackupAsync`. */
  backup(): AsyncGenerator<Uint8Array> {
    this.folder.requireOpen();
    return createBackup(this.folder);
  }

  stats(): JournalStats {
    return {
      ...this.folder.stats(),
      snapshotsWritten: this.#compactor.count,
      cachedEntries: this.#entries.cached,
    };
  }

  /** Ends this journal; the folder with it when `openJournal` opened both. Harmless when called again. */
  async close(): Promise<void> {
    this.#stream.open = false;
    this.#stream.relieve = null;
    await this.#applier.exclusive.run(() => Promise.resolve());
    this.#applier.end(new JournalError("journal_closed", `${this.folder.path}: the journal is closed`));
    if (this.#ownsFolder) {
      await this.folder.close();
    }
  }

  async #replayOnce(): Promise<void> {
    if (!this.#replayed) {
      await this.replay();
    }
  }

  async #restore(machine: StateMachine, snapshot: SnapshotSource): Promise<void> {
    if (machine.restore === undefined) {
      throw new SupercastError(
        "config_mismatch",
        "there is a snapshot, and the state machine has no restore",
      );
    }
    await machine.restore(snapshot);
  }
}

function isMany(entries: NewEntry | readonly NewEntry[]): entries is readonly NewEntry[] {
  return Array.isArray(entries);
}
