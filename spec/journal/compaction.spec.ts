/** Snapshots and compaction: four modes, two kinds of builder. */
import { expect } from "chai";
import type { SnapshotBuilder } from "../../lib/journal/machine.ts";
import { COMPACTION_MODES } from "../../lib/journal/options.ts";
import { bytes, codeOf, failure, ListMachine, texts, World } from "./support.ts";

const KINDS: readonly SnapshotBuilder["kind"][] = ["inline", "incremental"];

for (const compaction of COMPACTION_MODES) {
  for (const kind of KINDS) {
    describe(`${compaction} compaction with an ${kind} builder`, () => {
      it("keeps the state whole while segments go", async () => {
        const world = new World(`${compaction}-${kind}`);
        const journal = await world.open({ machine: new ListMachine(kind), compaction });
        const wanted: string[] = [];
        for (let seq = 1; seq <= 200; seq++) {
          wanted.push(`${seq}`);
          await world.run(journal.appendAndCommit(bytes(`${seq}`)));
          if (compaction === "background" && seq % 60 === 0) {
            await world.run(journal.compact());
          }
        }
        const { snapshotsWritten, segmentsRemoved } = journal.stats();
        expect(snapshotsWritten).to.be.greaterThan(2);
        expect(segmentsRemoved).to.be.greaterThan(2);
        expect(journal.firstSeq).to.be.greaterThan(100);
        expect(journal.snapshotSeq).to.be.within(journal.firstSeq - 1, 200);
        world.disk.crash();
        const machine = new ListMachine(kind);
        const again = await world.open({ machine, compaction });
        expect(machine.list).to.deep.equal(wanted);
        expect(machine.restored).to.equal(1);
        await world.run(again.close());
      });
    });
  }
}

