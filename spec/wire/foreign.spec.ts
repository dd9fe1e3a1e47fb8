import { expect } from "chai";
import fc from "fast-check";
import { Packr } from "msgpackr";
import { ERROR_CODES, type ErrorCode, isErrorCode, type SupercastError } from "../../lib/base/errors.ts";
import { encode } from "../../lib/wire/codec.ts";
import {
  decodeForeign,
  encodeAnswer,
  type ForeignAnswer,
  type ForeignDecoded,
  type ForeignForm,
  SERVICE_ERROR_CODES,
} from "../../lib/wire/foreign.ts";
import { parseJson } from "../../lib/wire/json.ts";
import { foreignValues } from "./values.ts";

const LIMITS = { foreignBytes: 64 * 1024, foreignDepth: 32 };
const FORMS: readonly ForeignForm[] = ["json", "msgpack"];

const names = fc.string().filter((name) => name !== "__proto__");

const packr = new Packr({ useRecords: false });

function decodeText(text: string): ForeignDecoded {
  return decodeForeign(Buffer.from(text), LIMITS);
}

function errorOf(decoded: ForeignDecoded): SupercastError {
  if ("error" in decoded) {
    return decoded.error;
  }
  throw new Error(`accepted: ${JSON.stringify(decoded.message)}`);
}

/** Reads an answer as a client of that form would, then as a message to get back the values. */
function readAnswer(payload: Uint8Array, form: ForeignForm): unknown {
  if (form === "json") {
    return parseJson(payload, 100);
  }
  const body = packr.unpack(payload);
  const decoded = decodeForeign(packr.pack({ type: "answer", ...body }), {
    foreignBytes: 1e9,
    foreignDepth: 100,
  });
  if ("error" in decoded) {
    throw decoded.error;
  }
  const { type: _, ...answer } = decoded.message;
  return answer;
}

