/**
 * What is known in memory of one stream's log: numbers, epochs, chain, positions.
 *
 * The same methods follow live writing and recovery, so that what a restart finds is what was there
 * before. Nothing here reads or writes; a record that does not fit its history is answered with a text.
 */
import { invariant } from "../base/invariant.ts";
import { CHAIN_START, extendChain, formatWord64, type Word64 } from "./chain.ts";
import { createIndex, type EntryIndex } from "./entry-index.ts";
import { compareEpochs, EPOCH_ZERO, type Epoch, ownerText } from "./epoch.ts";
import { RECORD, type RecordHeader } from "./format.ts";

interface EpochRun {
  readonly fromSeq: number;
  readonly epoch: Epoch;
}

/** Copies that have begun and take effect with `copyEnd`. */
interface CopyRun {
  readonly index: EntryIndex;
  readonly chain: Word64;
  readonly epochs: EpochRun[];
}

export class StreamLog {
  readonly id: number;
  /** The last entry, void ones not counted; that of the snapshot when there is none after it. */
  lastSeq = 0;
  /** All up to here are committed. */
  commitSeq = 0;
  /** The chain after `lastSeq`. */
  readonly chain: Word64 = { ...CHAIN_START };
  index: EntryIndex;
  #epochs: EpochRun[] = [];
  #copy: CopyRun | null = null;
  /** Whether a record has told where the history begins that the segments still hold. */
  #anchored = false;
  readonly #cacheMetadata: boolean;
  /** The chains found at numbers that someone will ask for. */
  readonly #watched = new Map<number, Word64 | null>();

  /** `watch`: the numbers at which `chainSeen` is to know the chain after recovery. */
  constructor(id: number, cacheMetadata: boolean, watch: readonly number[] = []) {
    this.id = id;
    this.#cacheMetadata = cacheMetadata;
    for (const seq of watch) {
      this.#watched.set(seq, null);
    }
    this.index = createIndex(cacheMetadata, 1);
  }

  /** The chain that recovery met at a watched number, or null when no entry left has that number. */
  chainSeen(seq: number): Readonly<Word64> | null {
    return this.#watched.get(seq) ?? null;
  }

  /** The chain after the last entry, as sixteen hexadecimal digits. */
  get lastChain(): string {
    return formatWord64(this.chain);
  }

  get anchored(): boolean {
    return this.#anchored;
  }

  /** The epoch of the last entry. */
  get lastEpoch(): Epoch {
    return this.#epochs.at(-1)?.epoch ?? EPOCH_ZERO;
  }

  /** The epoch of entry `seq`, as far back as the segments or the snapshot reach. */
  epochAt(seq: number): Epoch {
    for (let at = this.#epochs.length - 1; at >= 0; at--) {
      const run = this.#epochs[at];
      if (run !== undefined && run.fromSeq <= seq) {
        return run.epoch;
      }
    }
    return EPOCH_ZERO;
  }

  /** Begins the history after `seq`; what was there is void. */
  restart(seq: number, epoch: Epoch, chain: Readonly<Word64>): void {
    this.#anchored = true;
    this.index.restart(seq + 1);
    this.lastSeq = seq;
    this.commitSeq = Math.max(this.commitSeq, seq);
    this.chain.high = chain.high;
    this.chain.low = chain.low;
    this.#epochs = seq === 0 ? [] : [{ fromSeq: seq, epoch }];
  }

