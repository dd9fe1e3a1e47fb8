import { expect } from "chai";
import fc from "fast-check";
import { decodeAppend, encodeAppend } from "../../lib/stream/append-codec.ts";
import type { Letter } from "../../lib/stream/messages.ts";
import { encode } from "../../lib/wire/codec.ts";

const counts = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const words = fc.stringMatching(/^[0-9a-f]{16}$/);
const epochs = fc.record({ counter: counts, owner: words });
const heads = fc.record({
  epoch: epochs,
  prev: fc.record({ seq: fc.nat(), epoch: epochs, chain: words }),
  commitSeq: counts,
  barrierSeq: counts,
  round: counts,
  sentAt: fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }),
});
/** Entries of the append's own epoch, and of older ones. */
const contents = fc.array(
  fc.record({ kind: fc.nat(9), payload: fc.uint8Array(), older: fc.option(epochs) }),
  { maxLength: 5 },
);

describe("an append to all replicas", () => {
  it("comes back as it was", () => {
    fc.assert(
      fc.property(heads, contents, fc.array(fc.string(), { minLength: 1 }), (head, drawn, to) => {
        const entries = drawn.map(({ kind, payload, older }, index) => ({
          seq: head.prev.seq + 1 + index,
          epoch: older ?? head.epoch,
          kind,
          payload,
        }));
        const message = { type: "append", ...head, entries } as const;
        const letter = { v: 1, stream: "s", lineage: "l", from: "a/1", to, message } as const;
        expect(decodeAppend(encodeAppend(letter))).to.deep.equal(letter satisfies Letter);
      }),
    );
  });

  it("is nothing when it is something else", () => {
    for (const other of [
      1,
      null,
      {},
      [],
      [1],
      [2, "s"],
      [1, "s", "l", "a/1", [], "x", "y", 0, 0, 0, 0, 0, 0, 0, 0],
    ]) {
      expect(decodeAppend(encode(other)), JSON.stringify(other)).to.equal(null);
    }
  });
});
