import { expect } from "chai";
import { VirtualClock } from "../../../lib/base/virtual-clock.ts";
import { commit, founded, read } from "../../support/data.ts";
import { SimCluster } from "../../support/sim-cluster.ts";

const NODES = ["a", "b", "c"];
const SMALL_PAYLOAD = 64 * 1024;

/** How far the copy on a node goes; 0 while it has none. */
async function committedAt(sim: SimCluster, name: string): Promise<number> {
  const { partitions } = await sim.run(sim.get(name).node.call({ name: "wal" }, { type: "stats" }));
  return partitions[0]?.commitSeq ?? 0;
}

describe("a cluster on a server with small messages", () => {
  it("refuses what would not fit before any effect, and brings up a copy of what did", async () => {
    const sim = new SimCluster(5, new VirtualClock(), { maxPayload: SMALL_PAYLOAD });
    const options = { partitions: 1, actorsOnly: false };
    await sim.startAll(NODES, options);
    await sim.until(() => NODES.every((name) => founded(sim, name)), 20_000);
    const put = (key: string, bytes: number): object => ({ op: "put", record: [key, "x".repeat(bytes)] });
    const refused = await sim.run(
      commit(sim, "a", 0, [put("big", SMALL_PAYLOAD)]).catch((error: Error) => error),
    );
    expect(refused).to.have.property("code", "payload_too_large");
    for (let index = 0; index < 40; index++) {
      await sim.run(commit(sim, "a", 0, [put(`k${index}`, 20_000)]));
    }
    sim.kill("c");
    await sim.advance(3_000);
    await sim.start("c", { ...options, peers: NODES });
    const committed = await committedAt(sim, "a");
    let held = 0;
    for (let tries = 0; held < committed && tries < 100; tries++) {
      await sim.advance(200);
      held = await committedAt(sim, "c");
    }
    expect(held).to.be.at.least(committed);
    const { value } = await sim.run(read(sim, "c", 0, { type: "count" }, "local"));
    expect(value).to.equal(40);
    await sim.stopAll();
  });
});
