import { expect } from "chai";
import { seededRandom } from "../../lib/base/random.ts";
import { ConfigurationSet } from "./configurations.ts";

const PLENTY = 1 << 24;

describe("ConfigurationSet", () => {
  it("tells configurations apart by every bit and by the state, even when all hashes are equal", () => {
    const set = new ConfigurationSet(3, PLENTY);
    const seen = new Set<string>();
    const random = seededRandom(1);
    for (let count = 0; count < 3_000; count++) {
      const bits = Uint32Array.from({ length: 3 }, () => random.below(4) << (8 * random.below(4)));
      const state = random.below(5);
      const name = `${bits.join(" ")} ${state}`;
      const expected = seen.has(name) ? "seen" : "added";
      expect(set.add(bits, state, 0xffff_ffff)).to.equal(expected);
      seen.add(name);
    }
  });

  it("finds again what it had before it grew", () => {
    const set = new ConfigurationSet(1, PLENTY);
    const add = (number: number) => set.add(Uint32Array.of(number), number % 3, number * 8_191);
    for (let number = 0; number < 20_000; number++) {
      expect(add(number)).to.equal("added");
    }
    for (let number = 0; number < 20_000; number++) {
      expect(add(number)).to.equal("seen");
    }
    expect(set.size).to.equal(20_000);
  });

  it("is full at its limit of bytes, and still knows what it has", () => {
    const set = new ConfigurationSet(1, 100_000);
    let count = 0;
    while (set.add(Uint32Array.of(count), 0, count) === "added") {
      count += 1;
    }
    expect(count).to.be.within(1_000, 100_000 / 12);
    expect(set.add(Uint32Array.of(count), 0, count)).to.equal("full");
    expect(set.add(Uint32Array.of(0), 0, 0)).to.equal("seen");
  });
});
