import { expect } from "chai";
import fc from "fast-check";
import { SupercastError } from "../../lib/base/errors.ts";
import { BatchBuilder, decodeBatch } from "../../lib/stream/batch-codec.ts";
import type { Change } from "../../lib/stream/definition.ts";
import { HASH_ANSWER, HASH_RECORD, hashOf, hashOfBytes } from "../../lib/stream/state-hash.ts";
import { encode } from "../../lib/wire/codec.ts";
import { travels } from "../../lib/wire/travel.ts";
import { payloadOf } from "./state-support.ts";

const id = { clientId: "c", requestSeq: 2 };

function batchOf(...changes: Change[]): Uint8Array {
  return payloadOf([
    { ...id, doneBelow: 1, answer: { n: 1 }, changes },
    { clientIds: ["x", "y"], idleSinceSeq: 7 },
  ]);
}

/** Returns the code of what `run` throws, or null. */
function codeOf(run: () => unknown): string | null {
  try {
    run();
    return null;
  } catch (error) {
    if (error instanceof SupercastError) {
      return error.code;
    }
    throw error;
  }
}

describe("a batch's payload", () => {
  it("comes back as the rows that went in", () => {
    const changes: Change[] = [
      { key: "k", value: [1, new Uint8Array([9])] },
      { key: "__proto__", value: null },
      { key: "\u{1f600}", value: 1 },
      { key: "gone", deleted: true },
    ];
    const [request, expiry] = decodeBatch(batchOf(...changes));
    expect(request).to.deep.include({ kind: "request", ...id, doneBelow: 1, answer: { n: 1 }, changes });
    expect(expiry).to.deep.equal({ kind: "expiry", clientIds: ["x", "y"], idleSinceSeq: 7 });
  });

  it("says where its answers and changes stand, so that their hashes are those of what comes back", () => {
    const value = fc.oneof(
      fc.jsonValue().filter((each) => travels(each)),
      fc.uint8Array(),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
      fc.double(),
      fc.date({ noInvalidDate: true }),
    );
    const put = fc.record({ key: fc.string({ unit: "grapheme" }), value });
    const drop = fc.record({ key: fc.string({ unit: "grapheme" }), deleted: fc.constant(true as const) });
    const rows = fc.array(
      fc.record({ answer: value, changes: fc.array(fc.oneof(put, drop), { maxLength: 4 }) }),
      {
        minLength: 1,
        maxLength: 4,
      },
    );
    fc.assert(
      fc.property(rows, (drawn) => {
        const payload = payloadOf(
          drawn.map((row, index) => ({ clientId: "c", requestSeq: index + 1, doneBelow: 0, ...row })),
        );
        const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
        for (const row of decodeBatch(payload)) {
          if (row.kind === "request") {
            const { clientId, requestSeq, answer, changes, spans } = row;
            const [start = 0, end = 0] = spans;
            const answered = hashOf(HASH_ANSWER, [clientId, requestSeq, answer], 9);
            expect(hashOfBytes(HASH_ANSWER, view, start, end, 9)).to.deep.equal(answered);
            for (const [index, change] of changes.entries()) {
              if (!("deleted" in change)) {
                const [from = 0, to = 0] = [spans[2 + index], spans[3 + index]];
                const known = hashOf(HASH_RECORD, [change.key, change.value], 9);
                expect(hashOfBytes(HASH_RECORD, view, from, to, 9)).to.deep.equal(known);
              }
            }
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it("is built of what was kept, and what does not fit says so and leaves no trace", () => {
    const builder = new BatchBuilder(Buffer.alloc(64));
    const add = (requestSeq: number, size: number): ReturnType<typeof builder.add> =>
      builder.add({ clientId: "c", requestSeq }, 0, {
        answer: null,
        changes: [{ key: "k", value: "x".repeat(size) }],
      });
    expect(add(1, 10).kind).to.equal("request");
    builder.keep();
    expect(add(2, 10).kind).to.equal("request");
    expect(add(3, 40).kind).to.equal("full");
    expect(add(4, 60).kind).to.equal("tooLong");
    expect(add(5, 5).kind).to.equal("request");
    builder.keep();
    const rows = decodeBatch(builder.finish());
    expect(rows.map((row) => (row.kind === "request" ? row.requestSeq : 0))).to.deep.equal([1, 5]);
  });

  it("is refused when it ends early, anywhere", () => {
    const payload = batchOf({ key: "k", value: "some text" }, { key: "gone", deleted: true });
    for (let end = 0; end < payload.length; end++) {
      expect(
        codeOf(() => decodeBatch(payload.subarray(0, end))),
        `cut at ${end}`,
      ).to.equal("invalid_message");
    }
  });

  it("is refused when something follows it", () => {
    const payload = batchOf({ key: "k", value: 1 });
    expect(codeOf(() => decodeBatch(new Uint8Array([...payload, 0xc0])))).to.equal("invalid_message");
  });

  const foreign: readonly (readonly [string, readonly unknown[]])[] = [
    ["another format", [[1, 0]]],
    ["no head", ["head"]],
    [
      "a count of rows that is not theirs",
      [
        [2, 2],
        [7, []],
      ],
    ],
    ["a row that is no array", [[2, 1], { clientId: "c" }]],
    ["a row with a field too many", [[2, 1], ["c", 1, null, 1], 0, 0]],
    ["an empty client id", [[2, 1], ["", 1, null], 0, 0]],
    ["a request number below 1", [[2, 1], ["c", 0, null], 0, 0]],
    ["a doneBelow above its request", [[2, 1], ["c", 1, null], 2, 0]],
    ["a change without a key", [[2, 1], ["c", 1, null], 0, 1, [1, 1]]],
    ["a value that is undefined", [[2, 1], ["c", 1, null], 0, 1, ["k", undefined]]],
    [
      "an expiry of what is no text",
      [
        [2, 1],
        [7, [1]],
      ],
    ],
    ["an object that cannot be shown", [[2, { toString: 1 }]]],
    ["fewer changes than it says", [[2, 1], ["c", 1, null], 0, 2, ["k"]]],
    ["a count of changes that is none", [[2, 1], ["c", 1, null], 0, -1]],
    ["a request number that cannot be shown", [[2, 1], ["c", { toString: 1 }, null], 0, 0]],
  ];
  for (const [what, values] of foreign) {
    it(`is refused with ${what}`, () => {
      const payload = Buffer.concat(values.map((value) => encode(value)));
      expect(codeOf(() => decodeBatch(new Uint8Array(payload)))).to.equal("invalid_message");
    });
  }

  it("is a batch or invalid_message, whatever bytes it is", () => {
    const payload = batchOf({ key: "k", value: { deep: [1, "x", 2.5] } });
    const damage = fc.array(fc.tuple(fc.nat(payload.length - 1), fc.nat(255)), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), damage), (bytes) => {
        const damaged = new Uint8Array(payload);
        for (const change of bytes instanceof Uint8Array ? [] : bytes) {
          damaged[change[0]] = change[1];
        }
        const code = codeOf(() => decodeBatch(bytes instanceof Uint8Array ? bytes : damaged));
        expect(code).to.be.oneOf([null, "invalid_message"]);
      }),
      { numRuns: 1_000 },
    );
  });

  it("is not made of a key that is no well-formed text, nor of a value that cannot travel", () => {
    const refused: Change[] = [
      { key: "half \ud800", value: 1 },
      { key: "k", value: undefined },
      { key: "k", value: () => 1 },
      { key: "k", value: new Map() },
    ];
    for (const change of refused) {
      expect(codeOf(() => batchOf(change))).to.equal("invalid_message");
    }
  });
});
