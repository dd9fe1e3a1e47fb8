/** What every implementation of the disk port must do; run against each by `spec/disk/conformance.spec.ts`. */
import { expect } from "chai";
import { type Disk, DiskError, joinPath, readWhole } from "../../lib/disk/disk.ts";

/** A disk to test, the folder to use in it, and the way to end. */
export interface DiskUnderTest {
  readonly disk: Disk;
  readonly folder: string;
  readonly end: () => Promise<void>;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (thrown) {
    return thrown instanceof DiskError ? thrown.code : String(thrown);
  }
  return "none";
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31) & 0xff);
}

export function diskConformance(begin: () => Promise<DiskUnderTest>): void {
  let under: DiskUnderTest;
  let disk: Disk;
  const at = (name: string): string => joinPath(under.folder, name);

  beforeEach(async () => {
    under = await begin();
    disk = under.disk;
    await disk.makeFolder(under.folder);
  });

  afterEach(() => under.end());

  it("makes folders with their parents, and does not mind when they are there", async () => {
    await disk.makeFolder(at("one/two"));
    await disk.makeFolder(at("one/two"));
    expect(await disk.list(at("one/two"))).to.deep.equal([]);
  });

  it("lists names sorted", async () => {
    for (const name of ["b", "a", "c"]) {
      await (await disk.open(at(name), "create")).close();
    }
    expect(await disk.list(under.folder)).to.deep.equal(["a", "b", "c"]);
  });

  it("answers not_found for what is not there", async () => {
    expect(await codeOf(disk.open(at("none"), "read"))).to.equal("not_found");
    expect(await codeOf(disk.open(at("none"), "update"))).to.equal("not_found");
    expect(await codeOf(disk.remove(at("none")))).to.equal("not_found");
    expect(await codeOf(disk.rename(at("none"), at("some")))).to.equal("not_found");
    expect(await codeOf(disk.list(at("none")))).to.equal("not_found");
    expect(await codeOf(disk.open(at("none/file"), "create"))).to.equal("not_found");
  });

  it("refuses to create what exists", async () => {
    await (await disk.open(at("file"), "create")).close();
    expect(await codeOf(disk.open(at("file"), "create"))).to.equal("exists");
  });

  it("reads back what was written, at any position and across a gap, which reads as zeros", async () => {
    const file = await disk.open(at("file"), "create");
    await file.write(pattern(1_000), 0);
    await file.write(pattern(10), 5_000);
    expect(await file.size()).to.equal(5_010);
    const read = new Uint8Array(5_010);
    expect(await file.read(read, 0)).to.equal(5_010);
    expect(Buffer.compare(read.subarray(0, 1_000), pattern(1_000))).to.equal(0);
    expect(read.subarray(1_000, 5_000).every((byte) => byte === 0)).to.equal(true);
    expect(Buffer.compare(read.subarray(5_000), pattern(10))).to.equal(0);
    await file.close();
  });

  it("reads short only at the end", async () => {
    const file = await disk.open(at("file"), "create");
    await file.writeDurably(pattern(100), 0);
    expect(await file.read(new Uint8Array(64), 60)).to.equal(40);
    expect(await file.read(new Uint8Array(64), 100)).to.equal(0);
    await file.close();
  });

  it("writes in place without changing the length", async () => {
    const file = await disk.open(at("file"), "create");
    await file.write(new Uint8Array(4_096), 0);
    await file.writeDurably(pattern(100), 1_000);
    await file.sync();
    expect(await file.size()).to.equal(4_096);
    await file.close();
    const whole = await readWhole(disk, at("file"), 10_000);
    expect(Buffer.compare(whole.subarray(1_000, 1_100), pattern(100))).to.equal(0);
  });

  it("refuses writes through a file open for reading, and everything through a closed one", async () => {
    await (await disk.open(at("file"), "create")).close();
    const file = await disk.open(at("file"), "read");
    expect(await codeOf(file.write(pattern(1), 0))).to.be.oneOf(["closed", "denied"]);
    await file.close();
    await file.close();
    expect(await codeOf(file.read(new Uint8Array(1), 0))).to.equal("closed");
  });

  it("lets what is in flight come to its end before it closes a file", async () => {
    const file = await disk.open(at("file"), "create");
    await file.write(pattern(10), 0);
    // A read beyond the end asks the system twice; in between the file is told to close.
    const into = new Uint8Array(20);
    const reading = file.read(into, 0);
    const closing = file.close();
    expect(await codeOf(file.read(new Uint8Array(1), 0))).to.equal("closed");
    await closing;
    expect(await reading).to.equal(10);
    expect(into.subarray(0, 10)).to.deep.equal(pattern(10));
  });

  it("renames over what is there, and files that are open follow their new name", async () => {
    const file = await disk.open(at("draft"), "create");
    await (await disk.open(at("final"), "create")).close();
    await disk.rename(at("draft"), at("final"));
    await file.write(pattern(10), 0);
    await file.close();
    await disk.syncFolder(under.folder);
    expect(await disk.list(under.folder)).to.deep.equal(["final"]);
    expect((await readWhole(disk, at("final"), 100)).length).to.equal(10);
  });

  it("removes", async () => {
    await (await disk.open(at("file"), "create")).close();
    await disk.remove(at("file"));
    expect(await disk.list(under.folder)).to.deep.equal([]);
  });

  it("lets one at a time hold a lock, and the next one after it is released", async () => {
    const lock = await disk.lock(at("lock"));
    expect(await codeOf(disk.lock(at("lock")))).to.equal("locked");
    await lock.release();
    await (await disk.lock(at("lock"))).release();
  });

  it("tells the same boot id twice", async () => {
    expect(await disk.bootId()).to.equal(await disk.bootId());
  });

  it("refuses to read whole what is larger than expected", async () => {
    const file = await disk.open(at("file"), "create");
    await file.write(pattern(100), 0);
    await file.close();
    expect(await codeOf(readWhole(disk, at("file"), 99))).to.equal("io");
  });
}
