/**
 * A reader written from `docs/journal-format.md` alone: it shares no code with the journal, so that the page
 * and the files cannot drift apart.
 */
import { expect } from "chai";
import { bytes, ListMachine, texts, World } from "./support.ts";

const HEADER_BYTES = 64;

/** CRC32C bit by bit. */
function crc(data: Uint8Array, seed: number = 0): number {
  let value = ~seed;
  for (const byte of data) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
    }
  }
  return ~value >>> 0;
}

const rotl = (word: number, by: number): number => (word << by) | (word >>> (32 - by));
const times = Math.imul;

function mixHigh(high: number, low: number, word: number): number {
  const m = high ^ times(rotl(times(word, 0x239b961b), 15), 0xab0e9789);
  return (times(rotl(m, 19) + low, 5) + 0x561ccd1b) | 0;
}

function mixLow(low: number, high: number, word: number): number {
  const m = low ^ times(rotl(times(word, 0x38b34ae5), 16), 0xa1e38b93);
  return (times(rotl(m, 17) + high, 5) + 0x0bcaa747) | 0;
}

function avalanche(word: number): number {
  let w = times(word ^ (word >>> 16), 0x85ebca6b);
  w = times(w ^ (w >>> 13), 0xc2b2ae35);
  return w ^ (w >>> 16);
}

type Chain = readonly [high: number, low: number];

function extend([high, low]: Chain, words: readonly number[]): Chain {
  let h = high;
  let l = low;
  for (let index = 0; index < words.length; index += 2) {
    h = mixHigh(h, l, words[index] ?? 0);
    l = mixLow(l, h, words[index + 1] ?? 0);
  }
  h = (h + l) | 0;
  l = (l + h) | 0;
  h = avalanche(h);
  l = avalanche(l);
  h = (h + l) | 0;
  l = (l + h) | 0;
  return [h, l];
}

interface RawRecord {
  readonly type: number;
  readonly blank: boolean;
  readonly kind: number;
  readonly stream: number;
  readonly lsn: number;
  readonly syncedLsn: number;
  readonly epoch: readonly [counter: number, ownerLow: number, ownerHigh: number];
  readonly seq: number;
  readonly chain: Chain;
  readonly payload: Uint8Array;
}

/** The records of a segment file, up to the first that is not one. */
function readSegment(file: Uint8Array): RawRecord[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const u32 = (at: number): number => view.getUint32(at, true);
  const u64 = (at: number): number => Number(view.getBigUint64(at, true));
  expect(new TextDecoder().decode(file.subarray(0, 8))).to.equal("SCASTSEG");
  expect(u32(8)).to.equal(1);
  expect(u32(96)).to.equal(crc(file.subarray(0, 96)));
  const salt = u32(20);
  const firstLsn = u64(40);
  const records: RawRecord[] = [];
  for (let at = 4_096; ; ) {
    at += 512 - (at % 512) < HEADER_BYTES ? 512 - (at % 512) : 0;
    const intact =
      u32(at) === crc(file.subarray(at + 4, at + HEADER_BYTES), salt) &&
      u64(at + 16) === firstLsn + at - 4_096;
    if (!intact) {
      return records;
    }
    const length = u32(at + 12);
    const end = at + HEADER_BYTES + Math.ceil(length / 8) * 8;
    expect(u32(at + 4)).to.equal(crc(file.subarray(at + HEADER_BYTES, end), salt));
    records.push({
      type: (file[at + 8] ?? 0) & 15,
      blank: ((file[at + 8] ?? 0) & 128) !== 0,
      kind: file[at + 9] ?? 0,
      stream: view.getUint16(at + 10, true),
      lsn: u64(at + 16),
      syncedLsn: u64(at + 24),
      epoch: [u64(at + 32), u32(at + 40), u32(at + 44)],
      seq: u64(at + 48),
      chain: [u32(at + 60) | 0, u32(at + 56) | 0],
      payload: file.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length),
    });
    at = end;
  }
}

/** How many records a segment holds, the one that closes it left out. */
function recordsIn(world: World, path: string): number {
  return readSegment(world.disk.bytes(path)).filter(({ type }) => type !== 8).length;
}

