import { expect } from "chai";
import { seededRandom } from "../../lib/base/random.ts";
import {
  cardsFor,
  type Durability,
  describeFault,
  type Fault,
  FaultDeck,
  type FaultSetting,
  kindOf,
  nodesOf,
} from "../../scripts/chaos/faults.ts";

const NODES = ["a", "b", "c", "d", "e"];
const ROUNDS = 600;

function setting(durability: Durability): FaultSetting {
  return { nodes: NODES, servers: 3, durability, failureTimeoutMs: 2_000 };
}

function deal(durability: Durability, seed: number, writers: readonly string[] = []): (readonly Fault[])[] {
  const deck = new FaultDeck(seededRandom(seed), setting(durability));
  return Array.from({ length: ROUNDS }, () => deck.deal(writers));
}

describe("The faults of a chaos run", () => {
  it("are the same for the same seed and others for another", () => {
    expect(deal("disk", 5)).to.deep.equal(deal("disk", 5));
    expect(deal("disk", 5)).not.to.deep.equal(deal("disk", 6));
  });

  it("come as cards: every kind once before any comes again", () => {
    for (const durability of ["memory", "disk"] as const) {
      const cards = cardsFor({ durability });
      const rounds = deal(durability, 1).slice(0, 2 * cards.length);
      const kinds = rounds.map(([first]) => (first === undefined ? "" : kindOf(first)));
      for (const half of [kinds.slice(0, cards.length), kinds.slice(cards.length)]) {
        expect(new Set(half).size, durability).to.equal(cards.length);
      }
    }
  });

  it("without a disk never take the memory of two nodes at once, and never damage a journal", () => {
    for (const round of deal("memory", 2)) {
      const dying = round.filter(({ kind }) => kind === "kill").flatMap(nodesOf);
      expect(dying.length).to.be.at.most(1);
      expect(round.map(({ kind }) => kind)).not.to.include.oneOf(["damage", "killMajority", "killAll"]);
    }
  });

  it("on disk kill majorities, everybody, and damage nothing beside another fault", () => {
    const rounds = deal("disk", 3);
    const majorities = rounds.flat().filter(({ kind }) => kind === "killMajority");
    expect(majorities.length).to.be.greaterThan(10);
    expect(majorities.every((fault) => new Set(nodesOf(fault)).size === 3)).to.equal(true);
    expect(rounds.flat().some((fault) => fault.kind === "killAll" && nodesOf(fault).length === 5)).to.equal(
      true,
    );
    const damaging = rounds.filter((round) => round.some(({ kind }) => kind === "damage"));
    expect(damaging.length).to.be.greaterThan(10);
    expect(damaging.every((round) => round.length === 1)).to.equal(true);
  });

  it("of one round never meet the same node, and sometimes come in pairs", () => {
    const pairs = deal("memory", 4).filter((round) => round.length === 2);
    expect(pairs.length).to.be.greaterThan(10);
    for (const round of pairs) {
      const nodes = round.flatMap(nodesOf);
      expect(new Set(nodes).size).to.equal(nodes.length);
    }
  });

  it("pause and stall for longer than the failure timeout", () => {
    for (const fault of deal("memory", 5).flat()) {
      if (fault.kind === "pause" || fault.kind === "stall") {
        const alone = fault.kind === "pause" || fault.holdMs > 0;
        expect(alone && fault.holdMs >= 2_000, describeFault(fault)).to.equal(true);
      }
    }
  });

  it("meet a writer more often than another node", () => {
    const kills = deal("memory", 6, ["e"])
      .map(([first]) => first)
      .filter((fault) => fault?.kind === "kill");
    const writers = kills.filter((fault) => fault !== undefined && nodesOf(fault)[0] === "e");
    expect(writers.length / kills.length).to.be.within(0.4, 0.8);
  });

  it("are told in words", () => {
    expect(describeFault({ kind: "kill", nodes: ["a"], holdMs: 5 })).to.equal("kill a, for 5 ms");
    expect(describeFault({ kind: "reset", node: "b", holdMs: 0 })).to.equal("reset b");
    expect(describeFault({ kind: "killServer", server: 2, holdMs: 7 })).to.equal(
      "killServer nats-server 2, for 7 ms",
    );
    expect(describeFault({ kind: "damage", node: "c", how: "flip", holdMs: 1 })).to.equal(
      "damage c (flip), for 1 ms",
    );
    expect(describeFault({ kind: "stall", node: "c", directions: ["up", "down"], holdMs: 1 })).to.equal(
      "stall c up and down, for 1 ms",
    );
    expect(describeFault({ kind: "delay", node: "c", delayMs: 30, holdMs: 1 })).to.equal(
      "delay c by 30 ms, for 1 ms",
    );
  });
});
