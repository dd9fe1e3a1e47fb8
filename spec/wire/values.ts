/** Arbitraries for values that may travel, shared by the specs of the wire. */
import fc from "fast-check";

const text = (): fc.Arbitrary<string> => fc.string({ unit: "binary", maxLength: 80 });

const numbers = (): fc.Arbitrary<number> =>
  fc.oneof(
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double(),
    fc.constantFrom(
      0,
      31,
      32,
      63,
      64,
      127,
      128,
      255,
      256,
      65_535,
      65_536,
      2 ** 32 - 1,
      2 ** 32,
      -32,
      -33,
      -128,
      -129,
    ),
    fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 53, -(2 ** 53)),
  );

const bytes = (): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: 300 });

const keys = (): fc.Arbitrary<string> =>
  fc
    .oneof(text(), fc.constantFrom("type", "constructor", "hasOwnProperty", "toString", "length", ""))
    .filter((key) => key !== "__proto__");

/** -0 is left out: it arrives as 0. */
function positiveZero(value: number): number {
  return value === 0 ? 0 : value;
}

/** Values that come back equal from `decode(encode(value))`. */
export const travellers: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    text(),
    numbers().map(positiveZero),
    fc.boolean(),
    fc.constantFrom(null, undefined),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.date({ noInvalidDate: false }),
    bytes(),
    fc.array(tie("value"), { maxLength: 6 }),
    fc.dictionary(keys(), tie("value"), { maxKeys: 6, noNullPrototype: true }),
  ),
})).value;

/** Values that come back equal through the foreign edge: no undefined, big integers only beyond 2^53. */
export const foreignValues: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    text(),
    numbers().map(positiveZero),
    fc.boolean(),
    fc.constant(null),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
    fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
    fc.date({ noInvalidDate: true }),
    bytes(),
    fc.array(tie("value"), { maxLength: 6 }),
    fc.dictionary(fc.oneof(keys(), markedKeys()), tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;

/** Keys that collide with what JSON writes for the values it lacks. */
function markedKeys(): fc.Arbitrary<string> {
  return fc
    .tuple(fc.integer({ min: 1, max: 3 }), fc.constantFrom("int", "bytes", "date", "num", "other"))
    .map(([dollars, word]) => "$".repeat(dollars) + word);
}
