import { expect } from "chai";
import fc from "fast-check";
import { seededRandom } from "../../lib/base/random.ts";
import { systemRandom } from "../../lib/base/system-random.ts";

const draw = (seed: number | string, count = 20): number[] => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random.next());
};

describe("random sources", () => {
  it("repeat themselves for the same seed and differ for another", () => {
    expect(draw(1)).to.deep.equal(draw(1));
    expect(draw(1)).to.not.deep.equal(draw(2));
    expect(draw("1")).to.deep.equal(draw(1));
  });

  it("fork into sources that do not shift each other", () => {
    const one = seededRandom(3);
    const other = seededRandom(3);
    other.fork("x").next();
    expect(one.next()).to.equal(other.next());
    expect(one.fork("x").next()).to.equal(other.fork("x").next());
    expect(one.fork("x").next()).to.not.equal(one.fork("y").next());
  });

  it("stay within their bounds and reach all of them", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 1_000 }), (seed, bound) => {
        const random = seededRandom(seed);
        for (let n = 0; n < 50; n++) {
          const value = random.below(bound);
          expect(Number.isInteger(value) && value >= 0 && value < bound).to.equal(true);
        }
      }),
    );
    const random = seededRandom(9);
    const counts = new Array<number>(10).fill(0);
    for (let n = 0; n < 10_000; n++) {
      const value = random.below(10);
      counts[value] = (counts[value] ?? 0) + 1;
    }
    expect(Math.min(...counts)).to.be.greaterThan(850);
    expect(Math.max(...counts)).to.be.lessThan(1_150);
  });

  it("make tokens of lower-case letters and digits, the system's never twice", () => {
    expect(seededRandom(1).token(12)).to.match(/^[0-9a-z]{12}$/);
    const tokens = new Set(Array.from({ length: 1_000 }, () => systemRandom.token(12)));
    expect(tokens.size).to.equal(1_000);
  });
});
