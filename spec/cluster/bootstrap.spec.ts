import { expect } from "chai";
import { createBootstrap, stepBootstrap } from "../../lib/cluster/bootstrap.ts";
import { isBootstrapMessage, type Kept, lineageOf } from "../../lib/cluster/bootstrap-messages.ts";
import type { BootstrapState } from "../../lib/cluster/bootstrap-state.ts";
import { SETTINGS, World } from "./bootstrap-world.ts";

const ABC = ["a", "b", "c"];
const peers = (nodes: readonly string[]) => () => ({ peers: nodes });

function worldOf(nodes: readonly string[], durability: "memory" | "disk" = "memory"): World {
  return new World("example", { nodes, expected: peers(nodes), durability });
}

function boot(world: World, ...nodes: readonly string[]): void {
  for (const node of nodes) {
    world.boot(world.host(node));
  }
}

function tick(world: World, ...nodes: readonly string[]): void {
  for (const node of nodes) {
    world.step(world.host(node), { type: "tick" });
  }
}

function kept(world: World): readonly string[] {
  return world.hosts.map(({ state }) => {
    const now = state?.kept ?? { phase: "empty" };
    return state === null ? "down" : now.phase === "empty" ? "empty" : `${now.phase} ${lineageOf(now)}`;
  });
}

/** `founder` has prepared itself and everybody else, and nobody knows more. */
function prepareAll(world: World): void {
  boot(world, ...ABC);
  tick(world, "a");
  const { asked } = stateOf(world, "a");
  for (let count = 0; count < 100 && !kept(world).every((each) => each.startsWith("prepared")); count++) {
    world.deliver(0, 0);
  }
  expect(kept(world)).to.deep.equal(["prepared a-0001-1", "prepared a-0001-1", "prepared a-0001-1"]);
  expect(stateOf(world, "a").asked).to.be.greaterThan(asked);
}

function stateOf(world: World, node: string): BootstrapState {
  const { state } = world.host(node);
  if (state === null) {
    throw new Error(`${node} is down`);
  }
  return state;
}

/** The messages in flight are lost. */
function cut(world: World): void {
  for (let count = 0; count < 1_000 && world.inFlight > 0; count++) {
    world.deliver(1, 0);
  }
}

describe("bootstrap", () => {
  it("begins a cluster of one by itself", () => {
    const world = worldOf(["a"]);
    boot(world, "a");
    expect(kept(world)).to.deep.equal(["running a-0001-1"]);
  });

  it("begins when all that are expected hold nothing, with the first five in the root stream", () => {
    const nodes = ["a", "b", "c", "d", "e", "f"];
    const world = worldOf(nodes);
    boot(world, ...nodes);
    tick(world, ...nodes);
    world.deliverAll();
    expect(new Set(kept(world))).to.deep.equal(new Set(["running a-0001-1"]));
    const record = world.begun.get("a-0001-1");
    expect(record?.genesis).to.deep.equal(["a/0001", "b/0001", "c/0001", "d/0001", "e/0001"]);
    expect(record?.members.map(({ node }) => node)).to.deep.equal(nodes);
  });

  it("begins nothing while one of them has not been heard", () => {
    const world = worldOf(ABC);
    boot(world, "a", "b");
    for (let round = 0; round < 10; round++) {
      tick(world, "a", "b");
      world.deliverAll();
    }
    expect(kept(world)).to.deep.equal(["empty", "empty", "down"]);
  });

  it("lets a newcomer join once the cluster has a writer, and not before", () => {
    const world = new World("example", {
      nodes: [...ABC, "d"],
      expected: (node) => (node === "d" ? null : { peers: ABC }),
      durability: "memory",
    });
    boot(world, ...ABC, "d");
    tick(world, ...ABC, "d");
    world.deliverAll();
    tick(world, "d");
    world.deliverAll();
    expect(kept(world)[3]).to.equal("empty");
    world.settle();
    tick(world, "d");
    world.deliverAll();
    expect(kept(world)[3]).to.equal("running a-0001-1");
  });

  it("joins after a restart without data, and goes on after one with data", () => {
    for (const durability of ["memory", "disk"] as const) {
      const world = worldOf(ABC, durability);
      world.calm(0);
      tick(world, ...ABC);
      world.deliverAll();
      world.settle();
      world.crash(world.host("a"), true);
      boot(world, "a");
      expect(kept(world)[0]).to.equal(durability === "disk" ? "running a-0001-1" : "empty");
      tick(world, "a");
      world.deliverAll();
      expect(kept(world)[0]).to.equal("running a-0001-1");
      expect(world.log.at(-1)).to.equal(durability === "disk" ? "a/2 starts a-0001-1" : "a/2 joins a-0001-1");
    }
  });
});

