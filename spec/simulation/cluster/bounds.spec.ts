import { expect } from "chai";
import type { NodeOptions } from "../../../lib/config/options.ts";
import { nodeOf } from "../../../lib/stream/replica-id.ts";
import { type At, agreed, get, put, settled, writerOf } from "../../support/data.ts";
import { outcomeOf, SimCluster } from "../../support/sim-cluster.ts";

const NODES = ["a", "b", "c"];

async function started(seed: string, options: Partial<NodeOptions>): Promise<SimCluster> {
  const sim = new SimCluster(seed);
  await sim.startAll(NODES, { partitions: 1, actorsOnly: false, ...options });
  await sim.until(() => agreed(sim), 20_000);
  await settled(sim);
  return sim;
}

function commitAs(
  sim: SimCluster,
  name: string,
  requestId: string,
  key: string,
  value: unknown,
): Promise<At> {
  const ops = [{ op: "put", record: [key, value] }];
  return sim.get(name).node.call({ name: "wal" }, { type: "commit", partition: 0, ops, requestId });
}

describe("the bounds of the write-ahead log", function () {
  this.timeout(60_000);

  it("majorityTimeoutMs: unknown while the majority is away; the same request later says what became of it, once", async () => {
    const sim = await started("majority", { wal: { majorityTimeoutMs: 400 } });
    const writer = nodeOf((await sim.run(writerOf(sim, "partition-0")))?.self ?? "");
    const [other = ""] = NODES.filter((name) => name !== writer);
    sim.hub.partition(
      [writer],
      NODES.filter((name) => name !== writer),
    );
    const startedAt = sim.clock.now();
    const outcome = await sim.run(outcomeOf(commitAs(sim, writer, "r1", "k", "first")));
    expect(outcome).to.equal("majority_timeout");
    expect(sim.clock.now() - startedAt).to.be.within(400, 700);
    await sim.advance(4_000);
    await sim.run(commitAs(sim, other, "r2", "k", "second"));
    sim.hub.clearFaults();
    await settled(sim);
    expect(await sim.run(get(sim, writer, 0, "k"))).to.equal("second");
    const fate = await sim.run(commitAs(sim, other, "r1", "k", "first"));
    const again = await sim.run(commitAs(sim, writer, "r1", "k", "first"));
    expect(again).to.deep.equal(fate);
    await sim.run(commitAs(sim, writer, "r3", "k", "third"));
    expect(await sim.run(commitAs(sim, other, "r1", "k", "first"))).to.deep.equal(fate);
    expect(await sim.run(get(sim, other, 0, "k"))).to.equal("third");
    await sim.stopAll();
  });

  it("a requestId takes effect once also when its first answer was lost with the writer", async () => {
    const sim = await started("failover", {});
    const first = await sim.run(commitAs(sim, "b", "r1", "k", "first"));
    await sim.run(put(sim, "c", 0, "k", "second"));
    const writer = nodeOf((await sim.run(writerOf(sim, "partition-0")))?.self ?? "");
    const [other = ""] = NODES.filter((name) => name !== writer);
    sim.kill(writer);
    await sim.advance(4_000);
    expect(await sim.run(commitAs(sim, other, "r1", "k", "first"))).to.deep.equal(first);
    expect(await sim.run(get(sim, other, 0, "k"))).to.equal("second");
    await sim.stopAll();
  });

  it("pendingMax: one more than that is refused at once with overload, and has no effect", async () => {
    const sim = await started("pending", { wal: { pendingMax: 3, majorityTimeoutMs: 1_000 } });
    const writer = nodeOf((await sim.run(writerOf(sim, "partition-0")))?.self ?? "");
    sim.hub.partition(
      [writer],
      NODES.filter((name) => name !== writer),
    );
    const outcomes = [1, 2, 3, 4, 5].map((index) => outcomeOf(put(sim, writer, 0, `k${index}`, index)));
    const startedAt = sim.clock.now();
    expect(await sim.run(Promise.all(outcomes.slice(3)))).to.deep.equal(["overload", "overload"]);
    expect(sim.clock.now() - startedAt).to.be.lessThan(10);
    for (const outcome of await sim.run(Promise.all(outcomes.slice(0, 3)))) {
      expect(outcome).to.equal("majority_timeout");
    }
    sim.hub.clearFaults();
    await settled(sim);
    for (const index of [4, 5]) {
      expect(await sim.run(get(sim, writer, 0, `k${index}`)), `k${index}`).to.equal(null);
    }
    expect(await sim.run(outcomeOf(put(sim, writer, 0, "k4", "now")))).to.equal("ok");
    await sim.stopAll();
  });

  it("cleanupIntervalMs: answers are kept for ten minutes at least, and dropped by a later round", async () => {
    const sim = new SimCluster("cleanup");
    const wal = { cleanupIntervalMs: 60_000 };
    await sim.start("a", { partitions: 1, actorsOnly: false, bootstrapExpect: 1, wal });
    await sim.until(() => agreed(sim), 10_000);
    const answers: At[] = [];
    for (const requestId of ["r1", "r2"]) {
      answers.push(await sim.run(commitAs(sim, "a", requestId, requestId, 1)));
    }
    await sim.advance(590_000);
    expect(await sim.run(commitAs(sim, "a", "r1", "r1", 1))).to.deep.equal(answers[0]);
    await sim.advance(800_000);
    const repeated = await sim.run(commitAs(sim, "a", "r2", "r2", 1));
    expect(repeated.seq).to.be.greaterThan(answers[1]?.seq ?? 0);
    await sim.stopAll();
  });
});
