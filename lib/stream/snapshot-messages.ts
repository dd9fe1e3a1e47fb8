/**
 * What the two sides of a transfer of a stream's state say to each other.
 *
 * A snapshot is a run of numbered chunks: one that begins, records, clients, the entries committed while
 * they were cut, and one that ends. A chunk may be lost, repeated or late; all of it is told by number,
 * and its checksum covers transfer, number, kind and body.
 */

export const CHUNK_KINDS = ["begin", "records", "clients", "entries", "end"] as const;
export type ChunkKind = (typeof CHUNK_KINDS)[number];

/** From the source. */
export interface SnapshotChunk {
  readonly type: "snapshotChunk";
  /** Counts the transfers that this source has begun, to whomever. */
  readonly transfer: number;
  /** From 0 up without a hole. */
  readonly index: number;
  readonly kind: ChunkKind;
  readonly body: Uint8Array;
  /** CRC32C. */
  readonly crc: number;
}

/** From the receiver: it has every chunk below `next`. */
export interface SnapshotAck {
  readonly type: "snapshotAck";
  readonly transfer: number;
  readonly next: number;
}

/** From the receiver: the snapshot is complete and verified, `seq` is what it stands for. */
export interface SnapshotDone {
  readonly type: "snapshotDone";
  readonly transfer: number;
  readonly seq: number;
}

/** The source has given up. */
export interface SnapshotCancel {
  readonly type: "snapshotCancel";
  readonly transfer: number;
  readonly reason: string;
}

/** The receiver does not take the transfer, or no longer. */
export interface SnapshotRefuse {
  readonly type: "snapshotRefuse";
  readonly transfer: number;
  readonly reason: string;
}

/** For the receiver. */
export type SourceMessage = SnapshotChunk | SnapshotCancel;
/** For the source. */
export type ReceiverMessage = SnapshotAck | SnapshotDone | SnapshotRefuse;
export type SnapshotMessage = SourceMessage | ReceiverMessage;
