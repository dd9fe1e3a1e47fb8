import { expect } from "chai";
import { runCore } from "./core-run.ts";

const SEEDS = 12;

describe("the protocol alone on a network that does what it likes", () => {
  it(`keeps its invariants and comes back to life: ${SEEDS} seeds`, function () {
    this.timeout(60_000);
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { violations, world } = runCore(seed);
      expect(violations, `seed ${seed}`).to.deep.equal([]);
      expect(world.coverage.epochsOpened, `seed ${seed}`).to.be.greaterThan(1);
    }
  });

  it("does the same for the same seed, and something else for another", () => {
    const { hash } = runCore(3);
    expect(runCore(3).hash).to.equal(hash);
    expect(runCore(4).hash).to.not.equal(hash);
  });
});
