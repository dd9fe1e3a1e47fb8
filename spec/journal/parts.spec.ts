/** The small parts: checksum, chain, framing, index, options against their docs. */
import { readFileSync } from "node:fs";
import { expect } from "chai";
import fc from "fast-check";
import { extendChain, formatWord64, parseWord64, type Word64 } from "../../lib/journal/chain.ts";
import { crc32c } from "../../lib/journal/crc32c.ts";
import { createIndex } from "../../lib/journal/entry-index.ts";
import { JOURNAL_ERROR_CODES } from "../../lib/journal/errors.ts";
import { hasBlankSector, recordEnd, recordStart } from "../../lib/journal/format.ts";
import { NUMBER_OPTIONS, OTHER_OPTIONS } from "../../lib/journal/options.ts";
import { nextHeader, Segment } from "../../lib/journal/segment.ts";
import { bytes } from "./support.ts";

describe("CRC32C", () => {
  it("agrees with the published vectors (RFC 3720, B.4)", () => {
    const ascending = Uint8Array.from({ length: 32 }, (_, index) => index);
    expect(crc32c(new Uint8Array(32))).to.equal(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).to.equal(0x62a8ab43);
    expect(crc32c(ascending)).to.equal(0x46dd794e);
    expect(crc32c(ascending.toReversed())).to.equal(0x113fdb5c);
    expect(crc32c(bytes("123456789"))).to.equal(0xe3069283);
  });

  it("continues from a seed at any point", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (data, cut) => {
        const at = Math.min(cut, data.length);
        expect(crc32c(data, at, data.length, crc32c(data, 0, at))).to.equal(crc32c(data));
      }),
    );
  });
});

function chainOf(payload: Uint8Array, seq: number = 1, kind: number = 0, counter: number = 0): Word64 {
  const chain = { high: 1, low: 2 };
  const link = { epochCounter: counter, epochOwner: { high: 0, low: 0 }, seq, kind };
  extendChain(
    chain,
    link,
    new DataView(payload.buffer, payload.byteOffset, payload.length),
    0,
    payload.length,
  );
  return chain;
}

function bitsBetween(left: Word64, right: Word64): number {
  const count = (word: number): number => word.toString(2).replaceAll("0", "").length;
  return count((left.high ^ right.high) >>> 0) + count((left.low ^ right.low) >>> 0);
}

describe("the chain", function () {
  this.timeout(20_000);

  it("changes about half of its bits with any single bit of the payload", () => {
    const payload = Uint8Array.from({ length: 100 }, (_, index) => index * 7);
    const before = chainOf(payload);
    let total = 0;
    let least = 64;
    for (let bit = 0; bit < payload.length * 8; bit++) {
      const changed = payload.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const distance = bitsBetween(before, chainOf(changed));
      total += distance;
      least = Math.min(least, distance);
    }
    expect(total / 800).to.be.within(30, 34);
    expect(least).to.be.at.least(12);
  });

  it("meets no collision among 200,000 short payloads, and either half few", () => {
    const whole = new Set<string>();
    const halves = new Set<number>();
    const payload = new Uint8Array(8);
    const count = 200_000;
    for (let index = 0; index < count; index++) {
      new DataView(payload.buffer).setUint32(0, index);
      const chain = chainOf(payload);
      whole.add(formatWord64(chain));
      halves.add(chain.low);
    }
    expect(whole.size).to.equal(count);
    // Of n random 32-bit values n^2 / 2^33 collide: 5 of these.
    expect(count - halves.size).to.be.lessThan(25);
  });

  it("tells lengths, numbers, kinds and epochs apart, also for empty payloads", () => {
    const values = [
      chainOf(new Uint8Array(0)),
      chainOf(new Uint8Array(1)),
      chainOf(new Uint8Array(8)),
      chainOf(new Uint8Array(0), 2),
      chainOf(new Uint8Array(0), 1, 1),
      chainOf(new Uint8Array(0), 1, 0, 1),
      chainOf(new Uint8Array(0), 1, 0, 2 ** 40),
    ].map(formatWord64);
    expect(new Set(values).size).to.equal(values.length);
    expect(values.map((value) => formatWord64(parseWord64(value) ?? { high: 0, low: 0 }))).to.deep.equal(
      values,
    );
  });
});

describe("framing", () => {
  it("never lets a header cross a sector, and keeps records aligned and apart", () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.nat(5_000), (offset, length) => {
        const start = recordStart(offset * 8);
        expect(start % 8).to.equal(0);
        expect(Math.floor(start / 512)).to.equal(Math.floor((start + 63) / 512));
        expect(start - offset * 8).to.be.lessThan(64);
        expect(recordEnd(start, length)).to.be.within(start + 64 + length, start + 64 + length + 7);
      }),
    );
  });

  it("knows payloads that fill a sector with zeros of their own", () => {
    expect(hasBlankSector(new Uint8Array(400), 64)).to.equal(false);
    expect(hasBlankSector(new Uint8Array(449), 64)).to.equal(true);
    expect(hasBlankSector(new Uint8Array(2_000).fill(1), 64)).to.equal(false);
    const middle = new Uint8Array(2_000).fill(1).fill(0, 448, 960);
    expect(hasBlankSector(middle, 64)).to.equal(true);
    expect(hasBlankSector(middle, 72)).to.equal(false);
  });
});

