/** Many streams in one folder. */
import { expect } from "chai";
import type { JournalFolder } from "../../lib/journal/folder.ts";
import { verifyJournal } from "../../lib/journal/inspect.ts";
import type { Journal } from "../../lib/journal/journal.ts";
import { type OpenOptions, openFolder, openStream } from "../../lib/journal/open.ts";
import type { HardState } from "../../lib/journal/state.ts";
import { bytes, codeOf, DIR, failure, ListMachine, SMALL, texts, World } from "./support.ts";

function open(world: World, options: OpenOptions = {}): Promise<JournalFolder> {
  const ports = { disk: world.disk.mount(), clock: world.clock, random: world.random.fork("salt") };
  return world.run(openFolder(DIR, { ...ports, ...SMALL, ...options }));
}

async function openMany(world: World, folder: JournalFolder, names: readonly string[]): Promise<Journal[]> {
  const journals: Journal[] = [];
  for (const name of names) {
    journals.push(await world.run(openStream(folder, name)));
  }
  return journals;
}

const NAMES = ["orders", "p-3", "ünïcode and spaces"];

describe("a folder of many streams", () => {
  let world: World;

  beforeEach(() => {
    world = new World("folder");
  });

  it("puts the appends of all streams into one write and one sync", async () => {
    const folder = await open(world);
    const journals = await openMany(world, folder, NAMES);
    const before = folder.stats();
    await world.run(Promise.all(journals.map((journal, index) => journal.append(bytes(`${index}`)))));
    const after = folder.stats();
    expect(after.writes - before.writes).to.equal(1);
    expect(after.syncs - before.syncs).to.equal(1);
    expect(journals.map(({ lastSeq }) => lastSeq)).to.deep.equal([1, 1, 1]);
    await world.run(folder.close());
  });

  it("keeps every stream's entries, commits and truncations apart, also over a crash", async () => {
    const folder = await open(world);
    const journals = await openMany(world, folder, NAMES);
    for (let round = 1; round <= 40; round++) {
      await world.run(
        Promise.all(journals.map((journal, index) => journal.append(bytes(`${index}/${round}`)))),
      );
    }
    const [first, second] = journals;
    await world.run(Promise.all([first?.commit(10), second?.drop(31)]));
    world.disk.crash();
    const again = await open(world);
    const found = await openMany(world, again, NAMES);
    expect(found.map(({ lastSeq }) => lastSeq)).to.deep.equal([40, 30, 40]);
    expect(found.map(({ commitSeq }) => commitSeq)).to.deep.equal([10, 0, 0]);
    for (const [index, journal] of found.entries()) {
      const wanted = Array.from({ length: journal.lastSeq }, (_, round) => `${index}/${round + 1}`);
      expect(await texts(world, journal)).to.deep.equal(wanted);
    }
    await world.run(again.close());
  });

  it("removes a segment only when every stream in it is past its snapshot", async () => {
    const folder = await open(world, { compaction: "background" });
    const active = await world.run(openStream(folder, "active", new ListMachine()));
    const idle = await world.run(openStream(folder, "idle", new ListMachine()));
    await world.run(idle.appendAndCommit(bytes("idle")));
    for (let seq = 1; seq <= 60; seq++) {
      await world.run(active.appendAndCommit(bytes(`${seq}`)));
    }
    expect(await world.run(active.compact())).to.equal(0);
    expect(await world.run(idle.compact())).to.be.greaterThan(3);
    await world.run(folder.close());
  });

  it("copies a stream forward that pins more than maxLogBytes and has no snapshots", async () => {
    for (const cacheMetadata of [true, false]) {
      const each = new World("forward");
      const folder = await open(each, { maxLogBytes: 131_072, cacheMetadata });
      const machine = new ListMachine();
      const active = await each.run(openStream(folder, "active", machine));
      const [idle] = await openMany(each, folder, ["idle"]);
      await each.run(
        idle?.append(["one", "two", "three"].map(bytes)) ?? Promise.reject(new Error("not open")),
      );
      await each.run(idle?.commit(2) ?? Promise.reject(new Error("not open")));
      const chain = idle?.lastChain;
      for (let seq = 1; seq <= 400; seq++) {
        await each.run(active.appendAndCommit(bytes(`${seq}`)));
      }
      const stats = folder.stats();
      expect(stats.copiedForward).to.be.greaterThan(1);
      expect(stats.segmentBytes).to.be.at.most(131_072 + 2 * 16_384);
      each.disk.crash();
      const again = await open(each, { cacheMetadata });
      const [found] = await openMany(each, again, ["idle"]);
      expect(found).to.include({ firstSeq: 1, lastSeq: 3, commitSeq: 2, lastChain: chain });
      expect(found === undefined ? [] : await texts(each, found)).to.deep.equal(["one", "two", "three"]);
      await each.run(again.close());
      expect((await each.run(verifyJournal(DIR, each.disk.mount()))).verdict).to.equal("sound");
    }
  });

  it("keeps after a crash the segment that holds the copies of a stream", async () => {
    const folder = await open(world, { maxLogBytes: 65_536, compaction: "background" });
    const active = await world.run(openStream(folder, "active", new ListMachine()));
    const idle = await world.run(openStream(folder, "idle"));
    await world.run(idle.append(["one", "two", "three"].map(bytes)));
    for (let count = 0; count < 200 && folder.copiedForward === 0; count++) {
      await world.run(active.appendAndCommit(bytes(`${active.lastSeq + 1}`)));
    }
    const holders = ({ store }: JournalFolder): number[] =>
      store.segments.filter((segment) => segment.lastSeqOf(2) > 0).map(({ number }) => number);
    const [holder, ...others] = holders(folder);
    expect(others).to.deep.equal([]);
    world.disk.crash();
    const again = await open(world, { compaction: "background" });
    const [reopened, found] = [
      await world.run(openStream(again, "active", new ListMachine())),
      await world.run(openStream(again, "idle")),
    ];
    expect(holders(again)).to.deep.equal([holder]);
    for (let count = 0; count < 40; count++) {
      await world.run(reopened.appendAndCommit(bytes("more")));
    }
    await world.run(reopened.compact());
    expect(again.store.segments[0]?.number).to.equal(holder);
    expect(await texts(world, found)).to.deep.equal(["one", "two", "three"]);
    world.disk.crash();
    const last = await open(world);
    const kept = await world.run(openStream(last, "idle"));
    expect(await texts(world, kept)).to.deep.equal(["one", "two", "three"]);
    await world.run(last.close());
  });

  it("lets the log grow beyond maxLogBytes where copying would free less than it takes", async () => {
    const folder = await open(world, { maxLogBytes: 65_536 });
    const [journal] = await openMany(world, folder, ["never committed"]);
    for (let seq = 1; seq <= 200; seq++) {
      await world.run(journal?.append(bytes(`${seq}`)) ?? Promise.reject(new Error("not open")));
    }
    expect(folder.stats()).to.include({ copiedForward: 0, segmentsRemoved: 0, segments: 10 });
    world.disk.crash();
    const again = await open(world, { maxLogBytes: 65_536 });
    const [found] = await openMany(world, again, ["never committed"]);
    expect(found).to.include({ firstSeq: 1, lastSeq: 200 });
    await world.run(again.close());
  });

  it("snapshots a stream that pins more than maxLogBytes where its machine can", async () => {
    const folder = await open(world, { maxLogBytes: 131_072, compaction: "background" });
    const idle = await world.run(openStream(folder, "idle", new ListMachine()));
    const active = await world.run(openStream(folder, "active", new ListMachine()));
    await world.run(idle.appendAndCommit(bytes("idle")));
    for (let seq = 1; seq <= 400; seq++) {
      await world.run(active.appendAndCommit(bytes(`${seq}`)));
    }
    expect(idle.snapshotSeq).to.equal(1);
    expect(folder.stats()).to.include({ copiedForward: 0 });
    expect(folder.stats().segmentsRemoved).to.be.greaterThan(5);
    await world.run(folder.close());
  });

  it("never forgets a hard state that it has acknowledged, at whichever operation the machine crashes", async () => {
    const hardState = (counter: number): HardState => ({
      promise: { counter, owner: "00000000000000ab" },
      activated: { counter: counter - 1, owner: "00000000000000ab" },
      successors: [{ epoch: { counter, owner: "00000000000000ab" }, configuration: { members: ["a", "b"] } }],
      incarnation: "feed",
    });
    for (let cut = 1; cut <= 12; cut++) {
      const each = new World(`hard-${cut}`);
      const folder = await open(each);
      const [journal] = await openMany(each, folder, ["main"]);
      await each.run(journal?.setHardState(hardState(7)) ?? Promise.reject(new Error("not open")));
      let left = cut;
      each.disk.onOperation = () => {
        left -= 1;
        if (left === 0) {
          each.disk.onOperation = null;
          each.disk.crash();
        }
      };
      let acknowledged = false;
      void journal?.setHardState(hardState(8)).then(() => {
        acknowledged = true;
      });
      for (let turns = 0; turns < 5; turns++) {
        await each.clock.settle();
      }
      each.disk.onOperation = null;
      each.disk.crash();
      const again = await open(each);
      const [found] = await openMany(each, again, ["main"]);
      expect(found?.hardState).to.deep.equal(hardState(found?.hardState?.promise.counter ?? 0));
      expect(found?.hardState?.promise.counter).to.be.within(acknowledged ? 8 : 7, 8);
      await each.run(again.close());
    }
  });

  it("refuses a stream that is open already and names that cannot be", async () => {
    const folder = await open(world);
    const [journal] = await openMany(world, folder, ["main"]);
    expect(codeOf(await world.run(failure(openStream(folder, "main"))))).to.equal("journal_busy");
    expect(codeOf(await world.run(failure(openStream(folder, ""))))).to.equal("config_mismatch");
    await world.run(journal?.close() ?? Promise.resolve());
    await openMany(world, folder, ["main"]);
    await world.run(folder.close());
  });

  it("notes the synced position some time after a sync, so that later damage is known as such", async () => {
    const folder = await open(world, { markIntervalMs: 100 });
    const [journal] = await openMany(world, folder, ["main"]);
    await world.run(journal?.append(bytes("a")) ?? Promise.reject(new Error("not open")));
    const end = folder.writer.segment.endOffset;
    const judged = async (): Promise<string> => (await verifyJournal(DIR, world.disk.mount())).verdict;
    world.disk.flipBit(world.newestSegment(), (end - 4) * 8);
    expect(await judged()).to.equal("uncertain");
    world.disk.flipBit(world.newestSegment(), (end - 4) * 8);
    await world.clock.advance(150);
    world.disk.killProcess();
    world.disk.flipBit(world.newestSegment(), (end - 4) * 8);
    expect(await judged()).to.equal("damaged");
  });
});
