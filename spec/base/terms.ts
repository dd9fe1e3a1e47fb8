/** Arbitraries for terms, drawn so that equal ones and near ones meet, and a plain idea of when two are the same. */
import fc from "fast-check";

const NEAR: readonly (number | bigint)[] = [
  0,
  -0,
  0n,
  1,
  1n,
  -1,
  -1n,
  10,
  100n,
  0.1,
  -0.1,
  0.01,
  1.5,
  Number.MAX_SAFE_INTEGER,
  BigInt(Number.MAX_SAFE_INTEGER),
  2 ** 53,
  2n ** 53n,
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  2 ** 63,
  2n ** 63n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  -(2 ** 63),
  2 ** 64,
  2n ** 64n - 1n,
  1e20,
  1e21,
  1e22,
  Number.MAX_VALUE,
  Number.MIN_VALUE,
  -Number.MIN_VALUE,
  Number.EPSILON,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
];

const words = new BigInt64Array(1);
const doubles = new Float64Array(words.buffer);

/** The next double, away from zero. */
function neighbour(value: number): number {
  doubles[0] = value;
  words[0] = (words[0] ?? 0n) + 1n;
  return doubles[0] ?? 0;
}

function asBigint(value: number): number | bigint {
  return Number.isInteger(value) && Math.abs(value) < 2 ** 63 ? BigInt(value) : value;
}

export const numbers: fc.Arbitrary<number | bigint> = fc.oneof(
  fc.constantFrom(...NEAR),
  fc.integer({ min: -120, max: 120 }),
  fc.integer({ min: -120, max: 120 }).map(asBigint),
  fc.integer({ min: -1200, max: 1200 }).map((value) => value / 10),
  fc.maxSafeInteger(),
  fc.double(),
  fc.double().map((value) => (Number.isFinite(value) ? neighbour(value) : value)),
  fc.double({ min: -(2 ** 64), max: 2 ** 64 }).map(Math.trunc),
  fc.double({ min: -(2 ** 64), max: 2 ** 64 }).map((value) => asBigint(Math.trunc(value))),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
);

export const texts: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "b", "\u0000", "\u0001", "\u00ff", ",", ")", "~"), maxLength: 4 }),
  fc.string({ unit: fc.constantFrom("a", "\u{1f600}", "\uffee", "\ud7ff", "é"), maxLength: 4 }),
  fc.string({ unit: "binary", maxLength: 12 }).filter((text) => !/\p{Surrogate}/u.test(text)),
);

const names = fc.oneof(fc.constantFrom("a", "b", "ab", "", "type", "constructor"), texts);

/** Terms of all types. */
export const terms: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  term: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    texts,
    numbers,
    fc.boolean(),
    fc.constantFrom(null, undefined),
    fc.oneof(fc.date({ noInvalidDate: false }), fc.constantFrom(new Date(0), new Date(1), new Date(-1))),
    fc.uint8Array({ maxLength: 3 }),
    fc.array(tie("term"), { maxLength: 4 }),
    fc
      .dictionary(names, tie("term"), { maxKeys: 4, noNullPrototype: true })
      .filter((object) => !Object.hasOwn(object, "__proto__")),
  ),
})).term;

/** Another value that is the same term. */
export function disguised(term: unknown): unknown {
  if (typeof term === "number") {
    return term === 0 ? -0 : asBigint(term);
  }
  if (typeof term === "bigint") {
    return BigInt(Number(term)) === term ? Number(term) : term;
  }
  if (term instanceof Uint8Array) {
    return Buffer.from(term);
  }
  if (term instanceof Date) {
    return new Date(term);
  }
  if (Array.isArray(term)) {
    return term.map(disguised);
  }
  if (typeof term === "object" && term !== null) {
    const fields = Object.entries(term).map(([name, value]) => [name, disguised(value)] as const);
    return Object.fromEntries(fields.reverse());
  }
  return term;
}

/** What "the same term" means, without keys and without an order. */
export function isSame(left: unknown, right: unknown): boolean {
  if (isNumeric(left) && isNumeric(right)) {
    // JavaScript compares a number with a bigint by their values, exactly.
    return (Number.isNaN(left) && Number.isNaN(right)) || (left <= right && left >= right);
  }
  if (typeof left !== "object" || left === null || typeof right !== "object" || right === null) {
    return left === right;
  }
  if (left instanceof Date || right instanceof Date) {
    return left instanceof Date && right instanceof Date && Object.is(left.getTime(), right.getTime());
  }
  if (left instanceof Uint8Array || right instanceof Uint8Array) {
    return left instanceof Uint8Array && right instanceof Uint8Array && isSameList([...left], [...right]);
  }
  if (Array.isArray(left) || Array.isArray(right)) {
    return Array.isArray(left) && Array.isArray(right) && isSameList(left, right);
  }
  const fields = new Map<string, unknown>(Object.entries(right));
  return (
    Object.keys(left).length === fields.size &&
    Object.entries(left).every(([name, value]) => fields.has(name) && isSame(value, fields.get(name)))
  );
}

function isNumeric(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

function isSameList(left: readonly unknown[], right: readonly unknown[]): boolean {
  return left.length === right.length && left.every((item, index) => isSame(item, right[index]));
}
