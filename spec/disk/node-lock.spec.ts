/** Locks left behind by others. */
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { nodeDisk } from "../../lib/disk/node-disk.ts";

describe("a lock file", () => {
  let folder = "";
  let path = "";

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "supercast-lock-"));
    path = join(folder, "journal.lock");
  });

  afterEach(() => rm(folder, { recursive: true }));

  async function leave(owner: object): Promise<void> {
    await writeFile(
      path,
      JSON.stringify({ startedAt: "1", token: "feed", bootId: await nodeDisk.bootId(), ...owner }),
    );
  }

  async function isTaken(): Promise<boolean> {
    try {
      await (await nodeDisk.lock(path)).release();
      return true;
    } catch (thrown) {
      expect(String(thrown)).to.contain("held by process");
      return false;
    }
  }

  it("names its owner while it is held and leaves nothing behind", async () => {
    const lock = await nodeDisk.lock(path);
    expect(JSON.parse(await readFile(path, "utf8"))).to.include({ pid: process.pid });
    expect(await readdir(folder)).to.deep.equal(["journal.lock"]);
    await lock.release();
    expect(await readdir(folder)).to.deep.equal([]);
  });

  it("is respected when its owner lives", async () => {
    const stat = await readFile(`/proc/${process.ppid}/stat`, "utf8");
    const startedAt = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    await leave({ pid: process.ppid, startedAt });
    expect(await isTaken()).to.equal(false);
  });

  it("is taken over when its owner is dead", async () => {
    const { pid } = spawnSync(process.execPath, ["-e", ""]);
    await leave({ pid });
    expect(await isTaken()).to.equal(true);
  });

  it("is taken over when the pid belongs to a process that started at another time", async () => {
    await leave({ pid: process.ppid, startedAt: "12345" });
    expect(await isTaken()).to.equal(true);
  });

  it("is taken over when the machine has started anew, whoever has the pid now", async () => {
    await leave({ pid: process.ppid, bootId: "an earlier life" });
    expect(await isTaken()).to.equal(true);
  });

  it("is taken over from an earlier process with this very pid, as in a container", async () => {
    await leave({ pid: process.pid });
    expect(await isTaken()).to.equal(true);
  });

  it("is taken over when it holds nothing that makes sense", async () => {
    await writeFile(path, "{");
    expect(await isTaken()).to.equal(true);
  });
});
