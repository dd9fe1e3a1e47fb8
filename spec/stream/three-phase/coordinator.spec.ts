import { expect } from "chai";
import { ERROR_CODES, isErrorCode, SupercastError } from "../../../lib/base/errors.ts";
import {
  askedIn,
  eventOfAnswer,
  eventOfError,
  isPhase,
  PHASE_TIMEOUTS_MS,
  stateIn,
  TRANSACTION_DEADLINE_MS,
} from "../../../lib/stream/three-phase/coordinator.ts";
import { COORDINATOR_STATES, coordinatorAfter } from "../../../lib/stream/three-phase/coordinator-chart.ts";
import { transactionStateSchema } from "../../../lib/stream/three-phase/transaction.ts";

const PHASES = COORDINATOR_STATES.filter(isPhase);
const STATES = [null, ...transactionStateSchema.options];
const CODES = Object.keys(ERROR_CODES).filter(isErrorCode);

describe("a coordinator", () => {
  it("is led out of each phase by any answer and any error", () => {
    for (const phase of PHASES) {
      for (const state of STATES) {
        expect(coordinatorAfter(phase, eventOfAnswer(phase, state)), `${phase} ${state}`).to.not.equal(phase);
      }
      for (const code of CODES) {
        const event = eventOfError(phase, new SupercastError(code, "x"));
        expect(coordinatorAfter(phase, event), `${phase} ${code}`).to.not.equal(phase);
      }
    }
  });

  it("says committed and aborted only on the log's word for it", () => {
    for (const phase of PHASES) {
      for (const state of STATES) {
        const next = coordinatorAfter(phase, eventOfAnswer(phase, state));
        if (next === "committed" || next === "aborted") {
          expect(state, phase).to.equal(next);
        }
      }
      for (const code of CODES) {
        const next = coordinatorAfter(phase, eventOfError(phase, new SupercastError(code, "x")));
        const refused = phase === "preparing" && code !== "unknown_outcome";
        expect(next === "aborted", `${phase} ${code}`).to.equal(refused);
        expect(next).to.not.equal("committed");
      }
    }
  });

  it("asks every member for each phase, and a majority for an abort", () => {
    expect(PHASES.map((phase) => askedIn(phase, "t", "op"))).to.deep.equal([
      { operation: { transaction: "prepare", txnId: "t", operation: "op" }, mode: "all", timeoutMs: 3_000 },
      { operation: { transaction: "preCommit", txnId: "t" }, mode: "all", timeoutMs: 2_000 },
      {
        operation: { transaction: "decide", txnId: "t", outcome: "commit" },
        mode: "all",
        timeoutMs: 3_000,
      },
      {
        operation: { transaction: "decide", txnId: "t", outcome: "abort" },
        mode: "strong",
        timeoutMs: 3_000,
      },
    ]);
  });

  it("is through, whatever happens, before others may decide in its place", () => {
    const longest = Object.values(PHASE_TIMEOUTS_MS).reduce((sum, each) => sum + each, 0);
    expect(TRANSACTION_DEADLINE_MS).to.be.above(longest);
  });

  it("takes nothing but a known state for an answer", () => {
    expect(stateIn({ state: "prepared", value: 1 })).to.equal("prepared");
    for (const other of [null, "prepared", {}, { state: "unknown" }, { state: "done" }]) {
      expect(stateIn(other), JSON.stringify(other)).to.equal(null);
    }
  });
});
