import { expect } from "chai";
import { type Random, seededRandom } from "../../lib/base/random.ts";
import { type CounterOperation, checkCounters } from "./counter.ts";
import { kindsOf } from "./findings.ts";
import { ANY, HistoryError, type Operation } from "./history.ts";
import { checkLinearizability } from "./linearizability.ts";
import { type CounterInput, counterModel } from "./models.ts";
import { drawCounterInput, type HistoryShape, legalHistory, mutate } from "./random-histories.ts";

const NEVER = Number.POSITIVE_INFINITY;

function add(by: number, call: number, returned = call + 1): CounterOperation {
  return { counter: "c", op: "add", by, call, return: returned };
}

function read(value: number, call: number, returned = call + 1): CounterOperation {
  return { counter: "c", op: "read", value, call, return: returned };
}

function kinds(...history: CounterOperation[]): string[] {
  return kindsOf(checkCounters(history));
}

describe("checkCounters", () => {
  it("accepts exact sums, and what overlapping additions allow", () => {
    expect(kinds(add(2, 0), add(3, 2), read(5, 4))).to.deep.equal([]);
    for (const value of [2, 5]) {
      expect(kinds(add(2, 0), add(3, 2, 9), read(value, 4))).to.deep.equal([]);
    }
  });

  it("finds an acknowledged addition that is missing", () => {
    expect(kinds(add(2, 0), read(0, 2))).to.deep.equal(["too low"]);
  });

  it("finds an addition that counts twice", () => {
    expect(kinds(add(2, 0), read(4, 2))).to.deep.equal(["too high"]);
  });

  it("lets an addition of unknown outcome count once or not", () => {
    const unknown = add(2, 0, NEVER);
    expect(kinds(unknown, read(0, 2), read(2, 4))).to.deep.equal([]);
    expect(kinds(unknown, read(4, 2))).to.deep.equal(["too high"]);
  });

  it("takes amounts below zero the other way round", () => {
    expect(kinds(add(-2, 0, 9), read(-2, 2), read(0, 4))).to.deep.equal([]);
    expect(kinds(add(-2, 0), read(0, 2))).to.deep.equal(["too high"]);
    expect(kinds(add(-2, 0), read(-4, 2))).to.deep.equal(["too low"]);
  });

  it("judges the sums that additions answer", () => {
    const answering = (sum: number, call: number): CounterOperation => {
      return { counter: "c", op: "add", by: 1, sum, call, return: call + 1 };
    };
    expect(kinds(answering(1, 0), answering(2, 2))).to.deep.equal([]);
    expect(kinds(answering(1, 0), answering(1, 2))).to.deep.equal(["too low", "answered twice"]);
    const overlapping = [answering(1, 0), { ...answering(1, 0), return: 9 }];
    expect(kinds(...overlapping)).to.deep.equal(["answered twice"]);
  });

  it("starts from the value given, each counter by itself", () => {
    expect(checkCounters([add(1, 0), read(11, 2)], 10).total).to.equal(0);
    expect(kinds(add(1, 0), { ...read(1, 2), counter: "d" })).to.deep.equal(["too high"]);
  });

  it("refuses amounts that cannot be summed exactly", () => {
    expect(() => kinds(add(0.1, 0))).to.throw(HistoryError, "by must be an integer");
  });
});

const SHAPE: HistoryShape = { clients: 3, operations: 10, gapMax: 5, unknownShare: 0.1 };

function asCounterOperations(history: readonly Operation<CounterInput, number>[]): CounterOperation[] {
  return history.flatMap(({ input, call, output, return: returned }): CounterOperation[] => {
    if (input.op === "add") {
      const sum = output === ANY ? {} : { sum: output };
      return [{ counter: "c", op: "add", by: input.by, ...sum, call, return: returned }];
    }
    return output === ANY ? [] : [{ counter: "c", op: "read", value: output, call, return: returned }];
  });
}

function draw(random: Random, mutations: number): Operation<CounterInput, number>[] {
  let history = legalHistory(counterModel(), drawCounterInput, SHAPE, random);
  for (let left = mutations; left > 0; left--) {
    history = mutate(history, random);
  }
  return history;
}

describe("checkCounters on random histories", function () {
  this.timeout(30_000);

  it("finds nothing in a linearizable history, and much of those that are not", () => {
    const counts = { right: 0, wrong: 0, found: 0 };
    for (let seed = 0; seed < 3_000; seed++) {
      const history = draw(seededRandom(seed), seed % 3);
      const complaints = kinds(...asCounterOperations(history));
      if (checkLinearizability(counterModel(), history).verdict === "linearizable") {
        counts.right += 1;
        expect(complaints, `seed ${seed}`).to.deep.equal([]);
      } else {
        counts.wrong += 1;
        counts.found += complaints.length > 0 ? 1 : 0;
      }
    }
    expect(counts.right).to.be.greaterThan(1_000);
    expect(counts.wrong).to.be.greaterThan(500);
    expect(counts.found / counts.wrong).to.be.greaterThan(0.4);
  });
});
