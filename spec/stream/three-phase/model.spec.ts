import { expect } from "chai";
import fc from "fast-check";
import type { Change, ReadView } from "../../../lib/stream/definition.ts";
import { ReplicatedState } from "../../../lib/stream/replicated-state.ts";
import { definition, KEYS, type Operation, operation } from "../state-support.ts";
import { IDS, KEPT, TransactionLog, wrapped } from "./support.ts";

interface ModelTransaction {
  state: "prepared" | "preCommitted" | "committed" | "aborted";
  readonly changes: readonly Change[];
  readonly keys: ReadonlySet<string>;
}

class Model {
  readonly values = new Map<string, unknown>();
  readonly transactions = new Map<string, ModelTransaction>();
  /** In order of their beginning; only the last ones are remembered. */
  readonly begun: string[] = [];

  /** "locked", "invalid_message", "overload", or the answer. */
  do(asked: Readonly<Record<string, unknown>>, inner: Operation | null): unknown {
    const txnId = String(asked["txnId"]);
    const known = this.transactions.get(txnId);
    switch (asked["transaction"]) {
      case undefined:
        return this.#ordinary(inner);
      case "prepare":
        return known === undefined ? this.#prepare(txnId, inner) : known.state;
      case "preCommit":
        if (known === undefined) {
          return "invalid_message";
        }
        known.state = known.state === "prepared" ? "preCommitted" : known.state;
        return known.state;
      default:
        return this.#decide(txnId, known, asked["outcome"]);
    }
  }

  #decide(txnId: string, known: ModelTransaction | undefined, outcome: unknown): unknown {
    if (known === undefined) {
      return outcome === "abort" ? this.#begin(txnId, "aborted", [], new Set()) : "invalid_message";
    }
    if (known.state === "prepared" && outcome === "commit") {
      return "invalid_message";
    }
    if (known.state === "prepared") {
      known.state = "aborted";
    } else if (known.state === "preCommitted" && outcome !== "abort") {
      known.state = "committed";
      this.#apply(known.changes);
    }
    return known.state;
  }

  #begin(
    txnId: string,
    state: ModelTransaction["state"],
    changes: readonly Change[],
    keys: ReadonlySet<string>,
  ): unknown {
    const oldest = this.begun.at(-KEPT);
    const held = oldest === undefined ? undefined : this.transactions.get(oldest);
    if (held?.state === "prepared" || held?.state === "preCommitted") {
      return "overload";
    }
    if (oldest !== undefined) {
      this.transactions.delete(oldest);
    }
    this.begun.push(txnId);
    this.transactions.set(txnId, { state, changes, keys });
    return state;
  }

  #prepare(txnId: string, inner: Operation | null): unknown {
    const resolved = this.#resolve(inner);
    if (resolved === null) {
      return "invalid_message";
    }
    return this.#isHeld(resolved.keys)
      ? "locked"
      : this.#begin(txnId, "prepared", resolved.changes, resolved.keys);
  }

  #ordinary(inner: Operation | null): unknown {
    const resolved = this.#resolve(inner);
    if (resolved === null) {
      return "invalid_message";
    }
    if (resolved.changes.length > 0 && this.#isHeld(resolved.keys)) {
      return "locked";
    }
    this.#apply(resolved.changes);
    return resolved.answer;
  }

  #resolve(
    inner: Operation | null,
  ): { answer: unknown; changes: readonly Change[]; keys: ReadonlySet<string> } | null {
    const keys = new Set<string>();
    const view: ReadView = {
      get: (key) => {
        keys.add(key);
        return this.values.get(key);
      },
      count: () => this.values.size,
      keys: () => this.values.keys(),
    };
    try {
      const { answer, changes } = definition.resolve(view, inner);
      for (const { key } of changes) {
        keys.add(key);
      }
      return { answer, changes, keys };
    } catch {
      return null; // refused by the stream's own definition
    }
  }

  #isHeld(keys: ReadonlySet<string>): boolean {
    return [...this.transactions.values()].some(
      (each) =>
        (each.state === "prepared" || each.state === "preCommitted") &&
        [...keys].some((key) => each.keys.has(key)),
    );
  }

  #apply(changes: readonly Change[]): void {
    for (const change of changes) {
      if ("deleted" in change) {
        this.values.delete(change.key);
      } else {
        this.values.set(change.key, change.value);
      }
    }
  }
}

const id = fc.constantFrom(...IDS);
/** Fresh ones too, so that old decisions are forgotten. */
const anyId = fc.oneof(id, fc.integer({ min: 10, max: 60 }).map(String));
const step = fc.oneof(
  { weight: 4, arbitrary: operation.map((inner) => ({ asked: { ...inner }, inner })) },
  {
    weight: 4,
    arbitrary: fc.tuple(anyId, operation).map(([txnId, inner]) => ({
      asked: { transaction: "prepare", txnId, operation: inner },
      inner,
    })),
  },
  { weight: 4, arbitrary: id.map((txnId) => ({ asked: { transaction: "preCommit", txnId }, inner: null })) },
  {
    weight: 4,
    arbitrary: fc.tuple(anyId, fc.constantFrom("commit", "abort")).map(([txnId, outcome]) => ({
      asked: { transaction: "decide", txnId, outcome },
      inner: null,
    })),
  },
  { weight: 2, arbitrary: anyId.map((txnId) => ({ asked: { transaction: "recover", txnId }, inner: null })) },
);

function shown(answer: unknown): unknown {
  return typeof answer === "object" && answer !== null && "state" in answer ? answer.state : answer;
}

describe("a stream with transactions, against a naive model", () => {
  it("answers and holds the same, whatever is in flight, and so does who only applies", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.nat(3)), { maxLength: 60 }), (steps) => {
        const log = new TransactionLog();
        const model = new Model();
        for (const [{ asked, inner }, commits] of steps) {
          const expected = model.do(asked, inner);
          expect(shown(log.answer(asked)), JSON.stringify(asked)).to.deep.equal(expected ?? null);
          log.commit(commits);
        }
        log.commit();
        for (const key of KEYS) {
          expect(log.get(key), key).to.deep.equal(model.values.get(key));
        }
        const open = [...model.transactions].filter(
          ([, { state }]) => state === "prepared" || state === "preCommitted",
        );
        expect(log.undecided()).to.deep.equal(
          open.map(([txnId, { state, keys }]) => {
            const seen = log.state.query({ transaction: "get", txnId }, false);
            expect(seen).to.deep.include({ txnId, state, keys: [...keys] });
            return seen;
          }),
        );
        const copy = new ReplicatedState(wrapped);
        for (const entry of log.log.entries) {
          copy.apply(entry);
        }
        expect(copy.stateHash()).to.equal(log.state.stateHash());
      }),
      { numRuns: 400 },
    );
  });
});
