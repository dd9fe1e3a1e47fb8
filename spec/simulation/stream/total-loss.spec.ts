import { expect } from "chai";
import { drawPlan } from "./plan.ts";
import { runSeed } from "./run.ts";

describe("a simulated stream that loses more than it can", () => {
  for (const { seed, all } of [
    { seed: 9, all: true },
    { seed: 1, all: false },
  ]) {
    it(`is lost honestly, with ${all ? "all" : "a majority"} of its members: seed ${seed}`, async function () {
      this.timeout(60_000);
      expect(drawPlan(seed).durability).to.equal("memory");
      const { violations, figures, setting } = await runSeed(seed, { loss: { atMs: 33_000, all } });
      expect(violations).to.deep.equal([]);
      expect(setting).to.include(all ? "loses all" : "loses a majority");
      expect(figures.acknowledged).to.be.greaterThan(100);
    });
  }

  it("happens in a few seeds by itself, late enough that there is something to lose", () => {
    const losses = Array.from({ length: 300 }, (_, index) => drawPlan(index + 1).loss).filter(
      (loss) => loss !== null,
    );
    expect(losses.length).to.be.within(3, 30);
    expect(Math.min(...losses.map(({ atMs }) => atMs))).to.be.at.least(28_000);
  });
});
