import { expect } from "chai";
import fc from "fast-check";
import {
  and,
  eq,
  GUARD_TYPES,
  type GuardData,
  ge,
  gt,
  is,
  le,
  lt,
  ne,
  not,
  or,
} from "../../lib/base/guard.ts";
import { ANY, compilePattern, literal, variable, where } from "../../lib/base/pattern.ts";
import { compareTerms } from "../../lib/base/term-order.ts";
import { terms } from "./terms.ts";

const X = variable("x");
const Y = variable("y");

/** Whether the guard holds for these values of x and y. */
function holds(guard: GuardData, x: unknown, ...others: readonly unknown[]): boolean {
  return compilePattern(where([X, Y], guard)).matches([x, others.length === 0 ? null : others[0]]);
}

function refusal(guard: unknown): string {
  try {
    compilePattern({ $match: [X, ANY], $where: guard });
    return "taken";
  } catch (error) {
    return error instanceof Error && "code" in error
      ? `${String(error.code)} ${error.message}`
      : String(error);
  }
}

describe("a guard", () => {
  it("compares by the order of terms, across types", () => {
    fc.assert(
      fc.property(terms, terms, (x, y) => {
        const order = compareTerms(x, y);
        expect([eq, ne, lt, le, gt, ge].map((compare) => holds(compare(X, Y), x, y))).to.deep.equal([
          order === 0,
          order !== 0,
          order < 0,
          order <= 0,
          order > 0,
          order >= 0,
        ]);
        expect(holds(le(X, literal(y)), x)).to.equal(order <= 0);
        expect(holds(le(literal(x), Y), null, y)).to.equal(order <= 0);
      }),
      { numRuns: 1_000 },
    );
    expect(holds(lt(X, "a"), 5)).to.equal(true);
    expect(holds(eq(X, { a: [1] }), { a: [1n] })).to.equal(true);
  }).timeout(30_000);

  it("joins and turns round other guards", () => {
    for (const x of [0, 1, 2, 3]) {
      expect(holds(and(gt(X, 0), lt(X, 3)), x)).to.equal(x > 0 && x < 3);
      expect(holds(or(eq(X, 0), eq(X, 3)), x)).to.equal(x === 0 || x === 3);
      expect(holds(not(or(eq(X, 0), and(gt(X, 0), lt(X, 2)))), x)).to.equal(x >= 2);
    }
    expect([holds(and(), 1), holds(or(), 1)]).to.deep.equal([true, false]);
  });

  it("asks for the type", () => {
    const typesOf = (value: unknown): string[] =>
      GUARD_TYPES.filter((type) => compilePattern({ $match: X, $where: { $is: [X, type] } }).matches(value));
    const values: readonly unknown[] = [
      1,
      1n,
      1.5,
      Number.NaN,
      true,
      false,
      null,
      undefined,
      [],
      new Date(0),
      "",
      new Uint8Array(),
      {},
    ];
    expect(values.map(typesOf)).to.deep.equal([
      ["number", "integer"],
      ["number", "integer"],
      ["number"],
      ["number"],
      ["boolean"],
      ["boolean"],
      ["null"],
      ["undefined"],
      ["array"],
      ["date"],
      ["string"],
      ["bytes"],
      ["object"],
    ]);
    expect(holds(is(X, "string"), "a")).to.equal(true);
  });

  it("that is malformed is refused with the place of the mistake", () => {
    const known = "$and, $or, $not, $eq, $ne, $lt, $le, $gt, $ge, $is";
    expect(
      [
        null,
        {},
        { $and: [], $or: [] },
        { $xor: [1, 2] },
        { $and: [{ $not: { $lt: [variable("z"), 1] } }] },
        { $or: { $eq: [1, 2] } },
        { $eq: [1] },
        { $is: [X, "text"] },
        { $gt: [[1, X], 2] },
        { $gt: [{ a: ANY }, 2] },
        { $gt: [X, new Map()] },
      ].map(refusal),
    ).to.deep.equal([
      `invalid_message pattern.$where: must be an object with one field: ${known}`,
      `invalid_message pattern.$where: must be an object with one field: ${known}`,
      `invalid_message pattern.$where: must be an object with one field: ${known}`,
      `invalid_message pattern.$where.$xor: is no guard; known: ${known}`,
      'invalid_message pattern.$where.$and[0].$not.$lt[0].$var: "z" is no variable of the pattern',
      "invalid_message pattern.$where.$or: must be an array of guards",
      "invalid_message pattern.$where.$eq: must be an array of two",
      `invalid_message pattern.$where.$is[1]: is no type; known: ${GUARD_TYPES.join(", ")}`,
      "invalid_message pattern.$where.$gt[0][1].$var: stands within a value; such a value goes into $lit",
      "invalid_message pattern.$where.$gt[0].a.$any: stands within a value; such a value goes into $lit",
      "invalid_message pattern.$where.$gt[1]: holds a Map, which is no term",
    ]);
    let deep: unknown = { $and: [] };
    for (let level = 0; level < 200; level++) {
      deep = { $not: deep };
    }
    expect(refusal(deep)).to.match(/nests more than 128 levels deep/);
  });
});
