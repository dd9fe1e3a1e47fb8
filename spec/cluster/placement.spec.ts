import { expect } from "chai";
import fc from "fast-check";
import { placePartition, placePartitions } from "../../lib/cluster/placement.ts";

describe("placement", () => {
  it("rotates the sorted list: the head is the primary, the next ones are the replicas", () => {
    const nodes = ["c", "a", "b"];
    expect(placePartition(nodes, 0, 2)).to.deep.equal({ partition: 0, primary: "a", replicas: ["b"] });
    expect(placePartition(nodes, 1, 2)).to.deep.equal({ partition: 1, primary: "b", replicas: ["c"] });
    expect(placePartition(nodes, 5, 3)).to.deep.equal({ partition: 5, primary: "c", replicas: ["a", "b"] });
  });

  it("gives no more replicas than there are other nodes, and nothing without nodes", () => {
    expect(placePartition(["a"], 3, 3)).to.deep.equal({ partition: 3, primary: "a", replicas: [] });
    expect(placePartition([], 0, 3)).to.equal(undefined);
    expect(placePartitions([], 8, 3)).to.deep.equal([]);
  });

  it("is the same for every order of the list, names each node once, and shares primaries evenly", () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,6}$/), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(
        names,
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 1, max: 7 }),
        (nodes, partitions, factor) => {
          const map = placePartitions(nodes, partitions, factor);
          expect(placePartitions([...nodes].reverse(), partitions, factor)).to.deep.equal(map);
          const load = new Map(nodes.map((node) => [node, 0]));
          for (const { primary, replicas } of map) {
            expect(new Set([primary, ...replicas]).size).to.equal(Math.min(factor, nodes.length));
            load.set(primary, (load.get(primary) ?? 0) + 1);
          }
          expect(Math.max(...load.values()) - Math.min(...load.values())).to.be.at.most(1);
        },
      ),
    );
  });
});