  /** Takes in the next entry, whose chain has been computed into `chain` already. */
  push(lsn: number, epoch: Epoch, newSegment: boolean): void {
    this.#anchored = true;
    this.lastSeq += 1;
    this.index.push(lsn, this.chain, newSegment);
    pushEpoch(this.#epochs, this.lastSeq, epoch);
  }

  /** Voids the entries above `seq`; `chain` is that of `seq`. */
  truncateAfter(seq: number, chain: Readonly<Word64>): void {
    invariant(
      seq >= this.commitSeq,
      `stream ${this.id}: truncation to ${seq} below commit ${this.commitSeq}`,
    );
    this.lastSeq = seq;
    this.chain.high = chain.high;
    this.chain.low = chain.low;
    if (seq + 1 < this.index.firstSeq) {
      this.index.restart(seq + 1);
    } else {
      this.index.truncateAfter(seq);
    }
    while ((this.#epochs.at(-1)?.fromSeq ?? 0) > seq) {
      this.#epochs.pop();
    }
  }

  /** The segments below the entry `seq` are gone. */
  dropBefore(seq: number): void {
    this.index.dropBefore(seq);
    while (this.#epochs.length > 1 && (this.#epochs[1]?.fromSeq ?? 0) < seq) {
      this.#epochs.shift();
    }
  }

  /** The copies at `lsns` now hold the entries from `firstSeq` to the last. */
  relocate(index: EntryIndex): void {
    invariant(
      index.lastSeq === this.lastSeq,
      `stream ${this.id}: copies end at ${index.lastSeq}, not ${this.lastSeq}`,
    );
    this.index = index;
  }

  /**
   * Follows a record read from a segment: `newSegment` as for `EntryIndex.push`. Answers what is wrong
   * with it, or null.
   */
  replay(
    header: Readonly<RecordHeader>,
    view: DataView,
    payloadAt: number,
    newSegment: boolean,
  ): string | null {
    const { seq } = header;
    switch (header.type) {
      case RECORD.entry:
        return this.#replayEntry(header, view, payloadAt, newSegment);
      case RECORD.commit:
        return this.#replayCommit(seq);
      case RECORD.truncate:
        return this.#replayTruncate(header);
      case RECORD.reset:
        this.restart(seq, epochOf(header), header.chain);
        this.#copy = null;
        return null;
      case RECORD.copyBegin:
        this.#copy = {
          index: createIndex(this.#cacheMetadata, seq + 1),
          chain: { ...header.chain },
          epochs: seq === 0 ? [] : [{ fromSeq: seq, epoch: epochOf(header) }],
        };
        return null;
      case RECORD.copy:
        return this.#replayCopy(header, view, payloadAt, newSegment);
      case RECORD.copyEnd:
        return this.#replayCopyEnd(header);
      default:
        return `unknown record type ${header.type}`;
    }
  }

  #replayEntry(
    header: Readonly<RecordHeader>,
    view: DataView,
    payloadAt: number,
    newSegment: boolean,
  ): string | null {
    const { seq, chain } = header;
    const begins = !this.#anchored && seq > 1;
    if (!this.#anchored) {
      this.#anchored = true;
      this.index.restart(seq);
    } else if (seq !== this.lastSeq + 1) {
      return `stream ${this.id}: entry ${seq} follows entry ${this.lastSeq}`;
    }
    if (begins) {
      // The entries before are gone with their segments: the chain of the first one left is believed.
      this.chain.high = chain.high;
      this.chain.low = chain.low;
    } else {
      extendChain(this.chain, header, view, payloadAt, payloadAt + header.length);
      if (this.chain.high !== chain.high || this.chain.low !== chain.low) {
        return `stream ${this.id}: entry ${seq} does not continue the chain of entry ${seq - 1}`;
      }
    }
    if (this.#watched.size > 0) {
      this.#watch(seq);
    }
    const last = this.#epochs[this.#epochs.length - 1]?.epoch;
    if (last === undefined || last.counter !== header.epochCounter || !sameOwner(last, header)) {
      const epoch = epochOf(header);
      if (last !== undefined && compareEpochs(epoch, last) < 0) {
        return `stream ${this.id}: entry ${seq} has a lower epoch than entry ${seq - 1}`;
      }
      this.#epochs.push({ fromSeq: seq, epoch });
    }
    this.lastSeq = seq;
    this.index.push(header.lsn, this.chain, newSegment);
    return null;
  }

  /** Keeps the chain at the snapshots' numbers, whatever the index keeps. */
  #watch(seq: number): void {
    if (this.#watched.has(seq)) {
      this.#watched.set(seq, { ...this.chain });
    }
  }

