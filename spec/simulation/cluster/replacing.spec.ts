import { expect } from "chai";
import { nodesOfPartition } from "../../../lib/cluster/cluster-map.ts";
import { nodeOf, replicaId } from "../../../lib/stream/replica-id.ts";
import { agreed, get, mapOf, membersAt, put, rootSettled, settled, writerOf } from "../../support/data.ts";
import { SimCluster } from "../../support/sim-cluster.ts";

const DATA = { partitions: 4, actorsOnly: false } as const;

async function started(names: readonly string[], options: object = {}): Promise<SimCluster> {
  const sim = new SimCluster(names.join());
  await sim.startAll(names, { ...DATA, ...options });
  await sim.until(() => agreed(sim), 20_000);
  await settled(sim);
  for (let index = 0; index < 8; index++) {
    await sim.run(put(sim, names[0] ?? "", index % 4, `k${index}`, index));
  }
  return sim;
}

async function expectAll(sim: SimCluster, name: string): Promise<void> {
  for (let index = 0; index < 8; index++) {
    expect(await sim.run(get(sim, name, index % 4, `k${index}`)), `k${index} at ${name}`).to.equal(index);
  }
}

describe("members of a cluster that come and go", function () {
  this.timeout(60_000);

  it("a killed node that starts again is a new replica, is fed and becomes a member and preferred writer again", async () => {
    const sim = await started(["a", "b", "c"]);
    const before = mapOf(sim, "a")?.members.find(({ node }) => node === "b");
    sim.kill("b");
    await sim.advance(500);
    await sim.start("b", { ...DATA, peers: ["a", "b", "c"] });
    await settled(sim);
    const after = mapOf(sim, "b")?.members.find(({ node }) => node === "b");
    expect(after?.incarnation).to.not.equal(before?.incarnation);
    const map = mapOf(sim, "b");
    const partition =
      [0, 1, 2, 3].find((each) => map !== null && nodesOfPartition(map, each)[0] === "b") ?? -1;
    const writer = await sim.run(writerOf(sim, `partition-${partition}`));
    expect(writer?.self).to.equal(replicaId("b", after?.incarnation ?? ""));
    await rootSettled(sim, ["a", "b", "c"]);
    await expectAll(sim, "b");
    await sim.stopAll();
  });

  it("places a dead node's copies elsewhere after evictAfterMs, and takes it back when it starts", async () => {
    const sim = await started(["a", "b", "c", "d"], { evictAfterMs: 3_000 });
    sim.kill("b");
    await sim.advance(4_000);
    expect(membersAt(sim, "a")).to.deep.equal(["a", "b", "c", "d"]);
    await sim.until(() => membersAt(sim, "a").join() === "a,c,d", 5_000);
    await settled(sim);
    await expectAll(sim, "d");
    await sim.start("b", { ...DATA, peers: ["a", "b", "c", "d"], evictAfterMs: 3_000 });
    await sim.until(() => agreed(sim, ["a", "b", "c", "d"]), 10_000);
    await settled(sim);
    await expectAll(sim, "b");
    await sim.stopAll();
  });

  it("nodeDown by hand takes a node out, which stays out until nodeUp", async () => {
    const sim = await started(["a", "b", "c", "d"]);
    for (const gone of ["a", "b"]) {
      const at = gone === "a" ? "c" : "d";
      await sim.run(sim.get(at).node.call({ name: "manager" }, { type: "nodeDown", node: gone }));
      const rest = ["a", "b", "c", "d"].filter((name) => name !== gone);
      await settledOn(sim, rest, at);
      await sim.advance(3_000);
      expect(membersAt(sim, at), `without ${gone}`).to.deep.equal(rest);
      await expectAll(sim, at);
      await sim.run(sim.get("c").node.call({ name: "manager" }, { type: "nodeUp", node: gone }));
      await sim.until(() => agreed(sim, ["a", "b", "c", "d"]), 10_000);
      await settled(sim);
    }
    await expectAll(sim, "a");
    await sim.stopAll();
  });

  it("what NodeMonitor declares moves no data by itself", async () => {
    const sim = await started(["a", "b", "c"]);
    const before = mapOf(sim, "a");
    for (const name of ["a", "b", "c"]) {
      const nodes = [name];
      await sim.run(sim.get(name).node.call({ name: "node_monitor" }, { type: "reconfigure", nodes }));
    }
    await sim.advance(5_000);
    expect(mapOf(sim, "a")).to.deep.equal(before);
    const writer = await sim.run(writerOf(sim, "partition-0"));
    expect(writer?.members.map(nodeOf).sort()).to.deep.equal(["a", "b", "c"]);
    await expectAll(sim, "c");
    await sim.stopAll();
  });
});

async function settledOn(sim: SimCluster, members: readonly string[], at: string): Promise<void> {
  await sim.until(() => membersAt(sim, at).join() === members.join(), 10_000);
}
