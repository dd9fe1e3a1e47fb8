/**
 * Looks through msgpack bytes from strangers before anything is built from them.
 *
 * It accepts exactly one value made of what foreign clients may send: nil, booleans, integers, floats, UTF-8
 * strings, byte strings, arrays, maps with string keys, timestamps. It works in constant stack and allocates
 * a few bytes per level of nesting, so that no input is too deep or claims too much for it.
 */
import { isUtf8 } from "node:buffer";

const TIMESTAMP = 0xff;
const TIMESTAMP_LENGTHS: ReadonlySet<number> = new Set([4, 8, 12]);
const PROTO = Buffer.from("__proto__");

/** What the first byte of a value says about the bytes that follow. */
type Kind = "plain" | "str" | "bin" | "array" | "map" | "ext" | "never";

interface Token {
  readonly kind: Kind;
  /** plain: bytes that follow. str, bin, array, map, ext: the count itself, when it is in the first byte. */
  readonly count: number;
  /** Bytes of the count that follows the first byte; 0 when `count` holds it. */
  readonly countBytes: number;
}

function tokenOf(byte: number): Token {
  if (byte < 0x80 || byte >= 0xe0) {
    return token("plain", 0);
  }
  if (byte < 0x90) {
    return token("map", byte & 0x0f);
  }
  if (byte < 0xa0) {
    return token("array", byte & 0x0f);
  }
  if (byte < 0xc0) {
    return token("str", byte & 0x1f);
  }
  return NAMED_TOKENS[byte - 0xc0] ?? token("never", 0);
}

function token(kind: Kind, count: number, countBytes: number = 0): Token {
  return { kind, count, countBytes };
}

/** From 0xc0 (nil) to 0xdf (map 32), in the order of the msgpack specification. */
const NAMED_TOKENS: readonly Token[] = [
  token("plain", 0),
  token("never", 0),
  token("plain", 0),
  token("plain", 0),
  ...[1, 2, 4].map((bytes) => token("bin", 0, bytes)),
  ...[1, 2, 4].map((bytes) => token("ext", 0, bytes)),
  ...[4, 8].map((bytes) => token("plain", bytes)),
  ...[1, 2, 4, 8].map((bytes) => token("plain", bytes)),
  ...[1, 2, 4, 8].map((bytes) => token("plain", bytes)),
  ...[1, 2, 4, 8, 16].map((length) => token("ext", length)),
  ...[1, 2, 4].map((bytes) => token("str", 0, bytes)),
  ...[2, 4].map((bytes) => token("array", 0, bytes)),
  ...[2, 4].map((bytes) => token("map", 0, bytes)),
];

/** By first byte. */
const TOKENS: readonly Token[] = Array.from({ length: 256 }, (_, byte) => tokenOf(byte));

/** What is wrong with `bytes`, with the offset, or undefined when they hold one acceptable value. */
export function scanMsgpack(bytes: Uint8Array, depthMax: number): string | undefined {
  return new Scanner(bytes, depthMax).scan();
}

class Scanner {
  readonly #bytes: Uint8Array;
  readonly #depthMax: number;
  #at = 0;
  /** Values left to read in each open array or map, keys counted; and whether it is a map. */
  readonly #left: number[] = [];
  readonly #isMap: boolean[] = [];

  constructor(bytes: Uint8Array, depthMax: number) {
    this.#bytes = bytes;
    this.#depthMax = depthMax;
  }

  scan(): string | undefined {
    do {
      const problem = this.#value();
      if (problem !== undefined) {
        return problem;
      }
      this.#closeFinished();
    } while (this.#left.length > 0);
    const extra = this.#bytes.length - this.#at;
    return extra === 0 ? undefined : `${extra} bytes follow the value at byte ${this.#at}`;
  }

  #value(): string | undefined {
    const at = this.#at;
    const first = this.#bytes[at];
    if (first === undefined) {
      return `the bytes end at ${at}, inside a value`;
    }
    const isKey = this.#countDown();
    const { kind, count: fixedCount, countBytes } = TOKENS[first] ?? token("never", 0);
    if (isKey && kind !== "str") {
      return `the map key at byte ${at} is not a string`;
    }
    this.#at += 1;
    const count = countBytes === 0 ? fixedCount : this.#number(countBytes);
    if (count === undefined) {
      return `the bytes end at ${this.#bytes.length}, inside a length`;
    }
    return this.#content(kind, count, at, isKey);
  }

