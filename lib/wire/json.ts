/**
 * Values as JSON, without loss: what JSON lacks is written as an object with one marked key.
 *
 *     integers from 2^53 on  {"$int": "9007199254740993"}
 *     bytes                  {"$bytes": "<base64>"}
 *     dates                  {"$date": "2026-01-31T12:00:00.000Z"}
 *     NaN, Infinity          {"$num": "NaN" | "Infinity" | "-Infinity"}
 *
 * An object of one's own that looks like one of these gets one more "$" on its key, and loses it when read.
 *
 * At this edge an integer has one form: a number below 2^53 in size, from there on a bigint. undefined is left
 * out of objects and is null elsewhere; -0 is 0. Map, functions, instances of classes and integers beyond 64
 * bits are refused.
 */
import { messageOf, SupercastError } from "../base/errors.ts";
import { describeValue, fits64Bits, isPlainObject, NESTING_MAX } from "../base/term.ts";

const MARKED = /^\$(?:int|bytes|date|num)$/;
const MARKED_OR_ESCAPED = /^\$+(?:int|bytes|date|num)$/;
const INTEGER = /^-?\d{1,20}$/;
const DATE = /^(?:\d{4}|[+-]\d{6})-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/;
const NUMBERS: ReadonlyMap<unknown, number> = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
]);

const OPENING: ReadonlySet<number> = new Set([0x5b, 0x7b]);
const CLOSING: ReadonlySet<number> = new Set([0x5d, 0x7d]);
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function invalid(text: string, cause?: unknown): SupercastError {
  return new SupercastError("invalid_message", text, cause === undefined ? {} : { cause });
}

// --- reading -----------------------------------------------------------------------------------

/**
 * The value of a JSON text. `name` begins the paths in error texts.
 * Throws `invalid_message` for what is no JSON, nested deeper than `depthMax`, or wrongly marked.
 */
export function parseJson(bytes: Uint8Array, depthMax: number, name: string = "message"): unknown {
  const depthAt = tooDeepAt(bytes, depthMax);
  if (depthAt >= 0) {
    throw invalid(`nested deeper than ${depthMax} levels at byte ${depthAt}`);
  }
  let raw: unknown;
  try {
    raw = JSON.parse(utf8.decode(bytes));
  } catch (error) {
    throw invalid(error instanceof SyntaxError ? `not JSON: ${messageOf(error)}` : "not UTF-8", error);
  }
  return fromJson(raw, name);
}

/** Where the nesting exceeds `depthMax`, or -1. Before parsing, because parsing builds it all first. */
function tooDeepAt(bytes: Uint8Array, depthMax: number): number {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (inString) {
      if (byte === BACKSLASH) {
        at += 1;
      } else if (byte === QUOTE) {
        inString = false;
      }
    } else if (byte === QUOTE) {
      inString = true;
    } else if (OPENING.has(byte)) {
      depth += 1;
      if (depth > depthMax) {
        return at;
      }
    } else if (CLOSING.has(byte)) {
      depth -= 1;
    }
  }
  return -1;
}

function fromJson(raw: unknown, path: string): unknown {
  if (typeof raw === "number") {
    if (!Number.isFinite(raw)) {
      throw invalid(`${path} is a number too large for a double`);
    }
    return raw === 0 ? 0 : raw;
  }
  if (typeof raw !== "object" || raw === null) {
    return raw;
  }
  if (Array.isArray(raw)) {
    return raw.map((item, index) => fromJson(item, `${path}[${index}]`));
  }
  return fromJsonObject(Object.entries(raw), path);
}

function fromJsonObject(entries: readonly (readonly [string, unknown])[], path: string): unknown {
  const [only] = entries;
  if (entries.length === 1 && only !== undefined && MARKED_OR_ESCAPED.test(only[0])) {
    const [key, value] = only;
    return MARKED.test(key)
      ? fromMarked(key, value, `${path}.${key}`)
      : { [key.slice(1)]: fromJson(value, path) };
  }
  const object: Record<string, unknown> = {};
  for (const [key, value] of entries) {
    if (key === "__proto__") {
      throw invalid(`${path} has a key "__proto__", which is not allowed`);
    }
    object[key] = fromJson(value, `${path}.${key}`);
  }
  return object;
}

function fromMarked(key: string, value: unknown, path: string): unknown {
  switch (key) {
    case "$int":
      return integerOf(value, path);
    case "$bytes":
      return bytesOf(value, path);
    case "$date":
      return dateOf(value, path);
    default:
      return numberOf(value, path);
  }
}