/** What enters the chain for an entry. */
function wordsOf({ epoch, seq, kind, payload }: RawRecord): number[] {
  const padded = new Uint8Array(Math.ceil(payload.length / 8) * 8);
  padded.set(payload);
  const view = new DataView(padded.buffer);
  const [counter, ownerLow, ownerHigh] = epoch;
  const split = (value: number): number[] => [(value % 2 ** 32) | 0, (value / 2 ** 32) | 0];
  const words = [...split(counter), ownerLow, ownerHigh, ...split(seq), payload.length, kind];
  for (let at = 0; at < padded.length; at += 4) {
    words.push(view.getInt32(at, true));
  }
  return words;
}

/** A journal's entries by number, from its segments only. */
function readLog(world: World): Map<number, string> {
  const entries = new Map<number, string>();
  const chains = new Map<number, Chain>([[0, [0x53757065, 0x72636173]]]);
  let sealed = true;
  for (const path of world.segments()) {
    expect(sealed).to.equal(true);
    const records = readSegment(world.disk.bytes(path));
    sealed = records.at(-1)?.type === 8;
    for (const record of records) {
      expect(record.syncedLsn).to.be.at.most(record.lsn);
      if (record.type === 1) {
        expect(extend(chains.get(record.seq - 1) ?? [0, 0], wordsOf(record))).to.deep.equal(record.chain);
        chains.set(record.seq, record.chain);
        entries.set(record.seq, new TextDecoder().decode(record.payload));
      } else if (record.type === 3) {
        expect(chains.get(record.seq)).to.deep.equal(record.chain);
        for (const seq of [...entries.keys()].filter((each) => each > record.seq)) {
          entries.delete(seq);
        }
      } else if (record.type === 8) {
        expect(record.seq).to.equal(records.length - 1);
      } else {
        expect(record.type).to.equal(2);
      }
    }
  }
  return entries;
}

function readState(file: Uint8Array): unknown {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  expect(new TextDecoder().decode(file.subarray(0, 8))).to.equal("SCASTSLT");
  const text = file.subarray(32, 32 + view.getUint32(12, true));
  expect(view.getUint32(28, true)).to.equal(crc(text, crc(file.subarray(0, 28))));
  return JSON.parse(new TextDecoder().decode(text));
}

