/**
 * A journal on a real file system that fills up: a tmpfs of a few MiB, mounted for the suite. Where the
 * machine lets nobody mount, the tests are skipped and their titles say why; `failure.spec.ts` has the
 * same on the simulated disk.
 */
import { spawnSync } from "node:child_process";
import { appendFile, mkdtemp, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { verifyJournal } from "../../lib/journal/inspect.ts";
import { type OpenJournalOptions, openJournal } from "../../lib/journal/open.ts";
import { bytes, codeOf, failure, ListMachine } from "./support.ts";

const DISK_BYTES = 4 * 1024 * 1024;
const OPTIONS: OpenJournalOptions = {
  segmentBytes: 262_144,
  preallocateBytes: 262_144,
  compaction: "background",
};

/** What `command` complained of, or null when it did what it was asked. */
function complaintOf(command: string, args: readonly string[]): string | null {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  return status === 0 ? null : (error?.message ?? stderr.trim());
}

function entry(seq: number): Uint8Array {
  return bytes(`${seq} ${"z".repeat(3_000)}`);
}

describe("a journal on a real disk that is full", function () {
  this.timeout(30_000);
  let mountPoint = "";
  let dir = "";
  let ballast = "";

  before(async function () {
    mountPoint = await mkdtemp(join(tmpdir(), "supercast-full-"));
    const args = ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "tmpfs", mountPoint];
    const refusal = complaintOf("mount", args);
    if (refusal !== null) {
      await rmdir(mountPoint);
      mountPoint = "";
      for (const test of this.test?.parent?.tests ?? []) {
        test.title += ` (skipped, nothing can be mounted here: ${refusal})`;
      }
      this.skip();
    }
  });

  after(async () => {
    if (mountPoint !== "") {
      const busy = complaintOf("umount", [mountPoint]);
      if (busy !== null) {
        complaintOf("umount", ["--lazy", mountPoint]);
      }
      await rmdir(mountPoint);
      expect(busy, "a file was left open").to.equal(null);
    }
  });

  beforeEach(async () => {
    dir = join(mountPoint, "journal");
    ballast = join(mountPoint, "ballast");
    await appendFile(ballast, new Uint8Array(DISK_BYTES / 4));
  });

  afterEach(async () => {
    await rm(dir, { recursive: true, force: true });
    await rm(ballast, { force: true });
  });

  /** Appends and commits until the disk is full; answers how many were acknowledged, and the error. */
  async function fill(machine: ListMachine): Promise<{ acknowledged: number; error: unknown }> {
    const journal = await openJournal(dir, { ...OPTIONS, machine });
    let acknowledged = 0;
    let error: unknown = null;
    while (error === null) {
      try {
        await journal.appendAndCommit(entry(acknowledged + 1));
        acknowledged += 1;
        // Bounded: a disk that never fills up would be met here.
        expect(acknowledged).to.be.lessThan(2_000);
      } catch (thrown) {
        error = thrown;
      }
    }
    expect(codeOf(await failure(journal.append(entry(0))))).to.equal("journal_full");
    await rm(ballast);
    expect(codeOf(await failure(journal.append(entry(0)))), "space alone does not revive it").to.equal(
      "journal_full",
    );
    await journal.close();
    return { acknowledged, error };
  }

  it("answers journal_full, has lost nothing, and appends again only after reopening with space", async () => {
    const machine = new ListMachine();
    const { acknowledged, error } = await fill(machine);
    expect(codeOf(error)).to.equal("journal_full");
    expect(error).to.have.nested.property("cause.code", "no_space");
    expect(acknowledged).to.be.greaterThan(500);
    const found = new ListMachine();
    const again = await openJournal(dir, { ...OPTIONS, machine: found });
    expect(again.tailCertain).to.equal(true);
    expect(found.list.length).to.be.within(acknowledged, acknowledged + 1);
    for (const [index, each] of found.list.entries()) {
      expect(each.startsWith(`${index + 1} z`)).to.equal(true);
    }
    await again.appendAndCommit(entry(found.list.length + 1));
    expect(found.list.length).to.equal(again.commitSeq);
    await again.close();
    expect((await verifyJournal(dir)).verdict).to.equal("sound");
  });

  it("goes on being read: by who was reading when it filled up, and by whoever opens it while it is full", async () => {
    const journal = await openJournal(dir, OPTIONS);
    const told: unknown[] = [];
    let acknowledged = 0;
    const append = async (): Promise<void> => {
      await journal.appendAndCommit(entry(acknowledged + 1));
      acknowledged += 1;
    };
    for (let count = 0; count < 400; count++) {
      await append();
    }
    const reader = journal.read(1, 400);
    expect((await reader.next()).value?.seq).to.equal(1);
    while (told.length === 0) {
      await append().catch((thrown: unknown) => told.push(thrown));
    }
    expect(told.map(codeOf)).to.deep.equal(["journal_full"]);
    let seq = 1;
    for await (const { payload } of reader) {
      seq += 1;
      expect(Buffer.compare(payload, entry(seq))).to.equal(0);
    }
    expect(seq).to.equal(400);
    await journal.close();

    expect((await verifyJournal(dir)).verdict).not.to.equal("damaged");
    const again = await openJournal(dir, OPTIONS);
    let count = 0;
    for await (const { payload } of again.read(1)) {
      count += 1;
      expect(Buffer.compare(payload, entry(count))).to.equal(0);
    }
    expect(count).to.be.within(acknowledged, acknowledged + 1);
    await again.close();
  });
});
