/**
 * What the two sides of a transfer of a stream's state say to each other.
 *
 * A snapshot is a run of numbered chunks: one that begins, records, clients, the entries committed while
 * they were cut, and one that ends. A chunk may be lost, repeated or late; all of it is told by number,
 * and its checksum covers transfer, number, kind and body.
 */

import type { Random } from "../base/random.ts";
import { crc32c } from "../journal/crc32c.ts";
import { encode } from "../wire/codec.ts";

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

/** The checksum of a chunk. Transfer, number and kind go in as its beginning. */
export function chunkCrc(transfer: number, index: number, kind: ChunkKind, body: Uint8Array): number {
  const head = encode([transfer, index, kind]);
  return crc32c(body, 0, body.length, crc32c(head));
}

/** A message as it came, when it has the fields of one of a source; its checksum is the receiver's task. */
export function asSourceMessage(message: unknown): SourceMessage | null {
  if (!isRecord(message)) {
    return null;
  }
  const { type, transfer, index, body, crc, reason } = message;
  const kind = CHUNK_KINDS.find((known) => known === message["kind"]);
  if (type === "snapshotCancel" && isCount(transfer) && typeof reason === "string") {
    return { type, transfer, reason };
  }
  const whole = isCount(transfer) && isCount(index) && isCount(crc);
  if (type === "snapshotChunk" && whole && kind !== undefined && body instanceof Uint8Array) {
    return { type, transfer, index, kind, body, crc };
  }
  return null;
}

/** The same for messages of a receiver. */
export function asReceiverMessage(message: unknown): ReceiverMessage | null {
  if (!isRecord(message) || !isCount(message["transfer"])) {
    return null;
  }
  const { type, transfer, next, seq, reason } = message;
  if (type === "snapshotAck" && isCount(next)) {
    return { type, transfer, next };
  }
  if (type === "snapshotDone" && isCount(seq)) {
    return { type, transfer, seq };
  }
  return type === "snapshotRefuse" && typeof reason === "string" ? { type, transfer, reason } : null;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** Transfers that a sender numbers in one life. */
const TRANSFERS_PER_LIFE = 2 ** 20;
const LIVES = 2 ** 32;

/**
 * Where the numbers of a sender's transfers begin: in a place of this life's own, because a sender that comes
 * back from its disk under the same id does not know how far it had counted.
 */
export function firstTransferOf(random: Random): number {
  return random.below(LIVES) * TRANSFERS_PER_LIFE;
}

/** Whether a transfer was begun after `other`, or in another life of the sender. */
export function isLater(transfer: number, other: number): boolean {
  const lifeOf = (number: number): number => Math.floor(number / TRANSFERS_PER_LIFE);
  return lifeOf(transfer) !== lifeOf(other) || transfer > other;
}
