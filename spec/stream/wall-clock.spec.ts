import { expect } from "chai";
import { StreamRig } from "./stream-rig.ts";

const NODES = ["a", "b", "c"];

describe("the replicas of a stream", () => {
  it("never read the wall clock: it may jump as it likes", async () => {
    const rig = new StreamRig(7, NODES, { settings: { leaseMs: 500 } });
    await rig.begin();
    const readers: string[] = [];
    let reads = 0;
    for (const name of NODES) {
      rig.cluster.get(name).clock.wallNow = () => {
        const { stack = "" } = new Error("who reads it");
        readers.push(...stack.split("\n").filter((line) => line.includes("/lib/stream/")));
        reads += 1;
        return reads % 2 === 0 ? 0 : Number.MAX_SAFE_INTEGER;
      };
    }
    const first = await rig.writer();
    await rig.run(rig.client(first).request({ op: "put", key: "k", value: 1 }));
    const [other = ""] = rig.others(first);
    rig.kill(first);
    await rig.cluster.advance(8_000);
    const next = await rig.writer();
    expect(next).to.not.equal(first);
    await rig.run(rig.client(other).request({ op: "put", key: "k", value: 2 }));
    for (const mode of ["local", "primary", "quorum"] as const) {
      expect(await rig.run(rig.client(next).read({ key: "k" }, { mode, node: next }))).to.equal(2);
    }
    rig.cluster.get(next).clock.wallNow();
    expect(reads).to.be.greaterThan(0);
    expect(readers).to.deep.equal([]);
    await rig.end();
  });
});
