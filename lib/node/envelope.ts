/**
 * The envelope between two nodes: batches of items.
 *
 *     batch  = version u8, conn u32, count u32, sender length u8, sender ascii "node/incarnation", item*
 *     item   = length u32, msgpack of an array [op, ...]
 *
 * All numbers are big-endian. Items are framed singly, so that one that cannot be read loses only
 * itself. The connection number and the count are explained in `connection.ts`.
 */
import { SupercastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { decode, encodeInto } from "../wire/codec.ts";

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
} as const;

/** How an item names a process at the receiver: a serial, or a registered name. */
export type WireTarget = number | string;

export type Item = readonly [op: number, ...fields: unknown[]];

/** Where the sender's length stands, and where the sender begins. */
const SENDER_LENGTH_AT = 9;
const SENDER_AT = 10;
const LENGTH_BYTES = 4;
const FIRST_CAPACITY = 4 * 1024;

/** Collects items for one peer into the bytes of one batch. */
export class BatchWriter {
  readonly #sender: Buffer;
  readonly #maxBytes: number;
  #buffer: Buffer;
  #end: number;
  #items = 0;

  /** `maxBytes` bounds the whole batch. */
  constructor(sender: string, maxBytes: number) {
    this.#sender = Buffer.from(sender, "latin1");
    invariant(this.#sender.length < 256, "a sender fits its length byte");
    this.#maxBytes = maxBytes;
    this.#buffer = Buffer.allocUnsafe(FIRST_CAPACITY);
    this.#end = this.#headerBytes;
  }

  get items(): number {
    return this.#items;
  }

  get bytes(): number {
    return this.#end;
  }

  get #headerBytes(): number {
    return SENDER_AT + this.#sender.length;
  }

  /**
   * Adds an item. "full": it does not fit into this batch, but would into an empty one.
   * Throws `payload_too_large` when it fits into none, and what the codec throws.
   */
  add(item: Item): "added" | "full" {
    for (;;) {
      const start = this.#end + LENGTH_BYTES;
      const length = encodeInto(item, this.#buffer, start, this.#buffer.length);
      if (length > 0) {
        this.#buffer.writeUInt32BE(length, this.#end);
        this.#end = start + length;
        this.#items += 1;
        return "added";
      }
      const needed = start - length;
      if (needed > this.#maxBytes) {
        if (this.#items > 0 && this.#headerBytes + LENGTH_BYTES - length <= this.#maxBytes) {
          return "full";
        }
        throw new SupercastError("payload_too_large", `a message of ${-length} bytes exceeds the ${this.#maxBytes} that travel at once`, {
          details: { bytes: -length, max: this.#maxBytes },
        });
      }
      this.#grow(needed);
    }
  }

  /** The batch's bytes; the writer is empty again and never touches them after. */
  take(number: number, count: number): Uint8Array {
    const buffer = this.#buffer;
    buffer[0] = WIRE_VERSION;
    buffer.writeUInt32BE(number, 1);
    buffer.writeUInt32BE(count, 5);
    buffer[SENDER_LENGTH_AT] = this.#sender.length;
    this.#sender.copy(buffer, SENDER_AT);
    const batch = buffer.subarray(0, this.#end);
    const free = buffer.length - this.#end;
    // The rest of the buffer serves the next batch; a nearly used-up one is left to the collector.
    this.#buffer = free >= FIRST_CAPACITY ? buffer.subarray(this.#end) : Buffer.allocUnsafe(SLAB_BYTES);
    this.clear();
    return batch;
  }

  clear(): void {
    this.#end = this.#headerBytes;
    this.#items = 0;
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafe(Math.min(this.#maxBytes, Math.max(2 * this.#buffer.length, needed)));
    this.#buffer.copy(grown, 0, 0, this.#end);
    this.#buffer = grown;
  }
}

const SLAB_BYTES = 64 * 1024;

export interface BatchHeader {
  readonly number: number;
  readonly count: number;
  /** "node/incarnation". */
  readonly sender: string;
  /** Where the items begin. */
  readonly itemsAt: number;
}

/** The header of a batch; throws `invalid_message` for what is none. */
export function readHeader(bytes: Buffer): BatchHeader {
  if (bytes.length < SENDER_AT) {
    throw new SupercastError("invalid_message", `a batch of ${bytes.length} bytes is truncated`);
  }
  if (bytes[0] !== WIRE_VERSION) {
    throw new SupercastError("invalid_message", `a batch of wire version ${bytes[0]}; this node speaks ${WIRE_VERSION}`);
  }
  const senderLength = bytes[SENDER_LENGTH_AT] ?? 0;
  const itemsAt = SENDER_AT + senderLength;
  if (itemsAt > bytes.length) {
    throw new SupercastError("invalid_message", "a batch is truncated in its sender");
  }
  return {
    number: bytes.readUInt32BE(1),
    count: bytes.readUInt32BE(5),
    sender: bytes.toString("latin1", SENDER_AT, itemsAt),
    itemsAt,
  };
}

/** Calls `each` with every item of a batch and `lost` for every one that cannot be read. */
export function readItems(
  bytes: Buffer,
  itemsAt: number,
  each: (item: readonly unknown[]) => void,
  lost: (error: unknown) => void,
): void {
  let at = itemsAt;
  while (at + LENGTH_BYTES <= bytes.length) {
    const start = at + LENGTH_BYTES;
    const end = start + bytes.readUInt32BE(at);
    if (end > bytes.length) {
      break;
    }
    let item: unknown;
    try {
      item = decode(bytes, start, end);
    } catch (error) {
      lost(error);
    }
    if (Array.isArray(item)) {
      each(item);
    } else if (item !== undefined) {
      lost(new SupercastError("invalid_message", "an item is not an array"));
    }
    at = end;
  }
  if (at !== bytes.length) {
    lost(new SupercastError("invalid_message", "a batch ends inside an item"));
  }
}
