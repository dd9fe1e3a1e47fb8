/**
 * The order of terms, total over values of all types:
 *
 *     number < false < null < true < undefined < array < date < string < bytes < object
 *
 * as Erlang has it (number < atom < tuple < ... < bitstring, atoms by their names), with dates before strings
 * and objects last. Within a type:
 *
 *   number  by value, exactly, numbers and bigints together; 1 and 1n are the same, so are 0 and -0; NaN equals
 *           itself and comes after Infinity
 *   array   item by item; when one is the beginning of the other, the shorter one comes first
 *   date    by time; an invalid one comes last
 *   string  by UTF-16 code units, as JavaScript's `<`
 *   bytes   byte by byte; when one is the beginning of the other, the shorter one comes first
 *   object  fewer fields first, then their names in order, then their values in that order
 *
 * `termKey` gives keys in this same order; two terms compare as 0 exactly when their keys are equal.
 */
import { NESTING_MAX, rankOf, tooDeep } from "./term.ts";

/**
 * Below zero, zero or above zero. An Array's own `sort` puts undefined last without asking it. Throws `invalid_message` for what is
 * no term.
 */
export function compareTerms(left: unknown, right: unknown): number {
  return compare(left, right, NESTING_MAX);
}

/** Whether both are the same term, and have one key. */
export function sameTerm(left: unknown, right: unknown): boolean {
  return typeof left === "string" && typeof right === "string"
    ? left === right
    : compare(left, right, NESTING_MAX) === 0;
}

function compare(left: unknown, right: unknown, levels: number): number {
  const difference = rankOf(left) - rankOf(right);
  if (difference !== 0) {
    return difference;
  }
  if (typeof left === "string" && typeof right === "string") {
    return compareOrdered(left, right);
  }
  if (isNumber(left) && isNumber(right)) {
    return compareNumbers(left, right);
  }
  if (typeof left !== "object" || left === null || typeof right !== "object" || right === null) {
    return 0;
  }
  if (levels === 0) {
    throw tooDeep();
  }
  if (left instanceof Uint8Array && right instanceof Uint8Array) {
    return Buffer.compare(left, right);
  }
  if (left instanceof Date && right instanceof Date) {
    return compareNumbers(left.getTime(), right.getTime());
  }
  return Array.isArray(left) && Array.isArray(right)
    ? compareLists(left, right, levels - 1)
    : compareObjects(Object.entries(left), Object.entries(right), levels - 1);
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

/** JavaScript compares a number with a bigint by their values, exactly. */
function compareNumbers(left: number | bigint, right: number | bigint): number {
  const leftIsNaN = Number.isNaN(left);
  return leftIsNaN || Number.isNaN(right)
    ? Number(leftIsNaN) - Number(Number.isNaN(right))
    : compareOrdered(left, right);
}

function compareOrdered<Value extends string | number | bigint>(left: Value, right: Value): number {
  return left < right ? -1 : Number(left > right);
}

function compareLists(left: readonly unknown[], right: readonly unknown[], levels: number): number {
  const common = Math.min(left.length, right.length);
  for (let index = 0; index < common; index++) {
    const difference = compare(left[index], right[index], levels);
    if (difference !== 0) {
      return difference;
    }
  }
  return left.length - right.length;
}

type Field = readonly [name: string, value: unknown];

function compareObjects(left: Field[], right: Field[], levels: number): number {
  if (left.length !== right.length) {
    return left.length - right.length;
  }
  left.sort(byName);
  right.sort(byName);
  const names = compareLists(left.map(nameOf), right.map(nameOf), 1);
  return names === 0 ? compareLists(left.map(contentOf), right.map(contentOf), levels) : names;
}

function byName([left]: Field, [right]: Field): number {
  return compareOrdered(left, right);
}

function nameOf([name]: Field): string {
  return name;
}

function contentOf([, value]: Field): unknown {
  return value;
}
