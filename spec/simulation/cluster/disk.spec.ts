import { expect } from "chai";
import { agreed, get, mapOf, put, replicaAt, settled } from "../../support/data.ts";
import { SimCluster } from "../../support/sim-cluster.ts";

const NODES = ["a", "b", "c"];
const DATA = { partitions: 2, actorsOnly: false, dataDir: "/data", peers: NODES };
const COUNT = 12;

async function started(seed: string): Promise<SimCluster> {
  const sim = new SimCluster(seed);
  await sim.startAll(NODES, DATA);
  await sim.until(() => agreed(sim), 20_000);
  await settled(sim);
  await fill(sim, "a", "k");
  return sim;
}

async function fill(sim: SimCluster, name: string, prefix: string): Promise<void> {
  for (let index = 0; index < COUNT; index++) {
    await sim.run(put(sim, name, index % 2, `${prefix}${index}`, index));
  }
}

async function expectAll(sim: SimCluster, name: string, prefix: string): Promise<void> {
  for (let index = 0; index < COUNT; index++) {
    const value = await sim.run(get(sim, name, index % 2, `${prefix}${index}`));
    expect(value, `${prefix}${index} at ${name}`).to.equal(index);
  }
}

async function replicasOf(sim: SimCluster, name: string): Promise<readonly (string | undefined)[]> {
  const streams = ["root", "partition-0", "partition-1"];
  const found = await sim.run(Promise.all(streams.map((stream) => replicaAt(sim, name, stream))));
  return found.map((status) => status?.self);
}

describe("nodes with a disk", function () {
  this.timeout(60_000);

  it("come back after a kill as the same replicas, and are told only what they missed", async () => {
    const sim = await started("one restarts");
    const before = await replicasOf(sim, "b");
    sim.kill("b");
    await sim.advance(3_000);
    await fill(sim, "a", "late");
    const back = await sim.start("b", DATA);
    await settled(sim);
    expect(await replicasOf(sim, "b")).to.deep.equal(before);
    await expectAll(sim, "b", "k");
    await expectAll(sim, "b", "late");
    expect(back.lines.filter(({ message }) => message.includes("has taken a snapshot"))).to.deep.equal([]);
    await sim.stopAll();
  });

  it("keep every acknowledged write when all machines lose their power at once", async () => {
    const sim = await started("power");
    const before = await Promise.all(NODES.map((name) => replicasOf(sim, name)));
    for (const name of NODES) {
      sim.kill(name, true);
    }
    await Promise.all(NODES.map((name) => sim.start(name, DATA)));
    await sim.until(() => agreed(sim), 20_000);
    await settled(sim);
    expect(await Promise.all(NODES.map((name) => replicasOf(sim, name)))).to.deep.equal(before);
    await expectAll(sim, "c", "k");
    await sim.stopAll();
  });

  it("stay in the map when they stop in good order, and go on with what they had", async () => {
    const sim = await started("stop");
    const before = await replicasOf(sim, "a");
    await sim.stop("a");
    await sim.advance(3_000);
    expect(mapOf(sim, "b")?.members.map(({ node }) => node)).to.deep.equal(NODES);
    await fill(sim, "b", "late");
    await sim.start("a", DATA);
    await settled(sim);
    expect(await replicasOf(sim, "a")).to.deep.equal(before);
    await expectAll(sim, "a", "late");
    for (const name of NODES) {
      await sim.stop(name);
    }
    await sim.start("a", DATA);
    await sim.start("b", DATA);
    await sim.until(() => agreed(sim, NODES), 20_000);
    await expectAll(sim, "b", "k");
    await sim.stopAll();
  });

  for (const what of ["damaged", "missing"] as const) {
    it(`whose journal is ${what} begin with an empty one, as other replicas, which the others feed`, async () => {
      const sim = await started(what);
      const before = await replicasOf(sim, "b");
      sim.kill("b");
      const disk = sim.disks.get("b");
      for (const path of disk?.paths().filter((each) => each.startsWith("/data/journal/")) ?? []) {
        if (what === "missing") {
          disk?.remove(path);
        } else if (disk !== undefined && disk.bytes(path).byteLength > 4_096) {
          disk.flipBit(path, 8 * 4_100);
        }
      }
      const back = await sim.start("b", DATA);
      const isTold = back.lines.some(({ message }) => message.includes("begins with an empty log"));
      expect(isTold).to.equal(what === "damaged");
      await settled(sim);
      const after = await replicasOf(sim, "b");
      expect(after.filter((each) => before.includes(each))).to.deep.equal([]);
      await expectAll(sim, "b", "k");
      await sim.stopAll();
    });
  }
});
