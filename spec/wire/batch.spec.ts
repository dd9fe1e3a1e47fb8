import { expect } from "chai";
import fc from "fast-check";
import { SupercastError } from "../../lib/base/errors.ts";
import { BatchWriter, FRAME_HEADER_BYTES, readBatch } from "../../lib/wire/batch.ts";
import { encode } from "../../lib/wire/codec.ts";
import { travellers } from "./values.ts";

interface Outcome {
  readonly values: unknown[];
  readonly failures: SupercastError[];
}

function read(bytes: Uint8Array, start: number = 0): Outcome {
  const outcome: Outcome = { values: [], failures: [] };
  readBatch(bytes, start, {
    onValue: (value) => outcome.values.push(value),
    onFailure: (error) => outcome.failures.push(error),
  });
  return outcome;
}

function batchOf(values: readonly unknown[], headerBytes: number = 0): Buffer {
  const writer = new BatchWriter(1_000_000, headerBytes);
  for (const value of values) {
    expect(writer.add(value)).to.equal(true);
  }
  return writer.take();
}

/** Where the frame of the value at `index` begins. */
function frameOffset(values: readonly unknown[], index: number): number {
  return values
    .slice(0, index)
    .reduce<number>((sum, value) => sum + FRAME_HEADER_BYTES + encode(value).length, 0);
}

describe("batch", () => {
  it("brings back every value in order", () => {
    fc.assert(
      fc.property(fc.array(travellers, { maxLength: 12 }), fc.nat(40), (values, headerBytes) => {
        const bytes = batchOf(values, headerBytes);
        expect(read(bytes, headerBytes)).to.deep.equal({ values, failures: [] });
      }),
      { numRuns: 200 },
    );
  });

  it("splits at maxBytes, without losing or repeating a value", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 60 }), { maxLength: 60 }), (values) => {
        const writer = new BatchWriter(300, 10);
        const batches: Uint8Array[] = [];
        for (const value of values) {
          if (!writer.add(value)) {
            batches.push(writer.take());
            expect(writer.add(value)).to.equal(true);
          }
        }
        batches.push(writer.take());
        expect(batches.every((batch) => batch.length <= 300)).to.equal(true);
        expect(batches.flatMap((batch) => read(batch, 10).values)).to.deep.equal(values);
      }),
      { numRuns: 200 },
    );
  });

  it("refuses a value that exceeds maxBytes by itself, with both sizes", () => {
    const writer = new BatchWriter(100, 10);
    expect(() => writer.add("x".repeat(90)))
      .to.throw(SupercastError)
      .with.property("details")
      .that.deep.equals({ bytes: 10 + FRAME_HEADER_BYTES + 92, max: 100 });
    expect(writer.add("fits")).to.equal(true);
    expect(writer.add("x".repeat(90))).to.equal(false);
    expect(read(writer.take(), 10).values).to.deep.equal(["fits"]);
  });

  it("stays as it was when a value cannot travel", () => {
    const writer = new BatchWriter(1000);
    writer.add("before");
    expect(() => writer.add(() => 1)).to.throw(SupercastError, "a function");
    writer.add("after");
    expect(writer.count).to.equal(2);
    expect(read(writer.take()).values).to.deep.equal(["before", "after"]);
  });

  it("never writes into a batch that was taken", () => {
    const writer = new BatchWriter(200_000, 12);
    const taken: { bytes: Uint8Array; copy: Uint8Array }[] = [];
    for (let round = 0; round < 300; round++) {
      writer.add({ round, text: "x".repeat((round * 7919) % 3000) });
      writer.add(round % 50 === 0 ? "y".repeat(150_000) : "z");
      const bytes = writer.take().fill(round % 256, 0, 12);
      taken.push({ bytes, copy: new Uint8Array(bytes) });
    }
    for (const { bytes, copy } of taken) {
      expect(Buffer.compare(bytes, copy)).to.equal(0);
    }
  });

  it("forgets its values when cleared", () => {
    const writer = new BatchWriter(1000, 4);
    writer.add("gone");
    writer.clear();
    expect(writer.byteLength).to.equal(4);
    writer.add("kept");
    expect(read(writer.take(), 4).values).to.deep.equal(["kept"]);
  });

  for (const count of [2, 8]) {
    it(`loses only the value that cannot be read, of ${count}`, () => {
      const values = Array.from({ length: count }, (_, index) => ({ index, text: "text" }));
      for (let bad = 0; bad < count; bad++) {
        const bytes = batchOf(values);
        bytes[frameOffset(values, bad) + FRAME_HEADER_BYTES] = 0xc1;
        const { values: left, failures } = read(bytes);
        expect(left).to.deep.equal(values.filter((_, index) => index !== bad));
        expect(failures.map((error) => error.code)).to.deep.equal(["invalid_message"]);
      }
    });

    it(`loses only the value that claims its neighbours' bytes, of ${count}`, () => {
      const values = Array.from({ length: count }, (_, index) => ({ index, text: "text" }));
      const bytes = batchOf(values);
      bytes[FRAME_HEADER_BYTES + 2] = 4; // The first map says four entries; it has two.
      const { values: left, failures } = read(bytes);
      expect(left).to.deep.equal(values.slice(1));
      expect(failures).to.have.length(1);
    });

    it(`reports the rest when the lengths stop adding up, of ${count}`, () => {
      const values = Array.from({ length: count }, (_, index) => index);
      const bytes = batchOf(values);
      for (let length = bytes.length - 1; length > 0; length--) {
        const whole = Math.floor(length / (FRAME_HEADER_BYTES + 1));
        const { values: left, failures } = read(bytes.subarray(0, length));
        expect(left).to.deep.equal(values.slice(0, whole));
        expect(failures).to.have.length(length % (FRAME_HEADER_BYTES + 1) === 0 ? 0 : 1);
      }
    });
  }

  it("throws nothing for random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const { failures } = read(bytes);
        expect(failures.every((error) => error.code === "invalid_message")).to.equal(true);
      }),
      { numRuns: 1000 },
    );
  });

  it("throws nothing for sound frames of random bytes", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 8 }), (contents) => {
        const frames = contents.map((bytes) =>
          Buffer.concat([Buffer.from([0xce, 0, 0, 0, bytes.length]), bytes]),
        );
        const { values, failures } = read(Buffer.concat(frames));
        expect(values.length + failures.length).to.equal(contents.length);
      }),
      { numRuns: 1000 },
    );
  });
});
