/** The ways in which the simulated disk fails. */
import { expect } from "chai";
import { seededRandom } from "../../lib/base/random.ts";
import { VirtualClock } from "../../lib/base/virtual-clock.ts";
import { DiskError, SECTOR_BYTES } from "../../lib/disk/disk.ts";
import { SimulatedDisk } from "../../lib/disk/simulated-disk.ts";

const FILE = "/data/file";
const SECTORS = 64;

/** A disk with one durable file of zeros. */
async function withFile(seed: string): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk(seededRandom(seed));
  const mounted = disk.mount();
  await mounted.makeFolder("/data");
  const file = await mounted.open(FILE, "create");
  await file.writeDurably(new Uint8Array(SECTORS * SECTOR_BYTES), 0);
  await mounted.syncFolder("/data");
  return disk;
}

function survivors(disk: SimulatedDisk): number[] {
  const bytes = disk.bytes(FILE);
  return Array.from({ length: SECTORS }, (_, sector) => bytes[sector * SECTOR_BYTES] ?? 0);
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (thrown) {
    return thrown instanceof DiskError ? thrown.code : thrown;
  }
  return null;
}

describe("the simulated disk, failing", () => {
  it("loses any subset of unsynced sectors in a crash, and none that were synced", async () => {
    const disk = await withFile("subset");
    const file = await disk.mount().open(FILE, "update");
    const half = (SECTORS / 2) * SECTOR_BYTES;
    await file.writeDurably(new Uint8Array(half).fill(1), 0);
    await file.write(new Uint8Array(half).fill(1), half);
    disk.crash();
    const found = survivors(disk);
    expect(found.slice(0, SECTORS / 2).every((byte) => byte === 1)).to.equal(true);
    const unsynced = found.slice(SECTORS / 2);
    expect(unsynced).to.include(0);
    expect(unsynced).to.include(1);
  });

  it("keeps what was written when only the process dies", async () => {
    const disk = await withFile("process");
    const file = await disk.mount().open(FILE, "update");
    await file.write(new Uint8Array(SECTORS * SECTOR_BYTES).fill(1), 0);
    disk.killProcess();
    expect(survivors(disk).every((byte) => byte === 1)).to.equal(true);
  });

  it("tears the write in flight at a byte", async () => {
    const lengths = new Set<number>();
    for (let seed = 0; seed < 20; seed++) {
      const disk = await withFile(`tear-${seed}`);
      const file = await disk.mount().open(FILE, "update");
      void file.write(new Uint8Array(4_000).fill(1), 0);
      await Promise.resolve();
      disk.killProcess();
      lengths.add(disk.bytes(FILE).indexOf(0));
    }
    expect(lengths.size).to.be.greaterThan(10);
  });

  it("forgets a rename that its folder's sync has not covered, at least sometimes, and never one it has", async () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 20; seed++) {
      const disk = await withFile(`rename-${seed}`);
      await disk.mount().rename(FILE, "/data/renamed");
      outcomes.add(disk.crash() && disk.paths().join());
    }
    expect([...outcomes].sort()).to.deep.equal(["/data/file", "/data/renamed"]);
    const disk = await withFile("durable");
    await disk.mount().rename(FILE, "/data/renamed");
    await disk.mount().syncFolder("/data");
    disk.crash();
    expect(disk.paths()).to.deep.equal(["/data/renamed"]);
  });

  it("fails a sync once and then pretends, as Linux does: the data is gone after a crash", async () => {
    const disk = await withFile("sync");
    const file = await disk.mount().open(FILE, "update");
    disk.fail({ operation: "sync", code: "io" });
    await file.write(new Uint8Array(SECTORS * SECTOR_BYTES).fill(1), 0);
    expect(await failureOf(file.sync())).to.equal("io");
    await file.sync();
    expect(survivors(disk).every((byte) => byte === 1)).to.equal(true);
    disk.crash();
    expect(survivors(disk).every((byte) => byte === 0)).to.equal(true);
  });

  it("fails as planned: after some operations, on some paths, once or for ever", async () => {
    const disk = await withFile("plan");
    const mounted = disk.mount();
    disk.fail({ operation: "size", code: "io", skip: 1, path: /file/ });
    disk.fail({ operation: "list", code: "denied", sticky: true });
    const file = await mounted.open(FILE, "read");
    expect(await failureOf(file.size())).to.equal(null);
    expect(await failureOf(file.size())).to.equal("io");
    expect(await failureOf(file.size())).to.equal(null);
    expect(await failureOf(mounted.list("/data"))).to.equal("denied");
    expect(await failureOf(mounted.list("/data"))).to.equal("denied");
  });

  it("runs out of space where a file would grow, and not where it is written in place", async () => {
    const disk = await withFile("space");
    disk.spaceBytes = SECTORS * SECTOR_BYTES;
    const file = await disk.mount().open(FILE, "update");
    expect(await failureOf(file.write(new Uint8Array(10), 0))).to.equal(null);
    expect(await failureOf(file.write(new Uint8Array(10), SECTORS * SECTOR_BYTES))).to.equal("no_space");
  });

  it("never answers a process that has died, and lets the next one take its lock", async () => {
    const disk = await withFile("life");
    const old = disk.mount();
    await old.lock("/data/lock");
    disk.killProcess();
    let answered = false;
    void old.list("/data").then(() => {
      answered = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(answered).to.equal(false);
    await (await disk.mount().lock("/data/lock")).release();
  });

  it("changes the boot id with a crash and not with the death of a process", async () => {
    const disk = await withFile("boot");
    const before = disk.bootId();
    disk.killProcess();
    expect(disk.bootId()).to.equal(before);
    disk.crash();
    expect(disk.bootId()).to.not.equal(before);
  });

  it("repeats itself for the same seed", async () => {
    const images: string[] = [];
    for (let turn = 0; turn < 2; turn++) {
      const disk = await withFile("again");
      const file = await disk.mount().open(FILE, "update");
      await file.write(new Uint8Array(SECTORS * SECTOR_BYTES).fill(7), 0);
      disk.crash();
      images.push(survivors(disk).join());
    }
    expect(images[0]).to.equal(images[1]);
  });

  it("takes a read's buffer from the call on, as far as there is something to read", async () => {
    const disk = await withFile("buffer");
    const file = await disk.mount().open(FILE, "read");
    const into = new Uint8Array(100).fill(1);
    const reading = file.read(into, SECTORS * SECTOR_BYTES - 60);
    expect(new Set(into.subarray(0, 60)))
      .not.to.include(0)
      .and.not.to.include(1);
    expect(await reading).to.equal(60);
    expect([...into]).to.deep.equal([...new Array(60).fill(0), ...new Array(40).fill(1)]);
  });

  it("knows which files a process has open, and that a dead one has none", async () => {
    const disk = await withFile("handles");
    disk.killProcess();
    expect(disk.openPaths()).to.deep.equal([]);
    const first = await disk.mount().open(FILE, "read");
    const second = await disk.mount().open(FILE, "update");
    expect(disk.openPaths()).to.deep.equal([FILE, FILE]);
    disk.fail({ operation: "open", code: "io" });
    expect(await failureOf(disk.mount().open(FILE, "read"))).to.equal("io");
    await first.close();
    await first.close();
    expect(disk.openPaths()).to.deep.equal([FILE]);
    disk.killProcess();
    await second.close();
    expect(disk.openPaths()).to.deep.equal([]);
  });

  it("releases a lock for who has taken it, once, and not for who takes it afterwards", async () => {
    const mounted = (await withFile("lock")).mount();
    const first = await mounted.lock("/data/lock");
    expect(await failureOf(mounted.lock("/data/lock"))).to.equal("locked");
    await first.release();
    const second = await mounted.lock("/data/lock");
    await first.release();
    expect(await failureOf(mounted.lock("/data/lock"))).to.equal("locked");
    await second.release();
    await (await mounted.lock("/data/lock")).release();
  });

  it("takes its time when told to, in virtual time", async () => {
    const clock = new VirtualClock();
    const disk = new SimulatedDisk(seededRandom("slow"), { clock, latencyMsMax: 50 });
    await clock.run(disk.mount().makeFolder("/data"));
    expect(clock.now()).to.be.within(0.001, 51);
  });
});
