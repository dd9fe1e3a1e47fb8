import { expect } from "chai";
import type { ClusterMap } from "../../../lib/cluster/cluster-map-schema.ts";
import { commit, founded, mapOf, read } from "../../support/data.ts";
import { SimCluster } from "../../support/sim-cluster.ts";

const NODES = ["a", "b", "c"];

describe("a cluster that begins", () => {
  it("agrees on one map, founds every partition and takes commits at every node", async () => {
    const sim = new SimCluster(1);
    await sim.startAll(NODES, { partitions: 4, actorsOnly: false });
    await sim.until(() => NODES.every((name) => founded(sim, name)), 20_000);
    const maps = NODES.map((name): ClusterMap | null => mapOf(sim, name));
    expect(maps[0]?.members.map(({ node }) => node)).to.deep.equal(NODES);
    expect(new Set(maps.map((map) => map?.lineage)).size).to.equal(1);
    for (const [index, name] of NODES.entries()) {
      const { value } = await sim.run(commit(sim, name, index, [{ op: "put", record: [`k${index}`, name] }]));
      expect(value).to.not.equal(undefined);
    }
    for (const name of NODES) {
      for (const [index, writer] of NODES.entries()) {
        const { value } = await sim.run(read(sim, name, index, { type: "get", key: `k${index}` }));
        expect(value, `${name} reads ${index}`).to.deep.equal([`k${index}`, writer]);
      }
    }
    await sim.stopAll();
  });
});

describe("cluster events", () => {
  it("tell of the map that is agreed upon and of every partition's writer, also of a new one", async () => {
    const sim = new SimCluster(4);
    const watcher = sim.hub.connect("watcher");
    const events: { type: string; partition?: number; writer?: string }[] = [];
    watcher.subscribe("supercast.default.cluster.event.*", ({ payload }) =>
      events.push(JSON.parse(Buffer.from(payload).toString())),
    );
    await sim.startAll(NODES, { partitions: 3, actorsOnly: false });
    const writerOf = (partition: number): string | undefined =>
      events.filter((event) => event.type === "writerChanged" && event.partition === partition).at(-1)
        ?.writer;
    await sim.until(() => writerOf(0) === "a" && writerOf(1) === "b" && writerOf(2) === "c", 20_000);
    expect(events.find(({ type }) => type === "mapAgreed")).to.deep.include({ members: NODES, version: 1 });
    sim.kill("b");
    await sim.until(() => writerOf(1) !== "b", 20_000);
    await sim.stopAll();
  });
});

describe("a cluster in three phases", () => {
  it("answers what every copy holds", async () => {
    const sim = new SimCluster(3);
    await sim.startAll(NODES, { partitions: 1, replicationMode: "3pc", actorsOnly: false });
    await sim.until(() => NODES.every((name) => founded(sim, name)), 20_000);
    const replicate = { type: "replicate", partition: 0, op: { op: "put", record: ["k", 1] } } as const;
    const { seq } = await sim.run(sim.get("b").node.call({ name: "replicator" }, replicate));
    for (const name of NODES) {
      const { value } = await sim.run(read(sim, name, 0, { type: "get", key: "k" }, "local"));
      expect(value, `${name} at ${seq}`).to.deep.equal(["k", 1]);
    }
    await sim.stopAll();
  });
});
