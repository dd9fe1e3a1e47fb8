/**
 * The envelope between two nodes: batches of items.
 *
 *     batch = version u8, number u32, count u64, sender length u8, sender ascii "node/incarnation", item*
 *
 * All numbers are big-endian; an item is the msgpack of an array `[op, ...]` in a frame of
 * `lib/wire/batch.ts`, so that one that cannot be read loses only itself. The connection's number and
 * the count are explained in `connection.ts`.
 */
import { SupercastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { NUMBER_MAX } from "./connection.ts";

export const WIRE_VERSION = 1;

/** The operations between nodes. An item is `[op, ...fields]`, fields as listed. */
export const OP = {
  /** target, message */
  cast: 0,
  /** target, body */
  send: 1,
  /** id, target, message, caller's serial or null */
  call: 2,
  /** id, value */
  reply: 3,
  /** id, error data */
  error: 4,
  /** from serial, to serial */
  link: 5,
  /** from serial, to serial, id of this unlink */
  unlink: 6,
  /** from serial, to serial, reason: the process ended */
  linkExit: 7,
  /** from serial, to serial, reason: an exit signal sent on purpose */
  exit: 8,
  /** ref, target */
  monitor: 9,
  /** ref */
  demonitor: 10,
  /** ref, reason */
  down: 11,
  /** group membership: snapshot or change, see `group-sync.ts` */
  groups: 12,
  /** id, target, reason: end it in good order; answered as a call, when it has ended */
  stop: 13,
  /** from serial, to serial, id: the answer to an unlink */
  unlinkAck: 14,
} as const;

/** How an item names a process at the receiver: a serial, or a registered name. */
export type WireTarget = number | string;

export type Item = readonly [op: number, ...fields: unknown[]];

/** Where the parts of the header stand. */
const NUMBER_AT = 1;
const COUNT_AT = 5;
const SENDER_LENGTH_AT = 13;
const SENDER_AT = 14;

const TWO_32 = 2 ** 32;

/** The bytes a header takes for this sender. */
export function headerBytes(sender: Buffer): number {
  invariant(sender.length < 256, "a sender fits its length byte");
  return SENDER_AT + sender.length;
}

/** Writes the header to the beginning of a batch. */
export function writeHeader(batch: Buffer, sender: Buffer, number: number, count: number): void {
  batch[0] = WIRE_VERSION;
  batch.writeUInt32BE(number, NUMBER_AT);
  // 32 bits of batches are through in some days.
  batch.writeUInt32BE(Math.floor(count / TWO_32), COUNT_AT);
  batch.writeUInt32BE(count % TWO_32, COUNT_AT + 4);
  batch[SENDER_LENGTH_AT] = sender.length;
  sender.copy(batch, SENDER_AT);
}

export interface BatchHeader {
  readonly number: number;
  readonly count: number;
  /** Where the sender begins, "node/incarnation" in ascii, and the items after it. */
  readonly senderAt: number;
  readonly itemsAt: number;
}

/** The header of a batch; throws `invalid_message` for what is none. */
export function readHeader(bytes: Uint8Array): BatchHeader {
  if (bytes.length < SENDER_AT) {
    throw new SupercastError("invalid_message", `a batch of ${bytes.length} bytes is truncated`);
  }
  if (bytes[0] !== WIRE_VERSION) {
    throw new SupercastError(
      "invalid_message",
      `a batch of wire version ${bytes[0]}; this node speaks ${WIRE_VERSION}`,
    );
  }
  const senderLength = bytes[SENDER_LENGTH_AT] ?? 0;
  const itemsAt = SENDER_AT + senderLength;
  if (itemsAt > bytes.length) {
    throw new SupercastError("invalid_message", "a batch is truncated in its sender");
  }
  const number = uint32At(bytes, NUMBER_AT);
  if (number > NUMBER_MAX) {
    throw new SupercastError(
      "invalid_message",
      `a batch of connection ${number}; allowed: up to ${NUMBER_MAX}`,
    );
  }
  return {
    number,
    count: uint32At(bytes, COUNT_AT) * TWO_32 + uint32At(bytes, COUNT_AT + 4),
    senderAt: SENDER_AT,
    itemsAt,
  };
}

function uint32At(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  return high * 0x1_0000 + (((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0));
}
