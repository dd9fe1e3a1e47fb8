import { expect } from "chai";
import { Frontier } from "./frontier.ts";
import { HashTable } from "./table.ts";

describe("the hash table of an exploration", () => {
  it("takes each pair of words once, zeros and equal halves included", () => {
    const table = new HashTable(1_000);
    const pairs: [number, number][] = [[0, 0]];
    for (let word = 1; word < 300; word++) {
      // Many low words fall on one place of the table.
      pairs.push([word, 7], [word, 4_096 * word], [0xffffffff - word, 0xffffffff]);
    }
    expect(pairs.filter(([high, low]) => table.add(high, low))).to.have.length(pairs.length);
    expect(pairs.filter(([high, low]) => table.add(high, low))).to.have.length(0);
    expect(table.count).to.equal(pairs.length);
  });
});

describe("the frontier of an exploration", () => {
  it("gives worlds back in the order in which they came, across its blocks", () => {
    const frontier = new Frontier();
    const given: string[] = [];
    const wanted: string[] = [];
    const take = (): void => {
      const next = frontier.shift();
      given.push(next === null ? "none" : `${next.number}: ${next.words.join(" ")}`);
    };
    for (let number = 0; number < 60_000; number++) {
      const words = Int32Array.from({ length: 1 + (number % 23) }, (_, index) => number + index);
      frontier.push(number, words);
      wanted.push(`${number}: ${words.join(" ")}`);
      if (number % 3 === 0) {
        take();
      }
    }
    while (frontier.count > 0) {
      take();
    }
    expect(given).to.deep.equal(wanted);
    expect(frontier.shift()).to.equal(null);
  });
});
