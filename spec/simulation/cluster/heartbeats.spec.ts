import { expect } from "chai";
import { founded } from "../../support/data.ts";
import { SimCluster } from "../../support/sim-cluster.ts";

const NODES = ["a", "b", "c"];
const BEATS = 100;

/** Messages that a node of an idle cluster sends within one beat, on average. */
async function messagesPerBeat(partitions: number): Promise<number> {
  const sim = new SimCluster(7);
  await sim.startAll(NODES, { partitions, actorsOnly: false, health: { intervalMs: 60_000 } });
  await sim.until(() => NODES.every((name) => founded(sim, name)), 20_000);
  await sim.advance(3_000);
  const sent = (): number => NODES.reduce((sum, name) => sum + sim.get(name).transport.stats.outMessages, 0);
  const before = sent();
  await sim.advance(BEATS * 100);
  const perBeat = (sent() - before) / BEATS / NODES.length;
  await sim.stopAll();
  return perBeat;
}

describe("the heartbeats of streams", () => {
  it("leave together for each pair of nodes: many streams send no more messages than few", async () => {
    const few = await messagesPerBeat(3);
    const many = await messagesPerBeat(24);
    expect(many, `with 3 partitions ${few}`).to.be.at.most(few * 1.25);
  });
});
