/** Backup and restore. */
import { expect } from "chai";
import { restoreJournal } from "../../lib/journal/open.ts";
import { bytes, codeOf, DIR, failure, ListMachine, texts, World } from "./support.ts";

/** A journal with a snapshot, several segments and an uncommitted entry, and its backup. */
async function backedUp(): Promise<{ world: World; backup: Uint8Array; chain: string }> {
  const world = new World("backup");
  const journal = await world.open({ machine: new ListMachine(), compaction: "background" });
  for (let seq = 1; seq <= 70; seq++) {
    await world.run(journal.appendAndCommit(bytes(`${seq}`), { epoch: 3 }));
    if (seq === 30) {
      await world.run(journal.snapshot());
    }
  }
  await world.run(journal.append(bytes("open")));
  const collect = async (): Promise<Uint8Array> => {
    const pieces: Uint8Array[] = [];
    for await (const piece of journal.backup()) {
      pieces.push(piece);
    }
    return Buffer.concat(pieces);
  };
  const backup = await world.run(collect());
  const chain = journal.lastChain;
  await world.run(journal.close());
  return { world, backup, chain };
}

describe("a backup", () => {
  it("taken from an open journal restores everything, in pieces of any size", async () => {
    const { backup, chain } = await backedUp();
    for (const size of [1_000, 100_000, 10_000_000]) {
      const world = new World("restored");
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < backup.length; at += size) {
        pieces.push(backup.subarray(at, at + size));
      }
      await world.run(restoreJournal(DIR, pieces, { disk: world.disk.mount() }));
      world.disk.crash();
      const machine = new ListMachine();
      const journal = await world.open({ machine });
      expect(machine.list.length).to.equal(70);
      expect(journal).to.include({ lastSeq: 71, commitSeq: 70, snapshotSeq: 30, lastChain: chain });
      expect(await texts(world, journal, 71)).to.deep.equal(["open"]);
      await world.run(journal.appendAndCommit(bytes("more")));
      await world.run(journal.close());
    }
  });

  it("that is cut short or changed anywhere is refused and leaves no journal", async () => {
    const { backup } = await backedUp();
    const attempt = async (content: Uint8Array): Promise<unknown> => {
      const world = new World("refused");
      const error = await world.run(failure(restoreJournal(DIR, [content], { disk: world.disk.mount() })));
      expect(world.disk.paths().filter((path) => path.endsWith("journal.state"))).to.deep.equal([]);
      return codeOf(error);
    };
    for (let index = 1; index < 40; index++) {
      const at = Math.floor((backup.length * index) / 40);
      expect(await attempt(backup.subarray(0, at)), `cut at ${at}`).to.equal("journal_damaged");
      const changed = backup.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(await attempt(changed), `changed at ${at}`).to.equal("journal_damaged");
    }
    expect(await attempt(backup.subarray(0, backup.length - 1))).to.equal("journal_damaged");
    expect(await attempt(backup.subarray(0, backup.length - 8))).to.equal("journal_damaged");
  });

  it("is not restored over a journal, and a restore that was cut short can be begun again", async () => {
    const { world, backup } = await backedUp();
    expect(
      codeOf(await world.run(failure(restoreJournal(DIR, [backup], { disk: world.disk.mount() })))),
    ).to.equal("journal_busy");
    const other = new World("again");
    const half = [backup.subarray(0, backup.length / 2)];
    await other.run(failure(restoreJournal(DIR, half, { disk: other.disk.mount() })));
    await other.run(restoreJournal(DIR, [backup], { disk: other.disk.mount() }));
    const journal = await other.open({ machine: new ListMachine() });
    expect(journal.lastSeq).to.equal(71);
    await other.run(journal.close());
  });

  it("that nobody finishes reading lets compaction go on", async () => {
    const world = new World("abandoned");
    const journal = await world.open({ machine: new ListMachine(), compaction: "background" });
    for (let seq = 1; seq <= 50; seq++) {
      await world.run(journal.appendAndCommit(bytes(`${seq}`)));
    }
    const backup = journal.backup();
    await world.run(backup.next());
    await world.run(backup.return(undefined));
    expect(await world.run(journal.compact())).to.be.greaterThan(0);
    await world.run(journal.close());
  });
});
