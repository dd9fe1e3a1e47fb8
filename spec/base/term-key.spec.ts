import { expect } from "chai";
import fc from "fast-check";
import { termKey } from "../../lib/base/term-key.ts";
import { decode, encode } from "../../lib/wire/codec.ts";
import { parseJson } from "../../lib/wire/json.ts";
import { disguised, isSame, numbers, terms } from "./terms.ts";

function fromJson(text: string): unknown {
  return parseJson(new TextEncoder().encode(text), 32);
}

function refusal(value: unknown): string {
  try {
    return `has the key ${termKey(value)}`;
  } catch (error) {
    return error instanceof Error && "code" in error
      ? `${String(error.code)}: ${error.message}`
      : String(error);
  }
}

describe("the key of a term", () => {
  it("is this text, in every version", () => {
    const known: readonly (readonly [unknown, string])[] = [
      ["alice", "salice"],
      ["", "s"],
      [0, "2"],
      [7, "3b7"],
      [42, "3c42"],
      [1000, "3e1"],
      [-42, "1t57~"],
      [1.5, "3b15"],
      [0.05, "3a3995"],
      [-0.05, "1v6004~"],
      [1e300, "3v3011"],
      [2 ** 53 + 2, "3q9007199254740994"],
      [2 ** 63, "3t9223372036854775808"],
      [-(2n ** 63n), "1c0776627963145224191~"],
      [Number.MIN_VALUE, "3a0775"],
      [Number.POSITIVE_INFINITY, "4"],
      [Number.NEGATIVE_INFINITY, "0"],
      [Number.NaN, "5"],
      [false, "F"],
      [true, "T"],
      [null, "N"],
      [undefined, "U"],
      [new Date(1000), "d3e1"],
      [new Date(Number.NaN), "d5"],
      [new Uint8Array([1, 255]), "x01ff"],
      [[], "[)"],
      [["user", 1, -1, new Uint8Array([9])], "[suser\u00003b1,1u8~x09,)"],
      [["a\u0000b"], "[sa\u0000\u00ffb\u0000)"],
      [{}, "{2"],
      [{ b: [1], a: null }, "{3b2,sa\u0000sb\u0000N[3b1,)"],
    ];
    for (const [term, key] of known) {
      expect(termKey(term)).to.equal(key);
    }
  });

  it("is shared by two values exactly when they are the same term", () => {
    fc.assert(
      fc.property(terms, terms, (left, right) => {
        expect(termKey(left) === termKey(right)).to.equal(isSame(left, right));
      }),
      { numRuns: 5_000 },
    );
    fc.assert(
      fc.property(numbers, numbers, (left, right) => {
        expect(termKey(left) === termKey(right)).to.equal(isSame(left, right));
      }),
      { numRuns: 20_000 },
    );
  }).timeout(60_000);

  it("is that of the same term in another form, and of what the codec makes of it", () => {
    fc.assert(
      fc.property(terms, (term) => {
        const key = termKey(term);
        expect(termKey(disguised(term))).to.equal(key);
        expect(termKey(decode(encode(term)))).to.equal(key);
      }),
      { numRuns: 3_000 },
    );
  }).timeout(60_000);

  it("is the same for what a JSON client writes and what TypeScript holds", () => {
    expect(termKey(fromJson('{"$int":"5"}')))
      .to.equal(termKey(5))
      .and.to.equal(termKey(5n));
    expect(termKey(fromJson('{"$int":"9007199254740993"}'))).to.equal(termKey(9007199254740993n));
    expect(termKey(fromJson("9007199254740992"))).to.equal(termKey(2n ** 53n));
    expect(termKey(fromJson("1.0"))).to.equal(termKey(1n));
    expect(
      termKey(fromJson('["u",{"$date":"1970-01-01T00:00:01Z"},{"$bytes":"Cf8="},{"$num":"NaN"}]')),
    ).to.equal(termKey(["u", new Date(1000), new Uint8Array([9, 255]), Number.NaN]));
  });

  it("tells arrays, objects and texts apart that look alike", () => {
    const pairs: readonly (readonly [unknown, unknown])[] = [
      [["a", "b"], ["ab"]],
      [["ab"], ["a", "b"]],
      [[["a"], "b"], [["a", "b"]]],
      [[1, 2], [12]],
      [[1, 2], [1.2]],
      [["a\u0000sb"], ["a", "b"]],
      [
        { a: 1, b: 2 },
        { ab: 1, "": 2 },
      ],
      [{ a: undefined }, {}],
      [{ 0: 1 }, [1]],
      ["1", 1],
      [new Uint8Array([1]), [1]],
      [new Date(1), 1],
      [null, undefined],
      [2 ** 53, 2n ** 53n + 1n],
    ];
    for (const [left, right] of pairs) {
      expect(termKey(left)).to.not.equal(termKey(right));
    }
  });

  it("is refused for what is no term, saying what it is", () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    const lone = "\ud800";
    expect(
      [() => 1, [new Map()], 2n ** 64n, new Error("x"), cycle, [lone], { [lone]: 1 }, lone].map(refusal),
    ).to.deep.equal([
      "invalid_message: holds a function, which is no term",
      "invalid_message: holds a Map, which is no term",
      "invalid_message: holds an integer of more than 64 bits, which is no term",
      "invalid_message: holds an Error (Error: x), which is no term",
      "invalid_message: nests more than 128 levels deep, or in a cycle",
      'invalid_message: holds "\\ud800", which is no well-formed text',
      'invalid_message: holds "\\ud800", which is no well-formed text',
      'invalid_message: holds "\\ud800", which is no well-formed text',
    ]);
    const own: unknown = JSON.parse('{"__proto__":1}');
    expect(refusal(own)).to.equal('invalid_message: holds a field "__proto__", which is no term');
  });
});
