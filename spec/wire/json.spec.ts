import { expect } from "chai";
import fc from "fast-check";
import { SupercastError } from "../../lib/base/errors.ts";
import { parseJson, stringifyJson } from "../../lib/wire/json.ts";
import { foreignValues } from "./values.ts";

const parse = (text: string): unknown => parseJson(Buffer.from(text), 32);

describe("json values", () => {
  it("brings back every value that a foreign client may send or get", () => {
    fc.assert(
      fc.property(foreignValues, (value) => {
        expect(parse(stringifyJson(value))).to.deep.equal(value);
      }),
      { numRuns: 1000 },
    );
  });

  const forms: readonly [text: string, value: unknown][] = [
    ['{"$int":"9007199254740993"}', 9007199254740993n],
    ['{"$int":"-9223372036854775808"}', -(2n ** 63n)],
    ['{"$bytes":"AQID/w=="}', new Uint8Array([1, 2, 3, 255])],
    ['{"$bytes":""}', new Uint8Array(0)],
    ['{"$date":"2026-01-31T12:00:00.000Z"}', new Date("2026-01-31T12:00:00Z")],
    ['{"$num":"-Infinity"}', Number.NEGATIVE_INFINITY],
    ['{"$$int":"literal"}', { $int: "literal" }],
    ['{"$$$date":1}', { $$date: 1 }],
    ['{"$int":"1","more":2}', { $int: "1", more: 2 }],
    ['{"$other":1}', { $other: 1 }],
  ];
  for (const [text, value] of forms) {
    it(`reads and writes ${text}`, () => {
      expect(parse(text)).to.deep.equal(value);
      expect(stringifyJson(value)).to.equal(text);
    });
  }

  it("gives an integer one form: a number below 2^53, a bigint from there on", () => {
    expect(parse('{"$int":"5"}')).to.equal(5);
    expect(stringifyJson(5n)).to.equal("5");
    expect(parse('{"$int":"-0"}')).to.equal(0);
  });

  it("stores -0 as 0", () => {
    expect(Object.is(parse("-0"), 0)).to.equal(true);
    expect(stringifyJson(-0)).to.equal("0");
  });

  it("leaves out what is undefined, and writes null where something must stand", () => {
    expect(stringifyJson({ a: undefined, b: [undefined, 1], c: 2 })).to.equal('{"b":[null,1],"c":2}');
    expect(stringifyJson(Object.assign([1], { length: 3 }))).to.equal("[1,null,null]");
    expect(stringifyJson(undefined)).to.equal("null");
  });

  const unreadable: readonly [text: string, problem: string][] = [
    ['{"a":[{"$int":5}]}', "message.a[0].$int must be an integer in a string"],
    ['{"$int":"18446744073709551616"}', "message.$int is an integer of more than 64 bits"],
    [`{"$int":"${"9".repeat(1000)}"}`, "message.$int must be an integer in a string"],
    ['{"$bytes":"not base64"}', "message.$bytes must be base64 in a string"],
    ['{"$bytes":[1]}', "message.$bytes must be base64 in a string"],
    ['{"$date":"yesterday"}', "message.$date must be a date and time"],
    ['{"$date":"2026-13-01T00:00:00Z"}', "message.$date must be a date and time"],
    ['{"$num":"12"}', 'message.$num must be "NaN"'],
    ['{"a":{"__proto__":{"x":1}}}', 'message.a has a key "__proto__"'],
    ["[1e999]", "message[0] is a number too large"],
    ['{"a":1', "not JSON: "],
    ['{"a":1} {}', "not JSON: "],
  ];
  for (const [text, problem] of unreadable) {
    it(`refuses ${text.slice(0, 60)}, naming the place`, () => {
      expect(() => parse(text))
        .to.throw(SupercastError, problem)
        .with.property("code", "invalid_message");
    });
  }

  it("refuses bytes that are not UTF-8", () => {
    expect(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22), 32)).to.throw(SupercastError, "not UTF-8");
  });

  it("refuses nesting beyond the limit before it builds anything", () => {
    const deep = Buffer.from("[".repeat(1_000_000));
    expect(() => parseJson(deep, 32)).to.throw(SupercastError, "nested deeper than 32 levels at byte 32");
    expect(parse(`${"[".repeat(32)}${"]".repeat(32)}`)).to.be.an("array");
  });

  it("takes brackets in strings for text", () => {
    const text = `["${"[{".repeat(100)}\\"[\\\\", "]"]`;
    expect(parse(text)).to.deep.equal(JSON.parse(text));
  });

  const unwritable: readonly [name: string, value: unknown, problem: string][] = [
    ["a Map", { a: new Map() }, "value.a is a Map"],
    ["a function", { a: [() => 1] }, "value.a[0] is a function"],
    ["an instance of a class", { a: new URL("nats://x") }, "value.a is an instance of URL"],
    ["an integer of more than 64 bits", { a: 2n ** 64n }, "value.a is an integer of more than 64 bits"],
    ["an invalid date", { a: new Date(Number.NaN) }, "value.a is an invalid date"],
    ["a key __proto__", JSON.parse('{"__proto__":1,"b":2}'), 'value has a key "__proto__"'],
  ];
  for (const [name, value, problem] of unwritable) {
    it(`does not write ${name}`, () => {
      expect(() => stringifyJson(value)).to.throw(SupercastError, problem);
    });
  }

  it("does not write a cycle", () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(() => stringifyJson(cycle)).to.throw(SupercastError, "in a cycle");
  });
});
