/**
 * The short way to msgpack for what most messages are made of: null, undefined, booleans, numbers, strings,
 * byte strings, arrays and plain objects. It checks, packs and places a value in one go, where the codec checks
 * first, packs into msgpackr's buffer and copies from there.
 *
 * It writes byte for byte what `encode` makes of the value, or gives up: at anything else, at whatever may not
 * travel, and when the room does not suffice. Then the codec does the work, and says what is wrong.
 */
import { isPlainObject, isWellFormed, NESTING_MAX } from "../base/term.ts";

/** Instead of where the value ends: the codec has to do it. */
export const GAVE_UP = -1;

/** No scalar but a string takes more, nor the head of anything. */
const SCALAR_BYTES = 9;
/** Strings below this are written unit by unit, because a native call costs more. */
const SHORT_UNITS = 16;
/** UTF-8 takes at most so many bytes for each unit of a string. */
const UNIT_BYTES = 3;

const MAX_7_BITS = 0x7f;
const MAX_16_BITS = 0xffff;

/**
 * Writes the bytes of `value` into `target` from `at` on, none of them at `end` or behind it. Returns where they
 * end, or `GAVE_UP`; then what stands between `at` and `end` is of no use. Throws what a getter throws.
 */
export function writePlain(
  value: unknown,
  target: Buffer,
  at: number,
  end: number,
  levels: number = NESTING_MAX,
): number {
  if (at + SCALAR_BYTES > end) {
    return GAVE_UP;
  }
  switch (typeof value) {
    case "string":
      return writeText(value, target, at, end);
    case "number":
      return writeNumber(value, target, at);
    case "object":
      return value === null ? writeByte(0xc0, target, at) : writeObject(value, target, at, end, levels);
    case "boolean":
      return writeByte(value ? 0xc3 : 0xc2, target, at);
    case "undefined":
      target[at] = 0xd4; // an extension of one byte, of type 0: as many codecs have it
      target[at + 1] = 0;
      target[at + 2] = 0;
      return at + 3;
    default:
      return GAVE_UP;
  }
}

function writeByte(byte: number, target: Buffer, at: number): number {
  target[at] = byte;
  return at + 1;
}

function write16(mark: number, value: number, target: Buffer, at: number): number {
  target[at] = mark;
  target[at + 1] = value >>> 8;
  target[at + 2] = value;
  return at + 3;
}

function write32(mark: number, value: number, target: Buffer, at: number): number {
  target[at] = mark;
  target[at + 1] = value >>> 24;
  target[at + 2] = value >>> 16;
  target[at + 3] = value >>> 8;
  target[at + 4] = value;
  return at + 5;
}

function writeNumber(value: number, target: Buffer, at: number): number {
  if (value >>> 0 === value) {
    return writeUint32(value, target, at);
  }
  if (value >> 0 === value) {
    return writeNegative(value, target, at);
  }
  target[at] = 0xcb;
  return target.writeDoubleBE(value, at + 1);
}

function writeUint32(value: number, target: Buffer, at: number): number {
  if (value <= MAX_7_BITS) {
    return writeByte(value, target, at);
  }
  if (value > MAX_16_BITS) {
    return write32(0xce, value, target, at);
  }
  if (value > 0xff) {
    return write16(0xcd, value, target, at);
  }
  target[at] = 0xcc;
  target[at + 1] = value;
  return at + 2;
}

function writeNegative(value: number, target: Buffer, at: number): number {
  if (value >= -0x20) {
    return writeByte(value, target, at);
  }
  if (value < -0x8000) {
    return write32(0xd2, value, target, at);
  }
  if (value < -0x80) {
    return write16(0xd1, value, target, at);
  }
  target[at] = 0xd0;
  target[at + 1] = value;
  return at + 2;
}

function writeText(text: string, target: Buffer, at: number, end: number): number {
  const units = text.length;
  const textAt = at + textHeadBytes(units);
  if (textAt + UNIT_BYTES * units > end) {
    return GAVE_UP;
  }
  if (units < SHORT_UNITS && writeAscii(text, target, textAt)) {
    target[at] = 0xa0 | units;
    return textAt + units;
  }
  const bytes = target.write(text, textAt);
  return bytes === units
    ? writeTextHead(bytes, target, at) + bytes
    : finishUtf8(text, bytes, target, at, textAt, end);
}

