import { runInNewContext } from "node:vm";
import { expect } from "chai";
import fc from "fast-check";
import { Packr } from "msgpackr";
import { SupercastError } from "../../lib/base/errors.ts";
import { NESTING_MAX } from "../../lib/base/term.ts";
import { decode, decodeRun, encode, encodeInto } from "../../lib/wire/codec.ts";
import { travellers } from "./values.ts";

function refusalOf(value: unknown): SupercastError {
  try {
    encode(value);
  } catch (error) {
    if (error instanceof SupercastError) {
      return error;
    }
    throw error;
  }
  throw new Error("the value was encoded");
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) {
    value = [value];
  }
  return value;
}

describe("wire codec", () => {
  it("brings back every value that may travel as it was", () => {
    fc.assert(
      fc.property(travellers, (value) => {
        expect(decode(encode(value))).to.deep.equal(value);
      }),
      { numRuns: 500 },
    );
  });

  it("decodes a value between two offsets of a larger buffer, of either kind", () => {
    fc.assert(
      fc.property(travellers, fc.nat(9), fc.nat(9), fc.boolean(), (value, before, after, asBuffer) => {
        const encoded = encode(value);
        const whole = new Uint8Array(before + encoded.length + after).fill(0xc1);
        whole.set(encoded, before);
        const source = asBuffer ? Buffer.from(whole.buffer) : whole;
        expect(decode(source, before, before + encoded.length)).to.deep.equal(value);
      }),
      { numRuns: 300 },
    );
  });

  it("yields plain Uint8Arrays that share no memory with the source", () => {
    const source = Buffer.from(encode({ bytes: Buffer.from([1, 2, 3]), big: new Uint8Array(5000).fill(7) }));
    const value = decode(source);
    source.fill(0xff);
    expect(value).to.deep.equal({ bytes: new Uint8Array([1, 2, 3]), big: new Uint8Array(5000).fill(7) });
    const bytes = typeof value === "object" && value !== null && "bytes" in value ? value.bytes : undefined;
    expect(bytes).to.be.an.instanceOf(Uint8Array);
    expect(Buffer.isBuffer(bytes)).to.equal(false);
  });

  it("leaves its source without additions", () => {
    const bytes = new Uint8Array(encode({ a: 1 }));
    const large = new Uint8Array(encode("x".repeat(10_000)));
    decode(bytes);
    decode(large);
    expect(Object.keys(bytes)).to.have.length(bytes.length);
    expect(Object.keys(large)).to.have.length(large.length);
  });

  it("hands out bytes that later values do not overwrite", () => {
    const values = Array.from({ length: 2000 }, (_, index) => ({ index, text: "x".repeat(index % 200) }));
    const encoded = values.map((value) => encode(value));
    expect(encoded.map((bytes) => decode(bytes))).to.deep.equal(values);
  });

  it("shares msgpackr's buffer with other users of msgpackr in the process", () => {
    const others = new Packr({ useRecords: false });
    const target = Buffer.alloc(256);
    const theirs: Uint8Array[] = [];
    const ours: Uint8Array[] = [];
    for (let index = 0; index < 500; index++) {
      theirs.push(others.pack({ theirs: index }));
      ours.push(encode({ ours: index }));
      encodeInto({ overwritten: "x".repeat(50) }, target, 0, target.length);
    }
    expect(theirs.map((bytes) => decode(bytes))).to.deep.equal(theirs.map((_, index) => ({ theirs: index })));
    expect(ours.map((bytes) => decode(bytes))).to.deep.equal(ours.map((_, index) => ({ ours: index })));
  });

  it("keeps no large buffer after a large value", () => {
    const large = encode("x".repeat(3_000_000));
    const small = encode("small");
    expect(large.buffer.byteLength).to.equal(large.length);
    expect(small.buffer.byteLength).to.be.at.most(64 * 1024);
  });

  it("carries an object with more keys than fit 16 bits", () => {
    const wide = Object.fromEntries(Array.from({ length: 70_000 }, (_, index) => [`k${index}`, index]));
    expect(decode(encode({ wide }))).to.deep.equal({ wide });
  });

  it("takes plain objects without a prototype and from another realm", () => {
    const bare = Object.assign(Object.create(null), { a: 1 });
    expect(decode(encode(bare))).to.deep.equal({ a: 1 });
    expect(decode(encode(runInNewContext("({ a: [1, { b: 2 }] })")))).to.deep.equal({ a: [1, { b: 2 }] });
  });

  it("makes 0 of -0", () => {
    expect(Object.is(decode(encode(-0)), 0)).to.equal(true);
  });

  describe("refuses what cannot travel, naming its path", () => {
    class Account {
      readonly owner = "ann";
    }
    const cases: readonly [name: string, value: unknown, text: string][] = [
      ["a function", { a: { run: () => 1 } }, "value.a.run is a function"],
      ["a symbol", [0, Symbol("s")], "value[1] is a symbol"],
      ["a Map", { m: new Map() }, "value.m is a Map"],
      ["a Set", { m: new Set() }, "value.m is a Set"],
      ["an Error", { e: new TypeError("no") }, "value.e is an Error (TypeError: no)"],
      ["a RegExp", { r: /x/ }, "value.r is an instance of RegExp"],
      [
        "a typed array other than of bytes",
        { f: new Float64Array(2) },
        "value.f is an instance of Float64Array",
      ],
      ["an ArrayBuffer", { f: new ArrayBuffer(2) }, "value.f is an instance of ArrayBuffer"],
      ["a promise", { p: Promise.resolve(1) }, "value.p is an instance of Promise"],
      ["an instance of a class", { list: [1, new Account()] }, "value.list[1] is an instance of Account"],
      ["an integer of more than 64 bits", { n: 2n ** 64n }, "value.n is an integer of more than 64 bits"],
      ["an integer below 64 bits", { n: -(2n ** 63n) - 1n }, "value.n is an integer of more than 64 bits"],
      ["a key __proto__", JSON.parse('{"a":{"__proto__":1}}'), 'value.a has a key "__proto__"'],
    ];
    for (const [name, value, text] of cases) {
      it(name, () => {
        const error = refusalOf(value);
        expect(error.code).to.equal("invalid_message");
        expect(error.message).to.contain(text);
      });
    }

    it("a cycle, and whatever is nested too deep", () => {
      const cycle: Record<string, unknown> = {};
      cycle["self"] = cycle;
      expect(refusalOf(cycle).message).to.contain(`nested more than ${NESTING_MAX} levels`);
      expect(refusalOf(nested(100_000)).message).to.contain(`nested more than ${NESTING_MAX} levels`);
      expect(decode(encode(nested(NESTING_MAX)))).to.deep.equal(nested(NESTING_MAX));
    });

    it("a value whose getter throws", () => {
      const value = {
        get broken(): number {
          throw new Error("no value here");
        },
      };
      expect(refusalOf(value).message).to.contain("no value here");
      expect(decode(encode("still works"))).to.equal("still works");
    });
  });

  describe("decode", () => {
    it("throws invalid_message at every truncation of a value", () => {
      fc.assert(
        fc.property(travellers, (value) => {
          const bytes = encode(value);
          for (let length = 0; length < bytes.length; length++) {
            expect(() => decode(bytes, 0, length), `of ${length} bytes`).to.throw(SupercastError);
          }
        }),
        { numRuns: 100 },
      );
    });

    it("throws invalid_message when something follows the value", () => {
      expect(() => decode(new Uint8Array([1, 2]))).to.throw(SupercastError, "not a msgpack value");
    });

    it("throws nothing but invalid_message for random bytes, and goes on working", () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
          try {
            decode(bytes);
          } catch (error) {
            expect(error).to.be.an.instanceOf(SupercastError);
          }
          expect(decode(encode({ a: ["b", 1] }))).to.deep.equal({ a: ["b", 1] });
        }),
        { numRuns: 2000 },
      );
    });

    it("survives a hundred thousand levels", () => {
      const bytes = new Uint8Array(100_001).fill(0x91);
      bytes[100_000] = 1;
      expect(() => decode(bytes)).to.throw(SupercastError);
      expect(decode(encode({ a: 1 }))).to.deep.equal({ a: 1 });
    });

    it("lets no __proto__ key touch a prototype", () => {
      const bytes = new Packr({ useRecords: false }).pack(JSON.parse('{"__proto__":{"polluted":true}}'));
      const value = decode(bytes);
      expect(Object.getPrototypeOf(value)).to.equal(Object.prototype);
      expect(value).not.to.have.property("polluted");
    });
  });

  describe("encodeInto", () => {
    it("writes exactly the bytes of the value, and nothing outside of its room when they do not fit", () => {
      fc.assert(
        fc.property(travellers, fc.nat(20), fc.nat(400), (value, offset, room) => {
          const bytes = encode(value);
          const target = Buffer.alloc(offset + room + 20, 0xaa);
          const written = encodeInto(value, target, offset, offset + room);
          const expected = Buffer.alloc(target.length, 0xaa);
          if (bytes.length <= room) {
            expected.set(bytes, offset);
          }
          expect(written).to.equal(bytes.length <= room ? bytes.length : -bytes.length);
          if (bytes.length > room) {
            target.fill(0xaa, offset, offset + room);
          }
          expect(target).to.deep.equal(expected);
        }),
        { numRuns: 300 },
      );
    });
  });

  describe("decodeRun", () => {
    it("yields the values one after the other, with where each ends", () => {
      const values = [1, "two", { three: [3] }];
      const parts = values.map((value) => encode(value));
      const found: [unknown, number][] = [];
      decodeRun(Buffer.concat(parts), (value, end) => found.push([value, end]));
      let end = 0;
      expect(found).to.deep.equal(
        values.map((value, index) => {
          end += parts[index]?.length ?? 0;
          return [value, end];
        }),
      );
    });
  });
});
