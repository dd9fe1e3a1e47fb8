import { expect } from "chai";
import { type Random, seededRandom } from "../../lib/base/random.ts";
import { kindsOf } from "./findings.ts";
import { ANY, HistoryError, type Operation } from "./history.ts";
import { checkLinearizability } from "./linearizability.ts";
import { type QueueInput, queueModel, type Scalar } from "./models.ts";
import { checkQueues, type QueueOperation, type QueueOptions } from "./queue.ts";
import { type Chance, type HistoryShape, legalHistory, mutate } from "./random-histories.ts";

const NEVER = Number.POSITIVE_INFINITY;

function add(value: Scalar, call: number, returned = call + 1, clientId = 1): QueueOperation {
  return { queue: "q", clientId, op: "add", value, call, return: returned };
}

function out(value: Scalar | null, call: number, returned = call + 1): QueueOperation {
  return { queue: "q", clientId: 9, op: "out", value, call, return: returned };
}

function kinds(history: readonly QueueOperation[], options: QueueOptions = {}): string[] {
  return kindsOf(checkQueues(history, options));
}

function left(...values: Scalar[]): QueueOptions {
  return { remaining: new Map([["q", values]]) };
}

describe("checkQueues", () => {
  it("accepts what leaves in order, the rest being there", () => {
    const history = [add("a", 0), add("b", 2), add("c", 4), out("a", 6), out("b", 8)];
    expect(kinds(history, left("c"))).to.deep.equal([]);
    expect(kinds([...history, out("c", 10), out(null, 12)], left())).to.deep.equal([]);
  });

  it("finds an acknowledged value that is neither delivered nor left", () => {
    const history = [add("a", 0), add("b", 2), out("b", 4)];
    expect(kinds(history, left())).to.deep.equal(["lost"]);
    expect(kinds(history, { remaining: new Map() })).to.deep.equal(["lost"]);
  });

  it("lets a delivery of unknown outcome take one value with it, and not two", () => {
    const lost = { ...out(null, 4), return: NEVER };
    expect(kinds([add("a", 0), lost], left())).to.deep.equal([]);
    expect(kinds([add("a", 0), add("b", 2), lost], left())).to.deep.equal(["lost"]);
  });

  it("lets an addition of unknown outcome be there or not", () => {
    const history = [add("a", 0, NEVER), add("b", 2)];
    expect(kinds(history, left("b"))).to.deep.equal([]);
    expect(kinds(history, left("b", "a"))).to.deep.equal([]);
  });

  it("finds a value that is delivered twice, or delivered and left", () => {
    expect(kinds([add("a", 0), out("a", 2), out("a", 4)])).to.deep.equal(["duplicate"]);
    expect(kinds([add("a", 0), out("a", 2)], left("a"))).to.deep.equal(["duplicate"]);
  });

  it("finds values that nobody added, or only later", () => {
    expect(kinds([out("a", 2)])).to.deep.equal(["phantom"]);
    expect(kinds([out("a", 2), add("a", 4)])).to.deep.equal(["phantom"]);
    expect(kinds([], left("a"))).to.deep.equal(["phantom"]);
  });

  it("finds a producer's values out of order", () => {
    expect(kinds([add("a", 0), add("b", 2), out("b", 4), out("a", 6)])).to.deep.equal(["out of order"]);
    expect(kinds([add("a", 0), add("b", 2), out("b", 4)], left("a"))).to.deep.equal(["out of order"]);
    expect(kinds([add("a", 0), add("b", 2)], left("b", "a"))).to.deep.equal(["out of order"]);
  });

  it("does not compare additions or deliveries that overlap", () => {
    expect(kinds([add("a", 0, 5), add("b", 2), out("b", 6), out("a", 8)])).to.deep.equal([]);
    expect(kinds([add("a", 0), add("b", 2), out("b", 4, 9), out("a", 6, 7)])).to.deep.equal([]);
  });

  it("compares different producers only when the whole queue is to be in order", () => {
    const history = [add("a", 0, 1, 1), add("b", 2, 3, 2), out("b", 4), out("a", 6)];
    expect(kinds(history)).to.deep.equal([]);
    expect(kinds(history, { fifo: "queue" })).to.deep.equal(["out of order"]);
  });

  it("finds an empty answer while a value is there", () => {
    expect(kinds([add("a", 0), out(null, 2), out("a", 4)])).to.deep.equal(["falsely empty"]);
    expect(kinds([add("a", 0), out(null, 2)], left("a"))).to.deep.equal(["falsely empty"]);
    expect(kinds([add("a", 0), out(null, 2, 5), out("a", 4)])).to.deep.equal([]);
  });

  it("keeps queues apart", () => {
    const other = { ...out("a", 4), queue: "other" };
    expect(kinds([add("a", 0), other])).to.deep.equal(["phantom"]);
  });

  it("refuses values that are not unique", () => {
    expect(() => kinds([add("a", 0), add("a", 2)])).to.throw(HistoryError, '"a" is added twice');
  });
});

const SHAPE: HistoryShape = { clients: 3, operations: 10, gapMax: 5, unknownShare: 0.1 };

function uniqueInputs(): (chance: Chance) => QueueInput {
  let value = 0;
  return (chance) => {
    value += 1;
    return chance.next() < 0.5 ? { op: "add", value } : { op: "out" };
  };
}

function bothOut(from: QueueInput, to: QueueInput): boolean {
  return from.op === "out" && to.op === "out";
}

type ModelOperation = Operation<QueueInput, Scalar | null | readonly Scalar[]>;

function asQueueOperations(history: readonly ModelOperation[]): QueueOperation[] {
  return history.map(({ clientId, input, call, output, return: returned }) => {
    const common = { queue: "q", clientId, call, return: returned };
    return input.op === "add"
      ? { ...common, op: "add", value: input.value }
      : { ...common, op: "out", value: output === ANY || typeof output === "object" ? null : output };
  });
}

function draw(random: Random, mutations: number): ModelOperation[] {
  let history = legalHistory(queueModel(), uniqueInputs(), SHAPE, random);
  for (let left = mutations; left > 0; left--) {
    history = mutate(history, random, bothOut);
  }
  return history;
}

describe("checkQueues on random histories", function () {
  this.timeout(30_000);

  it("finds nothing wrong with what a queue did", () => {
    for (let seed = 0; seed < 2_000; seed++) {
      const history = asQueueOperations(draw(seededRandom(seed), 0));
      expect(kinds(history, { fifo: "queue" }), `seed ${seed}`).to.deep.equal([]);
    }
  });

  it("finds nothing in a linearizable history, and most of those that are not", () => {
    let wrong = 0;
    let found = 0;
    for (let seed = 0; seed < 2_000; seed++) {
      const history = draw(seededRandom(seed), 3);
      const linearizable = checkLinearizability(queueModel(), history).verdict === "linearizable";
      const complaints = kinds(asQueueOperations(history), { fifo: "queue" });
      if (linearizable) {
        expect(complaints, `seed ${seed}`).to.deep.equal([]);
      } else {
        wrong += 1;
        found += complaints.length > 0 ? 1 : 0;
      }
    }
    expect(wrong).to.be.greaterThan(400);
    expect(found / wrong).to.be.greaterThan(0.7);
  });
});
