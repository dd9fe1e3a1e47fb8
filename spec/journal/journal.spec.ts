/** What a journal does for its user, on the simulated disk. */
import { expect } from "chai";
import { SimulatedDisk } from "../../lib/disk/simulated-disk.ts";
import type { OpenJournalOptions } from "../../lib/journal/open.ts";
import { SYNC_MODES } from "../../lib/journal/options.ts";
import { bytes, codeOf, failure, ListMachine, text, texts, World } from "./support.ts";

for (const sync of SYNC_MODES) {
  describe(`a journal with sync ${sync}`, () => {
    let world: World;
    const open = (options: OpenJournalOptions = {}): ReturnType<World["open"]> =>
      world.open({ sync, ...options });

    beforeEach(() => {
      world = new World(`journal-${sync}`);
    });

    it("numbers entries from 1, one or many at a time, and reads them back", async () => {
      const journal = await open();
      expect(await world.run(journal.append(bytes("a")))).to.include({ firstSeq: 1, lastSeq: 1 });
      const many = [bytes("b"), { payload: bytes("c"), kind: 7 }, bytes("")];
      expect(await world.run(journal.append(many))).to.include({ firstSeq: 2, lastSeq: 4 });
      expect(await texts(world, journal)).to.deep.equal(["a", "b", "c", ""]);
      await world.run(journal.close());
    });

    it("finds everything again after an orderly close, with epochs, kinds, chain and commit", async () => {
      const journal = await open();
      await world.run(journal.append([bytes("a"), { payload: bytes("b"), kind: 9 }], { epoch: 3 }));
      await world.run(journal.append(bytes("c"), { epoch: { counter: 4, owner: "00000000000000ff" } }));
      await world.run(journal.commit(2));
      const { lastChain } = journal;
      await world.run(journal.close());
      const again = await open();
      expect(again.folder.recovery).to.include({ closedInOrder: true, sameBoot: true, tail: "clean" });
      expect(again).to.include({ lastSeq: 3, commitSeq: 2, lastChain });
      expect(again.lastEpoch).to.deep.equal({ counter: 4, owner: "00000000000000ff" });
      expect(again.epochAt(2)).to.deep.equal({ counter: 3, owner: "0000000000000000" });
      const kinds = await world.run(collect(again.read(1, 3, { uncommitted: true }), ({ kind }) => kind));
      expect(kinds).to.deep.equal([0, 9, 0]);
      await world.run(again.close());
    });

    it("replaces an uncommitted suffix, drops one, and gives both the same chain as if it had never been", async () => {
      const journal = await open();
      await world.run(journal.append(["a", "b", "c", "d"].map(bytes)));
      const chainOfB = await world.run(journal.chainAt(2));
      await world.run(journal.replace(3, [bytes("x")], { epoch: 1 }));
      expect(await texts(world, journal)).to.deep.equal(["a", "b", "x"]);
      expect(await world.run(journal.drop(3))).to.equal(1);
      expect(journal.lastChain).to.equal(chainOfB);
      expect(await world.run(journal.drop(3))).to.equal(0);
      await world.run(journal.append(bytes("y")));
      await world.run(journal.close());
      const again = await open();
      expect(await texts(world, again)).to.deep.equal(["a", "b", "y"]);
      await world.run(again.close());
    });

    it("survives a crash with all that a sync has covered", async () => {
      const journal = await open();
      await world.run(journal.append(["a", "b"].map(bytes)));
      await world.run(journal.commit());
      await world.run(journal.sync());
      world.disk.crash();
      const again = await open();
      expect(again.folder.recovery).to.include({ closedInOrder: false, sameBoot: false });
      expect(again.commitSeq).to.equal(2);
      expect(await texts(world, again)).to.deep.equal(["a", "b"]);
      await world.run(again.close());
    });
  });
}

async function collect<T, U>(items: AsyncIterable<T>, pick: (item: T) => U): Promise<U[]> {
  const found: U[] = [];
  for await (const item of items) {
    found.push(pick(item));
  }
  return found;
}

