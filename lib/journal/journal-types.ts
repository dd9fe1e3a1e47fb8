/** The shapes that a journal takes and gives. */
import type { Epoch } from "./epoch.ts";
import type { FolderStats } from "./folder.ts";

/** An entry to append: its payload, and a byte of the writer's own (0 unless given). */
export type NewEntry = Uint8Array | { readonly payload: Uint8Array; readonly kind?: number };

export interface AppendOptions {
  /** The epoch the entries are written in; the last entry's unless given. It never goes down. */
  readonly epoch?: number | Epoch;
}

export interface Appended {
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** The chain after the last entry, as sixteen hexadecimal digits. */
  readonly chain: string;
}

export interface Submitted extends Appended {
  /** Resolves when `append` would; rejects when the journal fails before. */
  acknowledged(): Promise<void>;
}

export interface CommitOptions {
  /** Force a snapshot and remove what it makes needless. */
  readonly compact?: boolean;
  /** False: do not wait for the commit mark to be durable. */
  readonly durable?: boolean;
}

export interface WaitOptions {
  readonly timeoutMs?: number;
}

export interface ReadOptions {
  /** Also entries that are not committed. */
  readonly uncommitted?: boolean;
}

export interface ReplayReport {
  /** The snapshot that was restored, 0 for none. */
  readonly snapshotSeq: number;
  /** Entries applied after it. */
  readonly entries: number;
}

export interface JournalStats extends FolderStats {
  readonly snapshotsWritten: number;
  readonly cachedEntries: number;
}

/** A snapshot from elsewhere: the chain as sixteen hexadecimal digits. */
export interface ForeignSnapshot {
  readonly seq: number;
  readonly epoch: number | Epoch;
  readonly chain: string;
  readonly content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}