describe("foreign messages", () => {
  it("come through in both forms with every value", () => {
    fc.assert(
      fc.property(fc.dictionary(names, foreignValues, { maxKeys: 5, noNullPrototype: true }), (fields) => {
        const message = { ...fields, type: "set" };
        const json = encodeAnswer({ ok: message }, "json").payload;
        const body = Buffer.from(json).subarray('{"ok":'.length, -1);
        expect(decodeForeign(body, LIMITS)).to.deep.equal({ form: "json", message });
        expect(decodeForeign(encode(message), LIMITS)).to.deep.equal({ form: "msgpack", message });
      }),
      { numRuns: 300 },
    );
  });

  it("in msgpack get their integers in one form, whatever size they were written in", () => {
    const message = { type: "t", small: 5n, large: 2n ** 60n, list: [{ n: 2n ** 40n }] };
    expect(decodeForeign(packr.pack(message), LIMITS)).to.deep.equal({
      form: "msgpack",
      message: { type: "t", small: 5, large: 2n ** 60n, list: [{ n: 2 ** 40 }] },
    });
  });

  it("in JSON may begin with white space", () => {
    expect(decodeText(' \r\n\t{"type":"x"}')).to.deep.equal({ form: "json", message: { type: "x" } });
  });

  it("may be msgpack maps of any length form", () => {
    const pair = [0xa4, ...Buffer.from("type"), 0xa1, 0x78];
    for (const head of [[0x81], [0xde, 0, 1], [0xdf, 0, 0, 0, 1]]) {
      const decoded = decodeForeign(Uint8Array.from([...head, ...pair]), LIMITS);
      expect(decoded).to.deep.equal({ form: "msgpack", message: { type: "x" } });
    }
  });

  describe("are refused", () => {
    const texts: readonly [name: string, text: string, problem: string][] = [
      ["when empty", "", "the message is empty"],
      ["when only white space", " \n", "the message is empty"],
      ["with a byte-order mark", '\ufeff{"type":"x"}', "begins with a byte-order mark"],
      ["when an array", '[{"type":"x"}]', 'begins with "["'],
      ["when a string", '"type"', 'begins with "\\""'],
      ["when no JSON", "{type:1}", "not JSON"],
      ["without a type", '{"kind":"x"}', 'the field "type" is missing'],
      ["with a type that is no string", '{"type":5}', 'the field "type" must be a string'],
      ["with an empty type", '{"type":""}', 'the field "type" must be a string'],
      ["with a key __proto__", '{"type":"x","a":[{"__proto__":1}]}', 'message.a[0] has a key "__proto__"'],
      [
        "when nested too deep",
        `{"type":"x","a":${"[".repeat(60_000)}`,
        "nested deeper than 32 levels at byte",
      ],
      ["when a marked form is wrong", '{"type":"x","at":{"$date":"now"}}', "message.at.$date must be a date"],
      ["when the whole is a marked form", '{"$int":"5"}', "the message is not an object"],
    ];
    for (const [name, text, problem] of texts) {
      it(`${name}, in JSON`, () => {
        const decoded = decodeText(text);
        expect(decoded.form).to.equal("json");
        expect(errorOf(decoded).code).to.equal("invalid_message");
        expect(errorOf(decoded).message).to.contain(problem.replace('\\"', '"'));
      });
    }

    const packed: readonly [name: string, bytes: Uint8Array, problem: string][] = [
      ["when an array", packr.pack([1]), "begins with the byte 0x91"],
      ["when a string", packr.pack("x".repeat(40)), "begins with the byte 0xd9"],
      ["without a type", packr.pack({ a: 1 }), 'the field "type" is missing'],
      ["with a type that is no string", packr.pack({ type: [] }), 'the field "type" must be a string'],
      ["with keys that are no strings", packr.pack(new Map([[1, 2]])), "is not a string"],
      ["with an extension", packr.pack({ type: "x", a: undefined }), "extension type 0"],
      ["when truncated", packr.pack({ type: "x", a: [1, 2] }).subarray(0, -1), "claims more entries than"],
      [
        "when something follows",
        Buffer.concat([packr.pack({ type: "x" }), Buffer.from([1])]),
        "1 bytes follow",
      ],
      ["when nested too deep", new Uint8Array(60_000).fill(0x81), "not an acceptable msgpack map"],
      [
        "with a timestamp beyond all dates",
        Buffer.concat([
          Buffer.from([0x82, 0xa1, 0x61, 0xc7, 12, 0xff, 0, 0, 0, 0, 0, 0, 0x7f, 0, 0, 0, 0, 0]),
          packr.pack("type"),
          packr.pack("x"),
        ]),
        "message.a is a timestamp beyond",
      ],
    ];
    for (const [name, bytes, problem] of packed) {
      it(`${name}, in msgpack`, () => {
        const decoded = decodeForeign(bytes, LIMITS);
        expect(decoded.form).to.equal("msgpack");
        expect(errorOf(decoded).code).to.equal("invalid_message");
        expect(errorOf(decoded).message).to.contain(problem);
      });
    }

    for (const form of FORMS) {
      it(`when too large, with both sizes, in ${form}`, () => {
        const message = { type: "x", text: "y".repeat(70_000) };
        const bytes = form === "json" ? Buffer.from(JSON.stringify(message)) : packr.pack(message);
        const decoded = decodeForeign(bytes, LIMITS);
        expect(decoded.form).to.equal(form);
        expect(errorOf(decoded).code).to.equal("payload_too_large");
        expect(errorOf(decoded).details).to.deep.equal({ bytes: bytes.length, max: 65_536 });
      });
    }
  });

  it("never throw, whatever the bytes", () => {
    const prefixed = fc
      .tuple(
        fc.constantFrom([], [0x7b], [0x82], [0xde, 0], [0xdf], [0x81, 0xa4, 0x74]),
        fc.uint8Array({ maxLength: 200 }),
      )
      .map(([prefix, bytes]) => Uint8Array.from([...prefix, ...bytes]));
    fc.assert(
      fc.property(prefixed, (bytes) => {
        const decoded = decodeForeign(bytes, LIMITS);
        expect("message" in decoded ? typeof decoded.message.type : decoded.error.code).to.be.a("string");
      }),
      { numRuns: 3000 },
    );
  });

  it("never throw at any truncation or change of one byte", () => {
    fc.assert(
      fc.property(foreignValues, fc.nat(), fc.nat(255), (value, where, byte) => {
        for (const bytes of [encode({ type: "x", value }), encodeAnswer({ ok: value }, "json").payload]) {
          const changed = Uint8Array.from(bytes);
          changed[where % changed.length] = byte;
          decodeForeign(changed, LIMITS);
          expect("error" in decodeForeign(bytes.subarray(0, where % bytes.length), LIMITS)).to.equal(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("foreign answers", () => {
  for (const form of FORMS) {
    it(`bring back every value in ${form}, without headers`, () => {
      fc.assert(
        fc.property(foreignValues, (value) => {
          const { payload, headers } = encodeAnswer({ ok: value }, form);
          expect(headers).to.equal(undefined);
          expect(readAnswer(payload, form)).to.deep.equal({ ok: value });
        }),
        { numRuns: 300 },
      );
    });

    it(`say null for an answer of nothing, and leave out undefined fields, in ${form}`, () => {
      expect(readAnswer(encodeAnswer({ ok: undefined }, form).payload, form)).to.deep.equal({ ok: null });
      const { payload } = encodeAnswer({ ok: { a: undefined, b: [undefined] } }, form);
      expect(readAnswer(payload, form)).to.deep.equal({ ok: { b: [null] } });
    });

    it(`carry an error in body and headers, in ${form}`, () => {
      const { payload, headers } = encodeAnswer({ error: { code: "noproc", message: 'no actor "x"' } }, form);
      expect(readAnswer(payload, form)).to.deep.equal({ error: { code: "noproc", message: 'no actor "x"' } });
      expect(headers).to.deep.equal({
        "Nats-Service-Error": 'no actor "x"',
        "Nats-Service-Error-Code": "404",
      });
    });

    const unsendable: readonly [name: string, value: unknown, problem: string][] = [
      ["a Map", { list: [new Map()] }, "ok.list[0] is a Map"],
      ["a function", () => 1, "ok is a function"],
      ["an integer of more than 64 bits", { n: 2n ** 70n }, "ok.n is an integer of more than 64 bits"],
      ["an instance of a class", { u: new URL("nats://x") }, "ok.u is an instance of URL"],
    ];
    for (const [name, value, problem] of unsendable) {
      it(`become an error when the value holds ${name}, in ${form}`, () => {
        const { payload, headers } = encodeAnswer({ ok: value }, form);
        const message = `the answer cannot be sent: ${problem}, which cannot travel`;
        expect(readAnswer(payload, form)).to.deep.equal({ error: { code: "invalid_message", message } });
        expect(headers).to.have.property("Nats-Service-Error-Code", "400");
      });
    }

    it(`become an error when reading the value throws, in ${form}`, () => {
      const value = {
        get broken(): never {
          throw new TypeError("no value");
        },
      };
      const { payload } = encodeAnswer({ ok: value }, form);
      expect(readAnswer(payload, form)).to.deep.equal({
        error: { code: "internal", message: "the answer cannot be sent: no value" },
      });
    });

    it(`become an error when they exceed the bound, in ${form}`, () => {
      const { payload, headers } = encodeAnswer({ ok: "x".repeat(2000) }, form, 1000);
      expect(payload.length).to.be.below(1000);
      expect(readAnswer(payload, form)).to.have.nested.property("error.code", "payload_too_large");
      expect(headers).to.have.property("Nats-Service-Error-Code", "413");
    });

    it(`come out whatever stands in the error, in ${form}`, () => {
      const wrong = JSON.parse('{"code":"made_up","message":{"no":"text"}}');
      const trap = new Proxy(wrong, {
        get: () => {
          throw new Error("trap");
        },
      });
      const large: ForeignAnswer = {
        error: { code: "timeout", message: "m".repeat(1_000_000), details: () => 1 },
      };
      for (const answer of [{ error: wrong }, { error: trap }, large]) {
        const { payload, headers } = encodeAnswer(answer, form);
        expect(payload.length).to.be.below(4096);
        expect(readAnswer(payload, form)).to.have.nested.property("error.code").that.satisfies(isErrorCode);
        expect(headers?.["Nats-Service-Error"]).to.be.a("string").that.is.not.equal("");
      }
    });

    it(`carry any error text, with headers of one line of printable ASCII, in ${form}`, () => {
      fc.assert(
        fc.property(fc.string({ unit: "binary", maxLength: 600 }), (message) => {
          const { payload, headers } = encodeAnswer({ error: { code: "timeout", message } }, form);
          expect(readAnswer(payload, form)).to.deep.equal({ error: { code: "timeout", message } });
          expect(headers?.["Nats-Service-Error"]).to.match(/^[\x20-\x7e]{1,256}$/);
        }),
      );
    });
  }

  it("have a number for every error code", () => {
    const codes = Object.keys(ERROR_CODES).filter((code): code is ErrorCode => isErrorCode(code));
    for (const code of codes) {
      const { headers } = encodeAnswer({ error: { code, message: "x" } }, "json");
      expect(headers?.["Nats-Service-Error-Code"]).to.equal(String(SERVICE_ERROR_CODES[code]));
      expect(SERVICE_ERROR_CODES[code]).to.be.within(400, 599);
    }
  });
});
