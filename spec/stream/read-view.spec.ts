/** What a definition sees of a state: committed records, and above them what is in flight. */
import { expect } from "chai";
import fc from "fast-check";
import type { Change, ReadView, StreamDefinition } from "../../lib/stream/definition.ts";
import { ReplicatedState } from "../../lib/stream/replicated-state.ts";
import { EntryLog } from "./state-support.ts";

interface Seen {
  readonly count: number;
  readonly records: readonly (readonly [key: string, value: unknown])[];
}

function look(view: ReadView, after: string | null): Seen {
  const records = Array.from(view.keys(after), (key) => [key, view.get(key)] as const);
  return { count: view.count(), records };
}

function isChange(value: unknown): value is Change {
  return typeof value === "object" && value !== null && "key" in value;
}

/** An operation is its changes; a query is where to begin. */
const plain: StreamDefinition<unknown, unknown> = {
  resolve: (view, operation) => {
    const changes = Array.isArray(operation) ? operation.filter(isChange) : [];
    return { answer: view.count(), changes };
  },
  query: (view, after) => look(view, typeof after === "string" ? after : null),
};

function changed(before: ReadonlyMap<string, unknown>, changes: readonly Change[]): Map<string, unknown> {
  const after = new Map(before);
  for (const change of changes) {
    if ("deleted" in change) {
      after.delete(change.key);
    } else {
      after.set(change.key, change.value);
    }
  }
  return after;
}

function expected(model: ReadonlyMap<string, unknown>, after: string | null): Seen {
  const keys = [...model.keys()].filter((key) => after === null || key > after).sort();
  return { count: model.size, records: keys.map((key) => [key, model.get(key)] as const) };
}

const keys = fc.constantFrom("", "a", "aa", "b", "c", "d", "\u{1f600}", "\uffee");
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ key: keys, value: fc.nat(9) }),
  fc.record({ key: keys, deleted: fc.constant(true as const) }),
);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant("write" as const), changes: fc.array(change) }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant("commit" as const), count: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("lose" as const) }) },
);

describe("the view of a state", () => {
  it("counts and walks the committed records, and with what is in flight, from any key on", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.option(keys), (steps, after) => {
        const state = new ReplicatedState(plain);
        const log = new EntryLog();
        let committed: ReadonlyMap<string, unknown> = new Map();
        let pending: (readonly Change[])[] = [];
        let requestSeq = 0;
        for (const one of steps) {
          if (one.type === "write") {
            requestSeq += 1;
            const asked = { clientId: "x", requestSeq, doneBelow: requestSeq, operation: one.changes };
            const { payload } = state.resolve(log.last.seq + 1, [asked]);
            log.batch(payload ?? new Uint8Array());
            pending.push(one.changes);
          } else if (one.type === "commit") {
            for (const entry of log.entries.slice(state.appliedSeq, state.appliedSeq + one.count)) {
              state.apply(entry);
              committed = changed(committed, pending.shift() ?? []);
            }
          } else {
            state.dropOverlay();
            log.entries.length = state.appliedSeq;
            pending = [];
          }
          const all = pending.reduce((model, changes) => changed(model, changes), committed);
          for (const from of [null, after]) {
            expect(state.query(from, false)).to.deep.equal(expected(committed, from));
            expect(state.query(from, true)).to.deep.equal(expected(all, from));
          }
        }
      }),
      { numRuns: 300 },
    );
  }).timeout(60_000);
});
