/** A stream with transactions, without a network: a state at the writer and its log. */
import type { RequestOutcome } from "../../../lib/stream/definition.ts";
import { ReplicatedState } from "../../../lib/stream/replicated-state.ts";
import { withTransactions } from "../../../lib/stream/three-phase/definition.ts";
import { definition, EntryLog } from "../state-support.ts";

export const KEPT = 6;
export const IDS = ["t1", "t2", "t3", "t4"];
export const wrapped = withTransactions(definition, { kept: KEPT, locks: 4 });

/** A writer whose requests are each an entry of their own. */
export class TransactionLog {
  readonly log = new EntryLog();
  readonly state = new ReplicatedState(wrapped);
  #asked = 0;

  do(operation: unknown): RequestOutcome {
    this.#asked += 1;
    const request = { clientId: "c", requestSeq: this.#asked, doneBelow: this.#asked, operation };
    const { payload, outcomes } = this.state.resolve(this.log.last.seq + 1, [request]);
    if (payload !== null) {
      this.log.batch(payload);
    }
    const [outcome] = outcomes;
    if (outcome === undefined) {
      throw new Error("a request has an outcome");
    }
    return outcome;
  }

  /** The answer, or the code with which it was refused. */
  answer(operation: unknown): unknown {
    const outcome = this.do(operation);
    if (outcome.kind === "refused") {
      return outcome.error.code;
    }
    return outcome.kind === "new" ? outcome.answer : outcome.kind;
  }

  commit(count = Number.POSITIVE_INFINITY): void {
    const from = this.state.appliedSeq;
    for (const entry of this.log.entries.slice(from, from + count)) {
      this.state.apply(entry);
    }
  }

  get(key: string): unknown {
    return this.state.query(key, true);
  }

  undecided(): unknown {
    return this.state.query({ transaction: "undecided" }, true);
  }
}