describe("compaction", () => {
  it("never happens by itself in the background mode", async () => {
    const world = new World("background");
    const journal = await world.open({ machine: new ListMachine("incremental"), compaction: "background" });
    for (let seq = 1; seq <= 100; seq++) {
      await world.run(journal.appendAndCommit(bytes(`${seq}`)));
    }
    expect(journal.stats().snapshotsWritten).to.equal(0);
    expect(await world.run(journal.compact(1))).to.equal(1);
    expect(journal.snapshotSeq).to.be.at.least(1);
    await world.run(journal.close());
  });

  it("squashes only the oldest segments when told how many, with an incremental builder", async () => {
    const world = new World("count");
    const machine = new ListMachine("incremental");
    const journal = await world.open({ machine, compaction: "background" });
    for (let seq = 1; seq <= 100; seq++) {
      await world.run(journal.append(bytes(`${seq}`)));
    }
    await world.run(journal.commit());
    expect(await world.run(journal.compact(2))).to.equal(2);
    expect(journal.snapshotSeq).to.be.within(30, 40);
    expect(journal.firstSeq).to.equal(journal.snapshotSeq + 1);
    await world.run(journal.close());
  });

  it("is forced by a commit that asks for it", async () => {
    const world = new World("force");
    const journal = await world.open({ machine: new ListMachine() });
    await world.run(journal.append(bytes("a")));
    await world.run(journal.commit(1, { compact: true }));
    expect(journal.snapshotSeq).to.equal(1);
    expect(await world.run(journal.snapshot())).to.equal(false);
    await world.run(journal.close());
  });

  it("keeps as many snapshots as it is told", async () => {
    const world = new World("keep");
    const journal = await world.open({
      machine: new ListMachine(),
      keepSnapshots: 3,
      compaction: "background",
    });
    for (let seq = 1; seq <= 6; seq++) {
      await world.run(journal.appendAndCommit(bytes(`${seq}`)));
      await world.run(journal.snapshot());
    }
    expect(world.disk.paths().filter((path) => path.endsWith(".snap")).length).to.equal(3);
    await world.run(journal.close());
  });

  it("leaves a segment alone while someone reads it", async () => {
    const world = new World("pin");
    const journal = await world.open({ machine: new ListMachine(), compaction: "background" });
    for (let seq = 1; seq <= 50; seq++) {
      await world.run(journal.appendAndCommit(bytes(`${seq}`)));
    }
    const reader = journal.read(1, 50);
    await world.run(reader.next());
    expect(await world.run(journal.compact())).to.equal(0);
    const rest = async (): Promise<number> => {
      let count = 1;
      for await (const entry of reader) {
        count += entry.seq > 0 ? 1 : 0;
      }
      return count;
    };
    expect(await world.run(rest())).to.equal(50);
    await world.run(journal.appendAndCommit(bytes("51")));
    expect(await world.run(journal.compact())).to.be.greaterThan(0);
    await world.run(journal.close());
  });

  it("gives a snapshot to whoever asks, in pieces and whole", async () => {
    const world = new World("source");
    const journal = await world.open({
      machine: new ListMachine(),
      segmentBytes: 262_144,
      preallocateBytes: 262_144,
    });
    await world.run(journal.appendAndCommit(bytes("v".repeat(150_000))));
    await world.run(journal.snapshot());
    const snapshot = await world.run(journal.openSnapshot());
    expect(snapshot).to.include({ seq: 1, bytes: 150_004 });
    expect((await world.run(Promise.resolve(snapshot?.readAll())))?.length).to.equal(150_004);
    await world.run(journal.close());
  });

  it("installs a snapshot from elsewhere in place of the log, and goes on from there", async () => {
    const source = new World("giver");
    const giver = await source.open({ machine: new ListMachine(), compaction: "background" });
    for (let seq = 1; seq <= 30; seq++) {
      await source.run(giver.appendAndCommit(bytes(`${seq}`), { epoch: 2 }));
    }
    await source.run(giver.snapshot());
    const content = await source.run(Promise.resolve((await source.run(giver.openSnapshot()))?.readAll()));
    const chain = giver.lastChain;
    await source.run(giver.append(bytes("31")));

    const world = new World("taker");
    const machine = new ListMachine();
    const taker = await world.open({ machine, compaction: "background" });
    await world.run(taker.appendAndCommit(bytes("old")));
    await world.run(taker.append(bytes("never committed")));
    const foreign = { seq: 30, epoch: 2, chain, content: [content ?? new Uint8Array(0)] };
    expect(codeOf(await world.run(failure(taker.installSnapshot({ ...foreign, seq: 1 }))))).to.equal(
      "invalid_message",
    );
    await world.run(taker.installSnapshot(foreign));
    expect(taker).to.include({
      lastSeq: 30,
      commitSeq: 30,
      appliedSeq: 30,
      snapshotSeq: 30,
      lastChain: chain,
    });
    expect(machine.list.length).to.equal(30);
    await world.run(taker.append(bytes("31"), { epoch: 2 }));
    expect(taker.lastChain).to.equal(giver.lastChain);
    world.disk.crash();
    const found = new ListMachine();
    const again = await world.open({ machine: found, compaction: "background" });
    expect(found.list.length).to.equal(30);
    expect(await texts(world, again)).to.deep.equal(["31"]);
    expect(again.lastChain).to.equal(giver.lastChain);
    await world.run(again.close());
    await source.run(giver.close());
  });

  it("keeps the old state when the snapshot from elsewhere breaks off", async () => {
    const world = new World("broken");
    const machine = new ListMachine();
    const journal = await world.open({ machine });
    await world.run(journal.appendAndCommit(bytes("old")));
    async function* content(): AsyncGenerator<Uint8Array> {
      yield bytes("[");
      throw new Error("connection lost");
    }
    const foreign = { seq: 30, epoch: 2, chain: "00000000000000aa", content: content() };
    expect((await world.run(failure(journal.installSnapshot(foreign)))).message).to.contain(
      "connection lost",
    );
    expect(journal).to.include({ lastSeq: 1, commitSeq: 1, snapshotSeq: 0 });
    await world.run(journal.appendAndCommit(bytes("new")));
    await world.run(journal.close());
    const found = new ListMachine();
    const again = await world.open({ machine: found });
    expect(found.list).to.deep.equal(["old", "new"]);
    await world.run(again.close());
  });
});
