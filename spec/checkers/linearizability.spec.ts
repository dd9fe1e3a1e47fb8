import { expect } from "chai";
import fc from "fast-check";
import { type Random, seededRandom } from "../../lib/base/random.ts";
import { isLinearizableByForce } from "./brute-force.ts";
import { ANY, HistoryError, type Operation } from "./history.ts";
import { type CheckOptions, checkLinearizability, explain, ILLEGAL, type Model } from "./linearizability.ts";
import {
  counterModel,
  keyValueModel,
  listModel,
  queueModel,
  type RegisterInput,
  registerModel,
  type Scalar,
  type SequentialModel,
  stackModel,
} from "./models.ts";
import {
  type Chance,
  drawCounterInput,
  drawKeyValueInput,
  drawQueueInput,
  drawRegisterInput,
  drawStackInput,
  type HistoryShape,
  legalHistory,
  mutate,
  uniqueListInputs,
} from "./random-histories.ts";

const NEVER = Number.POSITIVE_INFINITY;

type Row = [clientId: number, call: number, returned: number, input: RegisterInput, output?: Scalar | null];

function history(...rows: Row[]): Operation<RegisterInput, Scalar | null>[] {
  return rows.map(([clientId, call, returned, input, output]) => {
    const answer = output === undefined ? ANY : output;
    return { clientId, input, call, output: answer, return: returned };
  });
}

const read: RegisterInput = { op: "read" };
const write = (value: Scalar): RegisterInput => ({ op: "write", value });

function verdictOf(...rows: Row[]): string {
  return checkLinearizability(registerModel(), history(...rows)).verdict;
}

describe("checkLinearizability", () => {
  it("accepts the empty history", () => {
    expect(verdictOf()).to.equal("linearizable");
  });

  it("lets overlapping operations take effect in either order", () => {
    const overlap: Row[] = [
      [1, 0, 9, write(1), true],
      [2, 1, 8, write(2), true],
    ];
    expect(verdictOf(...overlap, [3, 10, 11, read, 1])).to.equal("linearizable");
    expect(verdictOf(...overlap, [3, 10, 11, read, 2])).to.equal("linearizable");
  });

  it("refuses a stale read", () => {
    const rows: Row[] = [
      [1, 0, 1, write(1), true],
      [1, 2, 3, write(2), true],
      [2, 4, 5, read, 1],
    ];
    expect(verdictOf(...rows)).to.equal("not linearizable");
  });

  it("refuses reads that see a write and then no longer see it", () => {
    const rows: Row[] = [
      [1, 0, 9, write(1), true],
      [2, 1, 2, read, 1],
      [3, 3, 4, read, null],
    ];
    expect(verdictOf(...rows)).to.equal("not linearizable");
  });

  it("takes operations that meet at one instant as overlapping, and a later call as after", () => {
    expect(verdictOf([1, 0, 5, write(1), true], [2, 5, 6, read, null])).to.equal("linearizable");
    expect(verdictOf([1, 0, 5, write(1), true], [2, 6, 7, read, null])).to.equal("not linearizable");
  });

  it("lets a write of unknown outcome happen late, or never, or once", () => {
    const unknown: Row = [1, 0, NEVER, write(1)];
    expect(verdictOf(unknown, [2, 5, 6, read, null], [2, 7, 8, read, 1])).to.equal("linearizable");
    expect(verdictOf(unknown, [2, 5, 6, read, null])).to.equal("linearizable");
    const twice: Row[] = [
      [2, 5, 6, read, 1],
      [2, 7, 8, write(2), true],
      [2, 9, 10, read, 1],
    ];
    expect(verdictOf(unknown, ...twice)).to.equal("not linearizable");
    expect(verdictOf(unknown, [3, 1, NEVER, write(1)], ...twice)).to.equal("linearizable");
  });

  it("does not let a write of unknown outcome happen before its call", () => {
    expect(verdictOf([2, 0, 1, read, 1], [1, 2, NEVER, write(1)])).to.equal("not linearizable");
  });

  it("drops reads that nobody saw the answer of", () => {
    const result = checkLinearizability(registerModel(), history([1, 0, NEVER, read]));
    expect(result).to.include({ verdict: "linearizable", partitions: 0, steps: 0 });
  });

  it("does not compare an answer that was not looked at", () => {
    const cas: RegisterInput = { op: "cas", from: 7, to: 8 };
    expect(verdictOf([1, 0, 1, cas], [1, 2, 3, read, null])).to.equal("linearizable");
    expect(verdictOf([1, 0, 1, cas], [1, 2, 3, read, 8])).to.equal("not linearizable");
  });

  it("checks each key by itself and names the one that is wrong", () => {
    const model = keyValueModel();
    const result = checkLinearizability(model, [
      { clientId: 1, input: { key: "good", op: "put", value: 1 }, call: 0, output: true, return: 1 },
      { clientId: 1, input: { key: "bad", op: "put", value: 1 }, call: 2, output: true, return: 3 },
      { clientId: 1, input: { key: "bad", op: "get" }, call: 4, output: null, return: 5 },
      { clientId: 1, input: { key: "good", op: "get" }, call: 6, output: 1, return: 7 },
    ]);
    expect(result.verdict).to.equal("not linearizable");
    expect(explain(result)).to.equal(
      [
        'not linearizable (4 steps, 2 partitions), partition "bad"',
        "longest legal order: 1 operations, the last 1 of them:",
        '  client 1 [2, 3]: {key: "bad", op: "put", value: 1} -> true',
        "state then: 1",
        "next by time, none of which leads on:",
        '  client 1 [4, 5]: {key: "bad", op: "get"} -> null',
      ].join("\n"),
    );
  });

  it("refuses malformed times and says which", () => {
    const check = (call: number, returned: number) => () => verdictOf([1, call, returned, read, null]);
    expect(check(Number.NaN, 1)).to.throw(HistoryError, "operation 0: call must be a finite number");
    expect(check(0, Number.NaN)).to.throw(HistoryError, "operation 0: return (NaN)");
    expect(check(2, 1)).to.throw(HistoryError, "return (1) must not be less than call (2)");
  });
});