/** False when the text has other characters; what has been written is of no use then. */
function writeAscii(text: string, target: Buffer, at: number): boolean {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit > MAX_7_BITS) {
      return false;
    }
    target[at + index] = unit;
  }
  return true;
}

/**
 * The text takes more bytes than it has units, so that its head may, too. Half a pair has no place in UTF-8, and
 * the codec has its own way with it.
 */
function finishUtf8(
  text: string,
  bytes: number,
  target: Buffer,
  at: number,
  textAt: number,
  end: number,
): number {
  const behindHead = at + textHeadBytes(bytes);
  if (behindHead + bytes > end || !isWellFormed(text)) {
    return GAVE_UP;
  }
  target.copyWithin(behindHead, textAt, textAt + bytes);
  return writeTextHead(bytes, target, at) + bytes;
}

function textHeadBytes(bytes: number): number {
  return bytes < 0x20 ? 1 : bytes <= 0xff ? 2 : bytes <= MAX_16_BITS ? 3 : 5;
}

function writeTextHead(bytes: number, target: Buffer, at: number): number {
  if (bytes < 0x20) {
    return writeByte(0xa0 | bytes, target, at);
  }
  if (bytes > MAX_16_BITS) {
    return write32(0xdb, bytes, target, at);
  }
  if (bytes > 0xff) {
    return write16(0xda, bytes, target, at);
  }
  target[at] = 0xd9;
  target[at + 1] = bytes;
  return at + 2;
}

function writeObject(value: object, target: Buffer, at: number, end: number, levels: number): number {
  if (levels === 0) {
    return GAVE_UP;
  }
  if (Array.isArray(value)) {
    return writeArray(value, target, at, end, levels);
  }
  if (isPlainObject(value)) {
    return writeMap(value, target, at, end, levels);
  }
  return value instanceof Uint8Array ? writeBytes(value, target, at, end) : GAVE_UP;
}

function writeBytes(bytes: Uint8Array, target: Buffer, at: number, end: number): number {
  const { length } = bytes;
  const bytesAt = at + (length <= 0xff ? 2 : length <= MAX_16_BITS ? 3 : 5);
  if (bytesAt + length > end) {
    return GAVE_UP;
  }
  if (length > MAX_16_BITS) {
    write32(0xc6, length, target, at);
  } else if (length > 0xff) {
    write16(0xc5, length, target, at);
  } else {
    target[at] = 0xc4;
    target[at + 1] = length;
  }
  target.set(bytes, bytesAt);
  return bytesAt + length;
}

function writeArray(
  values: readonly unknown[],
  target: Buffer,
  at: number,
  end: number,
  levels: number,
): number {
  const { length } = values;
  if (length > MAX_16_BITS) {
    return GAVE_UP;
  }
  let next = length < 0x10 ? writeByte(0x90 | length, target, at) : write16(0xdc, length, target, at);
  for (let index = 0; index < length && next !== GAVE_UP; index++) {
    next = writePlain(values[index], target, next, end, levels - 1);
  }
  return next;
}

/** Its number of entries is known last, so it always has two bytes. */
function writeMap(
  value: Record<string, unknown>,
  target: Buffer,
  at: number,
  end: number,
  levels: number,
): number {
  let entries = 0;
  let next = at + 3;
  for (const key in value) {
    if (!Object.hasOwn(value, key)) {
      continue;
    }
    next = key === "__proto__" ? GAVE_UP : writeText(key, target, next, end);
    next = next === GAVE_UP ? GAVE_UP : writePlain(value[key], target, next, end, levels - 1);
    if (next === GAVE_UP) {
      return GAVE_UP;
    }
    entries += 1;
  }
  if (entries > MAX_16_BITS) {
    return GAVE_UP;
  }
  write16(0xde, entries, target, at);
  return next;
}
