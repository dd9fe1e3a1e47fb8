import { expect } from "chai";
import fc from "fast-check";
import { headerBytes, readHeader, writeHeader } from "../../lib/node/envelope.ts";

function batch(sender: string, number: number, count: number): Buffer {
  const from = Buffer.from(sender, "latin1");
  const bytes = Buffer.alloc(headerBytes(from) + 3);
  writeHeader(bytes, from, number, count);
  return bytes;
}

describe("the envelope of a batch", () => {
  it("gives back what was written, for counts of years", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 }), fc.maxSafeNat(), (number, count) => {
        const bytes = batch("node-1/inc", number, count);
        const itemsAt = bytes.length - 3;
        const header = readHeader(bytes);
        expect(header).to.deep.equal({ number, count, senderAt: itemsAt - 10, itemsAt });
        expect(bytes.toString("latin1", header.senderAt, header.itemsAt)).to.equal("node-1/inc");
      }),
    );
  });

  it("refuses what is too short, of another version, or of an absurd number", () => {
    const sound = batch("a/1", 1, 0);
    for (let length = 0; length < sound.length - 3; length++) {
      expect(() => readHeader(sound.subarray(0, length)), `${length} bytes`).to.throw(/truncated/);
    }
    const other = Buffer.from(sound);
    other[0] = 9;
    expect(() => readHeader(other)).to.throw(/wire version 9; this node speaks 1/);
    other[0] = 1;
    other.writeUInt32BE(0xffff_ffff, 1);
    expect(() => readHeader(other)).to.throw(/connection 4294967295/);
  });

  it("reads any bytes without another error than invalid_message", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          readHeader(Buffer.from(bytes));
        } catch (thrown) {
          expect(thrown).to.have.property("code", "invalid_message");
        }
      }),
    );
  });
});
