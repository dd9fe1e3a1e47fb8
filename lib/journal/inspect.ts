/**
 * What `supercast journal inspect|verify` show: a folder read from end to end, nothing in it changed, no
 * lock taken. A journal that is open elsewhere is seen as it is on disk at that moment.
 */
import type { Disk } from "../disk/disk.ts";
import { nodeDisk } from "../disk/node-disk.ts";
import type { Epoch } from "./epoch.ts";
import { JournalDamagedError, JournalError } from "./errors.ts";
import type { Found } from "./found.ts";
import { examineFolder } from "./recovery.ts";
import type { SnapshotInfo } from "./state.ts";

export interface SegmentSummary {
  readonly file: string;
  readonly number: number;
  readonly firstLsn: number;
  readonly endLsn: number;
  readonly records: number;
  readonly bytes: number;
  readonly closed: boolean;
}

export interface StreamSummary {
  readonly name: string;
  readonly id: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly commitSeq: number;
  readonly lastEpoch: Epoch;
  readonly chain: string;
  readonly snapshots: readonly SnapshotInfo[];
  readonly hardState: unknown;
  readonly tailCertain: boolean;
}

export interface FolderSummary {
  readonly dir: string;
  readonly journalId: string;
  readonly format: number;
  readonly recordsPerSegment: number;
  readonly closedInOrder: boolean;
  readonly syncedLsn: number;
  readonly tail: { readonly verdict: string; readonly why: string; readonly offset: number } | null;
  readonly segments: readonly SegmentSummary[];
  readonly streams: readonly StreamSummary[];
  readonly leftovers: readonly string[];
}

/** `sound`: would open with everything there; `uncertain`: would open, the tail in doubt; `damaged`: would not. */
export interface Verification {
  readonly dir: string;
  readonly verdict: "sound" | "uncertain" | "damaged";
  /** Where the damage is, for `damaged`. */
  readonly damage: { readonly file: string; readonly offset: number; readonly what: string } | null;
  readonly why: string;
  readonly segments: number;
  readonly records: number;
}

/** Everything about a journal's folder. Throws `journal_damaged`, `journal_format`; `journal_missing`. */
export async function inspectJournal(dir: string, disk: Disk = nodeDisk): Promise<FolderSummary> {
  const found = await examineFolder(disk, dir, true);
  if (found === null) {
    throw new JournalError("journal_missing", `${dir}: there is no journal`);
  }
  const { state, tail } = found;
  return {
    dir,
    journalId: state.journalId,
    format: state.format,
    recordsPerSegment: state.recordsPerSegment,
    closedInOrder: state.closed,
    syncedLsn: state.syncedLsn,
    tail: tail === null ? null : { verdict: tail.verdict, why: tail.why, offset: tail.offset },
    segments: found.segments.map((segment) => ({
      file: segment.path,
      number: segment.number,
      firstLsn: segment.header.firstLsn,
      endLsn: segment.endLsn,
      records: segment.records,
      bytes: segment.allocatedBytes,
      closed: segment.sealed,
    })),
    streams: summarizeStreams(found),
    leftovers: found.leftovers,
  };
}

/** Whether a journal's folder is sound; damage is an answer here, not an error. */
export async function verifyJournal(dir: string, disk: Disk = nodeDisk): Promise<Verification> {
  try {
    const summary = await inspectJournal(dir, disk);
    const uncertain =
      summary.tail?.verdict === "uncertain" || summary.streams.some((stream) => !stream.tailCertain);
    return {
      dir,
      verdict: uncertain ? "uncertain" : "sound",
      damage: null,
      why: summary.tail?.why ?? "the last segment is closed",
      segments: summary.segments.length,
      records: summary.segments.reduce((sum, { records }) => sum + records, 0),
    };
  } catch (thrown) {
    if (!(thrown instanceof JournalDamagedError)) {
      throw thrown;
    }
    const { file, offset, what } = thrown;
    return { dir, verdict: "damaged", damage: { file, offset, what }, why: what, segments: 0, records: 0 };
  }
}

function summarizeStreams(found: Found): StreamSummary[] {
  return found.streams.map(({ state, log }) => ({
    name: state.name,
    id: state.id,
    firstSeq: log.index.firstSeq,
    lastSeq: log.lastSeq,
    commitSeq: log.commitSeq,
    lastEpoch: log.lastEpoch,
    chain: log.lastChain,
    snapshots: state.snapshots,
    hardState: state.hardState,
    tailCertain: state.tailCertain,
  }));
}
