import { expect } from "chai";
import fc from "fast-check";
import { SupercastError } from "../../lib/base/errors.ts";
import {
  configurationKey,
  hasQuorum,
  majorityOf,
  problemOf,
  quorumValue,
} from "../../lib/stream/configuration.ts";
import { nodeOf, ownerOf, replicaId } from "../../lib/stream/replica-id.ts";
import { isCrowded, OPEN_CONFIGURATIONS_MAX, remembered } from "../../lib/stream/successors.ts";

describe("a configuration", () => {
  it("of majorities is sound for every number of members, and survives the loss of a minority", () => {
    for (let count = 1; count <= 9; count++) {
      const members = Array.from({ length: count }, (_, index) => `n${index}/1`);
      const configuration = majorityOf(members);
      expect(problemOf(configuration)).to.equal(null);
      expect(count - configuration.writeQuorum).to.equal(Math.floor((count - 1) / 2));
    }
  });

  it("is sound exactly when every seal meets every write and every other seal", () => {
    const quorums = fc.record({
      count: fc.integer({ min: 1, max: 5 }),
      write: fc.integer({ min: 1, max: 5 }),
      seal: fc.integer({ min: 1, max: 5 }),
    });
    fc.assert(
      fc.property(quorums, ({ count, write, seal }) => {
        fc.pre(write <= count && seal <= count);
        const members = Array.from({ length: count }, (_, index) => `n${index}/1`);
        const sets = Array.from({ length: 2 ** count }, (_, bits) =>
          members.filter((_m, index) => (bits >> index) % 2 === 1),
        );
        const meet = (left: number, right: number): boolean =>
          sets
            .filter((set) => set.length === left)
            .every((one) =>
              sets.filter((set) => set.length === right).every((two) => one.some((m) => two.includes(m))),
            );
        const sound = meet(write, seal) && meet(seal, seal);
        expect(problemOf({ members, writeQuorum: write, sealQuorum: seal }) === null).to.equal(sound);
      }),
    );
  });

  it("names what is wrong", () => {
    expect(() => majorityOf([])).to.throw(SupercastError, "members is empty");
    expect(() => majorityOf(["a/1", "a/1"])).to.throw(SupercastError, "twice");
    expect(problemOf({ members: ["a/1"], writeQuorum: 2, sealQuorum: 1 })).to.contain("from 1 to 1");
    expect(problemOf({ members: ["a/1"], writeQuorum: 0.5, sealQuorum: 1 })).to.contain("integers");
  });

  it("counts only members, each once", () => {
    const configuration = majorityOf(["a/1", "b/1", "c/1"]);
    const present = new Set(["a/1", "a/2", "x/1"]);
    expect(hasQuorum(configuration, 1, (member) => present.has(member))).to.equal(true);
    expect(hasQuorum(configuration, 2, (member) => present.has(member))).to.equal(false);
    const reached: Record<string, number> = { "a/1": 9, "b/1": 4, "c/1": 7 };
    expect(quorumValue(configuration, 2, (member) => reached[member] ?? 0)).to.equal(7);
  });

  it("means the same in any order of its members", () => {
    expect(configurationKey(majorityOf(["b/1", "a/1"]))).to.equal(
      configurationKey(majorityOf(["a/1", "b/1"])),
    );
  });
});

describe("the id of a replica", () => {
  it("is its node and its incarnation; another incarnation owns other epochs", () => {
    const id = replicaId("rack/7", "x1");
    expect(nodeOf(id)).to.equal("rack/7");
    expect(ownerOf(id)).to.match(/^[0-9a-f]{16}$/);
    expect(ownerOf(id)).to.not.equal(ownerOf(replicaId("rack/7", "x2")));
  });
});

describe("the successors a replica remembers", () => {
  const proposed = (counter: number, ...members: string[]): Parameters<typeof remembered>[1] => ({
    epoch: { counter, owner: "00000000000000aa" },
    configuration: majorityOf(members),
  });

  it("are the two highest of each configuration, whatever the order they came in", () => {
    let known = remembered([], proposed(5, "a/1"));
    known = remembered(known, proposed(3, "a/1"));
    known = remembered(known, proposed(4, "a/1"));
    known = remembered(known, proposed(1, "a/1", "b/1"));
    known = remembered(known, proposed(5, "a/1"));
    expect(known.map(({ epoch }) => epoch.counter)).to.deep.equal([1, 4, 5]);
  });

  it("are so many different configurations at most", () => {
    let known: ReturnType<typeof remembered> = [];
    for (let index = 0; index < OPEN_CONFIGURATIONS_MAX; index++) {
      expect(isCrowded(known, proposed(index + 1, `n${index}/1`))).to.equal(false);
      known = remembered(known, proposed(index + 1, `n${index}/1`));
    }
    expect(isCrowded(known, proposed(99, "new/1"))).to.equal(true);
    expect(isCrowded(known, proposed(99, "n0/1"))).to.equal(false);
  });
});
