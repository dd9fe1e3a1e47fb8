import { expect } from "chai";
import fc from "fast-check";
import { decodeHeartbeat, encodeHeartbeat, type Heartbeat } from "../../lib/node/heartbeat.ts";
import { encode } from "../../lib/wire/codec.ts";

const heartbeat = fc.record<Heartbeat>({
  kind: fc.constantFrom("hello", "beat", "bye"),
  node: fc.string(),
  incarnation: fc.string(),
  connections: fc.array(
    fc.record({
      node: fc.string(),
      incarnation: fc.string(),
      number: fc.integer({ min: 0, max: 2 ** 31 }),
      sent: fc.maxSafeNat(),
    }),
  ),
});

describe("the heartbeat", () => {
  it("gives back what was encoded", () => {
    fc.assert(
      fc.property(heartbeat, (beat) => {
        expect(decodeHeartbeat(encodeHeartbeat(beat))).to.deep.equal(beat);
      }),
    );
  });

  const sound = [1, "beat", "a", "1", [["b", "2", 1, 0]]];
  const wrong: readonly [string, unknown][] = [
    ["another version", [2, ...sound.slice(1)]],
    ["no list", { version: 1 }],
    ["an unknown kind", [1, "shout", "a", "1", []]],
    ["a node that is no string", [1, "beat", 5, "1", []]],
    ["no connections", [1, "beat", "a", "1"]],
    ["a connection that is no list", [1, "beat", "a", "1", [7]]],
    ["a negative number", [1, "beat", "a", "1", [["b", "2", -1, 0]]]],
    ["an absurd number", [1, "beat", "a", "1", [["b", "2", 2 ** 40, 0]]]],
    ["a count with a fraction", [1, "beat", "a", "1", [["b", "2", 1, 0.5]]]],
  ];
  for (const [what, value] of wrong) {
    it(`refuses ${what}`, () => {
      expect(() => decodeHeartbeat(encode(value)))
        .to.throw()
        .with.property("code", "invalid_message");
    });
  }

  it("refuses bytes that are no msgpack", () => {
    expect(() => decodeHeartbeat(new Uint8Array([0xc1])))
      .to.throw()
      .with.property("code", "invalid_message");
    expect(() => decodeHeartbeat(new Uint8Array(0)))
      .to.throw()
      .with.property("code", "invalid_message");
  });
});
