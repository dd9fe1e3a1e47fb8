/** A disk that fails under an open journal. */
import { expect } from "chai";
import { bytes, codeOf, failure, ListMachine, texts, World } from "./support.ts";

describe("a journal whose disk fails", () => {
  it("closes itself for good after a failed sync, tells everyone who waits, and never syncs again", async () => {
    const world = new World("sync");
    const told: Error[] = [];
    const journal = await world.open({ onFailure: (error) => told.push(error) });
    await world.run(journal.append(bytes("safe")));
    world.disk.fail({ operation: "sync", code: "io", path: /segment/ });
    const attempts = await world.run(
      Promise.allSettled([journal.append(bytes("a")), journal.append(bytes("b")), journal.sync()]),
    );
    expect(attempts.map(({ status }) => status)).to.deep.equal(["rejected", "rejected", "rejected"]);
    expect(told.map(codeOf)).to.deep.equal(["journal_failed"]);
    let syncs = 0;
    world.disk.onOperation = ({ name }) => {
      syncs += name === "sync" ? 1 : 0;
    };
    for (const attempt of [() => journal.append(bytes("c")), () => journal.commit(), () => journal.sync()]) {
      expect(codeOf(await world.run(failure(attempt())))).to.equal("journal_failed");
    }
    await world.run(journal.close());
    expect(syncs).to.equal(0);
    const again = await world.open();
    expect((await texts(world, again))[0]).to.equal("safe");
    await world.run(again.close());
  });

  it("closes itself after a failed write with what is acknowledged intact", async () => {
    const world = new World("write");
    const journal = await world.open();
    await world.run(journal.append(bytes("safe")));
    world.disk.fail({ operation: "write", code: "io", path: /segment/ });
    const error = await world.run(failure(journal.append(bytes("lost"))));
    expect(codeOf(error)).to.equal("journal_failed");
    expect(codeOf(error.cause)).to.equal("io");
    const again = await world.open();
    expect((await texts(world, again))[0]).to.equal("safe");
    await world.run(again.close());
  });

  it("that is full says journal_full, has lost nothing, and goes on only after reopening with space", async () => {
    const world = new World("full");
    const machine = new ListMachine();
    const journal = await world.open({ machine, compaction: "background" });
    world.disk.spaceBytes = 150_000;
    let acknowledged = 0;
    let full: unknown = null;
    while (full === null) {
      try {
        await world.run(journal.appendAndCommit(bytes(`${acknowledged + 1} ${"z".repeat(2_000)}`)));
        acknowledged += 1;
      } catch (thrown) {
        full = thrown;
      }
    }
    expect(codeOf(full)).to.equal("journal_full");
    expect(acknowledged).to.be.greaterThan(10);
    world.disk.spaceBytes = Number.POSITIVE_INFINITY;
    expect(codeOf(await world.run(failure(journal.append(bytes("more")))))).to.equal("journal_full");
    await world.run(journal.close());
    const found = new ListMachine();
    const again = await world.open({ machine: found, compaction: "background" });
    expect(found.list.length).to.be.within(acknowledged, acknowledged + 1);
    expect(found.list.slice(0, acknowledged)).to.deep.equal(machine.list.slice(0, acknowledged));
    await world.run(again.appendAndCommit(bytes("more")));
    await world.run(again.close());
  });

  it("loses nothing by a snapshot that cannot be written, and stays open", async () => {
    const world = new World("snapshot");
    const journal = await world.open({ machine: new ListMachine(), compaction: "background" });
    await world.run(journal.appendAndCommit(bytes("a")));
    world.disk.fail({ operation: "write", code: "no_space", path: /snap/ });
    expect(codeOf(await world.run(failure(journal.snapshot())))).to.equal("no_space");
    expect(world.disk.paths().filter((path) => path.includes("snap"))).to.deep.equal([]);
    expect(await world.run(journal.snapshot())).to.equal(true);
    await world.run(journal.appendAndCommit(bytes("b")));
    await world.run(journal.close());
  });

  it("tells a reader of damage that came after opening, and keeps writing", async () => {
    const world = new World("rot");
    const journal = await world.open();
    await world.run(journal.appendAndCommit(["a", "b"].map(bytes)));
    world.disk.flipBit(world.newestSegment(), (4_096 + 64) * 8);
    const error = await world.run(failure(journal.read(1, 2).next()));
    expect(codeOf(error)).to.equal("journal_damaged");
    await world.run(journal.append(bytes("c")));
    world.disk.killProcess();
  });

  it("tells a reader of a file that was cut after opening, in the header or in the payload of a record", async () => {
    for (const left of [30, 64 + 30]) {
      const world = new World("cut");
      const journal = await world.open({ bufferBytes: 4_096 });
      await world.run(journal.appendAndCommit(["a".repeat(200), "b".repeat(6_000)].map(bytes)));
      // The second record begins behind the first and its payload.
      const second = 4_096 + 64 + 200;
      world.disk.truncate(world.newestSegment(), second + left);
      const reader = journal.read(1, 2);
      expect((await world.run(reader.next())).value?.seq).to.equal(1);
      const error = await world.run(failure(reader.next()));
      expect(codeOf(error)).to.equal("journal_damaged");
      expect(error.message).to.contain(world.newestSegment());
      world.disk.killProcess();
    }
  });

  it("does not open when a read fails, and opens when it no longer does", async () => {
    const world = new World("read");
    await world.run((await world.open()).close());
    world.disk.fail({ operation: "read", code: "io", path: /segment/ });
    expect(codeOf(await failure(world.open()))).to.equal("io");
    await world.run((await world.open()).close());
  });
});
