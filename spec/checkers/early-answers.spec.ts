import { expect } from "chai";
import { checkEarlyAnswers, type EarlyAnswer, type EarlyOutcome } from "./early-answers.ts";
import { kindsOf } from "./findings.ts";

function answer(id: string, epoch: string, position: number, call: number, returned = call + 1): EarlyAnswer {
  return { id, epoch, position, call, return: returned };
}

/** a and b of epoch 1 stand; c of epoch 1 at 3 is lost, epoch 2 has x there. */
const OUTCOME: EarlyOutcome = {
  answers: [answer("a", "1", 1, 0), answer("b", "1", 2, 2), answer("c", "1", 3, 4), answer("x", "2", 3, 6)],
  log: [
    { position: 1, epoch: "1", ids: ["a"] },
    { position: 2, epoch: "1", ids: ["b"] },
    { position: 3, epoch: "2", ids: ["x"] },
  ],
  reports: [{ epoch: "1", position: 3, answered: 1 }],
  silent: new Set(),
};

function kinds(changed: Partial<EarlyOutcome>): string[] {
  return kindsOf(checkEarlyAnswers({ ...OUTCOME, ...changed }).findings);
}

describe("checkEarlyAnswers", () => {
  it("accepts a lost end of an epoch that was reported, and tells who survived", () => {
    const { findings, fates } = checkEarlyAnswers(OUTCOME);
    expect(findings.violations).to.deep.equal([]);
    expect([...fates]).to.deep.equal([
      ["a", "survived"],
      ["b", "survived"],
      ["c", "lost"],
      ["x", "survived"],
    ]);
  });

  it("finds a loss that nobody reported, or that was reported too small", () => {
    expect(kinds({ reports: [] })).to.deep.equal(["unreported"]);
    const twice = [...OUTCOME.answers, answer("d", "1", 3, 4)];
    expect(kinds({ answers: twice })).to.deep.equal(["unreported"]);
    expect(kinds({ reports: [{ epoch: "1", position: 4, answered: 9 }] })).to.deep.equal(["unreported"]);
  });

  it("excuses a writer that died before it could report", () => {
    expect(kinds({ reports: [], silent: new Set(["1"]) })).to.deep.equal([]);
    expect(kinds({ reports: [], silent: new Set(["2"]) })).to.deep.equal(["unreported"]);
  });

  it("finds what was reported lost and is there", () => {
    const reports = [...OUTCOME.reports, { epoch: "1", position: 2, answered: 0 }];
    expect(kinds({ reports })).to.deep.equal(["denied"]);
  });

  it("finds a loss in the middle of an epoch", () => {
    const answers = OUTCOME.answers.map((each) => (each.id === "a" ? { ...each, id: "missing" } : each));
    expect(kinds({ answers, silent: new Set(["1"]) })).to.deep.equal(["hole"]);
  });

  it("finds answers of one epoch out of their order in time, and lets those that overlap stand in any", () => {
    expect(kinds({ answers: [answer("a", "1", 1, 5), answer("b", "1", 2, 0)] })).to.deep.equal(["reordered"]);
    expect(kinds({ answers: [answer("a", "1", 1, 5), answer("b", "1", 2, 0, 5)] })).to.deep.equal([]);
  });

  it("finds a request that stands twice, and tells of one whose late copy took effect", () => {
    const log = [...OUTCOME.log, { position: 4, epoch: "2", ids: ["a"] }];
    expect(kinds({ log })).to.deep.equal(["repeated"]);
    const late = [...OUTCOME.log, { position: 4, epoch: "2", ids: ["c"] }];
    expect(checkEarlyAnswers({ ...OUTCOME, log: late }).fates.get("c")).to.equal("again");
  });
});
