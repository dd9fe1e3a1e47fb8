import { expect } from "chai";
import { VirtualClock } from "../../../lib/base/virtual-clock.ts";
import { commit, founded, read } from "../../support/data.ts";
import { SimCluster } from "../../support/sim-cluster.ts";

const NODES = ["a", "b", "c"];
const SMALL_PAYLOAD = 64 * 1024;

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
    let counted: unknown = null;
    for (let tries = 0; counted !== 40 && tries < 100; tries++) {
      await sim.advance(200);
      const { value } = await sim.run(
        read(sim, "c", 0, { type: "count" }, "local").catch(() => ({ value: null })),
      );
      counted = value;
    }
    expect(counted).to.equal(40);
    await sim.stopAll();
  });
});
