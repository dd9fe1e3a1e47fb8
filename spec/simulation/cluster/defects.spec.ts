/**
 * What the systems before this one did wrong, by the ids under which it was found: W the write-ahead log, R
 * members and copies, X modes and routing. Each fails on the behaviour that it names.
 */
import { expect } from "chai";
import type { NodeOptions } from "../../../lib/config/options.ts";
import { nodeOf } from "../../../lib/stream/replica-id.ts";
import { agreed, commit, get, mapOf, put, replicaAt, settled, writerOf } from "../../support/data.ts";
import { outcomeOf, SimCluster } from "../../support/sim-cluster.ts";

const NODES = ["a", "b", "c"];
const STREAM = "partition-0";
const UNDONE = ["majority_timeout", "quorum_not_reached"];

async function started(names: readonly string[], options: Partial<NodeOptions> = {}): Promise<SimCluster> {
  const sim = new SimCluster(`defects ${names.join()}`);
  await sim.startAll(names, { partitions: 1, actorsOnly: false, replicationMode: "strong", ...options });
  await sim.until(() => agreed(sim), 20_000);
  await settled(sim);
  return sim;
}

/** The writer's node, then the others. */
async function nodesOf(sim: SimCluster, stream: string = STREAM): Promise<readonly [string, ...string[]]> {
  const writer = nodeOf((await sim.run(writerOf(sim, stream)))?.self ?? "");
  return [writer, ...[...sim.nodes.keys()].filter((name) => name !== writer)];
}

/** Applied state and position of every copy. */
async function copies(sim: SimCluster): Promise<readonly string[]> {
  await sim.advance(500);
  const found = await sim.run(Promise.all([...sim.nodes.keys()].map((name) => replicaAt(sim, name, STREAM))));
  return found.flatMap((status) => (status === null ? [] : [`${status.appliedSeq} ${status.stateHash}`]));
}

async function expectAlike(sim: SimCluster, count: number): Promise<void> {
  const held = await copies(sim);
  expect(held.length).to.equal(count);
  expect(new Set(held).size, held.join(" | ")).to.equal(1);
}

