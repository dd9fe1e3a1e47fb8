import { expect } from "chai";
import { nodesOfPartition } from "../../../lib/cluster/cluster-map.ts";
import { agreed, founded, get, mapOf, put, read, settled } from "../../support/data.ts";
import { outcomeOf, SimCluster } from "../../support/sim-cluster.ts";

const NODES = ["a", "b", "c", "d", "e"];
const DATA = { partitions: 5, actorsOnly: false, peers: NODES };

/** The partitions of which two of three copies lived on these nodes. */
function lostWith(sim: SimCluster, names: readonly string[]): readonly number[] {
  const map = mapOf(sim, "c");
  const held = (partition: number): readonly string[] =>
    map === null ? [] : nodesOfPartition(map, partition);
  return [0, 1, 2, 3, 4].filter(
    (partition) => held(partition).filter((node) => names.includes(node)).length >= 2,
  );
}

describe("a partition that has lost the majority of its copies in memory", function () {
  this.timeout(60_000);

  it("answers with errors, never as if it were empty, until an operator resets it; all others go on", async () => {
    const sim = new SimCluster("loss");
    await sim.startAll(NODES, DATA);
    await sim.until(() => agreed(sim), 20_000);
    await settled(sim);
    for (let partition = 0; partition < 5; partition++) {
      await sim.run(put(sim, "c", partition, "k", partition));
    }
    const lost = lostWith(sim, ["a", "b"]);
    expect(lost).to.deep.equal([0, 4]);
    sim.kill("a");
    sim.kill("b");
    await sim.advance(1_000);
    await sim.start("a", DATA);
    await sim.start("b", DATA);
    await sim.advance(8_000);
    for (const at of ["a", "d"]) {
      for (const mode of ["quorum", "primary"] as const) {
        const outcome = outcomeOf(read(sim, at, 0, { type: "get", key: "k" }, mode));
        expect(await sim.run(outcome), `${mode} at ${at}`).to.equal("quorum_not_reached");
      }
      expect(await sim.run(outcomeOf(put(sim, at, 0, "new", 1)))).to.be.oneOf([
        "quorum_not_reached",
        "majority_timeout",
      ]);
    }
    expect(await sim.run(get(sim, "a", 1, "k")), "what was not lost").to.equal(1);
    const reset = (at: string, partition: number): Promise<unknown> =>
      sim.get(at).node.call({ name: "manager" }, { type: "resetPartition", partition });
    expect(await sim.run(outcomeOf(reset("c", 1))), "one that answers").to.equal("invalid_message");
    expect(await sim.run(outcomeOf(reset("c", 5))), "one that there is not").to.equal("invalid_message");
    for (const partition of lost) {
      expect(await sim.run(reset("c", partition))).to.deep.equal({ generation: 2 });
    }
    await sim.until(() => NODES.every((name) => founded(sim, name)), 10_000);
    await settled(sim);
    expect(await sim.run(get(sim, "d", 0, "k"))).to.equal(null);
    await sim.run(put(sim, "a", 0, "k", "again"));
    expect(await sim.run(get(sim, "e", 0, "k"))).to.equal("again");
    expect(await sim.run(get(sim, "b", 1, "k"))).to.equal(1);
    await sim.stopAll();
  });
});

describe("a cluster that has lost the majority of its map in memory", function () {
  this.timeout(60_000);

  it("says so and what to do, answers with errors, and begins anew when all nodes were stopped", async () => {
    const names = ["a", "b", "c"];
    const options = { partitions: 1, actorsOnly: false, peers: names };
    const sim = new SimCluster("all is lost");
    await sim.startAll(names, options);
    await sim.until(() => agreed(sim), 20_000);
    await settled(sim);
    await sim.run(put(sim, "c", 0, "k", 1));
    const lineage = mapOf(sim, "c")?.lineage;
    sim.kill("a");
    sim.kill("b");
    await sim.advance(100);
    await sim.start("a", options);
    await sim.start("b", options);
    await sim.advance(35_000);
    for (const name of names) {
      expect(await sim.run(outcomeOf(get(sim, name, 0, "k"))), name).to.equal("quorum_not_reached");
      const told = sim
        .get(name)
        .lines.filter(({ level, message }) => level === "error" && /no writer for 30 s/.test(message));
      expect(told.length, name).to.equal(1);
    }
    for (const name of names) {
      await sim.stop(name);
    }
    await sim.startAll(names, options);
    await sim.until(() => agreed(sim), 20_000);
    expect(mapOf(sim, "c")?.lineage).to.not.equal(lineage);
    expect(await sim.run(get(sim, "c", 0, "k"))).to.equal(null);
    await sim.run(put(sim, "c", 0, "k", 2));
    await sim.stopAll();
  });
});
