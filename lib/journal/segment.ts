/** What is known in memory of one segment. */
import { joinPath } from "../disk/disk.ts";
import {
  CHECKSUM_CRC32C,
  FORMAT_VERSION,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentName,
} from "./format.ts";

export class Segment {
  readonly header: SegmentHeader;
  readonly path: string;
  /** File offset behind the last record. */
  endOffset: number = SEGMENT_HEADER_BYTES;
  records = 0;
  sealed = false;
  /** The length of the file on disk. */
  allocatedBytes: number;
  /** The highest entry of each stream that lies here. */
  readonly lastSeqs = new Map<number, { seq: number }>();
  /** Reads and backups that need the file; it is not removed while there are any. */
  pins = 0;
  /** The stream noted last, and its entry in `lastSeqs`: the next record is mostly of the same stream. */
  #recentStream = -1;
  #recent: { seq: number } = { seq: 0 };

  constructor(folder: string, header: SegmentHeader, allocatedBytes: number) {
    this.header = header;
    this.path = joinPath(folder, segmentName(header.number));
    this.allocatedBytes = allocatedBytes;
  }

  get number(): number {
    return this.header.number;
  }

  get endLsn(): number {
    return this.lsnAt(this.endOffset);
  }

  lsnAt(offset: number): number {
    return this.header.firstLsn + offset - SEGMENT_HEADER_BYTES;
  }

  offsetOf(lsn: number): number {
    return lsn - this.header.firstLsn + SEGMENT_HEADER_BYTES;
  }

  /** Notes that entry `seq` of a stream lies here; true when it is that stream's first here. */
  note(stream: number, seq: number): boolean {
    if (stream === this.#recentStream) {
      this.#recent.seq = Math.max(this.#recent.seq, seq);
      return false;
    }
    const known = this.lastSeqs.get(stream);
    const noted = known ?? { seq };
    noted.seq = Math.max(noted.seq, seq);
    this.lastSeqs.set(stream, noted);
    this.#recentStream = stream;
    this.#recent = noted;
    return known === undefined;
  }

  /** The highest entry of a stream that lies here, 0 for none. */
  lastSeqOf(stream: number): number {
    return this.lastSeqs.get(stream)?.seq ?? 0;
  }

  /** The stream's entries here are void: they lie elsewhere now. */
  forget(stream: number): void {
    this.lastSeqs.delete(stream);
    this.#recentStream = -1;
  }

  /** The stream's entries above `seq` are void. */
  truncate(stream: number, seq: number): void {
    const known = this.lastSeqs.get(stream);
    if (known !== undefined) {
      known.seq = Math.min(known.seq, seq);
    }
  }
}

/** The header of a segment that follows `previous`, or of the first one. */
export function nextHeader(
  previous: Segment | null,
  salt: number,
  fixed: Pick<
    SegmentHeader,
    "recordsPerSegment" | "segmentBytes" | "initialBytes" | "journalId" | "createdAtMs"
  >,
): SegmentHeader {
  return {
    version: FORMAT_VERSION,
    checksum: CHECKSUM_CRC32C,
    number: previous === null ? 0 : previous.number + 1,
    firstLsn: previous === null ? 0 : previous.endLsn,
    salt,
    previousSalt: previous === null ? 0 : previous.header.salt,
    ...fixed,
  };
}
