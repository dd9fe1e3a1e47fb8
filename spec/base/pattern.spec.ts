import { expect } from "chai";
import fc from "fast-check";
import { and, gt, is } from "../../lib/base/guard.ts";
import { ANY, compilePattern, literal, variable, where } from "../../lib/base/pattern.ts";
import { parseJson } from "../../lib/wire/json.ts";
import { disguised, isSame, terms } from "./terms.ts";

function matches(pattern: unknown, value: unknown): boolean {
  return compilePattern(pattern).matches(value);
}

function bindings(pattern: unknown, value: unknown): Readonly<Record<string, unknown>> | null {
  const bound = compilePattern(pattern).bind(value);
  return bound === null ? null : Object.fromEntries(bound);
}

function refusal(pattern: unknown, name?: string): string {
  try {
    compilePattern(pattern, name);
    return "taken";
  } catch (error) {
    return error instanceof Error && "code" in error
      ? `${String(error.code)} ${error.message}`
      : String(error);
  }
}

describe("a pattern", () => {
  it("of a value matches that value and no other, in whatever form", () => {
    fc.assert(
      fc.property(terms, terms, (left, right) => {
        expect(matches(literal(left), disguised(left))).to.equal(true);
        expect(matches(literal(left), right)).to.equal(isSame(left, right));
        expect(matches([literal(left), ANY], [right, 1])).to.equal(isSame(left, right));
      }),
      { numRuns: 2_000 },
    );
  }).timeout(30_000);

  it("matches an array item by item, of the same length", () => {
    const pattern = ["user", ANY, ["a", ANY]];
    expect(matches(pattern, ["user", { any: "thing" }, ["a", undefined]])).to.equal(true);
    expect(matches(pattern, ["user", 1, ["b", 2]])).to.equal(false);
    expect(matches(pattern, ["user", 1])).to.equal(false);
    expect(matches(pattern, ["user", 1, ["a", 2], 3])).to.equal(false);
    expect(matches(pattern, "user")).to.equal(false);
    expect(matches([], [])).to.equal(true);
    expect(matches([], {})).to.equal(false);
  });

  it("of an object matches the fields that it names, and a literal object all of them", () => {
    const user = { name: "Ann", age: 7, address: { city: "Ulm", zip: 1 } };
    expect(matches({ address: { city: "Ulm" } }, user)).to.equal(true);
    expect(matches({ address: { city: "Bonn" } }, user)).to.equal(false);
    expect(matches({ phone: ANY }, user)).to.equal(false);
    expect(matches({ toString: ANY }, user)).to.equal(false);
    expect(matches({}, user)).to.equal(true);
    expect(matches({}, [])).to.equal(false);
    expect(matches({}, new Date(0))).to.equal(false);
    expect(matches(literal({ name: "Ann" }), user)).to.equal(false);
    expect(matches({ address: literal({ zip: 1n, city: "Ulm" }) }, user)).to.equal(true);
    expect(matches(literal({ $var: "x" }), { $var: "x" })).to.equal(true);
  });

  it("gives the same variable the same value everywhere, each time anew", () => {
    const pattern = [variable("x"), [variable("y"), variable("x")]];
    expect(bindings(pattern, [1, ["b", 1n]])).to.deep.equal({ x: 1, y: "b" });
    expect(bindings(pattern, [undefined, [null, undefined]])).to.deep.equal({ x: undefined, y: null });
    expect(bindings(pattern, [1, ["b", 2]])).to.equal(null);
    const matcher = compilePattern(pattern);
    expect(
      [
        [1, [0, 1]],
        [2, [0, 2]],
        [2, [0, 1]],
      ].map((value) => matcher.matches(value)),
    ).to.deep.equal([true, true, false]);
  });

  it("says which one value an item of the array must have", () => {
    const constants = [ANY, variable("x"), 5, [1, "a"], { a: 1 }, literal({ a: 1 }), [ANY]].map((item) =>
      compilePattern(["t", item, ANY]).constantAt(1),
    );
    expect(constants).to.deep.equal([
      null,
      null,
      { value: 5 },
      { value: [1, "a"] },
      null,
      { value: { a: 1 } },
      null,
    ]);
    expect(compilePattern(["t", 5]).constantAt(1)).to.deep.equal({ value: 5 });
    expect(compilePattern(["t", 5]).constantAt(2)).to.equal(null);
    expect(compilePattern(ANY).constantAt(0)).to.equal(null);
    expect(compilePattern("text").constantAt(0)).to.equal(null);
  });

  it("is what a JSON client writes", () => {
    const text =
      '{"$match":["job",{"$var":"n"},{"$any":true},{"state":"new"}],' +
      '"$where":{"$and":[{"$gt":[{"$var":"n"},{"$int":"9007199254740993"}]},{"$is":[{"$var":"n"},"integer"]}]}}';
    const pattern = parseJson(new TextEncoder().encode(text), 32);
    expect(matches(pattern, ["job", 2n ** 60n, "x", { state: "new", at: 1 }])).to.equal(true);
    expect(matches(pattern, ["job", 2n ** 53n, "x", { state: "new", at: 1 }])).to.equal(false);
    expect(matches(pattern, ["job", 1e300, "x", { state: "old" }])).to.equal(false);
    const built = where(["job", variable("n"), ANY, { state: "new" }], {
      $and: [gt(variable("n"), 9007199254740993n), is(variable("n"), "integer")],
    });
    expect(pattern).to.deep.equal(built);
  });

  it("that is malformed is refused with the place of the mistake", () => {
    expect(
      [
        [1, { $any: 1 }],
        { a: [{ $var: "" }] },
        [{ $any: true, x: 1 }],
        [{ $foo: 1 }],
        [{ $match: 1, $where: 2 }],
        { $match: ANY },
        { $where: and(), x: 1 },
        { $match: ANY, $where: and(), x: 1 },
        [new Map()],
        [literal(() => 1)],
        "\ud800",
      ].map((pattern) => refusal(pattern)),
    ).to.deep.equal([
      "invalid_message pattern[1].$any: must be true",
      "invalid_message pattern.a[0].$var: must be the name of a variable, a string that is not empty",
      "invalid_message pattern[0].$any: must be the only field; an object with such a field stands in $lit",
      "invalid_message pattern[0].$foo: is no part of a pattern; known: $any, $var, $lit",
      "invalid_message pattern[0].$match: must be the only field; an object with such a field stands in $lit",
      "invalid_message pattern.$where: is missing; $match and $where go together",
      "invalid_message pattern.$match: is missing; $match and $where go together",
      "invalid_message pattern.x: does not belong to $match and $where",
      "invalid_message pattern[0]: holds a Map, which is no term",
      "invalid_message pattern[0].$lit: holds a function, which is no term",
      'invalid_message pattern: holds "\\ud800", which is no well-formed text',
    ]);
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(refusal(cycle)).to.match(/^invalid_message pattern(\[0\])+: nests more than 128 levels deep/);
    expect(refusal([{ $any: 0 }], "query.pattern")).to.match(/^invalid_message query\.pattern\[0\]\.\$any/);
  });
});
