import { expect } from "chai";
import { seededRandom } from "../../lib/base/random.ts";
import { checkFinalValues, checkLog, type KeyWrite, type LogOutcome } from "./durability.ts";
import { kindsOf } from "./findings.ts";
import { HistoryError, type Operation } from "./history.ts";
import { checkLinearizability } from "./linearizability.ts";
import { type RegisterInput, registerModel, type Scalar } from "./models.ts";

const NEVER = Number.POSITIVE_INFINITY;

function write(value: Scalar | null, call: number, returned = call + 1): KeyWrite {
  return { key: "x", value, call, return: returned };
}

function kinds(writes: readonly KeyWrite[], final: Scalar | null): string[] {
  return kindsOf(checkFinalValues(writes, new Map(final === null ? [] : [["x", final]])));
}

describe("checkFinalValues", () => {
  it("accepts the last write, or any of those that overlap at the end", () => {
    expect(kinds([write(1, 0), write(2, 2)], 2)).to.deep.equal([]);
    const overlapping = [write(1, 0, 9), write(2, 2)];
    expect(kinds(overlapping, 1)).to.deep.equal([]);
    expect(kinds(overlapping, 2)).to.deep.equal([]);
  });

  it("finds an acknowledged write that is gone", () => {
    expect(kinds([write(1, 0), write(2, 2)], 1)).to.deep.equal(["lost"]);
    expect(kinds([write(1, 0)], null)).to.deep.equal(["lost"]);
  });

  it("lets a write of unknown outcome win late or never", () => {
    const writes = [write(1, 0, NEVER), write(2, 2)];
    expect(kinds(writes, 1)).to.deep.equal([]);
    expect(kinds(writes, 2)).to.deep.equal([]);
    expect(kinds([write(1, 0), write(2, 2, NEVER)], 1)).to.deep.equal([]);
  });

  it("takes a deletion as a write of nothing", () => {
    expect(kinds([write(1, 0), write(null, 2)], null)).to.deep.equal([]);
    expect(kinds([write(1, 0), write(null, 2)], 1)).to.deep.equal(["lost"]);
    expect(kinds([write(null, 0), write(1, 2)], null)).to.deep.equal(["lost"]);
  });

  it("finds a value that nobody wrote, and a key that nobody wrote", () => {
    expect(kinds([write(1, 0)], 7)).to.deep.equal(["phantom"]);
    expect(kinds([], 7)).to.deep.equal(["phantom"]);
  });

  it("takes the same value written twice as either", () => {
    expect(kinds([write(1, 0), write(2, 2), write(1, 4)], 1)).to.deep.equal([]);
  });

  it("says what is gone", () => {
    const [violation] = checkFinalValues([write(1, 0), write(2, 2)], new Map([["x", 1]])).violations;
    expect(violation?.message).to.equal('key "x": ends with 1 of 1; 2, written at [2, 3], is gone');
  });

  it("agrees with linearizability of the writes and one last read", () => {
    const verdicts = { right: 0, wrong: 0 };
    for (let seed = 0; seed < 3_000; seed++) {
      const random = seededRandom(seed);
      const writes = Array.from({ length: 5 }, (_, index) => {
        const call = random.below(12);
        return write(index, call, random.below(5) === 0 ? NEVER : call + random.below(5));
      });
      const final = random.below(5);
      const operations = writes.map((one): Operation<RegisterInput, Scalar | null> => {
        const input: RegisterInput = { op: "write", value: Number(one.value) };
        return { clientId: 1, input, call: one.call, output: true, return: one.return };
      });
      const last = { clientId: 2, input: { op: "read" }, call: 100, output: final, return: 101 } as const;
      const { verdict } = checkLinearizability(registerModel(), [...operations, last]);
      const right = verdict === "linearizable";
      verdicts[right ? "right" : "wrong"] += 1;
      expect(kinds(writes, final).length === 0, `seed ${seed}`).to.equal(right);
    }
    expect(verdicts.right).to.be.greaterThan(600);
    expect(verdicts.wrong).to.be.greaterThan(600);
  });
});

describe("checkLog", () => {
  const sound: LogOutcome = {
    acknowledged: [
      { id: "a", position: 10 },
      { id: "c", position: 12 },
    ],
    attempted: new Set(["a", "b", "c", "d"]),
    log: ["a", "b", "c"],
    firstPosition: 10,
  };
  const logKinds = (change: Partial<LogOutcome>): string[] => kindsOf(checkLog({ ...sound, ...change }));

  it("accepts acknowledged entries in their places, and others that were tried", () => {
    expect(logKinds({})).to.deep.equal([]);
  });

  it("finds an acknowledged entry that is gone", () => {
    expect(logKinds({ log: ["a", "b"] })).to.deep.equal(["lost"]);
    expect(logKinds({ log: ["a", "b", "d"] })).to.deep.equal(["lost"]);
  });

  it("finds an acknowledged entry at another position", () => {
    expect(logKinds({ log: ["a", "c"] })).to.deep.equal(["moved"]);
  });

  it("finds an entry that stands there twice", () => {
    expect(logKinds({ log: ["a", "b", "c", "b"] })).to.deep.equal(["repeated"]);
  });

  it("finds an entry that nobody tried to append", () => {
    expect(logKinds({ log: ["a", "b", "c", "z"] })).to.deep.equal(["phantom"]);
  });

  it("excuses what was reported lost, and finds it when it is there after all", () => {
    expect(logKinds({ log: ["a", "b"], reportedLost: new Set(["c"]) })).to.deep.equal([]);
    expect(logKinds({ reportedLost: new Set(["c"]) })).to.deep.equal(["resurrected"]);
  });

  it("does not judge what was trimmed", () => {
    expect(logKinds({ log: ["c"], firstPosition: 12 })).to.deep.equal([]);
  });

  it("refuses positions that are none", () => {
    const acknowledged = [{ id: "a", position: 0.5 }];
    expect(() => logKinds({ acknowledged })).to.throw(HistoryError, "position must be an integer, not 0.5");
  });
});
