/**
 * What is in a journal's folder, and whether it is sound: reads everything, changes nothing.
 *
 * Opening a journal and `supercast journal inspect|verify` both begin here. The rules stand in
 * `docs/journal-format.md`, the one about the end of the log in `tail.ts`.
 */
import { type Disk, DiskError, type DiskFile, joinPath } from "../disk/disk.ts";
import { parseWord64 } from "./chain.ts";
import { EPOCH_ZERO } from "./epoch.ts";
import { JournalDamagedError } from "./errors.ts";
import {
  decodeSegmentHeader,
  RECORD,
  type RecordHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentName,
  segmentNumber,
} from "./format.ts";
import type { Found, FoundStream, FoundTail } from "./found.ts";
import { Segment } from "./segment.ts";
import { examineTail, type ScanEnd, SegmentScanner } from "./segment-scan.ts";
import { newerFormat, readSlots, type SlotContent } from "./slots.ts";
import { verifySnapshot } from "./snapshot-file.ts";
import {
  isSnapshotName,
  JOURNAL_STATE_NAME,
  type JournalState,
  LOCK_NAME,
  type SnapshotInfo,
  type StreamState,
  snapshotName,
  streamIdIn,
  toJournalState,
  toStreamState,
} from "./state.ts";
import { StreamLog } from "./stream-log.ts";
import { judgeTail } from "./tail.ts";

/** Reads the whole folder. Null when there is no journal in it. Throws `journal_damaged`, `journal_format`. */
export async function examineFolder(
  disk: Disk,
  folder: string,
  cacheMetadata: boolean,
): Promise<Found | null> {
  const names = await listOrEmpty(disk, folder);
  if (!names.includes(JOURNAL_STATE_NAME)) {
    const orphan = names.find(
      (name) => segmentNumber(name) !== null || streamIdIn(name) !== null || isSnapshotName(name),
    );
    if (orphan !== undefined) {
      throw damaged(
        joinPath(folder, JOURNAL_STATE_NAME),
        0,
        `the state file is missing, but ${orphan} is there`,
      );
    }
    return null;
  }
  return new Examination(disk, folder, names, cacheMetadata).run();
}

class Examination {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #names: readonly string[];
  readonly #cacheMetadata: boolean;
  readonly #segments: Segment[] = [];
  readonly #logs = new Map<number, StreamLog>();
  /** Where the copies of a stream began that have not ended. */
  readonly #copyBegins = new Map<number, Segment>();
  #tail: FoundTail | null = null;
  /** The stream of the last record: the next one is mostly of the same. */
  #recent: StreamLog | undefined;

  constructor(disk: Disk, folder: string, names: readonly string[], cacheMetadata: boolean) {
    this.#disk = disk;
    this.#folder = folder;
    this.#names = names;
    this.#cacheMetadata = cacheMetadata;
  }

