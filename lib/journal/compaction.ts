/**
 * When and how a stream's entries are squashed into a snapshot: the four modes of .NEXT.
 *
 * | mode | when | who waits |
 * |---|---|---|
 * | sequential | a commit that leaves a segment's worth of entries behind; a fresh builder folds them all | that commit |
 * | background | only `compact()` | whoever calls it |
 * | foreground | with every commit as many older entries are folded as it commits | that commit, side by side with applying |
 * | incremental | every entry is folded as it is applied | the commit that fills the segment, for the write |
 *
 * A stream is due when `recordsPerSegment` entries, or a segment's bytes of log, lie behind its snapshot.
 * An inline builder has nothing to fold: it writes the live state when the stream is due.
 */
import { SupercastError } from "../base/errors.ts";
import type { Applier } from "./applier.ts";
import type { LogEntry } from "./entry.ts";
import type {
  IncrementalSnapshotBuilder,
  SnapshotBuilder,
  SnapshotSink,
  SnapshotSource,
  StateMachine,
} from "./machine.ts";
import type { CompactionMode } from "./options.ts";
import { Serial } from "./serial.ts";

/** What compaction asks of the stream it works for. */
export interface CompactionHost {
  readonly snapshotSeq: number;
  /** Whether a segment's worth of entries lies between the snapshot and `seq`. */
  isDue(seq: number): boolean;
  entries(from: number, to: number): AsyncIterable<readonly LogEntry[]>;
  newestSnapshot(): Promise<SnapshotSource | null>;
  /** Stores a snapshot that stands for all entries up to `seq`, and removes what it makes needless. */
  store(seq: number, fill: (sink: SnapshotSink) => void | Promise<void>): Promise<void>;
}

/** A long-lived builder and the last entry it has folded. */
interface Folding {
  readonly builder: IncrementalSnapshotBuilder;
  seq: number;
}

export class Compactor {
  /** Snapshots written since opening. */
  count = 0;
  readonly #mode: CompactionMode;
  readonly #machine: StateMachine | null;
  readonly #applier: Applier;
  readonly #host: CompactionHost;
  #folding: Folding | null = null;
  /** Commits overlap; their shares of compaction do not. */
  readonly #work = new Serial();

  constructor(mode: CompactionMode, machine: StateMachine | null, applier: Applier, host: CompactionHost) {
    this.#mode = mode;
    this.#machine = machine;
    this.#applier = applier;
    this.#host = host;
  }

  get possible(): boolean {
    return this.#machine?.createSnapshotBuilder !== undefined;
  }

  /** After an entry was applied: the incremental mode folds it at once. */
  onApplied(entry: LogEntry): void | Promise<void> {
    const folding = this.#folding;
    if (this.#mode === "incremental" && folding !== null && entry.seq === folding.seq + 1) {
      folding.seq = entry.seq;
      return folding.builder.apply(entry);
    }
    return undefined;
  }

  /** Beside the applying of `count` entries: the foreground mode folds as many older ones. */
  async besideCommit(count: number): Promise<void> {
    if (this.#mode !== "foreground" || !this.possible) {
      return;
    }
    await this.#work.run(async () => {
      const folding = await this.#startFolding();
      if (folding !== null) {
        await this.#fold(folding, Math.min(folding.seq + count, this.#applier.appliedSeq));
      }
    });
  }

  /** After a commit: writes a snapshot where the mode says that commits do. */
  async afterCommit(): Promise<void> {
    if (this.#mode === "background" || !this.possible) {
      return;
    }
    const settled = this.#mode !== "incremental" || this.#folding !== null;
    if (settled && !this.#host.isDue(this.#applier.appliedSeq)) {
      return;
    }
    await this.#work.run(async () => {
      if (this.#mode !== "sequential") {
        await this.#startFolding();
      }
      const { appliedSeq } = this.#applier;
      const seq = this.#mode === "foreground" ? (this.#folding?.seq ?? appliedSeq) : appliedSeq;
      if (this.#host.isDue(seq)) {
        await this.#forceNow(seq);
      }
    });
  }

  /**
   * Writes a snapshot of the entries up to `seq`, by default all that are applied; an inline builder
   * always writes the live state. False when there is nothing to squash.
   */
  force(seq: number = this.#applier.appliedSeq): Promise<boolean> {
    return this.#work.run(() => this.#forceNow(seq));
  }

  /** A snapshot from elsewhere took the place of the history: what was folded is void. */
  reset(): void {
    this.#folding = null;
  }

  async #forceNow(seq: number): Promise<boolean> {
    const machine = this.#machine;
    if (machine?.createSnapshotBuilder === undefined) {
      throw new SupercastError(
        "config_mismatch",
        "the state machine has no createSnapshotBuilder: nothing can be compacted",
      );
    }
    return this.#applier.exclusive.run(async () => {
      const target = Math.min(seq, this.#applier.appliedSeq);
      if (target <= this.#host.snapshotSeq) {
        return false;
      }
      const folding = this.#folding;
      const builder =
        folding !== null && folding.seq <= target ? folding.builder : machine.createSnapshotBuilder?.();
      if (builder === undefined) {
        return false;
      }
      const upTo = await this.#bring(builder, folding, target);
      await this.#host.store(upTo, (sink) => builder.writeTo(sink));
      this.count += 1;
      return true;
    });
  }

  async #bring(builder: SnapshotBuilder, folding: Folding | null, target: number): Promise<number> {
    if (builder.kind === "inline") {
      return this.#applier.appliedSeq;
    }
    if (folding !== null && folding.builder === builder) {
      await this.#fold(folding, target);
    } else {
      await this.#fold(await this.#begin(builder), target);
    }
    return target;
  }

  async #startFolding(): Promise<Folding | null> {
    if (this.#folding === null) {
      const builder = this.#machine?.createSnapshotBuilder?.();
      if (builder === undefined || builder.kind === "inline") {
        return null;
      }
      const folding = await this.#begin(builder);
      if (this.#mode === "incremental") {
        // Taken over in the same step, so that no entry is applied between the last read and the first told.
        await this.#applier.exclusive.run(async () => {
          await this.#fold(folding, this.#applier.appliedSeq);
          this.#folding = folding;
        });
      }
      this.#folding = folding;
    }
    return this.#folding;
  }

  async #begin(builder: IncrementalSnapshotBuilder): Promise<Folding> {
    const snapshot = await this.#host.newestSnapshot();
    if (snapshot !== null) {
      await builder.restore(snapshot);
    }
    return { builder, seq: snapshot?.seq ?? 0 };
  }

  async #fold(folding: Folding, to: number): Promise<void> {
    if (folding.seq >= to) {
      return;
    }
    for await (const run of this.#host.entries(folding.seq + 1, to)) {
      for (const entry of run) {
        const folded = folding.builder.apply(entry);
        if (folded !== undefined) {
          await folded;
        }
        folding.seq = entry.seq;
      }
    }
  }
}