describe("defects of systems before this one, with three copies", function () {
  this.timeout(60_000);
  let sim: SimCluster;

  before(async () => {
    sim = await started(NODES);
  });

  afterEach(async () => {
    sim.hub.clearFaults();
    await settled(sim);
  });

  after(() => sim.stopAll());

  it("W1, W4: a strong write is an entry of the log, and needs two of three", async () => {
    const [writer, other = "", away = ""] = await nodesOf(sim);
    sim.hub.partition([away], [writer, other]);
    const before = await sim.run(replicaAt(sim, other, STREAM));
    const { seq } = await sim.run(put(sim, other, 0, "w1", 1));
    await sim.advance(200);
    const after = await sim.run(replicaAt(sim, other, STREAM));
    expect(seq).to.equal((before?.lastSeq ?? 0) + 1);
    expect(after?.commitSeq).to.equal(seq);
    expect((await sim.run(replicaAt(sim, away, STREAM)))?.lastSeq).to.be.lessThan(seq);
  });

  it("W2: a commit is answered when the majority has it, not by luck of timing or at the timeout", async () => {
    sim.hub.setFaults({ delayMs: [0, 5] });
    for (let turn = 0; turn < 20; turn++) {
      const startedAt = sim.clock.now();
      await sim.run(put(sim, NODES[turn % 3] ?? "", 0, "w2", turn));
      expect(sim.clock.now() - startedAt).to.be.lessThan(100);
    }
  });

  it("W3, W8, X3: alone, nothing is acknowledged, and nothing of it is seen by anybody", async () => {
    await sim.run(put(sim, "a", 0, "w3", "old"));
    const [writer, other = "", third = ""] = await nodesOf(sim);
    sim.hub.partition([writer], [other, third]);
    expect(await sim.run(outcomeOf(put(sim, writer, 0, "w3", "new")))).to.be.oneOf(UNDONE);
    const batch = {
      type: "replicateBatch",
      partition: 0,
      ops: [{ op: "put", record: ["w3", "b"] }],
    } as const;
    const sent = sim.get(writer).node.call({ name: "replicator" }, batch);
    expect(await sim.run(outcomeOf(sent))).to.be.oneOf(UNDONE);
    expect(await sim.run(get(sim, writer, 0, "w3", "local"))).to.equal("old");
    expect(await sim.run(outcomeOf(get(sim, writer, 0, "w3")))).to.equal("quorum_not_reached");
    await sim.advance(3_000);
    expect(await sim.run(get(sim, other, 0, "w3"))).to.equal("old");
    await sim.run(put(sim, other, 0, "w3", "newer"));
    sim.hub.clearFaults();
    await settled(sim);
    expect(await sim.run(get(sim, writer, 0, "w3"))).to.equal("newer");
    await expectAlike(sim, 3);
  });

  it("W7, W12, X4: what all nodes commit at once is applied in one order, matches and all", async () => {
    sim.hub.setFaults({ delayMs: [0, 5] });
    const seqs: number[] = [];
    const all = Array.from({ length: 30 }, async (_, turn) => {
      const record = [`w7-${turn % 4}`, turn];
      const match = { op: "deleteMatch", pattern: [`w7-${turn % 4}`, turn - 4] };
      const { seq } = await commit(sim, NODES[turn % 3] ?? "", 0, [{ op: "put", record }, match]);
      seqs.push(seq);
    });
    await sim.run(Promise.all(all));
    expect(Math.min(...seqs)).to.be.greaterThan(0);
    await expectAlike(sim, 3);
  });

  it("W9: what nobody has acknowledged is not dropped by age: its fate is one and the same everywhere", async () => {
    const [writer, other = "", third = ""] = await nodesOf(sim);
    for (const [left, right] of [
      [writer, other],
      [other, third],
      [writer, third],
    ] as const) {
      sim.hub.partition([left], [right]);
    }
    const ops = [{ op: "put", record: ["w9", "late"] }];
    const request = { type: "commit", partition: 0, ops, requestId: "w9" } as const;
    const asked = sim.get(writer).node.call({ name: "wal" }, request);
    expect(await sim.run(outcomeOf(asked))).to.equal("majority_timeout");
    await sim.advance(12_000);
    sim.hub.clearFaults();
    await settled(sim);
    const fate = await sim.run(get(sim, other, 0, "w9"));
    expect(await sim.run(get(sim, writer, 0, "w9"))).to.equal(fate);
    const seqs: number[] = [];
    for (const name of NODES) {
      seqs.push((await sim.run(sim.get(name).node.call({ name: "wal" }, request))).seq);
    }
    expect(new Set(seqs).size).to.equal(1);
    await expectAlike(sim, 3);
  });

  it("W10, R7: a restarted node begins as another replica that pulls; positions go on", async () => {
    const [writer, other = ""] = await nodesOf(sim);
    const { seq } = await sim.run(put(sim, writer, 0, "w10", 1));
    const before = await sim.run(replicaAt(sim, other, STREAM));
    sim.kill(other);
    await sim.start(other, { partitions: 1, actorsOnly: false, replicationMode: "strong", peers: NODES });
    const during = await sim.run(put(sim, writer, 0, "w10", 2));
    await settled(sim);
    const after = await sim.run(replicaAt(sim, other, STREAM));
    expect(after?.self).to.not.equal(before?.self);
    expect(during.seq).to.be.greaterThan(seq);
    expect(await sim.run(get(sim, other, 0, "w10", "local"))).to.equal(2);
    await expectAlike(sim, 3);
  });

  it("W11: recover answers on a node that holds data, when the partitions have their writers", async () => {
    await sim.run(put(sim, "a", 0, "w11", 1));
    const recovered = await sim.run(sim.get("b").node.call({ name: "wal" }, { type: "recover" }));
    expect(recovered.partitions.map(({ partition }) => partition)).to.deep.equal([0]);
    expect(recovered.partitions[0]?.commitSeq).to.be.greaterThan(0);
  });

  it("R1: both sides of a partition keep the one map that was agreed upon", async () => {
    const before = mapOf(sim, "a");
    sim.hub.partition(["a"], ["b", "c"]);
    await sim.advance(5_000);
    const placements = NODES.map((name) =>
      sim.get(name).node.call({ name: "manager" }, { type: "partitionMap" }),
    );
    expect(
      new Set((await sim.run(Promise.all(placements))).map((each) => JSON.stringify(each))).size,
    ).to.equal(1);
    expect(NODES.map((name) => mapOf(sim, name))).to.deep.equal([before, before, before]);
  });

  it("R5: what was deleted stays deleted, whoever was away and is synchronised in full", async () => {
    await sim.run(put(sim, "a", 0, "r5", 1));
    const [, other = "", away = ""] = await nodesOf(sim);
    sim.hub.partition(
      [away],
      NODES.filter((name) => name !== away),
    );
    await sim.run(commit(sim, other, 0, [{ op: "delete", key: "r5" }]));
    sim.hub.clearFaults();
    await settled(sim);
    await sim.run(sim.get(away).node.call({ name: "manager" }, { type: "fullSync" }));
    for (const name of NODES) {
      expect(await sim.run(get(sim, name, 0, "r5", "local")), name).to.equal(null);
    }
  });

  it("R6: a push that does not reach its node is an error", async () => {
    const [writer, other = "", away = ""] = await nodesOf(sim);
    sim.hub.partition([away], [writer, other]);
    await sim.run(put(sim, other, 0, "r6", 1));
    const push = { type: "pushPartition", partition: 0, node: away, timeoutMs: 1_500 } as const;
    const pushed = sim.get(other).node.call({ name: "replicator" }, push);
    expect(await sim.run(outcomeOf(pushed))).to.equal("timeout");
    sim.hub.clearFaults();
    const again = sim.get(other).node.call({ name: "replicator" }, push);
    expect(await sim.run(outcomeOf(again))).to.equal("ok");
  });

  it("R2, W6: who takes over holds what was acknowledged, and is acknowledged to", async () => {
    const [writer, other = ""] = await nodesOf(sim);
    await sim.run(put(sim, other, 0, "r2", 1));
    sim.kill(writer);
    await sim.advance(3_000);
    expect(await sim.run(get(sim, other, 0, "r2"))).to.equal(1);
    await sim.run(put(sim, other, 0, "r2", 2));
    await sim.start(writer, { partitions: 1, actorsOnly: false, replicationMode: "strong", peers: NODES });
    await settled(sim);
    expect(await sim.run(get(sim, writer, 0, "r2"))).to.equal(2);
  });
});

