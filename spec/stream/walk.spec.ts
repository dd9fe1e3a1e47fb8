/**
 * The pure replicas under random walks: whatever is lost, repeated, reordered or crashed, nothing committed
 * is lost or replaced, and once the faults end everything comes to rest. `WALK_SEEDS` sets how many seeds
 * each setup gets, `WALK_FIRST_SEED` where they begin.
 */
import { expect } from "chai";
import type { WalkOutcome } from "./walk/options.ts";
import { runWalk, WALK_NAMES, WALK_SETUPS, type WalkName, type WalkSetup } from "./walk/setups.ts";
import { Walk } from "./walk/walk.ts";

const SEEDS = Number(process.env["WALK_SEEDS"] ?? 30);
const FIRST = Number(process.env["WALK_FIRST_SEED"] ?? 1);

function walks(name: WalkName): WalkOutcome[] {
  const outcomes: WalkOutcome[] = [];
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const outcome = runWalk(name, seed);
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
  for (const name of WALK_NAMES) {
    it(`keep every committed entry and come to rest: ${name}`, () => {
      const outcomes = walks(name);
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
        sum(outcomes, ({ reads }) => reads),
        "reads",
      ).to.be.greaterThan(SEEDS / 5);
      const { leases, losesTails, immortal }: WalkSetup = WALK_SETUPS[name];
      if (immortal !== true) {
        expect(
          sum(outcomes, ({ crashes }) => crashes),
          "crashes",
        ).to.be.greaterThan(SEEDS);
      }
      if (leases === true) {
        expect(
          sum(outcomes, ({ leased }) => leased),
          "leased",
        ).to.be.greaterThan(50 * SEEDS);
      }
      if (losesTails === true) {
        expect(
          sum(outcomes, ({ tailsLost }) => tailsLost),
          "tails lost",
        ).to.be.greaterThan(SEEDS / 2);
      }
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
