/**
 * The pure replicas under random walks: whatever is lost, repeated, reordered or crashed, nothing committed
 * is lost or replaced, and once the faults end everything comes to rest. `WALK_SEEDS` sets how many seeds
 * each setup gets, `WALK_FIRST_SEED` where they begin.
 */
import { expect } from "chai";
import { Walk, type WalkOptions, type WalkOutcome } from "./walk/walk.ts";

const SEEDS = Number(process.env["WALK_SEEDS"] ?? 30);
const FIRST = Number(process.env["WALK_FIRST_SEED"] ?? 1);

type Setup = Omit<WalkOptions, "seed">;

const SETUPS: Readonly<Record<string, Setup>> = {
  "three in memory": { nodes: 3, members: 3, durability: "memory", steps: 800, reconfigures: false },
  "three on disk": { nodes: 3, members: 3, durability: "disk", steps: 1_200, reconfigures: false },
  "three of five in memory, members changing": {
    nodes: 5,
    members: 3,
    durability: "memory",
    steps: 800,
    reconfigures: true,
  },
  "three of five on disk, members changing": {
    nodes: 5,
    members: 3,
    durability: "disk",
    steps: 1_200,
    reconfigures: true,
  },
  "one growing to four in memory": {
    nodes: 4,
    members: 1,
    durability: "memory",
    steps: 800,
    reconfigures: true,
  },
  "five on disk, members changing": {
    nodes: 5,
    members: 5,
    durability: "disk",
    steps: 1_200,
    reconfigures: true,
  },
  "five of seven in memory, members changing": {
    nodes: 7,
    members: 5,
    durability: "memory",
    steps: 1_500,
    reconfigures: true,
  },
};

function walks(setup: Setup): WalkOutcome[] {
  const outcomes: WalkOutcome[] = [];
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const outcome = new Walk({ ...setup, seed }).run();
    const shown = outcome.violations.length === 0 ? "" : outcome.trace.slice(-40).join("\n");
    expect(outcome.violations, `seed ${seed}\n${shown}`).to.deep.equal([]);
    outcomes.push(outcome);
  }
  return outcomes;
}

function sum(outcomes: readonly WalkOutcome[], of: (outcome: WalkOutcome) => number): number {
  return outcomes.reduce((total, outcome) => total + of(outcome), 0);
}

describe("random walks of pure replicas", () => {
  for (const [name, setup] of Object.entries(SETUPS)) {
    it(`keep every committed entry and come to rest: ${name}`, () => {
      const outcomes = walks(setup);
      // A walk in which nothing happens proves nothing.
      expect(
        sum(outcomes, ({ committed }) => committed),
        "committed",
      ).to.be.greaterThan(4 * SEEDS);
      expect(
        sum(outcomes, ({ opened }) => opened),
        "epochs opened",
      ).to.be.greaterThan(SEEDS);
      expect(
        sum(outcomes, ({ crashes }) => crashes),
        "crashes",
      ).to.be.greaterThan(SEEDS);
      expect(
        sum(outcomes, ({ stranded }) => Number(stranded)),
        "stranded",
      ).to.be.at.most(1 + SEEDS / 10);
    });
  }

  it("are the same for the same seed, step by step", () => {
    const setup = { nodes: 5, members: 3, durability: "disk", steps: 600, reconfigures: true } as const;
    const { trace } = new Walk({ ...setup, seed: 7 }).run();
    expect(new Walk({ ...setup, seed: 7 }).run().trace).to.deep.equal(trace);
    expect(new Walk({ ...setup, seed: 8 }).run().trace).to.not.deep.equal(trace);
  });
});