/** `count` clients write different values all at once, and one reads a value that nobody wrote. */
function hard(count: number): Operation<RegisterInput, Scalar | null>[] {
  const writes = Array.from({ length: count }, (_, index): Row => [index, 0, 10, write(index), true]);
  return history(...writes, [count, 0, 10, read, "never written"]);
}

describe("the bounds of checkLinearizability", () => {
  const check = (options: CheckOptions) => checkLinearizability(registerModel(), hard(16), options);

  it("answers unknown, and how far it got, at the bound of steps", () => {
    const result = check({ stepsMax: 10_000 });
    expect(result).to.include({ verdict: "unknown", bound: "steps", steps: 10_001 });
    expect(explain(result)).to.match(/^unknown: bound of steps reached/);
    expect(result.verdict === "unknown" && result.progress.linearized.length).to.equal(16);
  });

  it("answers unknown at the bound of memory", () => {
    expect(check({ cacheBytesMax: 100_000 })).to.include({ verdict: "unknown", bound: "memory" });
  });

  it("answers unknown at the bound of time, of a clock that it is given", () => {
    let now = 0;
    const result = check({
      timeLimit: {
        now: () => {
          now += 1;
          return now;
        },
        limitMs: 3,
      },
    });
    expect(result).to.include({ verdict: "unknown", bound: "time" });
  });

  it("answers a violation in one partition even when another is undecided", () => {
    const model = { ...registerModel(), partitionOf: (input: RegisterInput) => String("value" in input) };
    const both = [...hard(1), ...history([9, 20, 21, read, null])];
    const everyWriteTakesAStep = checkLinearizability(model, both, { stepsMax: 1 });
    expect(everyWriteTakesAStep.verdict).to.equal("not linearizable");
  });

  it("decides the same history without a bound in the way", () => {
    expect(checkLinearizability(registerModel(), hard(12)).verdict).to.equal("not linearizable");
  });
});

/** A kind of random history: what is drawn, and how its verdicts are found. */
interface Kind {
  readonly name: string;
  /** On one history: the verdict of the checker, that of brute force, and whether it has unknown outcomes. */
  compare(random: Random): { fast: string; forced: boolean; unknowns: boolean };
}

function kind<State, Input, Output>(
  makeModel: () => SequentialModel<State, Input, Output>,
  makeDraw: () => (chance: Chance) => Input,
): Kind {
  return {
    name: makeModel().name,
    compare(random) {
      const operations = drawSmall(makeModel(), makeDraw(), random);
      const model = makeModel();
      const result = checkLinearizability(model, operations);
      if (result.verdict === "not linearizable") {
        expectLegal(model, result.progress.linearized);
      }
      return {
        fast: result.verdict,
        forced: isLinearizableByForce(model, operations),
        unknowns: operations.some((operation) => operation.return === NEVER),
      };
    },
  };
}

function drawSmall<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  draw: (chance: Chance) => Input,
  random: Random,
): Operation<Input, Output>[] {
  const shape: HistoryShape = {
    clients: 2 + random.below(4),
    operations: 3 + random.below(6),
    gapMax: 1 + random.below(8),
    unknownShare: [0, 0.15, 0.4][random.below(3)] ?? 0,
  };
  let operations = legalHistory(model, draw, shape, random);
  for (let mutations = random.below(4); mutations > 0; mutations--) {
    operations = mutate(operations, random);
  }
  return operations;
}

function expectLegal<State, Input, Output>(
  model: Model<State, Input, Output>,
  order: readonly Operation<Input, Output>[],
): void {
  let state = model.initial();
  let latestCall = Number.NEGATIVE_INFINITY;
  for (const { input, output, call, return: returned } of order) {
    const after = model.step(state, input, output);
    latestCall = Math.max(latestCall, call);
    if (after === ILLEGAL || returned < latestCall) {
      throw new Error("the reported order is not legal");
    }
    state = after;
  }
}

