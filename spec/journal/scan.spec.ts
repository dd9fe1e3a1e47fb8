/**
 * Segments larger than the pieces they are scanned in: records across the borders of the pieces, records
 * that one piece cannot hold. What comes back is compared entry by entry with what was appended.
 */
import { expect } from "chai";
import { seededRandom } from "../../lib/base/random.ts";
import type { LogEntry } from "../../lib/journal/entry.ts";
import { SEGMENT_HEADER_BYTES } from "../../lib/journal/format.ts";
import type { Journal } from "../../lib/journal/journal.ts";
import { examineFolder } from "../../lib/journal/recovery.ts";
import { CHUNK_BYTES, OVERLAP_BYTES } from "../../lib/journal/segment-scan.ts";
import { DIR, World } from "./support.ts";

const OPTIONS = { segmentBytes: 64 * 1024 * 1024, preallocateBytes: 1024 * 1024, recordsPerSegment: 100_000 };
/** The file offsets at which one piece ends and the next begins, the first few of them. */
const BORDERS = Array.from(
  { length: 4 },
  (_, index) => SEGMENT_HEADER_BYTES + CHUNK_BYTES + index * (CHUNK_BYTES - OVERLAP_BYTES),
);
const RECORD_HEADER = 64;

/** `length` bytes that are unlike those of every other entry. */
function payload(seq: number, length: number): Uint8Array {
  const bytes = Buffer.alloc(length, `entry ${seq}, ${length} bytes; `);
  return new Uint8Array(bytes.buffer, bytes.byteOffset, length);
}

/** What is compared of an entry. */
type Kept = Pick<LogEntry, "seq" | "chain" | "payload">;

/** An entry's payload may lie in a buffer that serves the next read. */
function kept({ seq, chain, payload }: LogEntry): Kept {
  return { seq, chain, payload: payload.slice() };
}

/** Collects what a machine is given. */
class Recorder {
  readonly entries: Kept[] = [];

  apply(entry: LogEntry): void {
    this.entries.push(kept(entry));
  }
}

/** A journal of one segment with entries of these lengths, committed; the process has died since. */
async function written(seed: string, lengths: readonly number[]): Promise<{ world: World; chain: string }> {
  const world = new World(seed);
  const journal = await world.open(OPTIONS);
  for (let from = 0; from < lengths.length; from += 50) {
    const batch = lengths.slice(from, from + 50);
    await world.run(journal.append(batch.map((length, index) => payload(from + index + 1, length))));
  }
  await world.run(journal.commit(journal.lastSeq));
  const chain = journal.lastChain;
  world.disk.killProcess();
  return { world, chain };
}

async function collect(journal: Journal, from: number, to: number): Promise<Kept[]> {
  const found: Kept[] = [];
  for await (const entry of journal.read(from, to)) {
    found.push(kept(entry));
  }
  return found;
}

function expectEntries(found: readonly Kept[], lengths: readonly number[]): void {
  expect(found.map(({ seq }) => seq)).to.deep.equal(lengths.map((_, index) => index + 1));
  for (const [index, length] of lengths.entries()) {
    const same = Buffer.compare(found[index]?.payload ?? new Uint8Array(0), payload(index + 1, length)) === 0;
    expect(same, `entry ${index + 1} of ${length} bytes`).to.equal(true);
  }
}

