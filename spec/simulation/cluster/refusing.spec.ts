import { expect } from "chai";
import { SupercastError } from "../../../lib/base/errors.ts";
import type { NodeOptions } from "../../../lib/config/options.ts";
import { agreed, membersAt, put, settled } from "../../support/data.ts";
import { SimCluster } from "../../support/sim-cluster.ts";

const DATA = { partitions: 2, actorsOnly: false } as const;

/** Why a node that was started in a cluster did not go on. */
async function refusalOf(sim: SimCluster, name: string, options: Partial<NodeOptions>): Promise<string> {
  try {
    const { node } = await sim.start(name, { ...DATA, ...options });
    sim.nodes.delete(name);
    const why = await sim.run(node.closed);
    return why instanceof SupercastError ? `${why.code}: ${why.message}` : "it goes on";
  } catch (thrown) {
    return thrown instanceof SupercastError ? `${thrown.code}: ${thrown.message}` : String(thrown);
  }
}

describe("who may not be part of a cluster", function () {
  this.timeout(60_000);

  it("a node with other partitions, mode, factor or durability: the error names each key, both values and the peer", async () => {
    const sim = new SimCluster("unequal");
    await sim.start("a", { ...DATA, bootstrapExpect: 1 });
    await sim.until(() => agreed(sim), 10_000);
    const cases: readonly (readonly [Partial<NodeOptions>, string])[] = [
      [{ partitions: 4 }, "partitions is 4 here and 2 there"],
      [{ replicationMode: "strong" }, "replicationMode is strong here and async there"],
      [{ replicationFactor: 1 }, "replicationFactor is 1 here and 3 there"],
      [{ dataDir: "/data" }, "durability is disk here and memory there"],
      [
        { partitions: 3, replicationMode: "sync" },
        "partitions is 3 here and 2 there; replicationMode is sync here and async there",
      ],
    ];
    for (const [options, text] of cases) {
      expect(await refusalOf(sim, "b", options)).to.equal(
        `config_mismatch: this node's configuration differs from that of a: ${text}`,
      );
    }
    expect(membersAt(sim, "a")).to.deep.equal(["a"]);
    await sim.run(put(sim, "a", 0, "k", 1));
    await sim.stopAll();
  });

  it("nodes that name unequal peers, before any of them begins", async () => {
    const sim = new SimCluster("unequal peers");
    const { node: a } = await sim.start("a", { ...DATA, peers: ["a", "b"] });
    const { node: b } = await sim.start("b", { ...DATA, peers: ["a", "b", "c"] });
    for (const node of [a, b]) {
      void node.closed.then(() => sim.nodes.delete(node.name));
    }
    const why = await sim.run(Promise.race([a.closed, b.closed]));
    expect(why).to.be.an.instanceOf(SupercastError).with.property("code", "config_mismatch");
    expect(why?.message).to.match(
      /^this node's configuration differs from that of [ab]: peers is (a,b,c|a,b) here and (a,b|a,b,c) there$/,
    );
    await sim.stopAll();
  });

  it("a node whose disk holds data of another cluster of the same name", async () => {
    const sim = new SimCluster("two lineages");
    const disk = { ...DATA, dataDir: "/data" };
    await sim.start("b", { ...disk, bootstrapExpect: 1 });
    await sim.until(() => agreed(sim), 10_000);
    await sim.stop("b");
    await sim.start("a", { ...disk, bootstrapExpect: 1 });
    await sim.until(() => agreed(sim), 10_000);
    const [a] = [...sim.nodes.values()];
    expect(await refusalOf(sim, "b", disk)).to.match(
      /^config_mismatch: this node holds lineage b-\S+, and a belongs to a running cluster of lineage a-\S+; /,
    );
    expect(a?.node.clusterMap?.members.map(({ node }) => node)).to.deep.equal(["a"]);
    await sim.stopAll();
  });

  it("bootstrapExpect 3 without peers: three begin together, the first two wait for the third", async () => {
    const sim = new SimCluster("expect");
    await sim.start("a", { ...DATA, bootstrapExpect: 3 });
    await sim.start("b", { ...DATA, bootstrapExpect: 3 });
    await sim.advance(3_000);
    expect(sim.get("a").node.clusterMap).to.equal(null);
    await sim.start("c", { ...DATA, bootstrapExpect: 3 });
    await sim.until(() => agreed(sim, ["a", "b", "c"]), 10_000);
    expect(new Set([...sim.nodes.values()].map(({ node }) => node.clusterMap?.lineage)).size).to.equal(1);
    await sim.start("d", { ...DATA, bootstrapExpect: 3 });
    await sim.start("e", DATA);
    await sim.until(() => agreed(sim, ["a", "b", "c", "d", "e"]), 10_000);
    await settled(sim);
    await sim.stopAll();
  });
});
