import { expect } from "chai";
import fc from "fast-check";
import { SupercastError } from "../../lib/base/errors.ts";
import { clusterMapDefinition, nodesOfPartition, readClusterMap } from "../../lib/cluster/cluster-map.ts";
import type {
  ClusterMap,
  MapAnswer,
  MapMember,
  MapOperation,
  MapSettings,
} from "../../lib/cluster/cluster-map-schema.ts";
import { Table } from "../../lib/stream/table.ts";

const SETTINGS: MapSettings = {
  partitions: 4,
  replicationFactor: 2,
  replicationMode: "strong",
  durability: "memory",
};
const FOUND: MapOperation = {
  type: "found",
  lineage: "L1",
  settings: SETTINGS,
  members: [member("c"), member("a"), member("b")],
};

function member(node: string, incarnation = "1"): MapMember {
  return { node, incarnation };
}

/** A root stream's state, changed as replicas do it: by the changes alone. */
class Root {
  readonly table = new Table();
  #seq = 0;
  keys: readonly string[] = [];

  constructor(...operations: readonly unknown[]) {
    for (const operation of operations) {
      this.do(operation);
    }
  }

  do(operation: unknown): MapAnswer {
    const { answer, changes } = clusterMapDefinition.resolve(this.table, operation);
    this.#seq += 1;
    for (const change of changes) {
      this.table.apply(change, this.#seq);
    }
    this.keys = changes.map(({ key }) => key).sort();
    return asAnswer(answer);
  }

  get map(): ClusterMap {
    const map = readClusterMap(this.table);
    if (map === null) {
      throw new Error("there is no map");
    }
    return map;
  }
}

function asAnswer(answer: unknown): MapAnswer {
  const known = (value: unknown): value is MapAnswer =>
    typeof value === "object" && value !== null && "changed" in value && "version" in value;
  if (!known(answer)) {
    throw new Error("not an answer of the map");
  }
  return answer;
}

function refusal(root: Root, operation: unknown): string {
  try {
    root.do(operation);
  } catch (thrown) {
    expect(thrown).to.be.instanceOf(SupercastError);
    return thrown instanceof SupercastError ? `${thrown.code}: ${thrown.message}` : "";
  }
  return "taken";
}

describe("the cluster map", () => {
  it("is null before the cluster is founded, and takes nothing else first", () => {
    const root = new Root();
    expect(clusterMapDefinition.query(root.table, { type: "map" })).to.equal(null);
    expect(refusal(root, { type: "join", node: "a", incarnation: "1" })).to.equal(
      "invalid_message: type: join needs a cluster, and none has been founded",
    );
  });

  it("founds with sorted members and draws up every partition's first replicas from placement", () => {
    const root = new Root();
    expect(root.do(FOUND)).to.deep.equal({ changed: true, version: 1, entry: null });
    expect(clusterMapDefinition.query(root.table, { type: "map" })).to.deep.equal({
      version: 1,
      lineage: "L1",
      settings: SETTINGS,
      members: [member("a"), member("b"), member("c")],
      left: [],
      partitions: [
        { partition: 0, generation: 1, lineage: "L1.0.1", genesis: ["a/1", "b/1"], founded: false },
        { partition: 1, generation: 1, lineage: "L1.1.1", genesis: ["b/1", "c/1"], founded: false },
        { partition: 2, generation: 1, lineage: "L1.2.1", genesis: ["c/1", "a/1"], founded: false },
        { partition: 3, generation: 1, lineage: "L1.3.1", genesis: ["a/1", "b/1"], founded: false },
      ],
    });
  });

  it("is founded once: another founding changes nothing, whatever it says", () => {
    const root = new Root(FOUND);
    const before = root.map;
    expect(root.do({ ...FOUND, lineage: "L2", members: [member("x")] }).changed).to.equal(false);
    expect(root.map).to.deep.equal(before);
  });

  it("takes a new member, and touches no partition for it", () => {
    const root = new Root(FOUND);
    expect(root.do({ type: "join", node: "ab", incarnation: "7" })).to.deep.equal({
      changed: true,
      version: 2,
      entry: null,
    });
    expect(root.keys).to.deep.equal(["member/ab", "nodes", "version"]);
    expect(root.map.members.map(({ node }) => node)).to.deep.equal(["a", "ab", "b", "c"]);
    expect(nodesOfPartition(root.map, 1)).to.deep.equal(["ab", "b"]);
  });

  it("takes a member's younger incarnation by one key, and never an older one", () => {
    const root = new Root(FOUND, { type: "join", node: "b", incarnation: "3" });
    expect(root.keys).to.deep.equal(["member/b", "version"]);
    expect(root.do({ type: "join", node: "b", incarnation: "2" })).to.deep.equal({
      changed: false,
      version: 2,
      entry: null,
    });
    expect(root.map.members[1]).to.deep.equal(member("b", "3"));
  });

  it("lets members go, but not the last one", () => {
    const root = new Root(FOUND, { type: "leave", node: "b", reason: "stopped" });
    expect(root.keys).to.deep.equal(["member/b", "nodes", "version"]);
    expect(root.do({ type: "leave", node: "b", reason: "evicted" }).changed).to.equal(false);
    root.do({ type: "leave", node: "c", reason: "stopped" });
    expect(refusal(root, { type: "leave", node: "a", reason: "stopped" })).to.equal(
      "invalid_message: node: a is the last member of the cluster and cannot leave it",
    );
    expect(root.map.members).to.deep.equal([member("a")]);
  });

  it("lets who left by hand in again only by hand, or as a younger incarnation", () => {
    const join = { type: "join", node: "b", incarnation: "1" };
    const root = new Root(FOUND, { type: "leave", node: "b", reason: "byHand" });
    expect(root.keys).to.deep.equal(["left", "member/b", "nodes", "version"]);
    expect(root.map.left).to.deep.equal([member("b")]);
    expect(refusal(root, join)).to.equal("forbidden: b was taken out by hand and is to be put in by hand");
    expect(root.do({ type: "allow", node: "c" }).changed).to.equal(false);
    expect(root.do({ type: "allow", node: "b" }).changed).to.equal(true);
    expect(root.do(join).changed).to.equal(true);
    root.do({ type: "leave", node: "b", reason: "byHand" });
    expect(root.do({ ...join, incarnation: "2" }).changed).to.equal(true);
    expect(root.do({ type: "leave", node: "b", reason: "stopped" }).changed).to.equal(true);
    expect(root.do(join).changed).to.equal(true);
  });

  it("keeps a younger incarnation when an older one leaves", () => {
    const root = new Root(FOUND, { type: "join", node: "b", incarnation: "3" });
    const leave = { type: "leave", node: "b", reason: "evicted" };
    expect(root.do({ ...leave, incarnation: "1" }).changed).to.equal(false);
    expect(root.do({ ...leave, incarnation: "3" }).changed).to.equal(true);
  });

  it("notes once that a partition is founded", () => {
    const root = new Root(FOUND);
    const founded = { type: "founded", partition: 2, generation: 1 };
    expect(root.do(founded).entry?.founded).to.equal(true);
    expect(root.keys).to.deep.equal(["partition/2", "version"]);
    expect(root.do(founded)).to.deep.equal({ changed: false, version: 2, entry: root.map.partitions[2] });
  });

  it("begins a partition anew while it is not founded, with replicas of the present members", () => {
    const root = new Root(FOUND, { type: "join", node: "a", incarnation: "2" });
    const refound = { type: "refound", partition: 0, generation: 1 };
    expect(root.do(refound).entry).to.deep.equal({
      partition: 0,
      generation: 2,
      lineage: "L1.0.2",
      genesis: ["a/2", "b/1"],
      founded: false,
    });
    expect(root.do(refound).changed, "the generation is given up already").to.equal(false);
    expect(root.do({ ...refound, generation: 2, nodes: ["c", "b"] }).entry?.genesis).to.deep.equal([
      "b/1",
      "c/1",
    ]);
  });

  it("answers a writer of a generation that was given up with the one that holds", () => {
    const root = new Root(FOUND, { type: "refound", partition: 0, generation: 1 });
    const { changed, entry } = root.do({ type: "founded", partition: 0, generation: 1 });
    expect(changed).to.equal(false);
    expect(entry).to.include({ generation: 2, founded: false });
  });

  it("puts a founded partition aside only by an operator's reset", () => {
    const root = new Root(FOUND, { type: "founded", partition: 0, generation: 1 });
    expect(root.do({ type: "refound", partition: 0, generation: 1 }).changed).to.equal(false);
    expect(root.do({ type: "reset", partition: 0, generation: 1 }).entry).to.include({
      generation: 2,
      founded: false,
    });
  });

  const WRONG: readonly (readonly [string, unknown, RegExp])[] = [
    ["an unknown type", { type: "grow" }, /type/],
    ["no object", 7, /operation/],
    ["a name that is none", { type: "join", node: "a/b", incarnation: "1" }, /node: .*"a\/b"/],
    ["an incarnation with a slash", { type: "join", node: "a", incarnation: "1/2" }, /incarnation: /],
    ["a field too many", { type: "join", node: "a", incarnation: "1", x: 1 }, /x/],
    ["an unknown reason", { type: "leave", node: "a", reason: "tired" }, /reason: /],
    [
      "a partition beyond the last",
      { type: "founded", partition: 4, generation: 1 },
      /partition: 4; .*0 to 3/,
    ],
    ["a generation yet to come", { type: "refound", partition: 0, generation: 2 }, /generation: 2/],
    ["a stranger", { type: "reset", partition: 0, generation: 1, nodes: ["x"] }, /nodes: x is no member/],
  ];
  for (const [what, operation, pattern] of WRONG) {
    it(`refuses ${what}, naming the field, and changes nothing`, () => {
      const root = new Root(FOUND);
      const before = root.map;
      const text = refusal(root, operation);
      expect(text).to.match(/^invalid_message: /);
      expect(text).to.match(pattern);
      expect(root.map).to.deep.equal(before);
    });
  }

  it("refuses a founding with a node named twice, and a query that is none", () => {
    const twice = { ...FOUND, members: [member("a"), member("a", "2")] };
    expect(refusal(new Root(), twice)).to.equal("invalid_message: members: names a node twice");
    expect(() => clusterMapDefinition.query(new Root().table, { type: "maps" })).to.throw(
      SupercastError,
      /type/,
    );
  });
});

describe("the cluster map, whatever is done to it", () => {
  const node = fc.constantFrom("a", "b", "c", "d", "e");
  const incarnation = fc.constantFrom("1", "2", "3");
  const partition = fc.nat(4);
  const generation = fc.integer({ min: 1, max: 4 });
  const operation: fc.Arbitrary<MapOperation> = fc.oneof(
    fc.record({
      type: fc.constant("found" as const),
      lineage: fc.constantFrom("L1", "L2"),
      settings: fc.constant(SETTINGS),
      members: fc.uniqueArray(fc.record({ node, incarnation }), {
        minLength: 1,
        selector: (each) => each.node,
      }),
    }),
    fc.record({ type: fc.constant("join" as const), node, incarnation }),
    fc.record({ type: fc.constant("leave" as const), node, reason: fc.constant("evicted" as const) }),
    fc.record({ type: fc.constant("founded" as const), partition, generation }),
    fc.record({ type: fc.constantFrom("refound" as const, "reset" as const), partition, generation }),
  );

  function attempt(root: Root, each: MapOperation): MapAnswer | null {
    try {
      return root.do(each);
    } catch (thrown) {
      expect(thrown).to.be.instanceOf(SupercastError);
      return null;
    }
  }

  it("holds together, counts its changes, repeats nothing and forgets no founded partition", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        const root = new Root();
        for (const each of [FOUND, ...operations]) {
          const before = readClusterMap(root.table);
          const answer = attempt(root, each);
          const after = readClusterMap(root.table);
          if (answer?.changed !== true) {
            expect(after).to.deep.equal(before);
            continue;
          }
          expect(answer.version).to.equal((before?.version ?? 0) + 1);
          expect(after?.version).to.equal(answer.version);
          checkMap(root.map);
          checkProgress(before, root.map, each);
          const again = attempt(root, each);
          expect(again === null || !again.changed, "a repeated operation changes nothing").to.equal(true);
        }
      }),
    );
  });

  it("says the same for the same: answer and changes", () => {
    fc.assert(
      fc.property(fc.array(operation), (operations) => {
        const [left, right] = [new Root(), new Root()];
        for (const each of operations) {
          expect(attempt(left, each)).to.deep.equal(attempt(right, each));
        }
        expect(readClusterMap(left.table)).to.deep.equal(readClusterMap(right.table));
      }),
    );
  });

  function checkMap(map: ClusterMap): void {
    const names = map.members.map((each) => each.node);
    expect(names).to.deep.equal([...new Set(names)].sort());
    expect(names.length).to.be.greaterThan(0);
    expect(map.partitions.map((each) => each.partition)).to.deep.equal([0, 1, 2, 3]);
    for (const { partition: index, lineage, generation: count, genesis } of map.partitions) {
      expect(lineage).to.equal(`${map.lineage}.${index}.${count}`);
      expect(new Set(genesis).size).to.equal(genesis.length);
      expect(genesis.length).to.be.within(1, SETTINGS.replicationFactor);
      expect(nodesOfPartition(map, index)).to.have.length(Math.min(names.length, 2));
    }
  }

  function checkProgress(before: ClusterMap | null, after: ClusterMap, by: MapOperation): void {
    for (const entry of before?.partitions ?? []) {
      const next = after.partitions[entry.partition];
      expect(next?.generation).to.be.at.least(entry.generation);
      if (entry.founded && by.type !== "reset") {
        expect(next).to.deep.equal(entry);
      }
      if (next?.generation === entry.generation) {
        expect(next.genesis).to.deep.equal(entry.genesis);
      }
    }
    expect(after.lineage).to.equal(before?.lineage ?? after.lineage);
  }
});
