/**
 * The wire codec: msgpack between nodes, by msgpackr.
 *
 * What travels is said in `travel.ts`; it comes back equal, except that -0 arrives as 0 and a Buffer as a
 * Uint8Array. Everything else is refused with `invalid_message` and its path before anything is sent,
 * because msgpackr would turn it into something else without a word.
 *
 * Every message stands alone: no shared structures, nothing to agree upon between two nodes.
 */
import { Packr, RESET_BUFFER_MODE, REUSE_BUFFER_MODE, Unpackr } from "msgpackr";
import { messageOf, SupercastError } from "../base/errors.ts";
import { GAVE_UP, writePlain } from "./plain-writer.ts";
import { findProblem, travels } from "./travel.ts";

/** Leaves the packed bytes in msgpackr's own buffer, to be overwritten by the next value. */
const BORROWED = REUSE_BUFFER_MODE | RESET_BUFFER_MODE;
/** msgpackr keeps its buffer; after a value that made it grow beyond this it gets a small one again. */
const KEPT_BUFFER_BYTES = 64 * 1024;
const FRESH_BUFFER_BYTES = 8 * 1024;

const packr = new Packr({ useRecords: false, useToJSON: false });
/** For objects with more than 65,535 keys, which the fast packer refuses. */
const widePackr = new Packr({ useRecords: false, useToJSON: false, variableMapSize: true });
const unpackr = new Unpackr({
  useRecords: false,
  mapsAsObjects: true,
  int64AsType: "bigint",
  copyBuffers: true,
});

/**
 * Small values are copied here before they are read: msgpackr hangs a DataView on its source, and making
 * that anew costs more than the copy. A plain Uint8Array, because from a Buffer it would yield Buffers.
 */
const SCRATCH_BYTES = 4096;
const scratch = new Uint8Array(SCRATCH_BYTES);
const scratchRange = { start: 0, end: 0 };

/** Where in the buffer that `pack` returned the value stands. */
let packedStart = 0;
let packedEnd = 0;

/** The bytes of `value`. Throws `invalid_message`, naming the path of what cannot travel. */
export function encode(value: unknown): Uint8Array {
  const packed = pack(value);
  const bytes = packed.subarray(packedStart, packedEnd);
  if (packed.length > KEPT_BUFFER_BYTES) {
    shrinkBuffer();
    return new Uint8Array(bytes);
  }
  packr.position = packedEnd;
  return bytes;
}

/**
 * Writes the bytes of `value` to `target` at `offset`, when they fit before `end`.
 * Returns their number, or minus that when they do not fit; then what stands between the two is of no use.
 * Throws as `encode` does.
 */
export function encodeInto(value: unknown, target: Buffer, offset: number, end: number): number {
  const written = writeQuickly(value, target, offset, end);
  if (written !== GAVE_UP) {
    return written - offset;
  }
  const packed = pack(value);
  const length = packedEnd - packedStart;
  const fits = offset + length <= end;
  if (fits) {
    packed.copy(target, offset, packedStart, packedEnd);
  }
  if (packed.length > KEPT_BUFFER_BYTES) {
    shrinkBuffer();
  }
  return fits ? length : -length;
}

/** As `writePlain`; where a getter throws, it gives up, for msgpackr to find out and say so. */
function writeQuickly(value: unknown, target: Buffer, at: number, end: number): number {
  try {
    return writePlain(value, target, at, end);
  } catch {
    return GAVE_UP;
  }
}

/**
 * The value that `bytes` hold between `start` and `end`; byte strings in it are copies.
 * Throws `invalid_message` for anything but exactly one value.
 *
 * It trusts its source to be a node of the cluster: bytes from strangers go through `scanMsgpack` first.
 */
export function decode(bytes: Uint8Array, start: number = 0, end: number = bytes.length): unknown {
  const length = end - start;
  try {
    if (length > SCRATCH_BYTES || length <= 0) {
      return unpackr.unpack(new Uint8Array(bytes.buffer, bytes.byteOffset + start, length));
    }
    copyToScratch(bytes, start, end);
    scratchRange.end = length;
    return unpackr.unpack(scratch, scratchRange);
  } catch (error) {
    throw new SupercastError("invalid_message", `not a msgpack value: ${messageOf(error)}`, { cause: error });
  }
}

/** Three ways, by measurement: a subarray of a Buffer costs as much as half of what follows. */
function copyToScratch(bytes: Uint8Array, start: number, end: number): void {
  if (end - start === bytes.length) {
    scratch.set(bytes);
  } else if (bytes instanceof Buffer) {
    bytes.copy(scratch, 0, start, end);
  } else {
    scratch.set(bytes.subarray(start, end));
  }
}

/**
 * Decodes the values that stand one after the other in `bytes`, calling `each` with every one and the
 * offset behind it. Throws whatever msgpackr throws at the first that cannot be read.
 */
export function decodeRun(bytes: Uint8Array, each: (value: unknown, end: number) => void): void {
  const source = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  unpackr.unpackMultiple(source, (value, _start, end = source.length) => each(value, end));
}

/** Packs into msgpackr's buffer, from `packedStart` to `packedEnd`; valid until the next call. */
function pack(value: unknown): Buffer {
  checkTravels(value);
  try {
    const packed = packr.pack(value, BORROWED);
    packedStart = packr.position;
    packedEnd = packr.offset;
    return packed;
  } catch {
    return packWide(value);
  }
}

function checkTravels(value: unknown): void {
  let problem: string | undefined;
  try {
    problem = travels(value) ? undefined : (findProblem(value) ?? "the value changes while it is read");
  } catch (error) {
    problem = `reading the value failed: ${messageOf(error)}`;
  }
  if (problem !== undefined) {
    throw new SupercastError("invalid_message", problem);
  }
}

/** The second try: either an object has very many keys, or whatever failed fails again and is reported. */
function packWide(value: unknown): Buffer {
  try {
    const packed = widePackr.pack(value, BORROWED);
    packedStart = widePackr.position;
    packedEnd = widePackr.offset;
    return packed;
  } catch (error) {
    throw new SupercastError("invalid_message", `the value cannot travel: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Leaves the grown buffer to the garbage collector; bytes handed out of the old ones stay valid. */
function shrinkBuffer(): void {
  packr.useBuffer(Buffer.allocUnsafeSlow(FRESH_BUFFER_BYTES));
}
