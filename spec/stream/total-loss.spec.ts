import { expect } from "chai";
import { outcomeOf } from "../support/sim-cluster.ts";
import { StreamRig } from "./stream-rig.ts";

const NODES = ["a", "b", "c"];

describe("a stream in memory whose members are all lost", () => {
  it("is lost, and no empty replica is passed off as it", async () => {
    const rig = new StreamRig(5, NODES, {});
    await rig.begin();
    const first = await rig.writer();
    await rig.run(rig.client(first).request({ op: "put", key: "k", value: 1 }));
    for (const name of NODES) {
      rig.kill(name);
    }
    await rig.cluster.startAll(NODES);
    for (const name of NODES) {
      await rig.start(name);
    }
    await rig.cluster.advance(5_000);
    expect(NODES.map((name) => rig.home(name).replica.role)).to.deep.equal(["empty", "empty", "empty"]);
    const client = rig.client("a", 1_000);
    for (const mode of ["local", "primary", "quorum"] as const) {
      const read = client.read({ key: "k" }, { mode, node: "a" });
      expect(await rig.run(outcomeOf(read)), mode).to.equal("quorum_not_reached");
    }
    const write = client.request({ op: "put", key: "k", value: 2 });
    expect(await rig.run(outcomeOf(write))).to.equal("quorum_not_reached");
    await rig.end();
  });

  it("is another thing than one that is new: its founders read nothing where there is nothing yet", async () => {
    const rig = new StreamRig(6, NODES, {});
    await rig.cluster.startAll(NODES);
    await rig.start("a", "first");
    const read = rig.client("a", 1_000).readAt({ key: "k" }, { mode: "local", node: "a" });
    expect(await rig.run(read)).to.deep.equal({ value: null, seq: 0 });
    await rig.end();
  });
});