  #content(kind: Kind, count: number, at: number, isKey: boolean): string | undefined {
    switch (kind) {
      case "array":
        return this.#open(false, count, at);
      case "map":
        return this.#open(true, 2 * count, at);
      case "str":
        return this.#skip(count, at) ?? this.#checkText(count, at, isKey);
      case "ext":
        return this.#skip(count + 1, at) ?? this.#checkExtension(count, at);
      case "never":
        return `byte ${at} is 0xc1, which msgpack never uses`;
      default:
        return this.#skip(count, at);
    }
  }

  /** One value less is left in the innermost array or map. True when that value is a map's key. */
  #countDown(): boolean {
    const level = this.#left.length - 1;
    if (level < 0) {
      return false;
    }
    const left = this.#left[level] ?? 0;
    this.#left[level] = left - 1;
    return this.#isMap[level] === true && left % 2 === 0;
  }

  #closeFinished(): void {
    while (this.#left[this.#left.length - 1] === 0) {
      this.#left.pop();
      this.#isMap.pop();
    }
  }

  /** Every value takes at least one byte, so a count beyond the bytes left is a lie. */
  #open(isMap: boolean, values: number, at: number): string | undefined {
    if (this.#left.length >= this.#depthMax) {
      return `nested deeper than ${this.#depthMax} levels at byte ${at}`;
    }
    if (values > this.#bytes.length - this.#at) {
      return `the ${isMap ? "map" : "array"} at byte ${at} claims more entries than there are bytes`;
    }
    this.#left.push(values);
    this.#isMap.push(isMap);
    return undefined;
  }

  #skip(count: number, at: number): string | undefined {
    if (count > this.#bytes.length - this.#at) {
      return `the value at byte ${at} claims more bytes than there are`;
    }
    this.#at += count;
    return undefined;
  }

  #checkText(count: number, at: number, isKey: boolean): string | undefined {
    const text = this.#bytes.subarray(this.#at - count, this.#at);
    if (isKey && count === PROTO.length && PROTO.equals(text)) {
      return `the map key at byte ${at} is "__proto__", which is not allowed`;
    }
    return isUtf8(text) ? undefined : `the string at byte ${at} is not UTF-8`;
  }

  #checkExtension(length: number, at: number): string | undefined {
    const type = this.#bytes[this.#at - length - 1] ?? 0;
    if (type !== TIMESTAMP || !TIMESTAMP_LENGTHS.has(length)) {
      return `the value at byte ${at} is of extension type ${signed(type)}, of ${length} bytes; only timestamps are known`;
    }
    return length < 12 || this.#fits48Bits(this.#at - 8)
      ? undefined
      : `the timestamp at byte ${at} is beyond all dates`;
  }

  /** Whether the 64-bit number at `at` needs no more than 48 bits: msgpackr reads no more of a timestamp. */
  #fits48Bits(at: number): boolean {
    const sign = this.#bytes[at];
    return (sign === 0x00 || sign === 0xff) && this.#bytes[at + 1] === sign;
  }

  /** A big-endian number of 1, 2 or 4 bytes, or undefined when the bytes end before. */
  #number(size: number): number | undefined {
    const end = this.#at + size;
    if (end > this.#bytes.length) {
      return undefined;
    }
    let value = 0;
    for (; this.#at < end; this.#at++) {
      value = value * 256 + (this.#bytes[this.#at] ?? 0);
    }
    return value;
  }
}

function signed(byte: number): number {
  return byte < 0x80 ? byte : byte - 0x100;
}