describe("bootstrap, when the founder is gone", () => {
  it("is brought to its end by those that are prepared", () => {
    const world = worldOf(ABC);
    prepareAll(world);
    world.crash(world.host("a"), false);
    cut(world);
    boot(world, "a");
    world.calm(4);
    expect(kept(world)).to.deep.equal(["running a-0001-1", "running a-0001-1", "running a-0001-1"]);
    expect(world.violations).to.deep.equal([]);
  });

  it("waits while nobody has heard its node again", () => {
    const world = worldOf(ABC);
    prepareAll(world);
    world.crash(world.host("a"), false);
    cut(world);
    for (let round = 0; round < 10; round++) {
      tick(world, "b", "c");
      cut(world);
    }
    expect(kept(world)).to.deep.equal(["down", "prepared a-0001-1", "prepared a-0001-1"]);
  });

  it("halts and says what it lacks when a majority may have been begun and lost", () => {
    const world = worldOf(ABC);
    prepareAll(world);
    for (const node of ["a", "c"]) {
      world.crash(world.host(node), false);
    }
    cut(world);
    boot(world, "a", "c");
    world.calm(4);
    expect(kept(world)).to.deep.equal(["empty", "prepared a-0001-1", "empty"]);
    expect(stateOf(world, "b").halted).to.match(
      /^lineage a-0001-1 may have been begun and lost: a, c came back without it; of its first root replicas 1 are left, 2 are needed\. Start/,
    );
  });

  it("of two nodes, is forgotten by the one that has not begun, and a new one is begun", () => {
    const world = worldOf(["a", "b"]);
    boot(world, "a", "b");
    tick(world, "a");
    for (let count = 0; count < 100 && kept(world)[1] === "empty"; count++) {
      world.deliver(0, 0);
    }
    world.crash(world.host("a"), false);
    cut(world);
    boot(world, "a");
    world.calm(6);
    expect(kept(world)).to.deep.equal(["running a-0002-1", "running a-0002-1"]);
  });

  it("is given up by a founder that loses the majority before it has begun", () => {
    const world = worldOf(ABC);
    boot(world, ...ABC);
    tick(world, "a");
    for (let count = 0; count < 100 && kept(world)[0] === "empty"; count++) {
      world.deliver(0, 0);
    }
    for (const node of ["b", "c"]) {
      world.crash(world.host(node), false);
    }
    cut(world);
    boot(world, "b", "c");
    world.calm(6);
    expect(new Set(kept(world))).to.deep.equal(new Set(["running a-0001-2"]));
  });
});