  async run(): Promise<Found> {
    const path = joinPath(this.#folder, JOURNAL_STATE_NAME);
    const slots = await readSlots(this.#disk, path);
    const state = checked(toJournalState(slots.value), path);
    const states = await this.#readStreamStates();
    for (const { state: stream } of states) {
      const watched = stream.snapshots.map(({ seq }) => seq);
      this.#logs.set(stream.id, new StreamLog(stream.id, this.#cacheMetadata, watched));
    }
    await this.#readSegments(state);
    const streams: FoundStream[] = [];
    for (const each of states) {
      streams.push(await this.#reconcile(each.state, each.slots));
    }
    return {
      state,
      slots,
      segments: this.#segments,
      streams,
      tail: this.#tail,
      leftovers: this.#leftovers(state, streams),
    };
  }

  async #readStreamStates(): Promise<{ state: StreamState; slots: SlotContent }[]> {
    const states: { state: StreamState; slots: SlotContent }[] = [];
    for (const name of this.#names) {
      const id = streamIdIn(name);
      if (id !== null) {
        const path = joinPath(this.#folder, name);
        const slots = await readSlots(this.#disk, path);
        const state = checked(toStreamState(slots.value), path);
        if (state.id !== id) {
          throw damaged(path, 0, `is the state of stream ${state.id}`);
        }
        states.push({ state, slots });
      }
    }
    return states;
  }

  async #readSegments(state: JournalState): Promise<void> {
    const present = this.#names
      .map(segmentNumber)
      .filter((number) => number !== null && number >= state.firstSegment);
    const last = Math.max(state.lastSegment, ...present.map(Number));
    if (last > state.lastSegment + 1) {
      throw damaged(this.#path(last), 0, `the state file knows segments up to ${state.lastSegment} only`);
    }
    for (let number = state.firstSegment; number <= last; number++) {
      if (!present.includes(number)) {
        throw damaged(this.#path(number), 0, "the segment is missing");
      }
      await this.#readSegment(state, number, number === last);
    }
    const end = this.#segments.at(-1)?.endLsn ?? 0;
    if (end < state.syncedLsn) {
      const file = this.#path(Math.max(last, 0));
      throw damaged(
        file,
        this.#segments.at(-1)?.endOffset ?? 0,
        `the log was synced to LSN ${state.syncedLsn} and ends at ${end}`,
      );
    }
  }

  async #readSegment(state: JournalState, number: number, isLast: boolean): Promise<void> {
    const path = this.#path(number);
    const file = await this.#disk.open(path, "read");
    try {
      const size = await file.size();
      const header = await readSegmentHeader(file, path);
      const expected =
        number === state.lastSegment
          ? Math.max(state.allocatedBytes, header.initialBytes)
          : header.initialBytes;
      this.#checkHeader(state, header, number, path);
      if (size < expected) {
        throw damaged(path, size, `the file ends here; it was ${expected} bytes long`);
      }
      const segment = new Segment(this.#folder, header, size);
      this.#segments.push(segment);
      const end = await new SegmentScanner(file, size, header, (record, view, at) =>
        this.#visit(segment, record, view, at),
      ).scan();
      segment.endOffset = end.endOffset;
      segment.records = end.records;
      segment.sealed = end.sealed;
      await this.#judgeEnd(state, segment, file, end, isLast);
    } finally {
      await file.close();
    }
  }

  #checkHeader(state: JournalState, header: SegmentHeader, number: number, path: string): void {
    const previous = this.#segments.at(-1);
    const problem =
      header.number !== number
        ? `the header says segment ${header.number}`
        : header.journalId !== state.journalId
          ? "the segment belongs to another journal"
          : header.recordsPerSegment !== state.recordsPerSegment
            ? `the header says recordsPerSegment ${header.recordsPerSegment}, the state ${state.recordsPerSegment}`
            : previous !== undefined && header.firstLsn !== previous.endLsn
              ? `begins at LSN ${header.firstLsn}, the segment before ends at ${previous.endLsn}`
              : previous !== undefined && header.previousSalt !== previous.header.salt
                ? "does not follow the segment before it"
                : null;
    if (problem !== null) {
      throw damaged(path, 0, problem);
    }
  }

  #visit(segment: Segment, record: Readonly<RecordHeader>, view: DataView, payloadAt: number): string | null {
    const log = this.#recent?.id === record.stream ? this.#recent : this.#logs.get(record.stream);
    this.#recent = log;
    if (log === undefined) {
      return `a record of stream ${record.stream}, which has no state file`;
    }
    const lies = record.type === RECORD.entry || record.type === RECORD.copy;
    const newSegment = lies && segment.note(record.stream, record.seq);
    const problem = log.replay(record, view, payloadAt, newSegment);
    if (problem === null && !lies) {
      this.#followMark(segment, record);
    }
    return problem;
  }

  /** Entries that a mark makes void no longer pin the segments they lie in. */
  #followMark(segment: Segment, record: Readonly<RecordHeader>): void {
    const { stream, seq } = record;
    switch (record.type) {
      case RECORD.truncate:
        for (const each of this.#segments) {
          each.truncate(stream, seq);
        }
        break;
      case RECORD.copyBegin:
        this.#copyBegins.set(stream, segment);
        break;
      case RECORD.copyEnd: {
        const begin = this.#copyBegins.get(stream)?.number ?? 0;
        for (const each of this.#segments) {
          if (each.number < begin) {
            each.forget(stream);
          }
        }
        break;
      }
      default:
        break;
    }
  }

  async #judgeEnd(
    state: JournalState,
    segment: Segment,
    file: DiskFile,
    end: ScanEnd,
    isLast: boolean,
  ): Promise<void> {
    if (end.refused !== null) {
      throw damaged(segment.path, end.endOffset, end.refused);
    }
    if (end.sealed) {
      return;
    }
    if (!isLast) {
      throw damaged(segment.path, end.endOffset, "no valid record, and the segment goes on in the next one");
    }
    const look = await examineTail(file, segment.header, end.endOffset, state.syncedLsn);
    const { verdict, why } = judgeTail(look.facts);
    if (verdict === "damaged") {
      throw damaged(segment.path, look.offset, `no valid record, and ${why}`);
    }
    this.#tail = { verdict, why, file: segment.path, offset: end.endOffset, usedEnd: look.usedEnd };
  }

  async #reconcile(state: StreamState, slots: SlotContent): Promise<FoundStream> {
    const log = this.#logs.get(state.id) ?? new StreamLog(state.id, this.#cacheMetadata);
    const snapshot = await this.#newestSnapshot(state, log);
    const seq = snapshot?.seq ?? 0;
    const chain = snapshot === null ? null : parseWord64(snapshot.chain);
    const needsReset = log.anchored && log.lastSeq < seq;
    if (chain !== null && (needsReset || !log.anchored)) {
      log.restart(seq, snapshot?.epoch ?? EPOCH_ZERO, chain);
    }
    const path = joinPath(this.#folder, snapshot === null ? segmentName(0) : snapshotName(state.id, seq));
    if (log.anchored && log.index.firstSeq > seq + 1) {
      const missing = `stream ${state.id} (${state.name}): entries ${seq + 1} to ${log.index.firstSeq - 1} are missing`;
      throw damaged(path, 0, `${missing}, the log begins after the snapshot ends`);
    }
    const seen = log.chainSeen(seq);
    if (
      !needsReset &&
      seen !== null &&
      chain !== null &&
      (seen.high !== chain.high || seen.low !== chain.low)
    ) {
      throw damaged(
        path,
        0,
        `stream ${state.id} (${state.name}): the snapshot is not of the history in the log`,
      );
    }
    log.commitSeq = Math.max(log.commitSeq, seq);
    if (log.lastSeq < state.commitSeq) {
      const where = this.#segments.at(-1);
      const what = `stream ${state.id} (${state.name}): committed to ${state.commitSeq}, the log ends at ${log.lastSeq}`;
      throw damaged(where?.path ?? path, where?.endOffset ?? 0, what);
    }
    log.commitSeq = Math.max(log.commitSeq, state.commitSeq);
    return { state, slots, log, snapshot, needsReset };
  }

  /** An older snapshot will do where the log reaches back to it. */
  async #newestSnapshot(state: StreamState, log: StreamLog): Promise<SnapshotInfo | null> {
    let failure: unknown = null;
    for (const info of state.snapshots.toReversed()) {
      const reaches =
        failure === null || (log.anchored && log.index.firstSeq <= info.seq + 1 && log.lastSeq >= info.seq);
      if (!reaches) {
        break;
      }
      try {
        await this.#checkSnapshot(state.id, info);
        return info;
      } catch (thrown) {
        failure ??= thrown;
      }
    }
    if (failure !== null && !(log.anchored && log.index.firstSeq === 1)) {
      throw failure;
    }
    return null;
  }