describe("a journal", () => {
  let world: World;

  beforeEach(() => {
    world = new World("journal");
  });

  it("gives equal chains for equal histories and other ones where payload, kind or epoch differ", async () => {
    const chains = new Set<string>();
    const histories: [string, number, number][] = [
      ["a", 0, 0],
      ["b", 0, 0],
      ["a", 1, 0],
      ["a", 0, 1],
    ];
    for (const [payload, kind, epoch] of [...histories, ...histories]) {
      const each = new World("chains");
      const journal = await each.open();
      await each.run(journal.append([{ payload: bytes(payload), kind }, bytes("tail")], { epoch }));
      chains.add(journal.lastChain);
      await each.run(journal.close());
    }
    expect(chains.size).to.equal(histories.length);
  });

  it("puts all appends of a turn, and all that gather during a sync, into one write each", async () => {
    const journal = await world.open();
    const before = journal.stats();
    await world.run(Promise.all(Array.from({ length: 10 }, (_, index) => journal.append(bytes(`${index}`)))));
    const { writes, syncs, batchRecordsMax } = journal.stats();
    expect({ writes: writes - before.writes, syncs: syncs - before.syncs, batchRecordsMax }).to.deep.equal({
      writes: 1,
      syncs: 1,
      batchRecordsMax: 10,
    });
    await world.run(journal.close());
  });

  it("writes every append by itself with sync writeThrough", async () => {
    const journal = await world.open({ sync: "writeThrough" });
    const before = journal.stats().writes;
    await world.run(Promise.all(Array.from({ length: 10 }, (_, index) => journal.append(bytes(`${index}`)))));
    expect(journal.stats().writes - before).to.equal(10);
    await world.run(journal.close());
  });

  it("syncs every syncIntervalMs with sync interval, and not at all with none", async () => {
    const journal = await world.open({ sync: "interval", syncIntervalMs: 50 });
    const before = journal.stats().syncs;
    await world.run(journal.append(bytes("a")));
    expect(journal.stats().syncs).to.equal(before);
    await world.clock.advance(60);
    expect(journal.stats().syncs).to.equal(before + 1);
    await world.clock.advance(500);
    expect(journal.stats().syncs).to.equal(before + 1);
    await world.run(journal.close());
    const lazy = await world.open({ sync: "none" });
    await world.run(lazy.append(bytes("b")));
    await world.clock.advance(10_000);
    expect(lazy.folder.writer.durableLsn).to.be.lessThan(lazy.folder.writer.endLsn);
    await world.run(lazy.close());
  });

  it("answers submit at once with the numbers and tells later when they are safe", async () => {
    const journal = await world.open();
    const submitted = journal.submit([bytes("a"), bytes("b")]);
    expect(submitted).to.include({ firstSeq: 1, lastSeq: 2, chain: journal.lastChain });
    expect(journal.folder.writer.durableLsn).to.be.lessThan(journal.folder.writer.endLsn);
    await world.run(submitted.acknowledged());
    expect(journal.folder.writer.durableLsn).to.equal(journal.folder.writer.endLsn);
    await world.run(submitted.acknowledged());
    await world.run(journal.close());
  });

  it("lets a read wait for entries that are being written", async () => {
    for (let seed = 0; seed < 10; seed++) {
      const world = new World(`read-own-${seed}`);
      const slow = { clock: world.clock, latencyMsMax: 8 };
      world.disk = new SimulatedDisk(world.random.fork("slow"), slow);
      const journal = await world.open();
      const collect = async (): Promise<string[]> => {
        const found: string[] = [];
        for await (const { payload } of journal.read(1, 2, { uncommitted: true })) {
          found.push(text(payload));
        }
        return found;
      };
      let read: Promise<string[]> = Promise.resolve([]);
      world.disk.onOperation = ({ name }) => {
        if (name === "write") {
          world.disk.onOperation = null;
          read = collect();
        }
      };
      await world.run(journal.append(["a", "b"].map(bytes)));
      expect(await world.run(read)).to.deep.equal(["a", "b"]);
      await world.run(journal.close());
    }
  });

  it("applies committed entries once, in order, and answers how many were new", async () => {
    const machine = new ListMachine();
    const journal = await world.open({ machine });
    await world.run(journal.append(["a", "b", "c"].map(bytes)));
    expect(machine.list).to.deep.equal([]);
    expect(await world.run(journal.commit(2))).to.equal(2);
    expect(machine.list).to.deep.equal(["a", "b"]);
    expect(await world.run(journal.commit(2))).to.equal(0);
    await world.run(journal.appendAndCommit([bytes("d")]));
    expect(machine.list).to.deep.equal(["a", "b", "c", "d"]);
    expect(journal.stats().cachedEntries).to.equal(0);
    await world.run(journal.close());
  });

  it("reads entries from the disk to apply them when they do not fit the cache", async () => {
    const machine = new ListMachine();
    const journal = await world.open({ machine, cachedEntryBytes: 0 });
    await world.run(journal.append(["a", "b"].map(bytes)));
    expect(journal.stats().cachedEntries).to.equal(0);
    await world.run(journal.commit());
    expect(machine.list).to.deep.equal(["a", "b"]);
    await world.run(journal.close());
  });

  it("waits for a given entry, for any commit, and for an epoch", async () => {
    const journal = await world.open({ machine: new ListMachine() });
    const reached: string[] = [];
    const note = (name: string, promise: Promise<void>): Promise<number> =>
      promise.then(() => reached.push(name));
    const all = [
      note("third", journal.waitForCommit(3)),
      note("any", journal.waitForCommit()),
      note("epoch", journal.ensureConsistency(5)),
    ];
    await world.run(journal.appendAndCommit(bytes("a")));
    expect(reached).to.deep.equal(["any"]);
    await world.run(journal.appendAndCommit([bytes("b"), bytes("c")]));
    expect(reached).to.deep.equal(["any", "third"]);
    await world.run(journal.appendAndCommit(bytes("d"), { epoch: 5 }));
    await world.run(Promise.all(all));
    expect(reached).to.deep.equal(["any", "third", "epoch"]);
    await world.run(journal.ensureConsistency(4));
    expect(codeOf(await world.run(failure(journal.waitForCommit(99, { timeoutMs: 10 }))))).to.equal(
      "timeout",
    );
    const left = failure(journal.waitForCommit(99));
    await world.run(journal.close());
    expect(codeOf(await left)).to.equal("journal_closed");
  });

  it("replays committed entries at the start, or by hand, or at the first commit", async () => {
    const first = await world.open({ machine: new ListMachine() });
    await world.run(first.appendAndCommit(["a", "b"].map(bytes)));
    await world.run(first.append(bytes("open")));
    await world.run(first.close());
    const automatic = new ListMachine();
    const second = await world.open({ machine: automatic });
    expect(automatic.list).to.deep.equal(["a", "b"]);
    await world.run(second.close());
    const manual = new ListMachine();
    const third = await world.open({ machine: manual, replayOnOpen: false });
    expect(manual.list).to.deep.equal([]);
    expect(await world.run(third.replay())).to.deep.equal({ snapshotSeq: 0, entries: 2 });
    expect(manual.list).to.deep.equal(["a", "b"]);
    await world.run(third.close());
    const late = new ListMachine();
    const fourth = await world.open({ machine: late, replayOnOpen: false });
    await world.run(fourth.commit());
    expect(late.list).to.deep.equal(["a", "b", "open"]);
    await world.run(fourth.close());
  });

  it("stops applying when the state machine throws, and says so to everyone who waits", async () => {
    const machine = {
      apply: (): void => {
        throw new Error("cannot");
      },
    };
    const journal = await world.open({ machine });
    const waiting = failure(journal.waitForCommit(1));
    const error = await world.run(failure(journal.appendAndCommit(bytes("a"))));
    expect(codeOf(error)).to.equal("journal_failed");
    expect(error.message).to.contain("entry 1").and.to.contain("cannot");
    expect(codeOf(await waiting)).to.equal("journal_failed");
    await world.run(journal.close());
  });

  it("reads ranges across segments with and without the metadata cache, entries larger than the buffer included", async () => {
    for (const cacheMetadata of [true, false]) {
      const each = new World("ranges");
      const journal = await each.open({ cacheMetadata, bufferBytes: 4_096 });
      const wanted: string[] = [];
      for (let seq = 1; seq <= 300; seq++) {
        wanted.push(`${seq}:${"y".repeat((seq * 997) % 9_000)}`);
        await each.run(journal.append(bytes(wanted.at(-1) ?? "")));
        if (seq % 50 === 0) {
          await each.run(journal.replace(seq - 3, wanted.slice(-4).map(bytes)));
        }
      }
      await each.run(journal.commit());
      for (const [from, to] of [
        [1, 300],
        [47, 53],
        [149, 149],
        [290, 300],
        [5, 4],
      ] as const) {
        const found = await each.run(collect(journal.read(from, to), ({ payload }) => text(payload)));
        expect(found).to.deep.equal(wanted.slice(from - 1, to));
      }
      expect(await each.run(journal.chainAt(120))).to.match(/^[0-9a-f]{16}$/);
      await each.run(journal.close());
    }
  });

  it("lets maxConcurrentReads read at a time, lets some wait, and refuses the rest", async () => {
    const journal = await world.open({ maxConcurrentReads: 2, maxWaitingReads: 1 });
    await world.run(journal.appendAndCommit(bytes("a")));
    const readers = Array.from({ length: 3 }, () => journal.read(1, 1));
    const [first, second, third] = readers;
    await world.run(Promise.all([first?.next(), second?.next()]));
    let waited = false;
    const waiting = third?.next().then(() => {
      waited = true;
    });
    await world.clock.settle();
    expect(waited).to.equal(false);
    expect(codeOf(await world.run(failure(journal.read(1, 1).next())))).to.equal("overload");
    await world.run(Promise.resolve(first?.return(undefined)));
    await world.run(Promise.resolve(waiting));
    expect(waited).to.equal(true);
    for (const reader of readers) {
      await world.run(reader.return(undefined));
    }
    await world.run(journal.close());
  });

  it("uses the allocator it is given, and gives buffers back", async () => {
    const asked: number[] = [];
    const released: number[] = [];
    const journal = await world.open({
      bufferBytes: 4_096,
      allocate: (length) => {
        asked.push(length);
        return new Uint8Array(length);
      },
      release: (buffer) => released.push(buffer.length),
    });
    await world.run(journal.append(new Uint8Array(100)));
    expect(asked).to.deep.equal([4_096]);
    await world.run(journal.append(Array.from({ length: 20 }, () => new Uint8Array(10_000))));
    expect(Math.max(...asked)).to.be.greaterThan(100_000);
    expect(released.length).to.be.greaterThan(0);
    await world.run(journal.close());
  });

  it("is locked while it is open, and not after", async () => {
    const journal = await world.open();
    expect(codeOf(await failure(world.open()))).to.equal("journal_locked");
    await world.run(journal.close());
    await world.run(journal.close());
    await world.run((await world.open()).close());
    expect(codeOf(await world.run(failure(journal.append(bytes("late")))))).to.equal("journal_closed");
  });

  it("refuses appends above maxPendingBytes with overload, and takes them again later", async () => {
    const journal = await world.open({
      maxPendingBytes: 65_536,
      segmentBytes: 262_144,
      preallocateBytes: 262_144,
    });
    const large = new Uint8Array(60_000);
    const first = journal.append(large);
    expect(codeOf(await failure(journal.append(large)))).to.equal("overload");
    await world.run(first);
    await world.run(journal.append(large));
    expect(journal.lastSeq).to.equal(2);
    await world.run(journal.close());
  });

  it("grows a segment that was given less than its size", async () => {
    const journal = await world.open({ segmentBytes: 65_536, preallocateBytes: 8_192 });
    for (let seq = 0; seq < 10; seq++) {
      await world.run(journal.append(new Uint8Array(5_000).fill(seq)));
    }
    expect(world.disk.bytes(world.newestSegment()).length).to.equal(57_344);
    world.disk.crash();
    const again = await world.open({ segmentBytes: 65_536, preallocateBytes: 8_192 });
    expect(again.lastSeq).to.equal(10);
    await world.run(again.close());
  });

  it("runs the same way twice from the same seed, byte for byte", async () => {
    const images: string[] = [];
    for (let turn = 0; turn < 2; turn++) {
      const each = new World("again");
      const journal = await each.open();
      for (let seq = 0; seq < 50; seq++) {
        await each.run(journal.append(bytes(`${seq}`)));
      }
      each.disk.crash();
      images.push(
        each
          .segments()
          .map((path) => Buffer.from(each.disk.bytes(path)).toString("hex"))
          .join(),
      );
    }
    expect(images[0]).to.equal(images[1]);
  });
});