describe("bootstrap refuses", () => {
  it("nodes that differ in structural settings, naming every key, both values and the peer", () => {
    const world = new World("example", {
      nodes: ["a", "b"],
      expected: peers(["a", "b"]),
      durability: "memory",
      settings: (node) => (node === "b" ? { partitions: 16, replicationMode: "async" } : {}),
    });
    boot(world, "a", "b");
    tick(world, "a", "b");
    world.deliverAll();
    expect(world.refusals).to.deep.include({
      node: "a",
      text:
        "this node's configuration differs from that of b: partitions is 8 here and 16 there; " +
        "replicationMode is strong here and async there",
    });
    expect(world.refusals.map(({ node }) => node).sort()).to.deep.equal(["a", "b"]);
    expect(world.begun.size).to.equal(0);
  });

  it("nodes that expect others", () => {
    const world = new World("example", {
      nodes: ABC,
      expected: (node) => (node === "c" ? { count: 3 } : { peers: node === "b" ? ["a", "b"] : ABC }),
      durability: "memory",
    });
    boot(world, ...ABC);
    tick(world, "a");
    world.deliverAll();
    expect(world.refusals.map(({ text }) => text)).to.deep.equal([
      "this node's configuration differs from that of b: peers is a,b,c here and a,b there",
    ]);
    const other = new World("example", {
      nodes: ["a", "c"],
      expected: (node) => (node === "c" ? { count: 2 } : { peers: ["a", "c"] }),
      durability: "memory",
    });
    boot(other, "a", "c");
    tick(other, "a");
    other.deliverAll();
    expect(other.refusals[0]?.text).to.equal(
      "this node's configuration differs from that of c: peers is a,c here and not given there; " +
        "bootstrapExpect is not given here and 2 there",
    );
  });

  it("only the newcomer when the cluster runs", () => {
    const world = new World("example", {
      nodes: [...ABC, "d"],
      expected: () => ({ peers: ABC }),
      durability: "memory",
      settings: (node) => (node === "d" ? { durability: "disk" } : {}),
    });
    world.hosts
      .filter(({ node }) => node !== "d")
      .forEach((host) => {
        world.boot(host);
      });
    tick(world, ...ABC);
    world.deliverAll();
    world.settle();
    boot(world, "d");
    tick(world, ...ABC, "d");
    world.deliverAll();
    expect(world.refusals.map(({ node }) => node)).to.deep.equal(["d"]);
    expect(world.refusals[0]?.text).to.match(/durability is disk here and memory there/);
  });

  it("a node with the data of another lineage, naming both, and leaves the running cluster alone", () => {
    const world = new World("example", {
      nodes: [...ABC, "x"],
      expected: (node) => ({ peers: node === "x" ? ["x"] : ABC }),
      durability: "disk",
    });
    boot(world, ...ABC);
    tick(world, ...ABC);
    world.deliverAll();
    world.settle();
    const old: Kept = {
      phase: "running",
      lineage: "old",
      settings: { ...SETTINGS, durability: "disk" },
      record: null,
    };
    world.host("x").disk = old;
    boot(world, "x");
    tick(world, ...ABC, "x");
    world.deliverAll();
    expect(world.refusals.map(({ node }) => node)).to.deep.equal(["x"]);
    expect(world.refusals[0]?.text).to.match(/holds lineage old, and [abc] belongs to .* lineage a-0001-1/);
  });

  it("settings that differ from those of the data that it has", () => {
    const config = { self: { node: "a", incarnation: "2" }, settings: SETTINGS, expected: null };
    const stored: Kept = {
      phase: "running",
      lineage: "L",
      settings: { ...SETTINGS, partitions: 4 },
      record: null,
    };
    const { state, effects } = createBootstrap(config, stored);
    expect(effects.map(({ type }) => type)).to.deep.equal(["refuse"]);
    expect(state.refused?.code).to.equal("config_mismatch");
    expect(state.refused?.message).to.match(
      /lineage L in this node's data: partitions is 8 here and 4 there/,
    );
    expect(stepBootstrap(state, { type: "tick" }).effects).to.deep.equal([]);
  });
});

describe("a message of bootstrap", () => {
  const from = { node: "a", incarnation: "1" };

  it("is taken when it has the fields of its type", () => {
    expect(isBootstrapMessage({ type: "go", from, lineage: "L" })).to.equal(true);
    expect(isBootstrapMessage({ type: "ask", from, question: 1, about: null, orphaned: false })).to.equal(
      true,
    );
  });

  it("is not taken otherwise", () => {
    for (const wrong of [
      null,
      "go",
      { type: "went", from, lineage: "L" },
      { type: "go", from: { node: "a b", incarnation: "1" }, lineage: "L" },
      { type: "go", from, lineage: "" },
      { type: "ask", from, question: -1, about: null, orphaned: false },
      { type: "prepare", from, question: 1, record: { lineage: "L" }, orphaned: false },
    ]) {
      expect(isBootstrapMessage(wrong), JSON.stringify(wrong)).to.equal(false);
    }
  });
});