describe("defects of systems before this one, in other clusters", function () {
  this.timeout(60_000);

  it("W5: acknowledgements that come twice are counted once", async () => {
    const five = ["a", "b", "c", "d", "e"];
    const sim = await started(five, { replicationFactor: 5 });
    const [writer, other = "", ...rest] = await nodesOf(sim);
    sim.hub.partition([writer], rest);
    sim.hub.setFaults({ duplicateProbability: 1 });
    expect(await sim.run(outcomeOf(put(sim, writer, 0, "w5", 1)))).to.be.oneOf(UNDONE);
    sim.hub.clearFaults();
    await settled(sim);
    expect(await sim.run(outcomeOf(put(sim, other, 0, "w5", 2)))).to.equal("ok");
    await sim.stopAll();
  });

  it("R3, R4, R8, X7: with a node more, copies are where the map wants them and nowhere else; local reads find them", async () => {
    const sim = await started(NODES, { partitions: 4 });
    for (let partition = 0; partition < 4; partition++) {
      await sim.run(put(sim, "a", partition, "r3", partition));
    }
    await sim.start("d", { partitions: 4, actorsOnly: false, replicationMode: "strong" });
    await sim.run(sim.get("b").node.call({ name: "manager" }, { type: "nodeUp", node: "d" }));
    await sim.until(() => agreed(sim), 10_000);
    await settled(sim);
    for (const name of [...NODES, "d"]) {
      for (let partition = 0; partition < 4; partition++) {
        const value = await sim.run(get(sim, name, partition, "r3", "local"));
        expect(value, `${partition} at ${name}`).to.equal(partition);
      }
    }
    await sim.stopAll();
  });

  it("R9: who reaches nobody serves nothing, and the number of partitions does not depend on the machine", async () => {
    const sim = new SimCluster("alone");
    const { node } = await sim.start("a", { actorsOnly: false, peers: NODES });
    await sim.advance(5_000);
    expect(node.clusterMap).to.equal(null);
    expect(await sim.run(outcomeOf(put(sim, "a", 0, "k", 1)))).to.equal("quorum_not_reached");
    await sim.start("b", { actorsOnly: false, peers: NODES });
    await sim.start("c", { actorsOnly: false, peers: NODES });
    await sim.until(() => agreed(sim), 20_000);
    expect(node.clusterMap?.settings.partitions).to.equal(8);
    await sim.stopAll();
  });

  it("X1, X2: async writes that are lost are reported; a copy that cannot be reached ends nobody", async () => {
    const sim = await started(NODES, { replicationMode: "async" });
    const [writer, other = "", third = ""] = await nodesOf(sim);
    sim.hub.partition([third], [writer, other]);
    await sim.run(commit(sim, writer, 0, [{ op: "put", record: ["x2", 1] }], "sync"));
    expect(await sim.run(get(sim, other, 0, "x2"))).to.equal(1);
    sim.hub.clearFaults();
    await settled(sim);
    sim.hub.partition([writer], [other, third]);
    for (let index = 0; index < 3; index++) {
      await sim.run(commit(sim, writer, 0, [{ op: "put", record: [`x1-${index}`, 1] }], "async"));
    }
    await sim.advance(4_000);
    await sim.run(commit(sim, other, 0, [{ op: "put", record: ["x1", "theirs"] }], "strong"));
    sim.hub.clearFaults();
    await settled(sim);
    const lost = await sim.run(replicaAt(sim, writer, STREAM));
    expect(lost?.lost.answered).to.equal(3);
    expect(await sim.run(get(sim, writer, 0, "x1-0"))).to.equal(null);
    await sim.stopAll();
  });
});