  async #checkSnapshot(stream: number, info: SnapshotInfo): Promise<void> {
    const path = joinPath(this.#folder, snapshotName(stream, info.seq));
    if (!this.#names.includes(snapshotName(stream, info.seq))) {
      throw damaged(path, 0, "the snapshot is missing");
    }
    const found = await verifySnapshot(this.#disk, path);
    if (found.stream !== stream || found.seq !== info.seq || found.bytes !== info.bytes) {
      throw damaged(path, 0, "is not the snapshot that the stream's state names");
    }
  }

  #leftovers(state: JournalState, streams: readonly FoundStream[]): string[] {
    const named = new Set<string>([JOURNAL_STATE_NAME, LOCK_NAME]);
    for (const { state: stream } of streams) {
      for (const { seq } of stream.snapshots) {
        named.add(snapshotName(stream.id, seq));
      }
    }
    return this.#names.filter((name) => {
      const number = segmentNumber(name);
      const removed = number !== null && number < state.firstSegment;
      const unnamed = isSnapshotName(name) && !named.has(name);
      return removed || unnamed || name.endsWith(".tmp") || name.endsWith(".draft");
    });
  }

  #path(number: number): string {
    return joinPath(this.#folder, segmentName(number));
  }
}

async function readSegmentHeader(file: DiskFile, path: string): Promise<SegmentHeader> {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  const got = await file.read(bytes, 0);
  const header = decodeSegmentHeader(bytes.subarray(0, got));
  if ("problem" in header) {
    throw damaged(path, 0, header.problem);
  }
  if ("newerVersion" in header) {
    throw newerFormat(path, header.newerVersion);
  }
  return header;
}

function checked<T extends object>(state: T | { readonly problems: readonly string[] }, path: string): T {
  if ("problems" in state) {
    throw damaged(path, 0, state.problems.join("; "));
  }
  return state;
}

function damaged(file: string, offset: number, what: string): JournalDamagedError {
  return new JournalDamagedError({ file, offset, what });
}

async function listOrEmpty(disk: Disk, folder: string): Promise<string[]> {
  try {
    return await disk.list(folder);
  } catch (thrown) {
    if (thrown instanceof DiskError && thrown.code === "not_found") {
      return [];
    }
    throw thrown;
  }
}
