/**
 * The simulator in CI. `SUPERCAST_SEEDS`: how many seeds, half of them the first ones, half drawn from
 * `SUPERCAST_SEED_BASE` (a commit id, or whatever else changes). More than a few run on all cores with
 * `npm run simulate`.
 */
import { expect } from "chai";
import { seededRandom } from "../../../lib/base/random.ts";
import { runPool, type SeedOutcome } from "../../../scripts/simulate/pool.ts";
import { INVALID_SHARE_MAX } from "../../../scripts/simulate/report.ts";
import { runChecked } from "../../../scripts/simulate/seeds.ts";
import { runSeed } from "./run.ts";

const COUNT = Number(process.env["SUPERCAST_SEEDS"] ?? 20);
const BASE = process.env["SUPERCAST_SEED_BASE"] ?? "";
const SEED_LIMIT_MS = 20_000;

function seedsOf(count: number, base: string): number[] {
  const random = seededRandom(`seeds ${base}`);
  const drawn = base === "" ? 0 : Math.floor(count / 2);
  const fixed = Array.from({ length: count - drawn }, (_, index) => index + 1);
  return [...fixed, ...Array.from({ length: drawn }, () => random.below(1_000_000_000))];
}

function complaint(outcome: SeedOutcome): string | null {
  if ("broken" in outcome) {
    return `seed ${outcome.seed}: ${outcome.broken}`;
  }
  const { seed, verdict, violations } = outcome.result;
  const text = violations.map(({ rule, message }) => `${rule}: ${message}`).join("\n");
  return verdict === "failed" ? `seed ${seed}: ${text}\n(npm run simulate -- --seed ${seed})` : null;
}

describe("replicated streams in the simulator", () => {
  it(`keep their promises under faults: ${COUNT} seeds`, async function () {
    this.timeout(COUNT * SEED_LIMIT_MS);
    const jobs = seedsOf(COUNT, BASE).map((seed) => ({ seed, twice: false }));
    const outcomes: SeedOutcome[] = [];
    await runPool(jobs, 2, (outcome) => outcomes.push(outcome));
    expect(outcomes).to.have.length(COUNT);
    expect(outcomes.map(complaint).filter((text) => text !== null)).to.deep.equal([]);
    const invalid = outcomes.filter((each) => "result" in each && each.result.verdict === "invalid");
    expect(invalid.length).to.be.at.most(Math.max(1, INVALID_SHARE_MAX * COUNT));
  });

  it("do the same when a seed runs again, to the last byte, and something else for another seed", async function () {
    this.timeout(4 * SEED_LIMIT_MS);
    const result = await runChecked(2, { twice: true });
    expect(result.violations).to.deep.equal([]);
    expect((await runSeed(3)).hash).to.not.equal(result.hash);
  });
});
