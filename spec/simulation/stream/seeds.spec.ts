/**
 * The simulator in the suite. `SUPERCAST_SEEDS`: how many seeds, half of them the first ones, half drawn from
 * `SUPERCAST_SEED_BASE` (a commit id, or whatever else changes). With `CI=true` as many as two cores do in less
 * than five minutes, elsewhere a few; `npm run simulate` takes any number.
 */
import { availableParallelism } from "node:os";
import { expect } from "chai";
import { seededRandom } from "../../../lib/base/random.ts";
import { runPool, type SeedOutcome } from "../../../scripts/simulate/pool.ts";
import { SeedBar } from "../../../scripts/simulate/progress.ts";
import { INVALID_SHARE_MAX, Summary } from "../../../scripts/simulate/report.ts";
import { isReplayed, runChecked } from "../../../scripts/simulate/seeds.ts";
import { runSeed } from "./run.ts";

const COUNT = Number(process.env["SUPERCAST_SEEDS"] ?? (process.env["CI"] === "true" ? 200 : 20));
const BASE = process.env["SUPERCAST_SEED_BASE"] ?? "";
const SEED_LIMIT_MS = 20_000;
/** Beside the seeds themselves: processes start, and a busy machine does that slowly. */
const START_LIMIT_MS = 120_000;

function seedsOf(count: number, base: string): number[] {
  const random = seededRandom(`seeds ${base}`);
  const drawn = base === "" ? 0 : Math.floor(count / 2);
  const fixed = Array.from({ length: count - drawn }, (_, index) => index + 1);
  return [...fixed, ...Array.from({ length: drawn }, () => random.below(1_000_000_000))];
}

function complaintsOf(outcome: SeedOutcome): string[] {
  if ("broken" in outcome) {
    return [`seed ${outcome.seed}: ${outcome.broken}`];
  }
  const { seed, verdict, violations } = outcome.result;
  const text = violations.map(({ rule, message }) => `${rule}: ${message}`).join("\n");
  return verdict === "failed" ? [`seed ${seed}: ${text}\n(npm run simulate -- --seed ${seed})`] : [];
}

describe("replicated streams in the simulator", () => {
  it(`keep their promises under faults: ${COUNT} seeds`, async function () {
    this.timeout(START_LIMIT_MS + COUNT * SEED_LIMIT_MS);
    const jobs = seedsOf(COUNT, BASE).map((seed) => ({ seed, twice: isReplayed(seed) }));
    const summary = new Summary();
    const bar = new SeedBar(process.stderr, COUNT);
    const complaints: string[] = [];
    await runPool(jobs, Math.min(COUNT, availableParallelism()), (outcome) => {
      summary.add(outcome, isReplayed(outcome.seed));
      bar.update(summary);
      complaints.push(...complaintsOf(outcome));
    });
    bar.end();
    expect(summary.seeds).to.equal(COUNT);
    expect(complaints).to.deep.equal([]);
    expect(summary.invalid).to.be.at.most(Math.max(1, INVALID_SHARE_MAX * COUNT));
  });

  it("do the same when a seed runs again, to the last byte, and something else for another seed", async function () {
    this.timeout(START_LIMIT_MS + 3 * SEED_LIMIT_MS);
    const result = await runChecked(2, { twice: true });
    expect(result.violations).to.deep.equal([]);
    expect((await runSeed(3)).hash).to.not.equal(result.hash);
  });
});