const KINDS: readonly Kind[] = [
  kind(registerModel, () => drawRegisterInput),
  kind(keyValueModel, () => drawKeyValueInput),
  kind(counterModel, () => drawCounterInput),
  kind(queueModel, () => drawQueueInput),
  kind(stackModel, () => drawStackInput),
];
const HISTORIES_PER_KIND = 2_000;
const LEAST_SHARE = 0.2;

describe("checkLinearizability and brute force agree", () => {
  for (const { name, compare } of KINDS) {
    it(`on ${HISTORIES_PER_KIND} small histories of a ${name}`, function () {
      this.timeout(30_000);
      let linearizable = 0;
      let withUnknowns = 0;
      for (let seed = 0; seed < HISTORIES_PER_KIND; seed++) {
        const { fast, forced, unknowns } = compare(seededRandom(`${name} ${seed}`));
        expect(fast, `${name}, seed ${seed}`).to.equal(forced ? "linearizable" : "not linearizable");
        linearizable += forced ? 1 : 0;
        withUnknowns += unknowns ? 1 : 0;
      }
      expect(linearizable / HISTORIES_PER_KIND).to.be.within(LEAST_SHARE, 1 - LEAST_SHARE);
      expect(withUnknowns / HISTORIES_PER_KIND).to.be.at.least(LEAST_SHARE);
    });
  }
});

const anySeed = fc.integer();
const BIG: HistoryShape = { clients: 8, operations: 300, gapMax: 12, unknownShare: 0.02 };
/** Lists and queues keep every order of overlapping operations apart, so their search grows faster. */
const FEW_CLIENTS: HistoryShape = { ...BIG, clients: 4 };

describe("checkLinearizability on larger histories", () => {
  it("accepts every history that a model produced", () => {
    fc.assert(
      fc.property(anySeed, (seed) => {
        const random = seededRandom(seed);
        const verdicts = [
          checkLinearizability(
            keyValueModel(),
            legalHistory(keyValueModel(), drawKeyValueInput, BIG, random),
          ),
          checkLinearizability(counterModel(), legalHistory(counterModel(), drawCounterInput, BIG, random)),
          checkLinearizability(
            listModel(),
            legalHistory(listModel(), uniqueListInputs(), FEW_CLIENTS, random),
          ),
        ].map(({ verdict }) => verdict);
        expect(verdicts).to.deep.equal(["linearizable", "linearizable", "linearizable"]);
      }),
      { numRuns: 20 },
    );
  });

  it("refuses each of them once a read has a value that nobody wrote", () => {
    fc.assert(
      fc.property(anySeed, fc.nat(), (seed, choice) => {
        const legal = legalHistory(keyValueModel(), drawKeyValueInput, BIG, seededRandom(seed));
        const reads = legal.filter(({ input, output }) => input.op === "get" && output !== ANY);
        const victim = reads[choice % reads.length];
        const broken = legal.map((operation) =>
          operation === victim ? { ...operation, output: "never written" } : operation,
        );
        expect(checkLinearizability(keyValueModel(), broken).verdict).to.equal("not linearizable");
      }),
      { numRuns: 20 },
    );
  });

  it("takes the same steps for the same history", () => {
    const operations = legalHistory(
      queueModel(),
      drawQueueInput,
      { ...BIG, operations: 60 },
      seededRandom(7),
    );
    const first = checkLinearizability(queueModel(), operations);
    const second = checkLinearizability(queueModel(), operations);
    expect(first.steps).to.be.greaterThan(60);
    expect(second).to.deep.equal(first);
  });

  it("decides 10,000 operations of 20 clients on 100 keys in well under a second's worth of steps", () => {
    const shape: HistoryShape = { clients: 20, operations: 10_000, gapMax: 40, unknownShare: 0.005 };
    const draw = (chance: Chance) => ({ ...drawKeyValueInput(chance), key: `k${chance.below(100)}` });
    const operations = legalHistory(keyValueModel(), draw, shape, seededRandom(1));
    const result = checkLinearizability(keyValueModel(), operations, { stepsMax: 1_000_000 });
    expect(result).to.include({ verdict: "linearizable", partitions: 100 });
    expect(result.steps).to.be.lessThan(500_000);
  });

  it("stands a dozen writes of unknown outcome to one key", () => {
    const lost = Array.from({ length: 12 }, (_, index): Row => [index, index, NEVER, write(index)]);
    const reads = Array.from(
      { length: 12 },
      (_, index): Row => [20, 100 + 2 * index, 101 + 2 * index, read, 11 - index],
    );
    expect(verdictOf(...lost, ...reads)).to.equal("linearizable");
    expect(verdictOf(...lost, ...reads, [20, 200, 201, read, 5])).to.equal("not linearizable");
  });
});
