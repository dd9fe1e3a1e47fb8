/**
 * Match patterns, as ETS has them, in plain data that a JSON client can write as well.
 *
 *     {"$any": true}                         matches any value
 *     {"$var": "x"}                          matches any value; where the name stands again, the same value
 *     {"$lit": value}                        matches exactly this value, whatever it looks like
 *     [pattern, ...]                         an array of as many items, each matching its pattern
 *     {"name": pattern, ...}                 an object with these fields, and maybe others
 *     anything else                          that value
 *     {"$match": pattern, "$where": guard}   at the top only: the pattern, when the guard holds (guard.ts)
 *
 * Values are the same when they are the same term (term-order.ts). A field whose name begins with "$" stands in
 * a pattern within `$lit` only. Matching goes once through the pattern, without going back.
 */
import { compileGuard, type Guard, type GuardData, type Slots } from "./guard.ts";
import { checkedTerm, isObject, malformed } from "./pattern-parts.ts";
import { NESTING_MAX } from "./term.ts";
import { sameTerm } from "./term-order.ts";

export interface AnyPattern {
  readonly $any: true;
}

export interface VariablePattern {
  readonly $var: string;
}

export interface LiteralPattern {
  readonly $lit: unknown;
}

export interface GuardedPattern {
  readonly $match: unknown;
  readonly $where: GuardData;
}

export const ANY: AnyPattern = { $any: true };

export function variable(name: string): VariablePattern {
  return { $var: name };
}

export function literal(value: unknown): LiteralPattern {
  return { $lit: value };
}

export function where(pattern: unknown, guard: GuardData): GuardedPattern {
  return { $match: pattern, $where: guard };
}

type Part =
  | { readonly kind: "any" }
  | { readonly kind: "variable"; readonly slot: number }
  | { readonly kind: "constant"; readonly value: unknown }
  | { readonly kind: "array"; readonly items: readonly Part[] }
  | { readonly kind: "object"; readonly fields: readonly (readonly [name: string, part: Part])[] };

/** Stands where a variable has no value yet. */
const FREE = Symbol("free");

/** A pattern that has been checked. */
export class Matcher {
  readonly #part: Part;
  readonly #guard: Guard | null;
  readonly #names: readonly string[];
  readonly #bound: unknown[];

  constructor(part: Part, guard: Guard | null, names: readonly string[]) {
    this.#part = part;
    this.#guard = guard;
    this.#names = names;
    this.#bound = names.map(() => FREE);
  }

  /** `value` is a term. */
  matches(value: unknown): boolean {
    this.#bound.fill(FREE);
    return fits(this.#part, value, this.#bound) && (this.#guard === null || this.#guard(this.#bound));
  }

  /** The values of the variables by their names when `value` matches, else null. */
  bind(value: unknown): ReadonlyMap<string, unknown> | null {
    return this.matches(value) ? new Map(this.#names.map((name, slot) => [name, this.#bound[slot]])) : null;
  }

  /** The one value that the item at `index` may have, when the pattern is an array and says so; else null. */
  constantAt(index: number): { readonly value: unknown } | null {
    const part = this.#part;
    if (part.kind === "constant") {
      return Array.isArray(part.value) && index < part.value.length ? { value: part.value[index] } : null;
    }
    const item = part.kind === "array" ? part.items[index] : undefined;
    return item?.kind === "constant" ? { value: item.value } : null;
  }
}

function fits(part: Part, value: unknown, bound: unknown[]): boolean {
  switch (part.kind) {
    case "any":
      return true;
    case "variable": {
      const present = bound[part.slot];
      if (present === FREE) {
        bound[part.slot] = value;
        return true;
      }
      return sameTerm(present, value);
    }
    case "constant":
      return sameTerm(part.value, value);
    case "array":
      return (
        Array.isArray(value) &&
        value.length === part.items.length &&
        part.items.every((item, index) => fits(item, value[index], bound))
      );
    case "object":
      return (
        isObject(value) &&
        part.fields.every(([name, field]) => Object.hasOwn(value, name) && fits(field, value[name], bound))
      );
  }
}

/** Throws `invalid_message`, naming the place below `name`, for what is no pattern. */
export function compilePattern(pattern: unknown, name: string = "pattern"): Matcher {
  const slots: Slots = new Map();
  if (!isObject(pattern) || !(Object.hasOwn(pattern, "$match") || Object.hasOwn(pattern, "$where"))) {
    return new Matcher(partOf(pattern, name, slots, NESTING_MAX), null, [...slots.keys()]);
  }
  for (const field of ["$match", "$where"]) {
    if (!Object.hasOwn(pattern, field)) {
      throw malformed(`${name}.${field}`, "is missing; $match and $where go together");
    }
  }
  const stranger = Object.keys(pattern).find((field) => field !== "$match" && field !== "$where");
  if (stranger !== undefined) {
    throw malformed(`${name}.${stranger}`, "does not belong to $match and $where");
  }
  const part = partOf(pattern["$match"], `${name}.$match`, slots, NESTING_MAX);
  const guard = compileGuard(pattern["$where"], `${name}.$where`, slots);
  return new Matcher(part, guard, [...slots.keys()]);
}

function partOf(pattern: unknown, path: string, slots: Slots, levels: number): Part {
  if (levels === 0) {
    throw malformed(path, `nests more than ${NESTING_MAX} levels deep, or in a cycle`);
  }
  if (Array.isArray(pattern)) {
    const items = Array.from(pattern, (item: unknown, index) =>
      partOf(item, `${path}[${index}]`, slots, levels - 1),
    );
    const values = items.flatMap((item) => (item.kind === "constant" ? [item.value] : []));
    return values.length === items.length ? { kind: "constant", value: values } : { kind: "array", items };
  }
  if (!isObject(pattern)) {
    return constantOf(pattern, path);
  }
  const names = Object.keys(pattern);
  const marked = names.find((name) => name.startsWith("$"));
  if (marked !== undefined) {
    return markedPart(pattern, names, marked, path, slots);
  }
  const fields = names.map((name) => {
    return [name, partOf(pattern[name], `${path}.${name}`, slots, levels - 1)] as const;
  });
  return { kind: "object", fields };
}

function markedPart(
  pattern: Readonly<Record<string, unknown>>,
  names: readonly string[],
  marked: string,
  path: string,
  slots: Slots,
): Part {
  const place = `${path}.${marked}`;
  if (names.length > 1) {
    throw malformed(place, "must be the only field; an object with such a field stands in $lit");
  }
  const value = pattern[marked];
  switch (marked) {
    case "$any":
      if (value !== true) {
        throw malformed(place, "must be true");
      }
      return { kind: "any" };
    case "$var": {
      if (typeof value !== "string" || value === "") {
        throw malformed(place, "must be the name of a variable, a string that is not empty");
      }
      const slot = slots.get(value) ?? slots.size;
      slots.set(value, slot);
      return { kind: "variable", slot };
    }
    case "$lit":
      return constantOf(value, place);
    case "$match":
    case "$where":
      throw malformed(place, "stands at the top of a pattern only");
    default:
      throw malformed(place, "is no part of a pattern; known: $any, $var, $lit");
  }
}

function constantOf(value: unknown, path: string): Part {
  return { kind: "constant", value: checkedTerm(value, path) };
}
