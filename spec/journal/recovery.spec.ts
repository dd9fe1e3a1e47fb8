/** The rows of the recovery table, one by one. */
import { expect } from "chai";
import { crc32c } from "../../lib/journal/crc32c.ts";
import { JournalDamagedError } from "../../lib/journal/errors.ts";
import { readSlots, SlotFile } from "../../lib/journal/slots.ts";
import { toJournalState } from "../../lib/journal/state.ts";
import { judgeTail, TAIL_TABLE, type TailFacts } from "../../lib/journal/tail.ts";
import { bytes, codeOf, DIR, failure, ListMachine, SMALL, texts, World } from "./support.ts";

const SOUND: TailFacts = {
  lsn: 1_000,
  stateSyncedLsn: 1_000,
  laterSyncedLsn: 0,
  headerBlank: true,
  headerValid: false,
  sectorMissing: false,
  restBlank: true,
};

describe("the verdict over the end of the log", () => {
  const rows: [string, Partial<TailFacts>, string][] = [
    ["zeros to the end", {}, "clean"],
    ["zeros, although the state knows of more", { stateSyncedLsn: 1_001 }, "damaged"],
    ["a missing header with sectors behind it", { restBlank: false }, "torn"],
    [
      "the same with a later record that knows better",
      { restBlank: false, laterSyncedLsn: 1_064 },
      "damaged",
    ],
    ["a later record of the same batch", { restBlank: false, laterSyncedLsn: 1_000 }, "torn"],
    [
      "a payload that lacks a sector",
      { headerBlank: false, headerValid: true, sectorMissing: true, restBlank: false },
      "torn",
    ],
    [
      "a payload that is all there and wrong",
      { headerBlank: false, headerValid: true, restBlank: false },
      "uncertain",
    ],
    ["a header that is wrong", { headerBlank: false, restBlank: false }, "uncertain"],
  ];
  for (const [name, facts, verdict] of rows) {
    it(`${name}: ${verdict}`, () => {
      expect(judgeTail({ ...SOUND, ...facts }).verdict).to.equal(verdict);
    });
  }

  it("comes from every row of the table at least once", () => {
    const reached = new Set(rows.map(([, facts]) => judgeTail({ ...SOUND, ...facts }).why));
    expect([...reached].sort()).to.deep.equal(TAIL_TABLE.map(({ why }) => why).sort());
  });
});

/** A journal of several segments with two snapshots, closed in order. */
async function aged(): Promise<World> {
  const world = new World("aged");
  const journal = await world.open({
    machine: new ListMachine(),
    compaction: "background",
    keepSnapshots: 2,
  });
  for (let seq = 1; seq <= 50; seq++) {
    await world.run(journal.appendAndCommit(bytes(`${seq}`)));
  }
  await world.run(journal.snapshot());
  for (let seq = 51; seq <= 100; seq++) {
    await world.run(journal.appendAndCommit(bytes(`${seq}`)));
  }
  await world.run(journal.snapshot());
  for (let seq = 101; seq <= 150; seq++) {
    await world.run(journal.appendAndCommit(bytes(`${seq}`)));
  }
  await world.run(journal.close());
  return world;
}

async function refusal(world: World): Promise<JournalDamagedError> {
  const error = await failure(world.open({ machine: new ListMachine() }));
  expect(error).to.be.instanceOf(JournalDamagedError);
  if (!(error instanceof JournalDamagedError)) {
    throw error;
  }
  return error;
}

