import { expect } from "chai";
import { SupercastError } from "../../../lib/base/errors.ts";
import { ReplicatedState } from "../../../lib/stream/replicated-state.ts";
import { Table } from "../../../lib/stream/table.ts";
import { withTransactions } from "../../../lib/stream/three-phase/definition.ts";
import { InnerView } from "../../../lib/stream/three-phase/inner-view.ts";
import { RESERVED, readHead } from "../../../lib/stream/three-phase/ledger.ts";
import { definition, EntryLog, type Operation } from "../state-support.ts";
import { IDS, TransactionLog } from "./support.ts";

const put = (key: string, value: unknown): Operation => ({ do: "put", key, value });
const prepare = (txnId: string, of: Operation): object => ({ transaction: "prepare", txnId, operation: of });
const preCommit = (txnId: string): object => ({ transaction: "preCommit", txnId });
const decide = (txnId: string, outcome: "commit" | "abort"): object => ({
  transaction: "decide",
  txnId,
  outcome,
});
const recover = (txnId: string): object => ({ transaction: "recover", txnId });

describe("a stream with transactions", () => {
  it("shows nothing of a transaction before its commit, and all of it after", () => {
    const log = new TransactionLog();
    log.do(put("a", 1));
    expect(log.answer(prepare("t1", { do: "move", key: "a", to: "b" }))).to.deep.equal({
      state: "prepared",
      value: null,
    });
    expect([log.get("a"), log.get("b")]).to.deep.equal([1, undefined]);
    expect(log.undecided()).to.deep.equal([{ txnId: "t1", state: "prepared", seq: 2, keys: ["a", "b"] }]);
    expect(log.answer(preCommit("t1"))).to.deep.equal({ state: "preCommitted" });
    expect([log.get("a"), log.get("b")]).to.deep.equal([1, undefined]);
    expect(log.answer(decide("t1", "commit"))).to.deep.equal({ state: "committed" });
    expect([log.get("a"), log.get("b")]).to.deep.equal([undefined, 1]);
    expect(log.undecided()).to.deep.equal([]);
  });

  it("locks what a prepared operation reads or changes, for whoever would change something by it", () => {
    const log = new TransactionLog();
    log.do(put("a", 1));
    log.do(prepare("t1", { do: "increment", key: "a" }));
    for (const waits of [put("a", 2), { do: "move", key: "a", to: "c" }, prepare("t2", put("a", 3))]) {
      expect(log.answer(waits), JSON.stringify(waits)).to.equal("locked");
    }
    expect(log.state.isLocked("a")).to.equal(true);
    expect(log.answer({ do: "insertNew", key: "a", value: 9 }), "changes nothing").to.equal(false);
    expect(log.answer(put("b", 2)), "another key").to.equal(null);
    log.do(decide("t1", "abort"));
    expect(log.state.isLocked("a")).to.equal(false);
    expect(log.answer({ do: "increment", key: "a" })).to.equal(2);
  });

  it("takes the first decision; what comes later is told it and changes nothing", () => {
    const log = new TransactionLog();
    log.do(prepare("t1", put("a", 1)));
    expect(log.answer(decide("t1", "abort"))).to.deep.equal({ state: "aborted" });
    for (const late of [preCommit("t1"), decide("t1", "commit"), recover("t1"), prepare("t1", put("a", 1))]) {
      expect(log.answer(late), JSON.stringify(late)).to.deep.equal({ state: "aborted" });
    }
    expect(log.get("a")).to.equal(undefined);
    expect(log.state.isLocked("a")).to.equal(false);
    log.do(prepare("t2", put("a", 2)));
    log.do(preCommit("t2"));
    expect(log.answer(decide("t2", "abort")), "past the point").to.include({ state: "preCommitted" });
    expect(log.answer(recover("t2"))).to.deep.equal({ state: "committed" });
    log.do(put("a", 3));
    for (const late of [decide("t2", "commit"), decide("t2", "abort"), preCommit("t2"), recover("t2")]) {
      expect(log.answer(late), JSON.stringify(late)).to.deep.equal({ state: "committed" });
    }
    expect(log.get("a"), "applied once").to.equal(3);
  });

  it("P8: refuses what comes for a transaction that it does not know, and a commit without a pre-commit", () => {
    const log = new TransactionLog();
    for (const lost of [preCommit("t1"), decide("t1", "commit"), recover("t1")]) {
      expect(log.answer(lost), JSON.stringify(lost)).to.equal("invalid_message");
    }
    log.do(prepare("t1", put("a", 1)));
    expect(log.answer(decide("t1", "commit"))).to.equal("invalid_message");
    expect(log.get("a")).to.equal(undefined);
    expect(log.undecided()).to.have.length(1);
  });

  it("P8: remembers the abort of a transaction that was never prepared: a late prepare locks nothing", () => {
    const log = new TransactionLog();
    expect(log.answer(decide("t1", "abort"))).to.deep.equal({ state: "aborted" });
    expect(log.answer(prepare("t1", put("a", 1)))).to.deep.equal({ state: "aborted" });
    expect(log.answer(put("a", 2))).to.equal(null);
  });

  it("refuses malformed messages about transactions, and keys that look like its own", () => {
    const log = new TransactionLog();
    const refusal = (operation: unknown): string => {
      const outcome = log.do(operation);
      return outcome.kind === "refused" ? outcome.error.message : outcome.kind;
    };
    expect(refusal({ transaction: "prepare", txnId: "" })).to.include("operation.txnId");
    expect(refusal({ transaction: "vote", txnId: "t" })).to.include("operation.transaction");
    expect(refusal(decide("t", "abort"))).to.equal("new");
    expect(refusal({ transaction: "decide", txnId: "t", outcome: "maybe" })).to.include("operation.outcome");
    expect(refusal({ transaction: "preCommit", txnId: "x".repeat(129) })).to.include("operation.txnId");
    const nested = { transaction: "prepare", txnId: "u", operation: preCommit("t") };
    expect(refusal(nested)).to.include("operation: a transaction");
    expect(refusal(put(`${RESERVED}head`, 1))).to.include("key");
    expect(refusal(prepare("u", put(`${RESERVED}l/a`, 1)))).to.include("key");
    expect(() => log.state.query({ transaction: "all" }, false)).to.throw(
      SupercastError,
      "query.transaction",
    );
  });

  it("bounds the keys of a transaction and the transactions after an undecided one", () => {
    const small = withTransactions(definition, { kept: 4, locks: 1 });
    const state = new ReplicatedState(small);
    const log = new EntryLog();
    const codes: unknown[] = [];
    const ask = (requestSeq: number, asked: unknown): void => {
      const request = { clientId: "c", requestSeq, doneBelow: 0, operation: asked };
      const { payload, outcomes } = state.resolve(log.last.seq + 1, [request]);
      if (payload !== null) {
        state.apply(log.batch(payload));
      }
      const [outcome] = outcomes;
      codes.push(outcome?.kind === "refused" ? outcome.error.code : outcome?.kind);
    };
    ask(1, put("a", 1));
    ask(2, prepare("wide", { do: "move", key: "a", to: "b" }));
    expect(codes).to.deep.equal(["new", "payload_too_large"]);
    ask(3, prepare("old", put("a", 2)));
    for (let n = 0; n < 3; n++) {
      ask(4 + n, decide(`t${n}`, "abort"));
    }
    ask(7, prepare("late", put("b", 1)));
    expect(codes.slice(2)).to.deep.equal(["new", "new", "new", "new", "overload"]);
    ask(8, recover("old"));
    ask(9, prepare("late", put("b", 1)));
    expect(codes.slice(7)).to.deep.equal(["new", "new"]);
  });

  it("hides its own records from operations that count or walk", () => {
    const table = new Table();
    const set = (key: string): void => table.apply({ key, value: 1 }, 1);
    const own = ["", "\u0000", "\u0000txn", "\u0000u", "a", "b"];
    const hidden = [`${RESERVED}head`, `${RESERVED}l/a`, `${RESERVED}n/0`];
    for (const key of [...own, ...hidden]) {
      set(key);
    }
    const view = new InnerView(table, hidden.length);
    expect(view.count()).to.equal(own.length);
    expect([...view.keys()]).to.deep.equal([...own].sort());
    for (const after of [...own, ...hidden, "zz"]) {
      const behind = [...own].sort().filter((key) => key > after);
      expect([...view.keys(after)], JSON.stringify(after)).to.deep.equal(behind);
    }
    expect(view.get(`${RESERVED}l/a`)).to.equal(undefined);
    expect([...view.touched]).to.deep.equal([]);
  });

  it("knows that nothing is undecided when all is decided", () => {
    const log = new TransactionLog();
    for (const id of IDS) {
      log.do(prepare(id, put(id, 1)));
      log.do(decide(id, "abort"));
    }
    const plain = new ReplicatedState({ ...definition, query: (view) => readHead(view) });
    for (const entry of log.log.entries) {
      plain.apply(entry);
    }
    expect(plain.query(null, false)).to.deep.include({ next: IDS.length, undecided: 0 });
  });

  it("has counted its records whatever has happened", () => {
    const counting = withTransactions({
      ...definition,
      query: (view) => [...view.keys()].length - view.count(),
    });
    const log = new TransactionLog();
    for (const id of IDS) {
      log.do(prepare(id, put(id, 1)));
      log.do(preCommit(id));
      log.do(recover(id));
    }
    log.commit();
    const copy = new ReplicatedState(counting);
    for (const entry of log.log.entries) {
      copy.apply(entry);
    }
    expect(copy.query("any", false)).to.equal(0);
  });
});