describe("the entry index", () => {
  const none = { high: 0, low: 0 };

  it("finds in both forms a place at or before the entry, never before the last truncation below it", () => {
    type Action = { readonly truncate: number } | { readonly push: number };
    const actions = fc.array(
      fc.oneof(fc.record({ push: fc.integer({ min: 1, max: 300 }) }), fc.record({ truncate: fc.nat(50) })),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(actions, (list: readonly Action[]) => {
        const dense = createIndex(true, 1);
        const sparse = createIndex(false, 1);
        let lsn = 0;
        let floor = 0;
        for (const action of list) {
          if ("push" in action) {
            for (let count = 0; count < action.push; count++) {
              lsn += 100;
              dense.push(lsn, none, false);
              sparse.push(lsn, none, false);
            }
          } else {
            const seq = Math.max(0, dense.lastSeq - action.truncate);
            // One that voids nothing needs no new point.
            floor = seq < dense.lastSeq ? seq : floor;
            dense.truncateAfter(seq);
            sparse.truncateAfter(seq);
          }
        }
        expect(sparse.lastSeq).to.equal(dense.lastSeq);
        for (let seq = 1; seq <= dense.lastSeq; seq++) {
          const exact = dense.find(seq);
          const near = sparse.find(seq);
          expect(near).to.be.at.most(exact);
          if (seq > floor && floor > 0) {
            expect(near).to.be.at.least(dense.find(floor + 1));
          }
        }
      }),
    );
  });
});

describe("the dense index", () => {
  it("knows every entry that is left when the oldest are dropped", () => {
    const index = createIndex(true, 1);
    for (let seq = 1; seq <= 1_000; seq++) {
      index.push(seq * 100, { high: seq, low: seq + 1 }, false);
    }
    for (const first of [1, 2, 400, 990, 1_001, 1_001]) {
      index.dropBefore(first);
      expect(index).to.include({ firstSeq: first, lastSeq: 1_000 });
      for (let seq = first; seq <= 1_000; seq++) {
        expect(index.find(seq)).to.equal(seq * 100);
        expect(index.chainAt(seq)).to.deep.equal({ high: seq, low: seq + 1 });
      }
    }
    expect(() => index.find(1_000)).to.throw("not indexed");
  });
});

describe("a segment", () => {
  const fixed = {
    recordsPerSegment: 20,
    segmentBytes: 16_384,
    initialBytes: 16_384,
    journalId: "00".repeat(16),
    createdAtMs: 0,
  };

  it("knows the highest entry of every stream in it, and which is a stream's first here", () => {
    const segment = new Segment("/data", nextHeader(null, 1, fixed), 0);
    const notes: readonly (readonly [stream: number, seq: number, first: boolean])[] = [
      [1, 5, true],
      [1, 6, false],
      [2, 1, true],
      [1, 7, false],
      [1, 4, false],
      [2, 2, false],
    ];
    for (const [stream, seq, first] of notes) {
      expect(segment.note(stream, seq), `entry ${seq} of stream ${stream}`).to.equal(first);
    }
    expect([segment.lastSeqOf(1), segment.lastSeqOf(2), segment.lastSeqOf(3)]).to.deep.equal([7, 2, 0]);
    segment.truncate(2, 1);
    expect(segment.lastSeqOf(2)).to.equal(1);
    expect(segment.note(2, 2)).to.equal(false);
    segment.forget(2);
    expect(segment.lastSeqOf(2)).to.equal(0);
    expect(segment.note(2, 3)).to.equal(true);
    expect(segment.lastSeqOf(2)).to.equal(3);
  });
});

describe("the docs", () => {
  const docs = readFileSync(new URL("../../docs/journal.md", import.meta.url), "utf8");

  for (const [name, option] of Object.entries({ ...NUMBER_OPTIONS, ...OTHER_OPTIONS })) {
    it(`have a row for the option ${name} with its default`, () => {
      const row = docs.split("\n").find((line) => line.startsWith(`| \`${name}\` |`));
      expect(row, `a row for ${name}`).to.be.a("string");
      expect(row?.replaceAll("`", "").replaceAll(",", "")).to.contain(`| ${option.default} |`);
    });
  }

  for (const code of Object.keys(JOURNAL_ERROR_CODES)) {
    it(`have a row for the error ${code}`, () => {
      expect(docs).to.contain(`| \`${code}\` |`);
    });
  }
});
