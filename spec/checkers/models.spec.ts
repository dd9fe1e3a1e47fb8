import { expect } from "chai";
import fc from "fast-check";
import { seededRandom } from "../../lib/base/random.ts";
import { ANY } from "./history.ts";
import { type Scalar, Sequence } from "./interned-sequence.ts";
import { ILLEGAL } from "./linearizability.ts";
import {
  counterModel,
  type KeyValueInput,
  keyValueModel,
  listModel,
  queueModel,
  registerModel,
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
  uniqueListInputs,
} from "./random-histories.ts";

/** Runs the inputs one after the other. */
function run<State, Input, Output>(model: SequentialModel<State, Input, Output>, inputs: Input[]): Output[] {
  let state = model.initial();
  return inputs.map((input) => {
    const applied = model.apply(state, input);
    state = applied.state;
    return applied.output;
  });
}

describe("the models", () => {
  it("answer for a register as its words say", () => {
    const outputs = run(registerModel(), [
      { op: "read" },
      { op: "cas", from: 1, to: 2 },
      { op: "write", value: 1 },
      { op: "cas", from: 1, to: 2 },
      { op: "read" },
    ]);
    expect(outputs).to.deep.equal([null, false, true, true, 2]);
  });

  it("answer for a key as their words say", () => {
    const steps: [KeyValueInput, Scalar | null][] = [
      [{ key: "x", op: "get" }, null],
      [{ key: "x", op: "delete" }, false],
      [{ key: "x", op: "take" }, null],
      [{ key: "x", op: "append", value: "a" }, true],
      [{ key: "x", op: "append", value: "b" }, true],
      [{ key: "x", op: "increment", by: 1 }, null],
      [{ key: "x", op: "insertNew", value: 1 }, false],
      [{ key: "x", op: "take" }, "ab"],
      [{ key: "x", op: "insertNew", value: 1 }, true],
      [{ key: "x", op: "append", value: "a" }, false],
      [{ key: "x", op: "increment", by: 2 }, 3],
      [{ key: "x", op: "cas", from: 3, to: null }, true],
      [{ key: "x", op: "increment", by: 2 }, 2],
      [{ key: "x", op: "put", value: "v" }, true],
      [{ key: "x", op: "delete" }, true],
      [{ key: "x", op: "cas", from: "v", to: 1 }, false],
      [{ key: "x", op: "get" }, null],
    ];
    const outputs = run<Scalar | null, KeyValueInput, Scalar | null>(
      keyValueModel(),
      steps.map(([input]) => input),
    );
    expect(outputs).to.deep.equal(steps.map(([, output]) => output));
  });

  it("answer for queues and stacks in their orders", () => {
    const queue = run(queueModel(), [
      { op: "out" },
      { op: "add", value: 1 },
      { op: "add", value: 2 },
      { op: "peek" },
      { op: "getAll" },
      { op: "out" },
      { op: "count" },
      { op: "out" },
    ]);
    expect(queue).to.deep.equal([null, true, true, 1, [1, 2], 1, 1, 2]);
    const stack = run(stackModel(), [
      { op: "pop" },
      { op: "push", value: 1 },
      { op: "push", value: 2 },
      { op: "getAll" },
      { op: "pop" },
      { op: "count" },
      { op: "pop" },
    ]);
    expect(stack).to.deep.equal([null, true, true, [2, 1], 2, 1, 1]);
  });
});

/** What the checker relies on, on a run of random operations. */
function expectLaws<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  draw: (chance: Chance) => Input,
  seed: number,
): void {
  const random = seededRandom(seed);
  let state = model.initial();
  for (let count = 0; count < 30; count++) {
    const input = draw(random);
    const { state: after, output } = model.apply(state, input);
    expect(model.step(state, input, output), "its own output is legal").to.equal(after);
    expect(model.step(state, input, ANY), "any output is legal").to.equal(after);
    if (model.readsOnly(input, output)) {
      expect(after, "what only reads changes nothing").to.equal(state);
    }
    const other = model.apply(after, draw(random)).output;
    const legal = model.step(state, input, other);
    expect(legal === ILLEGAL || legal === after, "an output is right or wrong").to.equal(true);
    state = after;
  }
}

describe("every model", function () {
  this.timeout(30_000);

  it("keeps the laws that the search relies on", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        expectLaws(registerModel(), drawRegisterInput, seed);
        expectLaws(keyValueModel(), drawKeyValueInput, seed);
        expectLaws(counterModel(), drawCounterInput, seed);
        expectLaws(queueModel(), drawQueueInput, seed);
        expectLaws(stackModel(), drawStackInput, seed);
        expectLaws(listModel(), uniqueListInputs(), seed);
      }),
    );
  });
});

describe("Sequence", () => {
  type Change = { op: "push"; value: number } | { op: "pop" } | { op: "shift" };
  const changes = fc.array(
    fc.oneof<fc.Arbitrary<Change>[]>(
      fc.record({ op: fc.constant("push"), value: fc.nat(3) }),
      fc.constant<Change>({ op: "pop" }),
      fc.constant<Change>({ op: "shift" }),
    ),
  );

  function change(sequence: Sequence, step: Change): Sequence {
    return step.op === "push"
      ? sequence.push(step.value)
      : step.op === "pop"
        ? sequence.pop()
        : sequence.shift();
  }

  it("does what an array does, and is one object for one content", () => {
    fc.assert(
      fc.property(changes, (steps) => {
        const empty = Sequence.empty();
        const array: Scalar[] = [];
        let sequence = empty;
        for (const step of steps) {
          sequence = change(sequence, step);
          if (step.op === "push") {
            array.push(step.value);
          } else if (step.op === "pop") {
            array.pop();
          } else {
            array.shift();
          }
          expect(sequence.toArray()).to.deep.equal(array);
          expect(sequence).to.include({ length: array.length, first: array[0], last: array.at(-1) });
          const rebuilt = array.reduce<Sequence>((so, value) => so.push(value), empty);
          expect(sequence === rebuilt).to.equal(true);
        }
      }),
    );
  });

  it("shifts a long one without running out of stack", () => {
    let sequence = Sequence.empty();
    for (let value = 0; value < 100_000; value++) {
      sequence = sequence.push(value);
    }
    expect(sequence.shift().shift()).to.include({ length: 99_998, first: 2, last: 99_999 });
  });
});
