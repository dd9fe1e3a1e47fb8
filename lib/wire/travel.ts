/**
 * What may travel in a message: null, undefined, booleans, numbers, bigints of up to 64 bits, strings, Date,
 * Uint8Array, and arrays and plain objects of these, nested up to `NESTING_MAX` levels.
 *
 * Functions, symbols, Map, Set, Error, RegExp, other typed arrays and instances of classes may not: codecs
 * turn them into something else, each in its own way. Nor may a key named `__proto__`.
 */

import { describeValue, fits64Bits, isPlainObject, NESTING_MAX } from "../base/term.ts";

/** Whether `value` may travel. Runs for every message, so it allocates nothing and builds no path. */
export function travels(value: unknown, levels: number = NESTING_MAX): boolean {
  switch (typeof value) {
    case "string":
    case "number":
    case "boolean":
    case "undefined":
      return true;
    case "bigint":
      return fits64Bits(value);
    case "object":
      return value === null || objectTravels(value, levels);
    default:
      return false;
  }
}

function objectTravels(value: object, levels: number): boolean {
  if (levels === 0) {
    return false;
  }
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      if (!travels(value[index], levels - 1)) {
        return false;
      }
    }
    return true;
  }
  if (!isPlainObject(value)) {
    return value instanceof Uint8Array || value instanceof Date;
  }
  for (const key in value) {
    if (key === "__proto__" || (!travels(value[key], levels - 1) && Object.hasOwn(value, key))) {
      return false;
    }
  }
  return true;
}

/** The first thing in `value` that may not travel, with its path, or undefined. */
export function findProblem(
  value: unknown,
  path: string = "value",
  levels: number = NESTING_MAX,
): string | undefined {
  if (typeof value !== "object" || value === null) {
    return travels(value, levels) ? undefined : `${path} is ${describeValue(value)}, which cannot travel`;
  }
  if (levels === 0) {
    return `${shorten(path)} is nested more than ${NESTING_MAX} levels deep, or in a cycle`;
  }
  if (Array.isArray(value)) {
    return firstProblem(value.keys(), (index) => findProblem(value[index], `${path}[${index}]`, levels - 1));
  }
  if (!isPlainObject(value)) {
    return travels(value, levels) ? undefined : `${path} is ${describeValue(value)}, which cannot travel`;
  }
  if (Object.hasOwn(value, "__proto__")) {
    return `${path} has a key "__proto__", which cannot travel`;
  }
  return firstProblem(Object.keys(value), (key) => findProblem(value[key], `${path}.${key}`, levels - 1));
}

function firstProblem<Key>(
  keys: Iterable<Key>,
  problemAt: (key: Key) => string | undefined,
): string | undefined {
  for (const key of keys) {
    const problem = problemAt(key);
    if (problem !== undefined) {
      return problem;
    }
  }
  return undefined;
}

function shorten(path: string): string {
  return path.length <= 80 ? path : `${path.slice(0, 77)}...`;
}
