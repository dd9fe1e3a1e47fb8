/**
 * Batches: many values in one payload, each in a frame of its own.
 *
 *     frame = 0xce, length of the value (u32, big-endian), the value in msgpack
 *
 * The five bytes before a value are themselves the msgpack of its length, so a sound batch is also one run
 * of msgpack values and is read in one go, at half the price. When that fails, the lengths still tell where
 * each frame ends: a value that cannot be read costs only itself.
 *
 * Values are written the short way (`plain-writer.ts`) where it knows them. There is none for reading: one that was
 * tried showed no gain over reading in one go.
 */
import { SupercastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { decode, decodeRun, encodeInto } from "./codec.ts";

const FRAME_MARK = 0xce;
export const FRAME_HEADER_BYTES = 5;

const SLAB_BYTES = 64 * 1024;
/** From so many frames on, one go is faster than one by one. */
const RUN_FRAMES = 4;

/**
 * Gathers values into batches of at most `maxBytes`, each with `headerBytes` in front for the caller to fill
 * in once it has taken the batch. The bytes of a batch that was taken are never written again by the writer.
 */
export class BatchWriter {
  readonly maxBytes: number;
  readonly headerBytes: number;
  #slab: Buffer = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #start = 0;
  #end: number;
  #count = 0;

  constructor(maxBytes: number, headerBytes: number = 0) {
    invariant(headerBytes < maxBytes && headerBytes <= SLAB_BYTES, "a header leaves room for values");
    this.maxBytes = maxBytes;
    this.headerBytes = headerBytes;
    this.#end = headerBytes;
  }

  /** Values in the batch. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of the batch, header included. */
  get byteLength(): number {
    return this.#end - this.#start;
  }

  /**
   * Adds `value`. False when the batch has no room for it: take the batch and add it to the next one.
   * Throws `invalid_message` for what cannot travel and `payload_too_large` (details `{ bytes, max }`) for
   * what exceeds `maxBytes` by itself; the batch is as it was.
   */
  add(value: unknown): boolean {
    let length = this.#encode(value);
    if (length < 0) {
      if (this.byteLength + FRAME_HEADER_BYTES - length > this.maxBytes) {
        return this.#refuse(FRAME_HEADER_BYTES - length);
      }
      this.#move(FRAME_HEADER_BYTES - length);
      length = this.#encode(value);
      invariant(length > 0, "a value keeps its size while it is being encoded");
    }
    this.#frame(length);
    return true;
  }

  /** The batch, its header not yet written, and an empty one begins. */
  take(): Buffer {
    const bytes = this.#slab.subarray(this.#start, this.#end);
    this.#begin(this.#end);
    return bytes;
  }

  /** Forgets the values of the batch. */
  clear(): void {
    this.#begin(this.#start);
  }

  #begin(at: number): void {
    this.#count = 0;
    this.#start = at;
    if (at + this.headerBytes > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#start = 0;
    }
    this.#end = this.#start + this.headerBytes;
  }

  #encode(value: unknown): number {
    const room = Math.min(this.#start + this.maxBytes, this.#slab.length);
    const at = this.#end + FRAME_HEADER_BYTES;
    return encodeInto(value, this.#slab, at, room);
  }

  #frame(length: number): void {
    const slab = this.#slab;
    const at = this.#end;
    slab[at] = FRAME_MARK;
    slab[at + 1] = length >>> 24;
    slab[at + 2] = length >>> 16;
    slab[at + 3] = length >>> 8;
    slab[at + 4] = length;
    this.#end = at + FRAME_HEADER_BYTES + length;
    this.#count += 1;
  }

  #refuse(frameBytes: number): false {
    if (this.#count === 0) {
      const bytes = this.byteLength + frameBytes;
      throw new SupercastError(
        "payload_too_large",
        `the message takes ${bytes} bytes of ${this.maxBytes} allowed`,
        {
          details: { bytes, max: this.maxBytes },
        },
      );
    }
    return false;
  }

  /** Carries the unfinished batch to a slab with room for `extraBytes` more. */
  #move(extraBytes: number): void {
    const length = this.byteLength;
    const slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, 2 * (length + extraBytes)));
    this.#slab.copy(slab, 0, this.#start, this.#end);
    this.#slab = slab;
    this.#start = 0;
    this.#end = length;
  }
}

/** What a batch is read into, in order. */
export interface BatchReader {
  onValue(value: unknown): void;
  /** A frame that holds no value, or the rest of a batch whose frames do not add up. */
  onFailure(error: SupercastError): void;
}

/** Reads the frames of `bytes` from `start` on. Throws nothing of its own. */
export function readBatch(bytes: Uint8Array, start: number, reader: BatchReader): void {
  let frames = 0;
  let end = start;
  for (let next = frameEnd(bytes, end); next > 0; next = frameEnd(bytes, end)) {
    frames += 1;
    end = next;
  }
  const values = frames >= RUN_FRAMES ? readRun(bytes.subarray(start, end), frames) : undefined;
  if (values === undefined) {
    readSingly(bytes, start, end, reader);
  } else {
    for (const value of values) {
      reader.onValue(value);
    }
  }
  if (end < bytes.length) {
    reader.onFailure(new SupercastError("invalid_message", `the batch is damaged from byte ${end} on`));
  }
}

/** Where the frame at `at` ends, or 0 when there is no whole frame. */
function frameEnd(bytes: Uint8Array, at: number): number {
  const from = at + FRAME_HEADER_BYTES;
  if (from > bytes.length || bytes[at] !== FRAME_MARK) {
    return 0;
  }
  const end = from + lengthAt(bytes, at);
  return end <= bytes.length ? end : 0;
}

function lengthAt(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
  return high * 0x1_0000 + (((bytes[at + 3] ?? 0) << 8) | (bytes[at + 4] ?? 0));
}

function readSingly(bytes: Uint8Array, start: number, end: number, reader: BatchReader): void {
  for (let at = start; at < end; at = frameEnd(bytes, at)) {
    const value = readFrame(bytes, at, reader);
    if (value !== BAD_FRAME) {
      reader.onValue(value);
    }
  }
}

const BAD_FRAME = Symbol("bad frame");

function readFrame(bytes: Uint8Array, at: number, reader: BatchReader): unknown {
  try {
    return decode(bytes, at + FRAME_HEADER_BYTES, frameEnd(bytes, at));
  } catch (error) {
    const cause = error instanceof SupercastError ? error.message : String(error);
    reader.onFailure(
      new SupercastError("invalid_message", `the frame at byte ${at}: ${cause}`, { cause: error }),
    );
    return BAD_FRAME;
  }
}

/** All values in one go, or undefined unless every one is sound and fills its frame exactly. */
function readRun(bytes: Uint8Array, frames: number): unknown[] | undefined {
  const values: unknown[] = [];
  let frameStart = 0;
  let isLength = true;
  let sound = true;
  try {
    decodeRun(bytes, (value, end) => {
      if (isLength) {
        sound &&= end === frameStart + FRAME_HEADER_BYTES;
      } else {
        sound &&= end === frameEnd(bytes, frameStart);
        frameStart = end;
        values.push(value);
      }
      isLength = !isLength;
    });
  } catch {
    return undefined; // Reading singly finds out which frame it is, and reports it.
  }
  return sound && values.length === frames ? values : undefined;
}