describe("opening a journal", function () {
  this.timeout(60_000);

  it("in an empty folder creates one", async () => {
    const world = new World("new");
    const journal = await world.open();
    expect(journal.folder.recovery.created).to.equal(true);
    expect(journal).to.include({ lastSeq: 0, commitSeq: 0, firstSeq: 1, tailCertain: true });
    await world.run(journal.close());
  });

  it("that was closed in order finds a clean end", async () => {
    const world = await aged();
    const machine = new ListMachine();
    const journal = await world.open({ machine });
    expect(journal.folder.recovery).to.include({ closedInOrder: true, tail: "clean", cutBytes: 0 });
    expect(machine.list.length).to.equal(150);
    await world.run(journal.close());
  });

  it("with a torn tail cuts it, fills it with zeros and reports it", async () => {
    const world = new World("torn");
    const journal = await world.open();
    await world.run(journal.append(bytes("kept")));
    const end = journal.folder.writer.segment.endOffset;
    void journal.append(new Uint8Array(3_000).fill(7)).catch(() => undefined);
    await world.clock.settle();
    const path = world.newestSegment();
    // As if the sector in the middle had never been written, and nothing had been acknowledged.
    world.disk.killProcess();
    const image = world.disk.bytes(path);
    image.fill(0, 5_120, 5_632);
    world.disk.put(path, image);
    const again = await world.open();
    expect(again.folder.recovery).to.include({ tail: "torn", cutFile: null });
    expect(again.folder.recovery.cutBytes).to.be.greaterThan(3_000);
    expect(again.tailCertain).to.equal(true);
    expect(await texts(world, again)).to.deep.equal(["kept"]);
    expect(
      world.disk
        .bytes(path)
        .subarray(end)
        .every((byte) => byte === 0),
    ).to.equal(true);
    await world.run(again.close());
  });

  it("takes a record with zeros of its own for damage, not for a torn write", async () => {
    const world = new World("blank");
    const journal = await world.open();
    await world.run(journal.append(new Uint8Array(3_000)));
    world.disk.killProcess();
    world.disk.flipBit(world.newestSegment(), 5_000 * 8);
    const again = await world.open();
    expect(again.folder.recovery.tail).to.equal("uncertain");
    expect(again.tailCertain).to.equal(false);
    await world.run(again.close());
  });

  it("refuses damage in the middle by file and offset", async () => {
    const world = await aged();
    const [oldest = ""] = world.segments();
    world.disk.flipBit(oldest, 4_200 * 8);
    const error = await refusal(world);
    expect(error.file).to.equal(oldest);
    expect(error.offset).to.be.within(4_096, 4_200);
  });

  it("refuses a missing segment, first, middle or last", async () => {
    for (const index of [0, 1, -1]) {
      const world = await aged();
      const victim = world.segments().at(index) ?? "";
      world.disk.remove(victim);
      const error = await refusal(world);
      expect(error.file).to.equal(victim);
      expect(error.what).to.contain("missing");
    }
  });

  it("refuses segments that were swapped or come from another journal", async () => {
    const world = await aged();
    const [first = "", second = ""] = world.segments();
    const image = world.disk.bytes(second);
    world.disk.put(second, world.disk.bytes(first));
    expect((await refusal(world)).file).to.equal(second);
    const other = await aged();
    const stranger = new World("stranger");
    const journal = await stranger.open();
    await stranger.run(journal.close());
    other.disk.put(other.segments()[0] ?? "", stranger.disk.bytes(stranger.newestSegment()));
    await refusal(other);
    world.disk.put(second, image);
    await world.run((await world.open()).close());
  });

  it("refuses a segment that does not begin where the one before ends, or follows another", async () => {
    for (const [offset, what] of [
      [40, "the segment before ends at"],
      [24, "does not follow the segment before it"],
    ] as const) {
      const world = await aged();
      const path = world.segments()[1] ?? "";
      const image = world.disk.bytes(path);
      const view = new DataView(image.buffer);
      view.setUint32(offset, view.getUint32(offset, true) ^ 8, true);
      view.setUint32(96, crc32c(image, 0, 96), true);
      world.disk.put(path, image);
      const error = await refusal(world);
      expect(error).to.include({ file: path, offset: 0 });
      expect(error.what).to.contain(what);
    }
  });

  it("refuses a log that was synced further than its last segment reaches", async () => {
    const world = await aged();
    const path = world.path("journal.state");
    const { value } = await readSlots(world.disk.mount(), path);
    const state = toJournalState(value);
    expect(state).to.have.property("lastSegment");
    const lastSegment = "lastSegment" in state ? state.lastSegment - 1 : 0;
    world.disk.remove(world.newestSegment());
    world.disk.remove(path);
    await SlotFile.create(world.disk.mount(), DIR, "journal.state", { ...state, lastSegment });
    const error = await refusal(world);
    expect(error.file).to.equal(world.newestSegment());
    expect(error.what).to.contain("the log was synced to LSN");
  });

  it("refuses a log without its snapshots, and a missing snapshot that the log cannot replace", async () => {
    const world = await aged();
    const snapshots = world.disk.paths().filter((path) => path.endsWith(".snap"));
    expect(snapshots.length).to.equal(2);
    for (const path of snapshots) {
      world.disk.remove(path);
    }
    const error = await refusal(world);
    expect(error.file).to.equal(snapshots[1]);
    expect(error.what).to.contain("missing");
  });

  it("goes back to the snapshot before a damaged one where the log reaches back to it", async () => {
    const world = new World("older");
    // The second stream pins every segment, so that the log still holds what the snapshots squash.
    const journal = await world.open({ machine: new ListMachine(), compaction: "background" });
    const pin = journal.folder.store.segments[0];
    if (pin !== undefined) {
      pin.pins += 1;
    }
    for (let seq = 1; seq <= 60; seq++) {
      await world.run(journal.appendAndCommit(bytes(`${seq}`)));
      if (seq % 25 === 0) {
        await world.run(journal.snapshot());
      }
    }
    await world.run(journal.close());
    const newest =
      world.disk
        .paths()
        .filter((path) => path.endsWith(".snap"))
        .at(-1) ?? "";
    world.disk.flipBit(newest, 100 * 8);
    const machine = new ListMachine();
    const again = await world.open({ machine });
    expect(again.snapshotSeq).to.equal(25);
    expect(machine.list.length).to.equal(60);
    await world.run(again.close());
  });

  it("opens a snapshot with no entries behind it", async () => {
    const world = new World("bare");
    const journal = await world.open({ machine: new ListMachine() });
    await world.run(journal.appendAndCommit(["a", "b"].map(bytes)));
    await world.run(journal.snapshot());
    await world.run(journal.close());
    const machine = new ListMachine();
    const again = await world.open({ machine });
    expect(machine).to.deep.include({ list: ["a", "b"], restored: 1 });
    expect(again).to.include({ lastSeq: 2, commitSeq: 2, snapshotSeq: 2 });
    await world.run(again.append(bytes("c")));
    await world.run(again.close());
  });

  it("refuses snapshots and segments whose state files are gone", async () => {
    const world = await aged();
    const main = world.disk.bytes(world.path("stream-0001.state"));
    world.disk.remove(world.path("stream-0001.state"));
    expect((await refusal(world)).what).to.contain("no state file");
    world.disk.put(world.path("stream-0001.state"), main);
    world.disk.remove(world.path("journal.state"));
    expect((await refusal(world)).file).to.equal(world.path("journal.state"));
  });

  it("repairs either copy of a state file, and refuses when both are damaged", async () => {
    const world = await aged();
    const path = world.path("journal.state");
    for (const copy of [0, 16_384]) {
      world.disk.flipBit(path, (copy + 40) * 8);
      const journal = await world.open({ machine: new ListMachine() });
      expect(journal.lastSeq).to.equal(150);
      await world.run(journal.close());
    }
    world.disk.flipBit(path, 40 * 8);
    world.disk.flipBit(path, (16_384 + 40) * 8);
    expect((await refusal(world)).file).to.equal(path);
  });

  it("never touches the only good copy of a state file, wherever openings are cut short", async () => {
    for (const damagedCopy of [0, 16_384]) {
      for (let cut = 1; cut < 110; cut++) {
        const world = await aged();
        world.disk.flipBit(world.path("journal.state"), (damagedCopy + 40) * 8);
        let left = cut;
        world.disk.onOperation = () => {
          left -= 1;
          if (left === 0) {
            world.disk.onOperation = null;
            world.disk.killProcess();
          }
        };
        void world.open(SMALL).catch(() => undefined);
        for (let turns = 0; turns < 10; turns++) {
          await world.clock.settle();
        }
        world.disk.onOperation = null;
        world.disk.killProcess();
        const journal = await world.open({ machine: new ListMachine() });
        expect(journal.lastSeq).to.equal(150);
        await world.run(journal.close());
      }
    }
  });

  it("refuses a newer format by file and version, and touches nothing", async () => {
    const world = await aged();
    const path = world.newestSegment();
    const image = world.disk.bytes(path);
    const view = new DataView(image.buffer);
    view.setUint32(8, 2, true);
    view.setUint32(96, crc32c(image, 0, 96), true);
    world.disk.put(path, image);
    const before = world.disk.paths();
    const error = await failure(world.open());
    expect(codeOf(error)).to.equal("journal_format");
    expect(error.message).to.contain(path).and.to.contain("2");
    expect(world.disk.paths()).to.deep.equal(before);
  });

  it("removes leftovers of what a crash cut short", async () => {
    const world = await aged();
    for (const name of [
      "segment.draft",
      "stream-0009.state.tmp",
      "snapshot-0001-00000000000000ff.snap",
      "segment-0000000000000000.wal",
    ]) {
      world.disk.put(world.path(name), bytes("left"));
    }
    const journal = await world.open({ machine: new ListMachine() });
    await world.run(journal.close());
    expect(world.disk.paths().filter((path) => world.disk.bytes(path).length === 4)).to.deep.equal([]);
  });

  it("makes what it keeps durable before anything builds on it, also after a sync that lied", async () => {
    const world = new World("lied");
    const journal = await world.open();
    await world.run(journal.append(bytes("a")));
    world.disk.fail({ operation: "sync", code: "io", path: /segment/ });
    expect(codeOf(await world.run(failure(journal.append(bytes("b")))))).to.equal("journal_failed");
    const second = await world.open();
    // Whether "b" is still there is the cache's choice; if it is, it must stay from now on.
    const list = await texts(world, second);
    world.disk.crash();
    const third = await world.open();
    expect(await texts(world, third)).to.deep.equal(list);
    expect(list[0]).to.equal("a");
    await world.run(third.close());
  });

  it("keeps opening when it is itself cut short at any operation", async () => {
    for (let cut = 1; cut < 60; cut++) {
      const world = await aged();
      world.disk.crash();
      let left = cut;
      world.disk.onOperation = () => {
        left -= 1;
        if (left === 0) {
          world.disk.onOperation = null;
          world.disk.crash();
        }
      };
      void world.open(SMALL).catch(() => undefined);
      for (let turns = 0; turns < 20; turns++) {
        await world.clock.settle();
      }
      world.disk.onOperation = null;
      world.disk.crash();
      const machine = new ListMachine();
      const journal = await world.open({ machine });
      expect(machine.list.length).to.equal(150);
      await world.run(journal.close());
    }
  });
});
