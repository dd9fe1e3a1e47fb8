/** Random operations against a list of records, also through the log, through snapshots and with entries in flight. */
import { expect } from "chai";
import fc from "fast-check";
import { gt, is, not } from "../../lib/base/guard.ts";
import { ANY, literal, variable, where } from "../../lib/base/pattern.ts";
import { compareTerms } from "../../lib/base/term-order.ts";
import type { ReplicatedState } from "../../lib/stream/replicated-state.ts";
import { disguised, isSame, terms } from "../base/terms.ts";
import { PartitionWriter } from "./partition-support.ts";

const KEY_POS = 1;
type Row = readonly unknown[];

/** A pattern, and what it means. */
interface Match {
  readonly pattern: unknown;
  readonly means: (record: Row) => boolean;
}

type Op =
  | { readonly op: "put"; readonly record: Row }
  | { readonly op: "delete"; readonly key: unknown }
  | { readonly op: "deleteMatch"; readonly match: Match; readonly limit: number }
  | { readonly op: "deleteAll" };

const keys = fc
  .oneof(
    fc.constantFrom<unknown>(0, 1, 1n, 2, "a", "b", null, true, [1, "a"], [1n, "a"], { a: 1, b: 2 }),
    fc.constantFrom<unknown>(new Date(0), new Uint8Array([1]), Number.NaN, 2 ** 53, 2n ** 53n),
    terms.filter((term) => term !== undefined),
  )
  .chain((key) => fc.constantFrom(key, disguised(key)));

const values = fc.oneof(fc.nat(2), terms);

function tripleWith(
  holds: (first: unknown, key: unknown, last: unknown) => boolean,
): (record: Row) => boolean {
  return (record) => record.length === 3 && holds(record[0], record[1], record[2]);
}

const X = variable("x");
const matches: fc.Arbitrary<Match> = fc.oneof(
  keys.map((key) => ({
    pattern: [ANY, literal(key), ANY],
    means: tripleWith((_first, present) => isSame(present, key)),
  })),
  fc.nat(2).map((value) => ({
    pattern: [value, ANY, ANY],
    means: tripleWith((first) => isSame(first, value)),
  })),
  fc.constant({ pattern: [X, ANY, X], means: tripleWith((first, _key, last) => isSame(first, last)) }),
  terms.map((bound) => ({
    pattern: where([ANY, X, ANY], gt(X, literal(bound))),
    means: tripleWith((_first, key) => compareTerms(key, bound) > 0),
  })),
  fc.constant({
    pattern: where([ANY, X, ANY], not(is(X, "number"))),
    means: tripleWith((_first, key) => typeof key !== "number" && typeof key !== "bigint"),
  }),
  fc.constant({ pattern: ANY, means: () => true }),
);

const ops: fc.Arbitrary<Op> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(values, keys, values).map((record) => ({ op: "put", record }) as const) },
  { weight: 1, arbitrary: fc.tuple(values, keys).map((record) => ({ op: "put", record }) as const) },
  { weight: 2, arbitrary: keys.map((key) => ({ op: "delete", key }) as const) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(matches, fc.integer({ min: 1, max: 4 }))
      .map(([match, limit]) => ({ op: "deleteMatch", match, limit }) as const),
  },
  { weight: 1, arbitrary: fc.constant({ op: "deleteAll" } as const) },
);

const batches = fc.array(
  fc.record({
    requests: fc.array(fc.array(ops, { maxLength: 5 }), { minLength: 1, maxLength: 3 }),
    commits: fc.nat(2),
  }),
  { maxLength: 8 },
);

/** A partition as a plain list, in the order of keys. */
class Model {
  rows: readonly Row[] = [];

  do(operations: readonly Op[]): { put: number; deleted: number } {
    let put = 0;
    let deleted = 0;
    for (const op of operations) {
      const before = this.rows;
      if (op.op === "put") {
        put += 1;
        const others = before.filter((row) => !isSame(row[KEY_POS], op.record[KEY_POS]));
        this.rows = [...others, op.record].sort((a, b) => compareTerms(a[KEY_POS], b[KEY_POS]));
        continue;
      }
      const doomed =
        op.op === "delete"
          ? before.filter((row) => isSame(row[KEY_POS], op.key))
          : op.op === "deleteAll"
            ? before
            : before.filter(op.match.means).slice(0, op.limit);
      deleted += doomed.length;
      this.rows = before.filter((row) => !doomed.includes(row));
    }
    return { put, deleted };
  }
}

function toStoreOp(op: Op): unknown {
  return op.op === "deleteMatch" ? { op: op.op, pattern: op.match.pattern, limit: op.limit } : op;
}

/** All that a query gives, piece by piece. */
function allOf(state: ReplicatedState, query: object, uncommitted: boolean): readonly unknown[] {
  const records: unknown[] = [];
  let after: unknown = null;
  do {
    const piece = state.query({ ...query, limit: 3, after }, uncommitted);
    if (typeof piece !== "object" || piece === null || !("records" in piece) || !("next" in piece)) {
      throw new Error("a query gives pieces");
    }
    records.push(...(Array.isArray(piece.records) ? piece.records : []));
    after = piece.next;
  } while (after !== null);
  return records;
}

function expectSame(found: unknown, wanted: unknown): void {
  if (!isSame(found, wanted)) {
    expect(found).to.deep.equal(wanted);
    throw new Error("not the same terms");
  }
}

function expectState(state: ReplicatedState, rows: readonly Row[], uncommitted: boolean, match: Match): void {
  expect(state.query({ type: "count" }, uncommitted)).to.equal(rows.length);
  expectSame(allOf(state, { type: "scan" }, uncommitted), rows);
  expectSame(allOf(state, { type: "match", pattern: match.pattern }, uncommitted), rows.filter(match.means));
  for (const row of rows) {
    expectSame(state.query({ type: "get", key: disguised(row[KEY_POS]) }, uncommitted), row);
  }
}

describe("a partition with values of all kinds", () => {
  it("does what a list of records does, in flight and committed, and every replica agrees", () => {
    fc.assert(
      fc.property(batches, matches, keys, (steps, match, absent) => {
        const writer = new PartitionWriter(KEY_POS);
        const model = new Model();
        const committed: (readonly Row[])[] = [[]];
        for (const { requests, commits } of steps) {
          const wanted = requests.map((request) => model.do(request));
          const outcomes = writer.ask(...requests.map((request) => ({ ops: request.map(toStoreOp) })));
          expect(outcomes).to.deep.equal(wanted.map((answer) => ({ kind: "new", answer })));
          committed.push(model.rows);
          writer.commit(commits);
          expectState(writer.state, model.rows, true, match);
          expectState(writer.state, committed[writer.state.appliedSeq] ?? [], false, match);
        }
        writer.commit();
        const known = model.rows.some((row) => isSame(row[KEY_POS], absent));
        expect(writer.state.query({ type: "get", key: absent }, false) === null).to.equal(!known);
        for (const replica of [writer.state, writer.follower(), writer.learner()]) {
          expectState(replica, model.rows, false, match);
          expect(replica.stateHash()).to.equal(writer.state.stateHash());
        }
      }),
      { numRuns: 150 },
    );
  }).timeout(60_000);
});
