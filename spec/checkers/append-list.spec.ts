import { expect } from "chai";
import fc from "fast-check";
import { seededRandom } from "../../lib/base/random.ts";
import { checkAppendLists, type ListOperation } from "./append-list.ts";
import { kindsOf, VIOLATIONS_KEPT_MAX } from "./findings.ts";
import { ANY, HistoryError } from "./history.ts";
import { checkLinearizability } from "./linearizability.ts";
import { type ListInput, listModel, type Scalar } from "./models.ts";
import { type HistoryShape, legalHistory, mutate, uniqueListInputs } from "./random-histories.ts";

const NEVER = Number.POSITIVE_INFINITY;

function append(value: Scalar, call: number, returned: number, output = true): ListOperation {
  return { clientId: 1, input: { key: "x", op: "append", value }, call, output, return: returned };
}

function read(list: readonly Scalar[], call: number, stale = false): ListOperation {
  return { clientId: 2, input: { key: "x", op: "read" }, call, output: list, return: call + 1, stale };
}

function kinds(...history: ListOperation[]): string[] {
  return kindsOf(checkAppendLists(history));
}

describe("checkAppendLists", () => {
  it("accepts reads that each continue the one before", () => {
    expect(kinds(append(1, 0, 1), read([1], 2), append(2, 4, 5), read([1, 2], 6))).to.deep.equal([]);
  });

  it("finds an acknowledged append that a later read lacks", () => {
    expect(kinds(append(1, 0, 1), read([], 2))).to.deep.equal(["lost"]);
  });

  it("finds an acknowledged append that is overtaken though nobody reads afterwards", () => {
    expect(kinds(append(1, 0, 1), append(2, 2, 20), read([2], 3))).to.include("lost");
    const noReadAfter = [append(1, 4, 5), append(2, 6, 20), { ...read([2], 3), return: 30 }];
    expect(kinds(...noReadAfter)).to.deep.equal(["lost"]);
  });

  it("finds values in another order than real time", () => {
    expect(kinds(append(1, 0, 1), append(2, 2, 3), read([2, 1], 4))).to.deep.equal(["reordered"]);
  });

  it("finds reads that disagree about the order", () => {
    const overlapping = [append(1, 0, 9), append(2, 0, 9)];
    expect(kinds(...overlapping, read([1, 2], 10))).to.deep.equal([]);
    expect(kinds(...overlapping, read([1], 3), read([2, 1], 10))).to.deep.equal(["incompatible"]);
  });

  it("finds an append that took effect twice", () => {
    expect(kinds(append(1, 0, 1), read([1, 1], 2))).to.include("repeated");
  });

  it("finds values from nowhere, from refused appends and from the future", () => {
    expect(kinds(read([1], 2))).to.deep.equal(["phantom"]);
    expect(kinds(append(1, 0, 1, false), read([1], 2))).to.deep.equal(["phantom"]);
    expect(kinds(read([1], 2), append(1, 4, 5))).to.deep.equal(["phantom"]);
  });

  it("finds a read that is behind an earlier one", () => {
    expect(kinds(append(1, 0, 9), read([1], 2), read([], 4))).to.deep.equal(["went back"]);
  });

  it("lets appends of unknown outcome be there or not", () => {
    const unknown: ListOperation = { ...append(1, 0, NEVER), output: ANY };
    expect(kinds(unknown, read([], 2), read([1], 4))).to.deep.equal([]);
    expect(kinds(unknown, read([], 2))).to.deep.equal([]);
  });

  it("lets stale reads lag, but not invent", () => {
    expect(kinds(append(1, 0, 1), read([1], 2), read([], 4, true))).to.deep.equal([]);
    expect(kinds(append(1, 0, 1), read([1], 2), read([7], 4, true))).to.include("phantom");
  });

  it("names key, read and value", () => {
    const [violation] = checkAppendLists([append("a", 0, 1), read([], 2)]).violations;
    expect(violation?.message).to.equal('key "x", read at [2, 3]: lacks "a", acknowledged at 1');
  });

  it("counts all violations and keeps the first", () => {
    const reads = Array.from({ length: 80 }, (_, index) => read([], 2 + index));
    const findings = checkAppendLists([append(1, 0, 1), ...reads]);
    expect(findings.total).to.equal(80);
    expect(findings.violations).to.have.length(VIOLATIONS_KEPT_MAX);
  });

  it("refuses histories that it cannot judge", () => {
    expect(() => kinds(append(1, 0, 1), append(1, 2, 3))).to.throw(HistoryError, "1 is appended twice");
    expect(() => kinds({ ...read([], 2), output: true })).to.throw(HistoryError, "answered true, not a list");
  });

  it("passes over 100,000 operations at once", () => {
    const values = Array.from({ length: 50_000 }, (_, index) => index);
    const appends = values.map((value) => append(value, 2 * value, 2 * value + 1));
    const reads = values.slice(0, 100).map((value) => read(values.slice(0, value + 1), 2 * value + 0.5));
    const sound = reads.map((operation) => ({ ...operation, return: operation.call + 0.25 }));
    expect(checkAppendLists([...appends, ...sound]).total).to.equal(0);
  });
});

const SHAPE: HistoryShape = { clients: 4, operations: 14, gapMax: 6, unknownShare: 0.1 };

/** Reads take the answers of reads: a list stays a list. */
function bothRead(from: ListInput, to: ListInput): boolean {
  return from.op === "read" && to.op === "read";
}

describe("checkAppendLists and checkLinearizability agree", () => {
  it("on random histories of lists, right and wrong", () => {
    const verdicts = { right: 0, wrong: 0 };
    for (let seed = 0; seed < 3_000; seed++) {
      const random = seededRandom(seed);
      let history = legalHistory(listModel(), uniqueListInputs(), SHAPE, random);
      for (let mutations = random.below(6); mutations > 0; mutations--) {
        history = mutate(history, random, bothRead);
      }
      const right = checkLinearizability(listModel(), history).verdict === "linearizable";
      verdicts[right ? "right" : "wrong"] += 1;
      expect(kindsOf(checkAppendLists(history)).length === 0, `seed ${seed}`).to.equal(right);
    }
    expect(verdicts.right).to.be.greaterThan(600);
    expect(verdicts.wrong).to.be.greaterThan(600);
  });

  it("on long histories, of which one acknowledged append is taken out of every read", () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(), (seed, choice) => {
        const shape = { ...SHAPE, operations: 200, clients: 8 };
        const history = legalHistory(listModel(), uniqueListInputs(), shape, seededRandom(seed));
        expect(checkAppendLists(history).total).to.equal(0);
        const lastRead = Math.max(...history.map(({ input, call }) => (input.op === "read" ? call : -1)));
        const sure = history.filter(({ input, return: at }) => input.op === "append" && at < lastRead);
        const victim = sure[choice % sure.length]?.input;
        const witness = history.some(({ input, output, call }) => {
          return input.key === victim?.key && output !== ANY && input.op === "read" && call === lastRead;
        });
        fc.pre(victim?.op === "append" && witness);
        const broken = history.map((operation) =>
          typeof operation.output === "object"
            ? { ...operation, output: operation.output.filter((value) => value !== victim.value) }
            : operation,
        );
        expect(kindsOf(checkAppendLists(broken))).to.include("lost");
      }),
      { numRuns: 50 },
    );
  });
});
