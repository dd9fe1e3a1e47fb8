import { expect } from "chai";
import { partitionDefinition } from "../../../lib/store/partition-definition.ts";
import { ReplicatedState } from "../../../lib/stream/replicated-state.ts";
import { withTransactions } from "../../../lib/stream/three-phase/definition.ts";
import { EntryLog } from "../state-support.ts";

describe("a partition of the store with transactions", () => {
  class Partition {
    readonly log = new EntryLog();
    readonly state = new ReplicatedState(withTransactions(partitionDefinition()));
    #asked = 0;

    do(operation: unknown): unknown {
      this.#asked += 1;
      const request = { clientId: "c", requestSeq: this.#asked, doneBelow: this.#asked, operation };
      const { payload, outcomes } = this.state.resolve(this.log.last.seq + 1, [request]);
      if (payload !== null) {
        this.state.apply(this.log.batch(payload));
      }
      const [outcome] = outcomes;
      return outcome?.kind === "refused" ? outcome.error.code : outcome?.kind;
    }

    put(key: unknown, value: unknown): unknown {
      return this.do({ ops: [{ op: "put", record: [key, value] }] });
    }

    prepare(txnId: string, ...ops: unknown[]): unknown {
      return this.do({ transaction: "prepare", txnId, operation: { ops } });
    }

    get count(): unknown {
      return this.state.query({ type: "count" }, true);
    }

    get(key: unknown): unknown {
      return this.state.query({ type: "get", key }, true);
    }
  }

  it("counts, finds and deletes records only, whatever transactions stand beside them", () => {
    const partition = new Partition();
    for (const key of ["a", "b", "\u0000txn/", "", 1]) {
      expect(partition.put(key, 0), JSON.stringify(key)).to.equal("new");
    }
    expect(partition.prepare("t", { op: "put", record: ["b", 1] }, { op: "delete", key: "a" })).to.equal(
      "new",
    );
    expect(partition.count).to.equal(5);
    expect(partition.get("b")).to.deep.equal(["b", 0]);
    expect(partition.put("c", 1)).to.equal("new");
    expect(partition.count).to.equal(6);
    expect(partition.do({ ops: [{ op: "deleteAll" }] }), "two of them are held").to.equal("locked");
    partition.do({ transaction: "preCommit", txnId: "t" });
    partition.do({ transaction: "decide", txnId: "t", outcome: "commit" });
    expect(partition.get("b")).to.deep.equal(["b", 1]);
    expect(partition.get("a")).to.equal(null);
    expect(partition.count).to.equal(5);
    expect(partition.do({ ops: [{ op: "deleteAll" }] })).to.equal("new");
    expect(partition.count).to.equal(0);
    const again = { transaction: "get", txnId: "t" };
    expect(partition.state.query(again, false), "the decision is remembered").to.include({
      state: "committed",
    });
  });

  it("holds every record that a transaction's pattern has looked at, up to the bound", () => {
    const partition = new Partition();
    for (let key = 0; key < 10; key++) {
      partition.put(key, key % 2);
    }
    expect(partition.prepare("t", { op: "deleteMatch", pattern: [{ $any: true }, 1] })).to.equal("new");
    expect(partition.put(1, 5)).to.equal("locked");
    expect(partition.count).to.equal(10);
    partition.do({ transaction: "recover", txnId: "t" });
    expect(partition.put(1, 5)).to.equal("new");
    for (let key = 10; key < 1_200; key++) {
      partition.put(key, 0);
    }
    expect(partition.prepare("wide", { op: "deleteAll" })).to.equal("payload_too_large");
  });
});
