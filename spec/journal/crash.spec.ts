/**
 * Crashes at every point of a thousand-record log, and damage at every byte and bit of a small one.
 */
import { expect } from "chai";
import { seededRandom } from "../../lib/base/random.ts";
import type { SimulatedDisk } from "../../lib/disk/simulated-disk.ts";
import { JournalDamagedError } from "../../lib/journal/errors.ts";
import { examineFolder } from "../../lib/journal/recovery.ts";
import { bytes, DIR, failure, text, texts, World } from "./support.ts";

const RECORDS = 1_000;
const LARGE = { segmentBytes: 65_536, preallocateBytes: 65_536, recordsPerSegment: 5_000 };

/** A copy of the disk at some moment, and how many records had been acknowledged by then. */
interface Moment {
  readonly disk: SimulatedDisk;
  readonly acknowledged: number;
}

function payload(seq: number): Uint8Array {
  return bytes(`record ${seq} ${"x".repeat((seq * 37) % 300)}`);
}

/** Appends a thousand records, copying the disk as every sync begins. */
async function recordMoments(): Promise<{ moments: Moment[]; world: World }> {
  const world = new World("thousand");
  const journal = await world.open(LARGE);
  const moments: Moment[] = [];
  let acknowledged = 0;
  world.disk.onOperation = ({ name, number }) => {
    // As a sync begins all that has been written since the last one is in the cache only.
    if (name === "sync") {
      moments.push({ disk: world.disk.copy(seededRandom(`moment-${number}`)), acknowledged });
    }
  };
  for (let seq = 1; seq <= RECORDS; seq += 1) {
    await world.run(journal.append(payload(seq)));
    acknowledged = seq;
  }
  world.disk.onOperation = null;
  moments.push({ disk: world.disk, acknowledged });
  return { moments, world };
}

/** The texts of all entries in a folder, by an opening that changes nothing. */
async function openMoment(world: World, disk: SimulatedDisk): Promise<{ list: string[]; certain: boolean }> {
  const copy = new World("reopened");
  copy.disk = disk;
  const journal = await copy.open(LARGE);
  const list = await texts(copy, journal, 1);
  const certain = journal.tailCertain;
  await world.run(copy.run(journal.close()));
  return { list, certain };
}

describe("a crash of the machine", function () {
  this.timeout(240_000);

  it(`at every sync of a log of ${RECORDS} records keeps every synced record`, async () => {
    const { moments, world } = await recordMoments();
    expect(moments.length).to.be.greaterThan(RECORDS);
    let torn = 0;
    for (const { disk, acknowledged } of moments) {
      disk.crash();
      const { list } = await openMoment(world, disk);
      expect(list.length).to.be.within(acknowledged, Math.min(RECORDS, acknowledged + 1));
      torn += list.length === acknowledged ? 1 : 0;
      expect(list.at(-1)).to.equal(list.length === 0 ? undefined : text(payload(list.length)));
      expect(list[list.length >> 1]).to.equal(
        list.length === 0 ? undefined : text(payload((list.length >> 1) + 1)),
      );
    }
    expect(torn, "crashes that lost the record in flight").to.be.greaterThan(100);
  });
});

/** A journal of one 64 KiB segment, crashed after its last sync, so that no exact end was noted. */
async function smallLog(): Promise<{ world: World; count: number; path: string }> {
  const world = new World("small");
  const journal = await world.open(LARGE);
  let count = 0;
  for (; count < 60; count += 3) {
    await world.run(journal.append([payload(count + 1), payload(count + 2), payload(count + 3)]));
  }
  world.disk.killProcess();
  return { world, count, path: world.newestSegment() };
}

type Verdict = "refused" | "uncertain" | "whole";

/** What the journal says of a damaged copy; throws when it gives a wrong or a shorter log as sound. */
async function judge(disk: SimulatedDisk, path: string, count: number): Promise<Verdict> {
  let found: Awaited<ReturnType<typeof examineFolder>>;
  try {
    found = await examineFolder(disk.mount(), DIR, true);
  } catch (thrown) {
    expect(thrown).to.be.instanceOf(JournalDamagedError);
    if (thrown instanceof JournalDamagedError) {
      expect(thrown.file).to.equal(path);
      expect(thrown.offset).to.be.within(0, 65_536);
    }
    return "refused";
  }
  const last = found?.streams[0]?.log.lastSeq ?? 0;
  if (found?.tail?.verdict === "uncertain") {
    // Only the last batch, three records, may be in doubt.
    expect(last).to.be.at.least(count - 3);
    return "uncertain";
  }
  expect(found?.tail?.verdict).to.equal("clean");
  expect(last).to.equal(count);
  return "whole";
}

