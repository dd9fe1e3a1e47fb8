/**
 * What an opening does to the folder must be durable before anything builds on it, and what it opened must
 * be closed when it fails: crashes right after an opening and at every operation of one, and failures there.
 */
import { expect } from "chai";
import { seededRandom } from "../../lib/base/random.ts";
import type { SimulatedDisk } from "../../lib/disk/simulated-disk.ts";
import { openFolder, openStream } from "../../lib/journal/open.ts";
import { examineFolder } from "../../lib/journal/recovery.ts";
import { bytes, DIR, failure, ListMachine, SMALL, texts, World } from "./support.ts";

const CRASHES = 12;

/** A world of its own on a copy of the disk, whose crashes are drawn from `seed`. */
function copyOf(disk: SimulatedDisk, seed: string): World {
  const world = new World(seed);
  world.disk = disk.copy(seededRandom(seed));
  return world;
}

/** Lets an opening go on until operation `cut`, then crashes the machine; false when it was done before. */
async function crashOpeningAt(world: World, cut: number): Promise<boolean> {
  let left = cut;
  let crashed = false;
  world.disk.onOperation = () => {
    left -= 1;
    if (left === 0) {
      crashed = true;
      world.disk.crash();
    }
  };
  void world.open().catch(() => undefined);
  for (let turns = 0; turns < 20; turns++) {
    await world.clock.settle();
  }
  world.disk.onOperation = null;
  world.disk.killProcess();
  return crashed;
}

/** A journal of one synced entry and a last batch of three with a wrong bit in it. */
async function uncertain(): Promise<{ world: World; tail: Uint8Array }> {
  const world = new World("uncertain");
  const journal = await world.open();
  await world.run(journal.append(bytes("kept")));
  await world.run(journal.append(["a", "b", "c"].map((text) => bytes(text.repeat(900)))));
  world.disk.killProcess();
  const path = world.newestSegment();
  world.disk.flipBit(path, (4_096 + 128 + 70) * 8);
  const found = await examineFolder(world.disk.mount(), DIR, true);
  expect(found?.tail?.verdict).to.equal("uncertain");
  const { offset = 0, usedEnd = 0 } = found?.tail ?? {};
  expect(usedEnd - offset).to.be.greaterThan(2_700);
  return { world, tail: world.disk.bytes(path).slice(offset, usedEnd) };
}

function cutFiles(world: World): Uint8Array[] {
  return world.disk
    .paths()
    .filter((path) => path.endsWith(".cut"))
    .map((path) => world.disk.bytes(path));
}

/** Whether the bytes of the tail are in a file of their own, or where they were. */
function tailIsKept(world: World, tail: Uint8Array): boolean {
  const contents = [...cutFiles(world), world.disk.bytes(world.newestSegment())];
  return contents.some((content) => Buffer.from(content).includes(Buffer.from(tail)));
}

describe("an opening that repairs", function () {
  this.timeout(60_000);

  it("says that a journal was not closed in order when it was before the opening before", async () => {
    const world = new World("closed");
    await world.run((await world.open()).close());
    const second = await world.open();
    expect(second.folder.recovery.closedInOrder).to.equal(true);
    await world.run(second.append(bytes("a")));
    world.disk.killProcess();
    const third = await world.open();
    expect(third.folder.recovery.closedInOrder).to.equal(false);
    world.disk.killProcess();
    expect((await world.open()).folder.recovery.closedInOrder).to.equal(false);
  });

  it("does not forget that the tail is uncertain, when the machine crashes right afterwards", async () => {
    const { world, tail } = await uncertain();
    const journal = await world.open();
    expect(journal.tailCertain).to.equal(false);
    for (let crash = 0; crash < CRASHES; crash++) {
      const each = copyOf(world.disk, `after-${crash}`);
      each.disk.crash();
      const again = await each.open();
      expect(again.folder.recovery.tail).to.equal("clean");
      expect(again.tailCertain).to.equal(false);
      expect(await texts(each, again)).to.deep.equal(["kept"]);
      expect(cutFiles(each)).to.deep.equal([tail]);
    }
    world.disk.killProcess();
  });

  it("neither forgets that nor loses the bytes it cuts, at whichever operation the machine crashes", async () => {
    const { world, tail } = await uncertain();
    let cut = 1;
    for (let crashed = true; crashed; cut++) {
      for (let seed = 0; seed < 3; seed++) {
        const each = copyOf(world.disk, `cut-${cut}-${seed}`);
        crashed = await crashOpeningAt(each, cut);
        expect(tailIsKept(each, tail), `the tail's bytes, cut at ${cut}`).to.equal(true);
        const again = await each.open();
        expect(again.tailCertain, `cut at ${cut}`).to.equal(false);
        expect(await texts(each, again)).to.deep.equal(["kept"]);
        expect(tailIsKept(each, tail), `the tail's bytes, opened after ${cut}`).to.equal(true);
      }
    }
    expect(cut).to.be.within(25, 100);
  });

  it("keeps over a crash what it has given as there, also where it was never synced", async () => {
    for (const lying of [false, true]) {
      const world = new World(`kept-${lying}`);
      const journal = await world.open({ sync: lying ? "batch" : "none" });
      if (lying) {
        world.disk.fail({ operation: "sync", code: "io", path: /segment/ });
      }
      const wanted = ["a", "b", "c"].map((text) => text.repeat(1_500));
      await world.run(Promise.allSettled([journal.append(wanted.map(bytes))]));
      world.disk.killProcess();
      const second = await world.open();
      expect(await texts(world, second)).to.deep.equal(wanted);
      for (let crash = 0; crash < CRASHES; crash++) {
        const each = copyOf(world.disk, `kept-${lying}-${crash}`);
        each.disk.crash();
        const third = await each.open();
        expect(third.folder.recovery.tail).to.equal("clean");
        expect(await texts(each, third)).to.deep.equal(wanted);
      }
      world.disk.killProcess();
    }
  });

  it("refuses a log that ends before what a stream's state says is committed", async () => {
    const world = new World("committed");
    const journal = await world.open({ markIntervalMs: 60_000 });
    await world.run(journal.append(bytes("a")));
    const { endOffset } = journal.folder.writer.segment;
    await world.run(journal.appendAndCommit(["b", "c"].map(bytes)));
    const none = { counter: 0, owner: "0000000000000000" };
    await world.run(
      journal.setHardState({ promise: none, activated: none, successors: [], incarnation: "feed" }),
    );
    world.disk.killProcess();
    // The last batch has gone with all its sectors: to the table of tails it looks as if it had never been.
    const path = world.newestSegment();
    const image = world.disk.bytes(path);
    world.disk.put(path, image.slice().fill(0, endOffset));
    const error = await failure(world.open());
    expect(error).to.include({ name: "JournalDamagedError", file: path, offset: endOffset });
    expect(error.message).to.contain("committed to 3, the log ends at 1");
    // Without the marks, but with the entries, the state alone knows how far the commit went.
    const [first, second] = [endOffset, endOffset + 72].map((from) => image.subarray(from, from + 72));
    expect([first, second].every((record) => (record?.[8] ?? 0) % 16 === 1)).to.equal(true);
    world.disk.put(path, image.slice().fill(0, endOffset + 144));
    const machine = new ListMachine();
    const again = await world.open({ machine });
    expect(again).to.include({ lastSeq: 3, commitSeq: 3 });
    expect(machine.list).to.deep.equal(["a", "b", "c"]);
    world.disk.killProcess();
  });
});