  #replayCommit(seq: number): string | null {
    if (this.#anchored && seq > this.lastSeq) {
      return `stream ${this.id}: commit of entry ${seq} follows entry ${this.lastSeq}`;
    }
    this.commitSeq = Math.max(this.commitSeq, seq);
    return null;
  }

  #replayTruncate(header: Readonly<RecordHeader>): string | null {
    const { seq, chain } = header;
    if (!this.#anchored) {
      this.restart(seq, epochOf(header), chain);
      this.commitSeq = 0;
      return null;
    }
    if (seq > this.lastSeq || seq < this.commitSeq) {
      return `stream ${this.id}: truncation to ${seq} with entries to ${this.lastSeq}, committed to ${this.commitSeq}`;
    }
    this.truncateAfter(seq, chain);
    if (this.#epochs.length === 0 && seq > 0) {
      this.#epochs.push({ fromSeq: seq, epoch: epochOf(header) });
    }
    return null;
  }

  #replayCopy(
    header: Readonly<RecordHeader>,
    view: DataView,
    payloadAt: number,
    newSegment: boolean,
  ): string | null {
    const begins = this.#copy === null && !this.#anchored;
    if (begins) {
      // The run began in a segment that is gone; what is left of it lies behind the snapshot.
      this.#copy = {
        index: createIndex(this.#cacheMetadata, header.seq),
        chain: { ...header.chain },
        epochs: [],
      };
    }
    const copy = this.#copy;
    if (copy === null || header.seq !== copy.index.lastSeq + 1) {
      return `stream ${this.id}: copy of entry ${header.seq} out of place`;
    }
    if (!begins) {
      extendChain(copy.chain, header, view, payloadAt, payloadAt + header.length);
    }
    if (copy.chain.high !== header.chain.high || copy.chain.low !== header.chain.low) {
      return `stream ${this.id}: copy of entry ${header.seq} does not continue its chain`;
    }
    copy.index.push(header.lsn, copy.chain, newSegment);
    pushEpoch(copy.epochs, header.seq, epochOf(header));
    return null;
  }

  #replayCopyEnd(header: Readonly<RecordHeader>): string | null {
    const { seq } = header;
    const copy = this.#copy;
    this.#copy = null;
    if (copy === null && !this.#anchored) {
      this.restart(seq, epochOf(header), header.chain);
      this.commitSeq = 0;
      return null;
    }
    if (copy === null || copy.index.lastSeq !== seq) {
      return `stream ${this.id}: the copies end at ${copy?.index.lastSeq ?? "nothing"} instead of ${seq}`;
    }
    const same = copy.chain.high === this.chain.high && copy.chain.low === this.chain.low;
    if (this.#anchored && (seq !== this.lastSeq || !same)) {
      return `stream ${this.id}: the copies up to ${seq} differ from the entries up to ${this.lastSeq}`;
    }
    this.#anchored = true;
    this.index = copy.index;
    this.#epochs = copy.epochs;
    this.lastSeq = seq;
    this.chain.high = copy.chain.high;
    this.chain.low = copy.chain.low;
    return null;
  }
}

function pushEpoch(runs: EpochRun[], fromSeq: number, epoch: Epoch): void {
  const last = runs.at(-1)?.epoch;
  if (last === undefined || compareEpochs(last, epoch) !== 0) {
    runs.push({ fromSeq, epoch });
  }
}

function sameOwner(epoch: Epoch, header: Readonly<RecordHeader>): boolean {
  return epoch.owner === ownerText(header.epochOwner.high, header.epochOwner.low);
}

export function epochOf(header: Readonly<RecordHeader>): Epoch {
  return { counter: header.epochCounter, owner: ownerText(header.epochOwner.high, header.epochOwner.low) };
}
