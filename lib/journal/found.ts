/** What the examination of a folder hands to whoever opens, shows or judges it. */
import type { Segment } from "./segment.ts";
import type { SlotContent } from "./slots.ts";
import type { JournalState, SnapshotInfo, StreamState } from "./state.ts";
import type { StreamLog } from "./stream-log.ts";
import type { TailVerdict } from "./tail.ts";

export interface FoundStream {
  readonly state: StreamState;
  readonly slots: SlotContent;
  readonly log: StreamLog;
  /** The newest snapshot that is sound. */
  readonly snapshot: SnapshotInfo | null;
  /** The log ends before the snapshot: its history is to begin anew there. */
  readonly needsReset: boolean;
}

/** The end of the log as it was found. */
export interface FoundTail {
  readonly verdict: TailVerdict;
  readonly why: string;
  readonly file: string;
  readonly offset: number;
  /** File offset behind the last byte that is not zero. */
  readonly usedEnd: number;
}

export interface Found {
  readonly state: JournalState;
  readonly slots: SlotContent;
  /** Oldest first; empty when the journal was created and never written to. */
  readonly segments: Segment[];
  readonly streams: FoundStream[];
  readonly tail: FoundTail | null;
  /** Files that belong to nothing: drafts, removed segments, snapshots that no state names. */
  readonly leftovers: string[];
}
