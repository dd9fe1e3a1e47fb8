import { expect } from "chai";
import fc from "fast-check";
import { SupercastError } from "../../lib/base/errors.ts";
import { decodeBatch, encodeExpiryRow, encodeRequestRow, joinRows } from "../../lib/stream/batch-codec.ts";
import type { Change } from "../../lib/stream/definition.ts";
import { encode } from "../../lib/wire/codec.ts";

const id = { clientId: "c", requestSeq: 2 };

function batchOf(...changes: Change[]): Uint8Array {
  return joinRows([encodeRequestRow(id, 1, { answer: { n: 1 }, changes }), encodeExpiryRow(["x", "y"], 7)]);
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
    expect(decodeBatch(batchOf(...changes))).to.deep.equal([
      { kind: "request", ...id, doneBelow: 1, answer: { n: 1 }, changes },
      { kind: "expiry", clientIds: ["x", "y"], idleSinceSeq: 7 },
    ]);
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
    ["another format", [[2, 0]]],
    ["no head", ["head"]],
    [
      "a count of rows that is not theirs",
      [
        [1, 2],
        [7, []],
      ],
    ],
    ["a row that is no array", [[1, 1], { clientId: "c" }]],
    [
      "a row with a field too many",
      [
        [1, 1],
        ["c", 1, 0, null, [], 1],
      ],
    ],
    [
      "an empty client id",
      [
        [1, 1],
        ["", 1, 0, null, []],
      ],
    ],
    [
      "a request number below 1",
      [
        [1, 1],
        ["c", 0, 0, null, []],
      ],
    ],
    [
      "a doneBelow above its request",
      [
        [1, 1],
        ["c", 1, 2, null, []],
      ],
    ],
    [
      "a change without a key",
      [
        [1, 1],
        ["c", 1, 0, null, [[1, 1]]],
      ],
    ],
    [
      "a value that is undefined",
      [
        [1, 1],
        ["c", 1, 0, null, [["k", undefined]]],
      ],
    ],
    [
      "an expiry of what is no text",
      [
        [1, 1],
        [7, [1]],
      ],
    ],
    ["an object that cannot be shown", [[1, { toString: 1 }]]],
    [
      "a request number that cannot be shown",
      [
        [1, 1],
        ["c", { toString: 1 }, 0, null, []],
      ],
    ],
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
