/**
 * What may travel in a message: null, undefined, booleans, numbers, bigints of up to 64 bits, strings, Date,
 * Uint8Array, and arrays and plain objects of these, nested up to `NESTING_MAX` levels.
 *
 * Functions, symbols, Map, Set, Error, RegExp, other typed arrays and instances of classes may not: codecs
 * turn them into something else, each in its own way. Nor may a key named `__proto__`.
 */

/** Levels of arrays and objects in one value. A cycle meets it too. */
export const NESTING_MAX = 128;

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