describe("damage below the sync mark", function () {
  this.timeout(240_000);

  it("by cutting the file at any of the bytes of a 64 KiB log is refused", async () => {
    const { world, count, path } = await smallLog();
    const original = world.disk.bytes(path);
    expect(original.length).to.equal(65_536);
    for (let length = original.length - 1; length >= 0; length--) {
      world.disk.truncate(path, length);
      expect(await judge(world.disk, path, count), `cut to ${length} bytes`).to.equal("refused");
    }
    world.disk.put(path, original);
    expect(await judge(world.disk, path, count)).to.equal("whole");
  });

  it("by any flipped bit of 4 KiB of records is refused, or makes the tail uncertain in the last batch", async () => {
    const { world, count, path } = await smallLog();
    const end = (await examineFolder(world.disk.mount(), DIR, true))?.segments[0]?.endOffset ?? 0;
    const from = end - 4_096;
    const verdicts = { refused: 0, uncertain: 0, whole: 0 };
    for (let bit = from * 8; bit < end * 8; bit++) {
      world.disk.flipBit(path, bit);
      const verdict = await judge(world.disk, path, count);
      verdicts[verdict] += 1;
      world.disk.flipBit(path, bit);
    }
    expect(verdicts.refused).to.be.greaterThan(20_000);
    expect(verdicts.uncertain).to.be.greaterThan(1_000);
    expect(verdicts.whole).to.equal(0);
  });

  it("by a flipped bit of the segment's header is refused", async () => {
    const { world, count, path } = await smallLog();
    for (let bit = 0; bit < 4_096 * 8; bit += 7) {
      world.disk.flipBit(path, bit);
      expect(await judge(world.disk, path, count), `bit ${bit}`).to.equal("refused");
      world.disk.flipBit(path, bit);
    }
  });

  it("after an orderly close is refused everywhere, the last batch included", async () => {
    const { world, count, path } = await smallLog();
    const journal = await world.open(LARGE);
    await world.run(journal.close());
    const end = (await examineFolder(world.disk.mount(), DIR, true))?.segments[0]?.endOffset ?? 0;
    for (let bit = (end - 600) * 8; bit < end * 8; bit += 3) {
      world.disk.flipBit(path, bit);
      expect(await judge(world.disk, path, count), `bit ${bit}`).to.equal("refused");
      world.disk.flipBit(path, bit);
    }
  });

  it("makes the tail uncertain until someone confirms it, also over further openings", async () => {
    const { world, count, path } = await smallLog();
    const end = (await examineFolder(world.disk.mount(), DIR, true))?.segments[0]?.endOffset ?? 0;
    world.disk.flipBit(path, (end - 20) * 8);
    const first = await world.open(LARGE);
    expect(first.tailCertain).to.equal(false);
    expect(first.folder.recovery.tail).to.equal("uncertain");
    expect(first.lastSeq).to.be.within(count - 3, count - 1);
    const kept = first.folder.recovery.cutFile ?? "";
    expect(world.disk.bytes(kept).length).to.equal(first.folder.recovery.cutBytes);
    await world.run(first.close());
    const second = await world.open(LARGE);
    expect(second.tailCertain).to.equal(false);
    expect(second.folder.recovery.tail).to.equal("clean");
    await world.run(second.confirmTail());
    await world.run(second.close());
    const third = await world.open(LARGE);
    expect(third.tailCertain).to.equal(true);
    await world.run(third.close());
  });

  it("is left as it is when it is refused", async () => {
    const { world, path } = await smallLog();
    world.disk.flipBit(path, 5_000 * 8);
    const before = world.disk.bytes(path);
    const error = await failure(world.open(LARGE));
    expect(error).to.be.instanceOf(JournalDamagedError);
    expect(error.message).to.contain(path);
    expect(Buffer.compare(world.disk.bytes(path), before)).to.equal(0);
  });
});