function integerOf(value: unknown, path: string): number | bigint {
  if (typeof value !== "string" || !INTEGER.test(value)) {
    throw invalid(`${path} must be an integer in a string`);
  }
  const integer = BigInt(value);
  if (!fits64Bits(integer)) {
    throw invalid(`${path} is an integer of more than 64 bits`);
  }
  return toInteger(integer);
}

/** An integer in its one form. */
export function toInteger(integer: bigint): number | bigint {
  const number = Number(integer);
  return Number.isSafeInteger(number) ? number : integer;
}

function bytesOf(value: unknown, path: string): Uint8Array {
  const bytes = typeof value === "string" ? Buffer.from(value, "base64") : undefined;
  if (bytes === undefined || bytes.toString("base64") !== value) {
    throw invalid(`${path} must be base64 in a string`);
  }
  return new Uint8Array(bytes);
}

function dateOf(value: unknown, path: string): Date {
  const date = typeof value === "string" && DATE.test(value) ? new Date(value) : undefined;
  if (date === undefined || Number.isNaN(date.getTime())) {
    throw invalid(`${path} must be a date and time as in "2026-01-31T12:00:00Z"`);
  }
  return date;
}

function numberOf(value: unknown, path: string): number {
  const number = NUMBERS.get(value);
  if (number === undefined) {
    throw invalid(`${path} must be "NaN", "Infinity" or "-Infinity"`);
  }
  return number;
}

// --- writing -----------------------------------------------------------------------------------

/**
 * `value` as JSON text. `name` begins the paths in error texts.
 * Throws `invalid_message` for what JSON cannot be made to hold.
 */
export function stringifyJson(value: unknown, name: string = "value"): string {
  return JSON.stringify(toForeign(value, name, JSON_MARKS));
}

/** How a form writes the values that not every form has. */
export interface Marks {
  integer(value: bigint): unknown;
  bytes(value: Uint8Array): unknown;
  date(value: Date): unknown;
  number(value: number): unknown;
  /** Objects with one key that `MARKED_OR_ESCAPED` matches. */
  readonly escapes: boolean;
}

const JSON_MARKS: Marks = {
  integer: (value) => ({ $int: String(value) }),
  bytes: (value) => ({
    $bytes: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64"),
  }),
  date: (value) => ({ $date: value.toISOString() }),
  number: (value) => ({ $num: String(value) }),
  escapes: true,
};

/** `value` as a foreign client can read it, with `marks` for what its form lacks. Throws `invalid_message`. */
export function toForeign(value: unknown, path: string, marks: Marks, levels: number = NESTING_MAX): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "undefined":
      return null;
    case "number":
      return numberToForeign(value, marks);
    case "bigint":
      return integerToForeign(value, path, marks);
    case "object":
      return value === null ? null : objectToForeign(value, path, marks, levels);
    default:
      throw invalid(`${path} is ${describeValue(value)}, which cannot travel`);
  }
}

function numberToForeign(value: number, marks: Marks): unknown {
  if (Number.isFinite(value)) {
    return value === 0 ? 0 : value;
  }
  return marks.number(value);
}

function integerToForeign(value: bigint, path: string, marks: Marks): unknown {
  if (!fits64Bits(value)) {
    throw invalid(`${path} is ${describeValue(value)}, which cannot travel`);
  }
  const integer = toInteger(value);
  return typeof integer === "number" ? integer : marks.integer(integer);
}

function objectToForeign(value: object, path: string, marks: Marks, levels: number): unknown {
  if (value instanceof Uint8Array) {
    return marks.bytes(value);
  }
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) {
      throw invalid(`${path} is an invalid date, which cannot travel`);
    }
    return marks.date(value);
  }
  if (levels === 0) {
    throw invalid(`the answer is nested more than ${NESTING_MAX} levels deep, or in a cycle`);
  }
  if (Array.isArray(value)) {
    return Array.from(value, (item, index) => toForeign(item, `${path}[${index}]`, marks, levels - 1));
  }
  if (!isPlainObject(value)) {
    throw invalid(`${path} is ${describeValue(value)}, which cannot travel`);
  }
  return plainToForeign(value, path, marks, levels);
}

function plainToForeign(value: Record<string, unknown>, path: string, marks: Marks, levels: number): unknown {
  const object: Record<string, unknown> = {};
  const keys = Object.keys(value).filter((key) => value[key] !== undefined);
  const [only] = keys;
  if (marks.escapes && keys.length === 1 && only !== undefined && MARKED_OR_ESCAPED.test(only)) {
    return { [`$${only}`]: toForeign(value[only], `${path}.${only}`, marks, levels - 1) };
  }
  for (const key of keys) {
    if (key === "__proto__") {
      throw invalid(`${path} has a key "__proto__", which cannot travel`);
    }
    object[key] = toForeign(value[key], `${path}.${key}`, marks, levels - 1);
  }
  return object;
}
