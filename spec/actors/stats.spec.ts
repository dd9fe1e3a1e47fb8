import { expect } from "chai";
import "../../actors/names.ts";
import { Worker } from "../simulation/actors.ts";
import { SimCluster, type SimNode } from "../support/sim-cluster.ts";

describe("Stats", () => {
  let cluster: SimCluster;
  let a: SimNode;
  const target = { name: "stats" } as const;

  beforeEach(async () => {
    cluster = new SimCluster();
    const [first] = await cluster.startAll(["a", "b"]);
    if (first === undefined) {
      throw new Error("nodes were started");
    }
    a = first;
  });

  afterEach(() => cluster.stopAll());

  it("shows the cluster and its partitions", async () => {
    const overview = await cluster.run(a.node.call(target, { type: "cluster" }));
    expect(overview).to.deep.equal({
      nodes: ["a", "b"],
      partitions: 8,
      replicationFactor: 3,
      replicationMode: "async",
    });
    expect(await cluster.run(a.node.call(target, { type: "primaryPartitions" }))).to.deep.equal([0, 2, 4, 6]);
    expect(await cluster.run(a.node.call(target, { type: "replicaPartitions" }))).to.deep.equal([1, 3, 5, 7]);
    const other = await cluster.run(a.node.call(target, { type: "nodePartitions", node: "b" }));
    expect(other).to.deep.equal({ primary: [1, 3, 5, 7], replica: [0, 2, 4, 6] });
    expect((await cluster.run(a.node.call(target, { type: "partitions" }))).length).to.equal(8);
  });

  it("records operations with their latency and errors", async () => {
    await cluster.run(a.node.call(target, { type: "record", key: "put", latencyUs: 250 }));
    await cluster.run(a.node.call(target, { type: "record", key: "put", latencyUs: 350, error: true }));
    const { operations, latencies } = await cluster.run(a.node.call(target, { type: "api" }));
    expect(operations).to.deep.equal({ put: 2, put_errors: 1 });
    expect(latencies["put"]?.count).to.equal(2);
  });

  it("shows this node's inside: processes, crashes, dead letters, connections, the tree", async () => {
    const ref = await cluster.run(a.node.start(Worker, {}, { name: "w" }));
    ref.cast({ type: "crash", why: "test" });
    a.node.cast({ name: "nobody" }, { type: "x" });
    await cluster.advance(1_000);
    const node = await cluster.run(a.node.call(target, { type: "node" }));
    expect(node).to.include({ node: "a", crashes: 1 });
    expect(node.deadLetters["noproc"]).to.equal(1);
    expect(node.processes).to.be.greaterThan(7);
    expect(node.uptimeMs).to.be.greaterThan(1_000);
    expect(node.connections).to.include({ invalid: 0, connectionBreaks: 0 });
    const tree = await cluster.run(a.node.call(target, { type: "tree" }));
    expect(JSON.stringify(tree)).to.include('"name":"w"');
    const [, actors] = tree[0]?.children ?? [];
    expect(actors?.children[0]).to.include({ name: "w", restarts: 1 });
  });
});