describe("the format as the docs describe it", () => {
  it("lets a reader of its own find every entry, chain, truncation and seal", async () => {
    const world = new World("format");
    const journal = await world.open();
    for (let seq = 1; seq <= 60; seq++) {
      const payload = bytes(
        seq % 9 === 0 ? "\0".repeat(1_200) : `entry ${seq} ${"q".repeat((seq * 131) % 700)}`,
      );
      await world.run(
        journal.append(
          { payload, kind: seq % 256 },
          { epoch: { counter: seq * 2 ** 33, owner: "0123456789abcdef" } },
        ),
      );
      if (seq % 20 === 0) {
        await world.run(journal.replace(seq - 1, [bytes("r1"), bytes("r2")]));
      }
    }
    await world.run(journal.commit(30));
    const wanted = await texts(world, journal);
    await world.run(journal.close());
    expect(world.segments().length).to.be.greaterThan(3);
    expect([...readLog(world).values()]).to.deep.equal(wanted);
    const records = world.segments().flatMap((path) => readSegment(world.disk.bytes(path)));
    expect(records.some(({ blank }) => blank)).to.equal(true);
    expect(records.find(({ seq, type }) => seq === 7 && type === 1)).to.deep.include({
      kind: 7,
      stream: 1,
      epoch: [7 * 2 ** 33, 0x89abcdef, 0x01234567],
    });
    expect(readState(world.disk.bytes(world.path("journal.state")))).to.include({
      recordsPerSegment: 20,
      closed: true,
    });
    expect(readState(world.disk.bytes(world.path("stream-0001.state")).subarray(16_384))).to.include({
      name: "main",
      id: 1,
    });
  });

  it("closes a segment with exactly recordsPerSegment records, also one that was taken up again", async () => {
    const world = new World("records");
    const counts = (): number[] => world.segments().map((path) => recordsIn(world, path));
    const journal = await world.open();
    await world.run(journal.append(Array.from({ length: 20 }, (_, index) => bytes(`${index}`))));
    expect(counts()).to.deep.equal([20]);
    await world.run(journal.append(bytes("next")));
    expect(counts()).to.deep.equal([20, 1]);
    for (let count = 2; count <= 20; count++) {
      await world.run(journal.append(bytes(`${count}`)));
    }
    expect(counts()).to.deep.equal([20, 20]);
    await world.run(journal.close());
    const again = await world.open();
    await world.run(again.append(bytes("after")));
    expect(counts()).to.deep.equal([20, 20, 1]);
    await world.run(again.close());
  });

  for (const sync of ["batch", "writeThrough"] as const) {
    it(`tells in every record the LSN at which its write begins, in the sync mode ${sync}`, async () => {
      const world = new World(`synced-${sync}`);
      const journal = await world.open({ sync });
      const begins: number[] = [];
      for (const length of [1, 3, 1, 30, 5]) {
        const { endLsn } = journal.folder.writer;
        begins.push(...new Array<number>(length).fill(endLsn));
        await world.run(journal.append(new Array<Uint8Array>(length).fill(bytes("a"))));
      }
      const entries = world
        .segments()
        .flatMap((path) => readSegment(world.disk.bytes(path)))
        .filter(({ type }) => type === 1);
      expect(entries.map(({ syncedLsn }) => syncedLsn)).to.deep.equal(begins);
      await world.run(journal.close());
    });
  }

  it("tells in the other sync modes how far the log was synced, and no further", async () => {
    const world = new World("synced-none");
    const journal = await world.open({ sync: "none" });
    const synced: number[] = [];
    for (let seq = 1; seq <= 9; seq++) {
      synced.push(seq <= 3 ? 0 : (synced.at(-1) ?? 0));
      if (seq % 3 === 1 && seq > 1) {
        await world.run(journal.sync());
        synced[seq - 1] = journal.folder.writer.endLsn;
      }
      await world.run(journal.append(bytes(`${seq}`)));
    }
    const records = readSegment(world.disk.bytes(world.newestSegment()));
    expect(records.map(({ syncedLsn }) => syncedLsn)).to.deep.equal(synced);
    await world.run(journal.close());
  });

  it("never lets a segment outgrow segmentBytes, the record that closes it included", async () => {
    for (let length = 8; length <= 520; length += 8) {
      const world = new World(`close-${length}`);
      const journal = await world.open({ recordsPerSegment: 5_000 });
      const { segments } = journal.folder.store;
      while (segments.length < 2) {
        await world.run(journal.append(new Uint8Array(length).fill(1)));
      }
      expect(segments[0]?.sealed).to.equal(true);
      expect(segments[0]?.endOffset, `payloads of ${length} bytes`).to.be.at.most(16_384);
      await world.run(journal.close());
    }
  });

  it("lets it read a snapshot, piece by piece and to its end", async () => {
    const world = new World("snapshot");
    const journal = await world.open({
      machine: new ListMachine(),
      segmentBytes: 262_144,
      preallocateBytes: 262_144,
    });
    await world.run(journal.appendAndCommit(bytes("s".repeat(100_000)), { epoch: 3 }));
    await world.run(journal.snapshot());
    await world.run(journal.close());
    const file = world.disk.bytes(world.path("snapshot-0001-0000000000000001.snap"));
    const view = new DataView(file.buffer, file.byteOffset, file.length);
    expect(new TextDecoder().decode(file.subarray(0, 8))).to.equal("SCASTSNP");
    expect(view.getUint32(60, true)).to.equal(crc(file.subarray(0, 60)));
    expect([
      view.getUint16(12, true),
      view.getBigUint64(16, true),
      view.getBigUint64(24, true),
    ]).to.deep.equal([1, 1n, 3n]);
    let content = "";
    let at = 64;
    let running = 0;
    for (let length = view.getUint32(at, true); length > 0; length = view.getUint32(at, true)) {
      const piece = file.subarray(at + 8, at + 8 + length);
      running = crc(piece, running);
      expect(view.getUint32(at + 4, true)).to.equal(running);
      content += new TextDecoder().decode(piece);
      at += 8 + length;
    }
    expect(content).to.equal(JSON.stringify(["s".repeat(100_000)]));
    expect(Number(view.getBigUint64(at + 4, true))).to.equal(content.length);
    expect(view.getUint32(at + 12, true)).to.equal(crc(file.subarray(at, at + 12), running));
    expect(at + 16).to.equal(file.length);
  });
});
