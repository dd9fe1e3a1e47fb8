/**
 * What a user of the journal brings: a state machine, and what squashes entries into a snapshot.
 * (.NEXT: `ApplyAsync`, `CreateSnapshotBuilder`, `SnapshotBuilder`.)
 */

import type { LogEntry } from "./entry.ts";
import type { Epoch } from "./epoch.ts";

/** Where a snapshot goes; pieces of any size, in order. `bytes` may be changed once it resolves. */
export interface SnapshotSink {
  write(bytes: Uint8Array): Promise<void>;
}

/** A stored snapshot that has been verified from end to end. */
export interface SnapshotSource {
  /** The last entry it stands for. */
  readonly seq: number;
  readonly epoch: Epoch;
  /** The length of its content. */
  readonly bytes: number;
  chunks(): AsyncIterable<Uint8Array>;
  /** The whole content at once. */
  readAll(): Promise<Uint8Array>;
}

/**
 * Folds entries into a state of its own: created once, given the newest snapshot and every entry after
 * it, and asked to write whenever a snapshot is due.
 */
export interface IncrementalSnapshotBuilder {
  readonly kind: "incremental";
  restore(snapshot: SnapshotSource): void | Promise<void>;
  apply(entry: LogEntry): void | Promise<void>;
  writeTo(sink: SnapshotSink): void | Promise<void>;
}

/** Writes the live state of the machine; no entry is applied while it writes. */
export interface InlineSnapshotBuilder {
  readonly kind: "inline";
  writeTo(sink: SnapshotSink): void | Promise<void>;
}

export type SnapshotBuilder = IncrementalSnapshotBuilder | InlineSnapshotBuilder;

export interface StateMachine {
  /** Takes a committed entry, in order, one at a time. */
  apply(entry: LogEntry): void | Promise<void>;
  /** Takes the state of a snapshot in place of its own. Needed as soon as there are snapshots. */
  restore?(snapshot: SnapshotSource): void | Promise<void>;
  /** Without it the log is never compacted. */
  createSnapshotBuilder?(): SnapshotBuilder;
}
