import { expect } from "chai";
import fc from "fast-check";
import { Packr } from "msgpackr";
import { NESTING_MAX } from "../../lib/base/term.ts";
import { OP } from "../../lib/node/envelope.ts";
import { encode } from "../../lib/wire/codec.ts";
import { GAVE_UP, writePlain } from "../../lib/wire/plain-writer.ts";
import { travellers } from "./values.ts";

const packr = new Packr({ useRecords: false, useToJSON: false });
const UNTOUCHED = 0xaa;

/** The bytes of `value`, or undefined when the writer gave up. */
function written(value: unknown, before: number = 0): Uint8Array | undefined {
  const target = Buffer.alloc(before + 400_000, UNTOUCHED);
  const end = writePlain(value, target, before, target.length);
  expect(target.subarray(0, before).every((byte) => byte === UNTOUCHED)).to.equal(true);
  return end === GAVE_UP ? undefined : new Uint8Array(target.subarray(before, end));
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) {
    value = [value];
  }
  return value;
}

const ids = fc.oneof(
  fc.maxSafeNat(),
  fc.constantFrom(0, 1, 31, 63, 64, 127, 128, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32),
);
const targets = fc.oneof(ids, fc.string({ unit: "binary", maxLength: 300 }), fc.string({ maxLength: 40 }));

describe("the short way to msgpack", () => {
  it("writes the very bytes of msgpackr for the head of every item", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(OP)),
        ids,
        targets,
        fc.option(ids),
        fc.nat(9),
        (op, id, target, caller, before) => {
          for (const item of [
            [op, id, target, { type: "get", key: "k" }, caller],
            [op, target, { type: "put" }],
            [op, id, target],
            [op, id],
          ]) {
            expect(written(item, before)).to.deep.equal(new Uint8Array(packr.pack(item)));
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("writes the very bytes of the codec for every value that may travel, or gives up", () => {
    let given = 0;
    fc.assert(
      fc.property(travellers, fc.nat(9), (value, before) => {
        const bytes = written(value, before);
        given += bytes === undefined ? 0 : 1;
        expect(bytes ?? encode(value)).to.deep.equal(new Uint8Array(encode(value)));
      }),
      { numRuns: 1000 },
    );
    expect(given).to.be.above(300);
  });

  it("writes texts and numbers of every length of head", () => {
    for (const length of [0, 1, 15, 16, 31, 32, 63, 64, 255, 256, 65_535, 65_536]) {
      for (const letter of ["a", "é", "€", "😀"]) {
        const text = letter.repeat(length).slice(0, 65_536);
        expect(written([text, 1]), `${length} of ${letter}`).to.deep.equal(new Uint8Array(encode([text, 1])));
      }
    }
    for (let exponent = 0; exponent <= 53; exponent++) {
      for (const number of [2 ** exponent - 1, 2 ** exponent, -(2 ** exponent), -(2 ** exponent) - 1]) {
        expect(written(number), String(number)).to.deep.equal(new Uint8Array(encode(number)));
      }
    }
    for (const length of [0, 15, 16, 65_535]) {
      const array = Array.from({ length }, () => true);
      expect(written(array), `${length} entries`).to.deep.equal(new Uint8Array(encode(array)));
    }
    for (const length of [0, 255, 256, 65_535, 65_536]) {
      const bytes = Buffer.alloc(length, 7);
      expect(written(bytes), `${length} bytes`).to.deep.equal(new Uint8Array(encode(bytes)));
      expect(written(new Uint8Array(bytes)), `${length} bytes`).to.deep.equal(new Uint8Array(encode(bytes)));
    }
  });

  it("writes objects without a prototype, entries that are undefined, and keys that look like methods", () => {
    const bare = Object.assign(Object.create(null), { a: 1 });
    const holed = new Array<number>(3);
    holed[1] = 1;
    for (const value of [bare, holed, { a: undefined }, { hasOwnProperty: 1, constructor: "x", toJSON: 2 }]) {
      expect(written(value)).to.deep.equal(new Uint8Array(encode(value)));
    }
  });

  it("leaves what may not travel, and what it does not know, to the codec", () => {
    class Account {
      readonly owner = "ann";
    }
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    const others = [() => 1, Symbol("s"), new Map(), new Set(), new Error("e"), /x/, new Account(), 1n];
    for (const value of [...others, new Date(0), new Float32Array(3), JSON.parse('{"__proto__":1}')]) {
      expect(written(value), String(value)).to.equal(undefined);
      expect(written([0, { value }]), String(value)).to.equal(undefined);
    }
    expect(written(cycle)).to.equal(undefined);
    expect(written(nested(NESTING_MAX))).to.deep.equal(new Uint8Array(encode(nested(NESTING_MAX))));
    expect(written(nested(NESTING_MAX + 1))).to.equal(undefined);
    expect(written(["\ud800", "x\udc00y".repeat(20)])).to.equal(undefined);
    expect(written(new Array(65_536).fill(0))).to.equal(undefined);
  });

  it("writes nothing at the end of its room or behind it", () => {
    fc.assert(
      fc.property(travellers, fc.nat(400), (value, room) => {
        const target = Buffer.alloc(room + 500, UNTOUCHED);
        const end = writePlain(value, target, 3, 3 + room);
        expect(target.subarray(3 + room).every((byte) => byte === UNTOUCHED)).to.equal(true);
        if (end !== GAVE_UP) {
          expect(new Uint8Array(target.subarray(3, end))).to.deep.equal(new Uint8Array(encode(value)));
        }
      }),
      { numRuns: 500 },
    );
  });
});
