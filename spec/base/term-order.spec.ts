import { expect } from "chai";
import fc from "fast-check";
import { termKey } from "../../lib/base/term-key.ts";
import { compareTerms, sameTerm } from "../../lib/base/term-order.ts";
import { disguised, isSame, numbers, terms, texts } from "./terms.ts";

function compareKeys(left: unknown, right: unknown): number {
  const [leftKey, rightKey] = [termKey(left), termKey(right)];
  return leftKey < rightKey ? -1 : Number(leftKey > rightKey);
}

describe("the order of terms", () => {
  it("goes by type first, and within each type as documented", () => {
    const ascending: readonly unknown[] = [
      Number.NEGATIVE_INFINITY,
      -(2n ** 63n),
      -1.5,
      -1n,
      0,
      Number.MIN_VALUE,
      1n,
      1.5,
      2,
      10,
      2 ** 53,
      2n ** 53n + 1n,
      2n ** 63n - 1n,
      2 ** 63,
      2n ** 63n + 1n,
      2n ** 64n - 1n,
      2 ** 64,
      Number.POSITIVE_INFINITY,
      Number.NaN,
      false,
      null,
      true,
      undefined,
      [],
      [1],
      [1, 2],
      [1, "a"],
      [2],
      [[]],
      new Date(-1),
      new Date(0),
      new Date(Number.NaN),
      "",
      "\u0000",
      "a",
      "a\u0000",
      "a\u0000b",
      "ab",
      "b",
      "\u{1f600}",
      "\uffee",
      new Uint8Array([]),
      new Uint8Array([1]),
      new Uint8Array([1, 0]),
      new Uint8Array([255]),
      {},
      { b: 1 },
      { b: 2 },
      { c: 0 },
      { "": "", ÿ: "" },
      { "\u0000": "", a: "" },
      { a: 9, b: 9 },
      { a: 9, c: 1 },
    ];
    for (const [index, left] of ascending.entries()) {
      for (const [otherIndex, right] of ascending.entries()) {
        const expected = Math.sign(index - otherIndex);
        expect(Math.sign(compareTerms(left, right)), `${index} and ${otherIndex}`).to.equal(expected);
        expect(compareKeys(left, right), `keys of ${index} and ${otherIndex}`).to.equal(expected);
        expect(compareKeys([left], [right]), `keys of [${index}] and [${otherIndex}]`).to.equal(expected);
      }
    }
  });

  it("is antisymmetric, and 0 exactly for the same term", () => {
    fc.assert(
      fc.property(terms, terms, (left, right) => {
        const order = Math.sign(compareTerms(left, right));
        expect(Math.sign(compareTerms(right, left))).to.equal(order === 0 ? 0 : -order);
        expect(order === 0).to.equal(isSame(left, right));
        expect(sameTerm(left, right)).to.equal(order === 0);
        expect(compareTerms(left, disguised(left))).to.equal(0);
      }),
      { numRuns: 5_000 },
    );
  }).timeout(60_000);

  it("is transitive", () => {
    for (const kind of [terms, numbers]) {
      fc.assert(
        fc.property(kind, kind, kind, (a, b, c) => {
          // Boxed, because Array's sort puts undefined last whatever it is told.
          const boxes = [{ term: a }, { term: b }, { term: c }];
          const [low, middle, high] = boxes.sort((left, right) => compareTerms(left.term, right.term));
          expect(compareTerms(low?.term, middle?.term)).to.be.at.most(0);
          expect(compareTerms(middle?.term, high?.term)).to.be.at.most(0);
          expect(compareTerms(low?.term, high?.term)).to.be.at.most(0);
        }),
        { numRuns: 5_000 },
      );
    }
  }).timeout(60_000);

  it("is the order of the keys", () => {
    const names = texts.filter((text) => text !== "__proto__"); // which no term may have as a field
    const objects = fc.dictionary(names, fc.constantFrom("", 0, 1), { maxKeys: 3, noNullPrototype: true });
    const lists = fc.array(texts, { maxLength: 3 });
    for (const kind of [terms, numbers, objects, lists]) {
      fc.assert(
        fc.property(kind, kind, (left, right) => {
          const order = Math.sign(compareTerms(left, right));
          expect(compareKeys(left, right)).to.equal(order);
          expect(compareKeys([left, 1], [right, 2])).to.equal(order === 0 ? -1 : order);
          expect(compareKeys({ a: left, b: 1 }, { a: right, b: 2 })).to.equal(order === 0 ? -1 : order);
        }),
        { numRuns: 4_000 },
      );
    }
  }).timeout(60_000);

  it("has no place for what is no term", () => {
    for (const value of [() => 1, new Map(), 2n ** 64n, Symbol("s")]) {
      expect(() => compareTerms(1, value)).to.throw("no term");
      expect(() => sameTerm(value, value)).to.throw("no term");
    }
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(() => compareTerms(cycle, cycle)).to.throw("nests more than 128 levels deep");
  });
});
