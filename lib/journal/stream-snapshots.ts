/** The snapshots of one stream: storing, opening, installing one from elsewhere. */
import { formatWord64, type Word64 } from "./chain.ts";
import type { CompactionHost } from "./compaction.ts";
import type { LogEntry } from "./entry.ts";
import type { Epoch } from "./epoch.ts";
import { inFolder, type JournalFolder, type StreamEntry } from "./folder.ts";
import { RECORD } from "./format.ts";
import type { SnapshotSink, SnapshotSource } from "./machine.ts";
import { removeIfThere } from "./slots.ts";
import { openSnapshot, writeSnapshot } from "./snapshot-file.ts";
import { type SnapshotInfo, snapshotName } from "./state.ts";

/** What a snapshot stands for: the history up to `seq`, with that entry's epoch and chain. */
export interface SnapshotTarget {
  readonly seq: number;
  readonly epoch: Epoch;
  readonly chain: Readonly<Word64>;
}

type Fill = (sink: SnapshotSink) => void | Promise<void>;

export class StreamSnapshots implements CompactionHost {
  readonly entries: (from: number, to: number) => AsyncIterable<readonly LogEntry[]>;
  readonly #folder: JournalFolder;
  readonly #stream: StreamEntry;
  readonly #chainAt: (seq: number) => Promise<Readonly<Word64>>;

  constructor(
    folder: JournalFolder,
    stream: StreamEntry,
    entries: (from: number, to: number) => AsyncIterable<readonly LogEntry[]>,
    chainAt: (seq: number) => Promise<Readonly<Word64>>,
  ) {
    this.#folder = folder;
    this.#stream = stream;
    this.entries = entries;
    this.#chainAt = chainAt;
  }

  get snapshotSeq(): number {
    return this.#stream.snapshot?.seq ?? 0;
  }

  isDue(seq: number): boolean {
    const behind = seq - this.snapshotSeq;
    if (behind <= 0) {
      return false;
    }
    if (behind >= this.#folder.state.recordsPerSegment) {
      return true;
    }
    const { index } = this.#stream.log;
    const oldest = Math.max(index.firstSeq, this.snapshotSeq + 1);
    return (
      oldest <= index.lastSeq &&
      this.#folder.writer.endLsn - index.find(oldest) > this.#folder.settings.segmentBytes
    );
  }

  async newestSnapshot(): Promise<SnapshotSource | null> {
    const info = this.#stream.snapshot;
    if (info === null) {
      return null;
    }
    return openSnapshot(this.#folder.ports.disk, this.#path(info.seq), this.#stream.log.id, info);
  }

  async store(seq: number, fill: Fill): Promise<void> {
    const chain = await this.#chainAt(seq);
    const target = { seq, epoch: this.#stream.log.epochAt(seq), chain };
    await this.#folder.upkeep.run(async () => {
      await this.#adopt(target, fill);
      await this.#folder.removeSegments();
    });
  }

  /** Puts a snapshot from elsewhere in the place of the whole history, which ends before it. */
  async install(target: SnapshotTarget, fill: Fill): Promise<void> {
    await this.#folder.upkeep.run(async () => {
      await this.#adopt(target, fill);
      this.#restart(target);
      await this.#folder.removeSegments();
    });
  }

  /**
   * The file first, complete and durable; then the state that names it, which is the moment it counts;
   * then what it replaces goes.
   */
  async #adopt(target: SnapshotTarget, fill: Fill): Promise<void> {
    const { disk } = this.#folder.ports;
    const stream = this.#stream;
    const where = { stream: stream.log.id, ...target };
    const { bytes } = await this.#write(this.#path(target.seq), where, fill);
    const info: SnapshotInfo = {
      seq: target.seq,
      epoch: target.epoch,
      chain: formatWord64(target.chain),
      bytes,
    };
    const older = stream.state.snapshots.filter(({ seq }) => seq !== info.seq);
    const keptOlder = older.slice(Math.max(0, older.length + 1 - this.#folder.settings.keepSnapshots));
    await this.#folder.saveStream(stream, { snapshots: [...keptOlder, info] });
    stream.snapshot = info;
    const dropped = older.filter((each) => !keptOlder.includes(each));
    for (const { seq } of dropped) {
      await this.#folder.guard(() => removeIfThere(disk, this.#path(seq)));
    }
  }

  /** A snapshot that cannot be written loses nothing: the log still holds all of it. */
  async #write(
    path: string,
    where: SnapshotTarget & { stream: number },
    fill: Fill,
  ): Promise<{ bytes: number }> {
    const { disk } = this.#folder.ports;
    this.#folder.requireOpen();
    try {
      return await writeSnapshot(disk, path, where, fill);
    } catch (thrown) {
      await removeIfThere(disk, `${path}.tmp`);
      throw thrown;
    }
  }

  #restart(target: SnapshotTarget): void {
    const { log } = this.#stream;
    log.restart(target.seq, target.epoch, target.chain);
    this.#folder.writer.frame(RECORD.reset, { stream: log.id, kind: 0, ...target });
    this.#folder.writer.submit();
  }

  #path(seq: number): string {
    return inFolder(this.#folder, snapshotName(this.#stream.log.id, seq));
  }
}
