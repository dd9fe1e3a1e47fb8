/**
 * Guards: conditions on the variables of a pattern, in plain data that a JSON client can write as well.
 *
 *     {"$and": [guard, ...]}   all of them hold; so does an empty list
 *     {"$or": [guard, ...]}    one of them holds
 *     {"$not": guard}
 *     {"$eq": [a, b]}          and $ne, $lt, $le, $gt, $ge, by the order of terms, across types as well
 *     {"$is": [a, "string"]}   of this type: one of GUARD_TYPES
 *
 * Operands are {"$var": "x"}, a variable of the pattern; {"$lit": value}, that value, whatever it looks like;
 * and any other value without a field whose name begins with "$". A guard always comes to true or false.
 */
import { checkedTerm, isObject, malformed } from "./pattern-parts.ts";
import { NESTING_MAX } from "./term.ts";
import { compareTerms } from "./term-order.ts";

export type GuardData =
  | { readonly $and: readonly GuardData[] }
  | { readonly $or: readonly GuardData[] }
  | { readonly $not: GuardData }
  | { readonly $eq: readonly [unknown, unknown] }
  | { readonly $ne: readonly [unknown, unknown] }
  | { readonly $lt: readonly [unknown, unknown] }
  | { readonly $le: readonly [unknown, unknown] }
  | { readonly $gt: readonly [unknown, unknown] }
  | { readonly $ge: readonly [unknown, unknown] }
  | { readonly $is: readonly [unknown, GuardType] };

/** A guard that has been checked, on the values of the variables by their slots. */
export type Guard = (bound: readonly unknown[]) => boolean;
/** The slot of each variable of a pattern. */
export type Slots = Map<string, number>;
type Operand = (bound: readonly unknown[]) => unknown;

const TYPES = {
  number: (value: unknown) => typeof value === "number" || typeof value === "bigint",
  integer: (value: unknown) => typeof value === "bigint" || Number.isInteger(value),
  boolean: (value: unknown) => typeof value === "boolean",
  null: (value: unknown) => value === null,
  undefined: (value: unknown) => value === undefined,
  array: (value: unknown) => Array.isArray(value),
  date: (value: unknown) => value instanceof Date,
  string: (value: unknown) => typeof value === "string",
  bytes: (value: unknown) => value instanceof Uint8Array,
  object: isObject,
} as const satisfies Record<string, (value: unknown) => boolean>;

export type GuardType = keyof typeof TYPES;

/** What `$is` knows; a bigint is a number and an integer. */
export const GUARD_TYPES: readonly string[] = Object.keys(TYPES);

const COMPARISONS = {
  $eq: (order: number) => order === 0,
  $ne: (order: number) => order !== 0,
  $lt: (order: number) => order < 0,
  $le: (order: number) => order <= 0,
  $gt: (order: number) => order > 0,
  $ge: (order: number) => order >= 0,
} as const satisfies Record<string, (order: number) => boolean>;

export function and(...guards: readonly GuardData[]): GuardData {
  return { $and: guards };
}

export function or(...guards: readonly GuardData[]): GuardData {
  return { $or: guards };
}

export function not(guard: GuardData): GuardData {
  return { $not: guard };
}

export function eq(left: unknown, right: unknown): GuardData {
  return { $eq: [left, right] };
}

export function ne(left: unknown, right: unknown): GuardData {
  return { $ne: [left, right] };
}

export function lt(left: unknown, right: unknown): GuardData {
  return { $lt: [left, right] };
}

export function le(left: unknown, right: unknown): GuardData {
  return { $le: [left, right] };
}

export function gt(left: unknown, right: unknown): GuardData {
  return { $gt: [left, right] };
}

export function ge(left: unknown, right: unknown): GuardData {
  return { $ge: [left, right] };
}

export function is(operand: unknown, type: GuardType): GuardData {
  return { $is: [operand, type] };
}

