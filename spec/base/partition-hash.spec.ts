import { expect } from "chai";
import { hashText, partitionOf } from "../../lib/base/partition-hash.ts";

/** How many of `terms` each of `partitions` gets. */
function spread(terms: readonly unknown[], partitions: number): number[] {
  const counts = Array.from({ length: partitions }, () => 0);
  for (const term of terms) {
    const partition = partitionOf(term, partitions);
    counts[partition] = (counts[partition] ?? 0) + 1;
  }
  return counts;
}

describe("the partition hash", () => {
  it("is MurmurHash3 of the UTF-8 bytes", () => {
    const known = {
      "": 0,
      test: 0xba6bd213,
      "Hello, world!": 0xc0363e43,
      "The quick brown fox jumps over the lazy dog": 0x2e4ff723,
      abc: 0xb3dd93fa,
      ππππππππ: 0xec72b6e8,
    };
    for (const [text, hash] of Object.entries(known)) {
      expect(hashText(text), text).to.equal(hash);
    }
  });

  it("does not change from version to version", () => {
    const terms: readonly unknown[] = [
      "alice",
      "Zoë",
      "",
      0,
      1,
      -1,
      1.5,
      2n ** 63n,
      Number.NaN,
      null,
      true,
      ["user", 1],
      { b: 1, a: "x" },
      new Date(0),
      new Uint8Array([0, 255]),
    ];
    expect(terms.map((term) => partitionOf(term, 1_000_000))).to.deep.equal([
      425034, 243424, 91697, 522071, 128261, 190577, 726669, 45090, 226660, 777329, 314515, 711957, 333166,
      558685, 999751,
    ]);
  });

  it("sends what is the same term to the same partition", () => {
    expect(partitionOf(1n, 997)).to.equal(partitionOf(1, 997));
    expect(partitionOf(-0, 997)).to.equal(partitionOf(0, 997));
    expect(partitionOf({ a: 1, b: 2 }, 997)).to.equal(partitionOf({ b: 2, a: 1 }, 997));
  });

  it("spreads counters, names, composite keys and times evenly", () => {
    const numbers = Array.from({ length: 40_000 }, (_, index) => index);
    const kinds: Readonly<Record<string, readonly unknown[]>> = {
      counters: numbers,
      names: numbers.map((index) => `user-${index}`),
      padded: numbers.map((index) => String(index).padStart(12, "0")),
      composite: numbers.map((index) => ["order", index % 100, Math.floor(index / 100)]),
      times: numbers.map((index) => new Date(1_700_000_000_000 + index * 60_000)),
      evens: numbers.map((index) => index * 8),
    };
    for (const [kind, terms] of Object.entries(kinds)) {
      for (const partitions of [2, 8, 13, 64]) {
        const expected = terms.length / partitions;
        // Chi-squared over its mean, in standard deviations.
        const chi = spread(terms, partitions).reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
        const deviation = (chi - (partitions - 1)) / Math.sqrt(2 * (partitions - 1));
        expect(deviation, `${kind} on ${partitions}`).to.be.below(5);
      }
    }
  });
});