/** What an opening starts from, and the entries it finds. */
interface Start {
  readonly prepare: () => Promise<World>;
  readonly found: readonly string[];
}

const STARTS: Readonly<Record<string, Start>> = {
  "an empty folder": { prepare: async () => new World("empty"), found: [] },
  "two streams, one with an uncertain tail": {
    prepare: async () => {
      const { world } = await uncertain();
      const ports = { disk: world.disk.mount(), clock: world.clock, random: world.random.fork("second") };
      const folder = await world.run(openFolder(DIR, { ...ports, ...SMALL }));
      await world.run(openStream(folder, "second"));
      world.disk.killProcess();
      const path = world.newestSegment();
      const { segments } = (await examineFolder(world.disk.mount(), DIR, true)) ?? {};
      const image = world.disk.bytes(path);
      image.fill(7, segments?.at(-1)?.endOffset ?? 0, 5_000);
      world.disk.put(path, image);
      expect((await examineFolder(world.disk.mount(), DIR, true))?.tail?.verdict).to.equal("uncertain");
      return world;
    },
    found: ["kept"],
  },
  "a snapshot behind the end of the log": {
    prepare: async () => {
      const world = new World("snapshot");
      const journal = await world.open({ machine: new ListMachine() });
      await world.run(journal.appendAndCommit(["a", "b"].map(bytes)));
      const { endOffset } = journal.folder.writer.segment;
      const state = world.disk.bytes(world.path("journal.state"));
      const image = world.disk.bytes(world.newestSegment());
      await world.run(journal.append(bytes("c")));
      await world.run(journal.commit(3));
      await world.run(journal.snapshot());
      world.disk.killProcess();
      // The log as it was before entry 3: the mark of an installed snapshot is lost.
      world.disk.put(world.newestSegment(), image.fill(0, endOffset));
      world.disk.put(world.path("journal.state"), state);
      const remains = await examineFolder(world.disk.mount(), DIR, true);
      expect(remains?.streams[0]?.needsReset).to.equal(true);
      return world;
    },
    found: [],
  },
};

describe("an opening that fails", function () {
  this.timeout(60_000);

  for (const [name, { prepare, found }] of Object.entries(STARTS)) {
    it(`at any operation leaves no file open and no lock taken: ${name}`, async () => {
      const origin = await prepare();
      let failures = 0;
      for (let at = 1, done = false; !done; at++) {
        const world = copyOf(origin.disk, `fail-${at}`);
        let left = at;
        world.disk.onOperation = ({ name: operation, path }) => {
          left -= 1;
          if (left === 0) {
            world.disk.fail({ operation, code: "io", path: new RegExp(`^${path}$`) });
          }
        };
        const opening = await world.run(Promise.allSettled([world.open()])).then(([it]) => it);
        world.disk.onOperation = null;
        done = left > 0;
        if (opening?.status === "fulfilled") {
          await world.run(opening.value.close());
        } else {
          failures += 1;
        }
        expect(world.disk.openPaths(), `operation ${at}`).to.deep.equal([]);
        world.disk.clearFaults();
        const again = await world.open();
        expect(await texts(world, again)).to.deep.equal(found);
        await world.run(again.close());
        expect(world.disk.openPaths()).to.deep.equal([]);
      }
      expect(failures).to.be.greaterThan(20);
    });
  }
});
