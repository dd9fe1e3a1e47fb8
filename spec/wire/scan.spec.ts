import { expect } from "chai";
import fc from "fast-check";
import { encode } from "../../lib/wire/codec.ts";
import { scanMsgpack } from "../../lib/wire/scan.ts";
import { foreignValues } from "./values.ts";

const DEPTH = 32;

function scan(...bytes: readonly number[]): string | undefined {
  return scanMsgpack(Uint8Array.from(bytes), DEPTH);
}

describe("msgpack scan", () => {
  it("accepts whatever a foreign client may send", () => {
    fc.assert(
      fc.property(foreignValues, (value) => {
        expect(scanMsgpack(encode(value), DEPTH)).to.equal(undefined);
      }),
      { numRuns: 500 },
    );
  });

  it("accepts every form of length that msgpack has", () => {
    expect(scan(0xd9, 1, 0x61)).to.equal(undefined);
    expect(scan(0xda, 0, 1, 0x61)).to.equal(undefined);
    expect(scan(0xdb, 0, 0, 0, 1, 0x61)).to.equal(undefined);
    expect(scan(0xc4, 1, 0xff)).to.equal(undefined);
    expect(scan(0xc5, 0, 1, 0xff)).to.equal(undefined);
    expect(scan(0xc6, 0, 0, 0, 1, 0xff)).to.equal(undefined);
    expect(scan(0xdc, 0, 1, 0xc0)).to.equal(undefined);
    expect(scan(0xdd, 0, 0, 0, 1, 0xc0)).to.equal(undefined);
    expect(scan(0xde, 0, 1, 0xa1, 0x61, 0xc0)).to.equal(undefined);
    expect(scan(0xdf, 0, 0, 0, 1, 0xa1, 0x61, 0xc0)).to.equal(undefined);
    expect(scan(0xca, 0, 0, 0, 0)).to.equal(undefined);
    expect(scan(0xd3, 0, 0, 0, 0, 0, 0, 0, 0)).to.equal(undefined);
    expect(scan(0xd6, 0xff, 0, 0, 0, 0)).to.equal(undefined);
    expect(scan(0xc7, 12, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)).to.equal(undefined);
  });

  it("refuses a value at every truncation", () => {
    fc.assert(
      fc.property(foreignValues, (value) => {
        const bytes = encode(value);
        for (let length = 0; length < bytes.length; length++) {
          expect(scanMsgpack(bytes.subarray(0, length), DEPTH), `${length} bytes`).to.be.a("string");
        }
      }),
      { numRuns: 100 },
    );
  });

  it("says of random bytes what decode says, and never throws", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const problem = scanMsgpack(bytes, DEPTH);
        expect(problem === undefined || problem.length > 0).to.equal(true);
      }),
      { numRuns: 2000 },
    );
  });

  const refused: readonly [name: string, bytes: readonly number[], text: string][] = [
    ["trailing bytes", [1, 2, 3], "2 bytes follow the value at byte 1"],
    [
      "an array that claims more than there is",
      [0xdd, 0xff, 0xff, 0xff, 0xff, 1],
      "at byte 0 claims more entries",
    ],
    [
      "a map that claims more than there is",
      [0xdf, 0x7f, 0xff, 0xff, 0xff, 1],
      "at byte 0 claims more entries",
    ],
    [
      "a string that claims more than there is",
      [0x91, 0xdb, 0xff, 0xff, 0xff, 0xff],
      "at byte 1 claims more bytes",
    ],
    [
      "a byte string that claims more than there is",
      [0xc6, 0xff, 0xff, 0xff, 0xff],
      "at byte 0 claims more bytes",
    ],
    ["a length that is cut", [0xdd, 0xff], "inside a length"],
    ["a key that is no string", [0x81, 1, 2], "the map key at byte 1 is not a string"],
    ["a key that is a map", [0x81, 0x80, 2], "the map key at byte 1 is not a string"],
    ["a key __proto__", [0x81, 0xa9, ...Buffer.from("__proto__"), 0x80], '"__proto__", which is not allowed'],
    ["a string that is not UTF-8", [0x91, 0xa2, 0xc3, 0x28], "the string at byte 1 is not UTF-8"],
    ["the byte that msgpack never uses", [0x92, 1, 0xc1], "byte 2 is 0xc1"],
    ["an unknown extension", [0xd4, 5, 0], "extension type 5"],
    ["msgpackr's records", [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 1], "extension type 114"],
    [
      "a timestamp beyond all dates",
      [0xc7, 12, 0xff, 0, 0, 0, 0, 0x7f, 0, 0, 0, 0, 0, 0, 0],
      "beyond all dates",
    ],
    ["a timestamp of odd length", [0xd5, 0xff, 0, 0], "extension type -1, of 2 bytes"],
  ];
  for (const [name, bytes, text] of refused) {
    it(`refuses ${name}, with the offset`, () => {
      expect(scan(...bytes)).to.contain(text);
    });
  }

  it("refuses nesting beyond the limit, at a hundred thousand levels as at one too many", () => {
    expect(scan(...Array<number>(DEPTH).fill(0x91), 1)).to.equal(undefined);
    expect(scan(...Array<number>(DEPTH + 1).fill(0x91), 1)).to.equal(
      "nested deeper than 32 levels at byte 32",
    );
    expect(scanMsgpack(new Uint8Array(100_000).fill(0x91), DEPTH)).to.contain("nested deeper");
    expect(scanMsgpack(new Uint8Array(100_000).fill(0x91), 1_000_000)).to.contain(
      "at byte 99999 claims more",
    );
  });

  it("takes the value of a __proto__ string for what it is", () => {
    expect(scan(0x81, 0xa1, 0x61, 0xa9, ...Buffer.from("__proto__"))).to.equal(undefined);
  });
});
