/**
 * Terms: the values that may travel in a message and stand in a record. This is what the order, the keys, the
 * patterns and the codecs have to agree upon: which values there are, and of which type each is.
 *
 * null, undefined, booleans, numbers, bigints of up to 64 bits, strings, Date, Uint8Array, and arrays and plain
 * objects of these. A number and a bigint are of one type: 1 and 1n are the same term, because JSON and msgpack
 * at the edge write both the same way.
 */
import { SupercastError } from "./errors.ts";

/** Levels of arrays and objects in one value. A cycle meets it too. */
export const NESTING_MAX = 128;

/** The types, in the order of terms. */
export const TERM_TYPES = [
  "number",
  "false",
  "null",
  "true",
  "undefined",
  "array",
  "date",
  "string",
  "bytes",
  "object",
] as const;

/** The place of each type in `TERM_TYPES`. */
export const RANK_NUMBER = 0;
export const RANK_FALSE = 1;
export const RANK_NULL = 2;
export const RANK_TRUE = 3;
export const RANK_UNDEFINED = 4;
export const RANK_ARRAY = 5;
export const RANK_DATE = 6;
export const RANK_STRING = 7;
export const RANK_BYTES = 8;
export const RANK_OBJECT = 9;

/** The place of the type of `value` in the order; throws `invalid_message` for what is no term. */
export function rankOf(value: unknown): number {
  switch (typeof value) {
    case "number":
      return RANK_NUMBER;
    case "string":
      return RANK_STRING;
    case "boolean":
      return value ? RANK_TRUE : RANK_FALSE;
    case "undefined":
      return RANK_UNDEFINED;
    case "bigint":
      if (fits64Bits(value)) {
        return RANK_NUMBER;
      }
      break;
    case "object":
      if (value === null) {
        return RANK_NULL;
      }
      if (Array.isArray(value)) {
        return RANK_ARRAY;
      }
      if (isPlainObject(value)) {
        return RANK_OBJECT;
      }
      if (value instanceof Uint8Array) {
        return RANK_BYTES;
      }
      if (value instanceof Date) {
        return RANK_DATE;
      }
      break;
    default:
      break;
  }
  throw noTerm(describeValue(value));
}

export function noTerm(what: string): SupercastError {
  return new SupercastError("invalid_message", `holds ${what}, which is no term`);
}

export function tooDeep(): SupercastError {
  return new SupercastError("invalid_message", `nests more than ${NESTING_MAX} levels deep, or in a cycle`);
}

/** Objects made by a literal, by JSON.parse or without a prototype, from whichever realm. */
export function isPlainObject(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || isForeignObjectPrototype(prototype);
}

function isForeignObjectPrototype(prototype: unknown): boolean {
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(Object(prototype), "hasOwnProperty");
}

export function fits64Bits(value: bigint): boolean {
  return value === BigInt.asIntN(64, value) || value === BigInt.asUintN(64, value);
}

/** Half a surrogate pair would come back from the codec as another character, and two keys as one. */
export function isWellFormed(text: string): boolean {
  // Nearly all texts have no surrogates at all, which is known without looking at code points.
  return !/[\ud800-\udfff]/.test(text) || !/\p{Surrogate}/u.test(text);
}

/** What a value is, for an error text: "a function", "a Map", "an instance of Account". */
export function describeValue(value: unknown): string {
  switch (typeof value) {
    case "bigint":
      return "an integer of more than 64 bits";
    case "function":
    case "symbol":
      return `a ${typeof value}`;
    case "object":
      return value === null ? "null" : describeObject(value);
    case "undefined":
      return "undefined";
    default:
      return `a ${typeof value}`;
  }
}

function describeObject(value: object): string {
  if (value instanceof Map || value instanceof Set) {
    return value instanceof Map ? "a Map" : "a Set";
  }
  if (value instanceof Error) {
    return `an Error (${value.name}: ${value.message})`;
  }
  const maker: unknown = "constructor" in value ? value.constructor : undefined;
  return typeof maker === "function" ? `an instance of ${maker.name}` : "an object with a prototype";
}
