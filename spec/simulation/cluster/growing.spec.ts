import { expect } from "chai";
import { agreed, get, mapOf, membersAt, put, rootSettled, settled } from "../../support/data.ts";
import { SimCluster } from "../../support/sim-cluster.ts";

const DATA = { partitions: 2, actorsOnly: false } as const;

async function fill(sim: SimCluster, name: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    await sim.run(put(sim, name, index % 2, `k${index}`, index));
  }
}

async function check(sim: SimCluster, name: string, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    expect(await sim.run(get(sim, name, index % 2, `k${index}`)), `k${index} at ${name}`).to.equal(index);
  }
}

describe("a cluster that grows and shrinks", function () {
  this.timeout(60_000);

  it("grows from one node to three with what it holds, and shrinks back to one", async () => {
    const sim = new SimCluster(1);
    await sim.start("a", { ...DATA, bootstrapExpect: 1 });
    await sim.until(() => agreed(sim), 10_000);
    await fill(sim, "a", 20);
    await sim.start("b", DATA);
    await sim.start("c", DATA);
    await sim.until(() => agreed(sim), 20_000);
    await settled(sim);
    await rootSettled(sim, ["a", "b", "c"]);
    await check(sim, "c", 20);
    await sim.run(sim.get("a").node.stop());
    sim.nodes.delete("a");
    await settled(sim);
    expect(membersAt(sim, "b")).to.deep.equal(["b", "c"]);
    await sim.run(sim.get("b").node.stop());
    sim.nodes.delete("b");
    await settled(sim);
    expect(membersAt(sim, "c")).to.deep.equal(["c"]);
    await check(sim, "c", 20);
    await sim.run(put(sim, "c", 0, "last", 1));
    expect(mapOf(sim, "c")?.lineage).to.match(/^a-/);
    await sim.stopAll();
  });
});