/** Scans, replays and reads the log. */
async function expectWhole(seed: string, lengths: readonly number[]): Promise<void> {
  const { world, chain } = await written(seed, lengths);
  const found = await world.run(examineFolder(world.disk.mount(), DIR, true));
  expect(found?.segments.length).to.equal(1);
  expect(found?.segments[0]?.records).to.equal(lengths.length + 1);
  expect(found?.tail?.verdict).to.equal("clean");
  for (const cacheMetadata of [true, false]) {
    const machine = new Recorder();
    const journal = await world.open({ ...OPTIONS, cacheMetadata, machine });
    expect(journal).to.include({
      lastSeq: lengths.length,
      commitSeq: lengths.length,
      tailCertain: true,
      lastChain: chain,
    });
    expectEntries(machine.entries, lengths);
    const read = await world.run(collect(journal, 1, lengths.length));
    expectEntries(read, lengths);
    expect(read.at(-1)?.chain).to.equal(chain);
    for (let seq = 1; seq <= lengths.length; seq += Math.ceil(lengths.length / 7)) {
      const [one] = await world.run(collect(journal, seq, seq));
      expect(one?.seq).to.equal(seq);
      expect(Buffer.compare(one?.payload ?? new Uint8Array(0), payload(seq, lengths[seq - 1] ?? 0))).to.equal(
        0,
      );
    }
    world.disk.killProcess();
  }
}

describe("a segment larger than the pieces it is scanned in", function () {
  this.timeout(60_000);

  it("gives back records of all sizes, entry by entry", async () => {
    const random = seededRandom("sizes");
    const sizes = [0, 7, 100, 448, 449, 512, 4_000, 30_000];
    const lengths: number[] = [];
    for (let bytes = 0; bytes < 4.5 * CHUNK_BYTES; ) {
      const length = random.below(1 + (sizes[random.below(sizes.length)] ?? 0));
      lengths.push(length);
      bytes += length + RECORD_HEADER;
    }
    await expectWhole("sizes", lengths);
  });

  it("gives back records as long as what two pieces share, a little shorter and a little longer", async () => {
    const around = [-4_096, -512, -RECORD_HEADER, -8, 0, 8, RECORD_HEADER, 512, 40_000];
    const lengths = Array.from({ length: 60 }, (_, index) => OVERLAP_BYTES + (around[index % 9] ?? 0));
    await expectWhole("overlap", lengths);
  });

  it("gives back records that no piece can hold, among small ones", async () => {
    const lengths: number[] = [];
    for (const large of [
      CHUNK_BYTES - RECORD_HEADER,
      CHUNK_BYTES,
      1_500_000,
      3 * CHUNK_BYTES + 5,
      2_000_000,
    ]) {
      lengths.push(10, large, 300, 70_000);
    }
    await expectWhole("large", lengths);
  });

  it("gives back a record wherever the border between two pieces cuts it", async () => {
    const [border = 0] = BORDERS;
    for (const before of [8, RECORD_HEADER - 8, RECORD_HEADER, RECORD_HEADER + 8, 600, OVERLAP_BYTES - 8]) {
      // The first record ends so that the second begins `before` bytes ahead of the border.
      const first = border - before - SEGMENT_HEADER_BYTES - RECORD_HEADER;
      for (const length of [0, 700, OVERLAP_BYTES + 100]) {
        const { world, chain } = await written(`cut-${before}-${length}`, [first, length, 20, 0]);
        const journal = await world.open(OPTIONS);
        expect(journal).to.include({ lastSeq: 4, commitSeq: 4, lastChain: chain });
        expectEntries(await world.run(collect(journal, 1, 4)), [first, length, 20, 0]);
        world.disk.killProcess();
      }
    }
  });

  it("is refused by offset when one bit is wrong at a border, or in the piece behind it", async () => {
    const lengths = Array.from({ length: 900 }, (_, index) => 3_000 + ((index * 997) % 2_500));
    const { world } = await written("bits", lengths);
    const path = world.newestSegment();
    for (const border of BORDERS.slice(0, 3)) {
      for (const offset of [border - OVERLAP_BYTES, border - 1, border, border + 100_000]) {
        world.disk.flipBit(path, offset * 8);
        let refused: unknown = null;
        try {
          await world.run(examineFolder(world.disk.mount(), DIR, true));
        } catch (thrown) {
          refused = thrown;
        }
        expect(refused).to.include({ name: "JournalDamagedError", file: path });
        expect(refused)
          .to.have.property("offset")
          .that.is.within(offset - 5_700, offset);
        world.disk.flipBit(path, offset * 8);
      }
    }
  });
});