/** Throws `invalid_message`, naming the place, for what is no guard on the variables in `slots`. */
export function compileGuard(
  guard: unknown,
  path: string,
  slots: ReadonlyMap<string, number>,
  levels: number = NESTING_MAX,
): Guard {
  if (levels === 0) {
    throw malformed(path, `nests more than ${NESTING_MAX} levels deep, or in a cycle`);
  }
  const [name, ...others] = isObject(guard) ? Object.keys(guard) : [];
  if (!isObject(guard) || name === undefined || others.length > 0) {
    throw malformed(path, `must be an object with one field: ${KNOWN}`);
  }
  const place = `${path}.${name}`;
  const value = guard[name];
  if (name === "$and" || name === "$or") {
    const guards = listOf(value, place).map((item, index) =>
      compileGuard(item, `${place}[${index}]`, slots, levels - 1),
    );
    return name === "$and"
      ? (bound) => guards.every((one) => one(bound))
      : (bound) => guards.some((one) => one(bound));
  }
  if (name === "$not") {
    const inner = compileGuard(value, place, slots, levels - 1);
    return (bound) => !inner(bound);
  }
  return name === "$is" ? typeGuard(value, place, slots) : comparison(name, value, place, slots);
}

const KNOWN = ["$and", "$or", "$not", ...Object.keys(COMPARISONS), "$is"].join(", ");

function typeGuard(value: unknown, place: string, slots: ReadonlyMap<string, number>): Guard {
  const [operand, type] = pairOf(value, place);
  const subject = operandOf(operand, `${place}[0]`, slots);
  const check = Object.entries(TYPES).find(([known]) => known === type)?.[1];
  if (check === undefined) {
    throw malformed(`${place}[1]`, `is no type; known: ${GUARD_TYPES.join(", ")}`);
  }
  return (bound) => check(subject(bound));
}

function comparison(name: string, value: unknown, place: string, slots: ReadonlyMap<string, number>): Guard {
  const verdict = Object.entries(COMPARISONS).find(([known]) => known === name)?.[1];
  if (verdict === undefined) {
    throw malformed(place, `is no guard; known: ${KNOWN}`);
  }
  const [first, second] = pairOf(value, place);
  const left = operandOf(first, `${place}[0]`, slots);
  const right = operandOf(second, `${place}[1]`, slots);
  return (bound) => verdict(compareTerms(left(bound), right(bound)));
}

function operandOf(operand: unknown, path: string, slots: ReadonlyMap<string, number>): Operand {
  if (isObject(operand)) {
    const names = Object.keys(operand);
    if (names.length === 1 && names[0] === "$lit") {
      const value = checkedTerm(operand["$lit"], `${path}.$lit`);
      return () => value;
    }
    if (names.length === 1 && names[0] === "$var") {
      return variableOf(operand["$var"], `${path}.$var`, slots);
    }
  }
  const value = checkedTerm(operand, path);
  refuseMarks(value, path);
  return () => value;
}

function variableOf(name: unknown, place: string, slots: ReadonlyMap<string, number>): Operand {
  const slot = typeof name === "string" ? slots.get(name) : undefined;
  if (slot === undefined) {
    throw malformed(place, `${JSON.stringify(name)} is no variable of the pattern`);
  }
  return (bound) => bound[slot];
}

/** Whoever writes a mark deeper in a value means more than the value, and would not get it. */
function refuseMarks(value: unknown, path: string): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      refuseMarks(item, `${path}[${index}]`);
    }
  } else if (isObject(value)) {
    for (const name of Object.keys(value)) {
      if (name.startsWith("$")) {
        throw malformed(`${path}.${name}`, "stands within a value; such a value goes into $lit");
      }
      refuseMarks(value[name], `${path}.${name}`);
    }
  }
}

function listOf(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) {
    throw malformed(path, "must be an array of guards");
  }
  return value;
}

function pairOf(value: unknown, path: string): readonly [unknown, unknown] {
  if (!Array.isArray(value) || value.length !== 2) {
    throw malformed(path, "must be an array of two");
  }
  return [value[0], value[1]];
}
