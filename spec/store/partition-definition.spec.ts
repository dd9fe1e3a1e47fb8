import { expect } from "chai";
import { gt } from "../../lib/base/guard.ts";
import { ANY, literal, variable, where } from "../../lib/base/pattern.ts";
import { termKey } from "../../lib/base/term-key.ts";
import type { StorePiece } from "../../lib/store/operations.ts";
import { partitionDefinition } from "../../lib/store/partition-definition.ts";
import { PartitionWriter, PlainView } from "./partition-support.ts";

function isPiece(value: unknown): value is StorePiece {
  return typeof value === "object" && value !== null && "records" in value && "next" in value;
}

function piece(value: unknown): StorePiece {
  if (!isPiece(value)) {
    throw new Error("no piece");
  }
  return value;
}

function refusal(run: () => unknown): string {
  try {
    run();
    return "taken";
  } catch (error) {
    return error instanceof Error && "code" in error
      ? `${String(error.code)} ${error.message}`
      : String(error);
  }
}

const put = (...record: readonly unknown[]): unknown => ({ op: "put", record });

function numbered(count: number, value: unknown = 0): PlainView {
  const records = Array.from({ length: count }, (_, index) => [termKey(index), [index, value]] as const);
  return new PlainView(new Map(records));
}

describe("a partition", () => {
  it("holds a record under the key of its key, in whatever form the key comes", () => {
    const writer = new PartitionWriter(1);
    expect(writer.do(put("user", 1n, "Ann"), put("user", { a: 1, b: [2] }, "Bob"))).to.deep.equal({
      put: 2,
      deleted: 0,
    });
    expect(writer.query({ type: "get", key: 1 })).to.deep.equal(["user", 1n, "Ann"]);
    expect(writer.query({ type: "get", key: { b: [2n], a: 1 } })).to.deep.equal([
      "user",
      { a: 1, b: [2] },
      "Bob",
    ]);
    expect(writer.query({ type: "get", key: "1" })).to.equal(null);
    writer.do(put("user", 1, "Cid"));
    expect(writer.query({ type: "get", key: 1 })).to.deep.equal(["user", 1, "Cid"]);
    expect(writer.query({ type: "count" })).to.equal(2);
  });

  it("does the operations of one request in order, each on what those before it have left", () => {
    const writer = new PartitionWriter();
    writer.do(put("a", 1), put("b", 1), put("c", 2));
    const answer = writer.do(
      put("d", 1),
      { op: "delete", key: "a" },
      { op: "delete", key: "a" },
      put("a", 3),
      { op: "deleteMatch", pattern: [ANY, 1] },
      put("b", 4),
      { op: "delete", key: "z" },
    );
    expect(answer).to.deep.equal({ put: 3, deleted: 3 });
    expect(piece(writer.query({ type: "scan" })).records).to.deep.equal([
      ["a", 3],
      ["b", 4],
      ["c", 2],
    ]);
    expect(writer.do({ op: "deleteAll" }, put("e", 1))).to.deep.equal({ put: 1, deleted: 3 });
    writer.commit();
    expect(writer.follower().query({ type: "scan" }, false)).to.deep.equal({
      records: [["e", 1]],
      next: null,
    });
  });

  it("does all operations of a request or none", () => {
    const writer = new PartitionWriter();
    writer.do(put("a", 1));
    expect(writer.do({ op: "delete", key: "a" }, put("b", 1), put())).to.match(
      /^invalid_message ops\[2\]\.record/,
    );
    expect(piece(writer.query({ type: "scan" })).records).to.deep.equal([["a", 1]]);
  });

  it("deletes at most as many as it is told, in the order of keys", () => {
    const writer = new PartitionWriter();
    writer.do(...[5, 3, 1, 4, 2].map((key) => put(key, key % 2)));
    expect(writer.do({ op: "deleteMatch", pattern: [ANY, 1], limit: 2 })).to.deep.equal({
      put: 0,
      deleted: 2,
    });
    expect(writer.do({ op: "deleteAll", limit: 1 })).to.deep.equal({ put: 0, deleted: 1 });
    expect(piece(writer.query({ type: "scan" })).records).to.deep.equal([
      [4, 0],
      [5, 1],
    ]);
    const all = partitionDefinition();
    const request = (limit: object): unknown => ({ ops: [{ op: "deleteAll", ...limit }] });
    expect(refusal(() => all.resolve(numbered(100_001), request({})))).to.match(
      /^payload_too_large ops\[0\]: more/,
    );
    expect(all.resolve(numbered(100_001), request({ limit: 10 })).changes).to.have.length(10);
  });

  it("matches by patterns, variables and guards", () => {
    const writer = new PartitionWriter();
    writer.do(put("a", 1, 1), put("b", 1, 2), put("c", 2, { on: true }), put("d", 3));
    const matching = (pattern: unknown): readonly unknown[] =>
      piece(writer.query({ type: "match", pattern })).records.map(([key]) => key);
    expect(matching([ANY, variable("x"), variable("x")])).to.deep.equal(["a"]);
    expect(matching([ANY, ANY, { on: ANY }])).to.deep.equal(["c"]);
    expect(matching(where([ANY, variable("x"), ANY], gt(variable("x"), 1)))).to.deep.equal(["c"]);
    expect(matching(["b", ANY, ANY])).to.deep.equal(["b"]);
    expect(matching(["b", ANY])).to.deep.equal([]);
    expect(matching(literal(["d", 3]))).to.deep.equal(["d"]);
    expect(matching(ANY)).to.deep.equal(["a", "b", "c", "d"]);
    expect(matching("a")).to.deep.equal([]);
  });

  it("finds by a pattern with a known key without going through the others", () => {
    const view = numbered(10_000);
    const definition = partitionDefinition();
    const found = definition.query(view, { type: "match", pattern: [77, ANY] });
    expect(found).to.deep.equal({ records: [[77, 0]], next: null });
    const { changes } = definition.resolve(view, { ops: [{ op: "deleteMatch", pattern: [78n, ANY] }] });
    expect(changes).to.deep.equal([{ key: termKey(78), deleted: true }]);
    expect(definition.query(view, { type: "match", pattern: [77, ANY], after: termKey(77) })).to.deep.equal({
      records: [],
      next: null,
    });
    expect([view.walks, view.gets < 12]).to.deep.equal([0, true]);
  });
});

describe("a piece of a partition", () => {
  it("is bounded in records, in bytes and in records looked at, and says where to go on", () => {
    const definition = partitionDefinition();
    const scan = (view: PlainView, fields: object): StorePiece =>
      piece(definition.query(view, { type: "scan", ...fields }));
    const few = scan(numbered(5), { limit: 2 });
    expect(few).to.deep.equal({
      records: [
        [0, 0],
        [1, 0],
      ],
      next: termKey(1),
    });
    expect(scan(numbered(5), { limit: 5 }).next).to.equal(null);
    expect(scan(numbered(2_000), {}).records).to.have.length(1_000);
    const large = scan(numbered(10, "v".repeat(100_000)), {});
    expect([large.records.length, large.next]).to.deep.equal([2, termKey(1)]);
    expect(scan(numbered(2, "v".repeat(400_000)), {}).records).to.have.length(1);
    const view = numbered(30_000);
    const none = definition.query(view, { type: "match", pattern: [ANY, "nothing"] });
    expect(piece(none).records).to.deep.equal([]);
    expect(piece(none).next).to.be.a("string");
    expect(view.gets).to.be.at.most(20_001);
    const rest = definition.query(view, {
      type: "match",
      pattern: [ANY, "nothing"],
      after: piece(none).next,
    });
    expect(rest).to.deep.equal({ records: [], next: null });
  });

  it("after piece gives every record that stays exactly once, while others come and go", () => {
    const writer = new PartitionWriter();
    const keys = Array.from({ length: 50 }, (_, index) => index * 2);
    writer.do(...keys.map((key) => put(key, "stays")));
    const seen: unknown[] = [];
    let after: string | null = null;
    let round = 0;
    do {
      const { records, next } = piece(writer.query({ type: "scan", limit: 7, after }));
      seen.push(...records.filter(([, value]) => value === "stays").map(([key]) => key));
      after = next;
      round += 1;
      writer.do(put(round * 10 - 1, "new"), put(-round, "new"), { op: "delete", key: round * 10 - 11 });
      const last = records.at(-1)?.[0];
      // Where to go on holds also when the record there is gone, and on another replica.
      writer.do({ op: "delete", key: last });
      writer.commit();
    } while (after !== null);
    expect(seen).to.deep.equal(keys);
  });
});

describe("what a partition is asked", () => {
  it("is refused with the field that is wrong", () => {
    const writer = new PartitionWriter(1);
    const good = put("t", 1);
    const asked: readonly (readonly unknown[])[] = [
      [good, 7],
      [{ op: "push" }],
      [good, { op: "put", record: "text" }],
      [{ op: "put", record: ["t"] }],
      [{ op: "put", record: ["t", undefined] }],
      [{ op: "put", record: ["t", () => 1] }],
      [{ op: "put", record: ["t", 1, { a: [new Map()] }] }],
      [{ op: "put", record: ["t", "\ud800"] }],
      [{ op: "put", record: ["t", 1], key: 1 }],
      [{ op: "delete" }],
      [{ op: "delete", key: new Set() }],
      [{ op: "deleteMatch" }],
      [{ op: "deleteMatch", pattern: [{ $any: 1 }] }],
      [{ op: "deleteMatch", pattern: ANY, limit: 0 }],
      [{ op: "deleteAll", limit: "7" }],
    ];
    expect(asked.map((ops) => writer.do(...ops))).to.deep.equal([
      "invalid_message ops[1]: must be an object with op",
      'invalid_message ops[0].op: is "push"; allowed: put, delete, deleteMatch, deleteAll',
      "invalid_message ops[1].record: must be an array",
      "invalid_message ops[0].record: has 1 items; its key stands at 1",
      "invalid_message ops[0].record[1]: is missing",
      "invalid_message ops[0].record[1]: holds a function, which is no term",
      "invalid_message ops[0].record[2].a[0] is a Map, which cannot travel",
      'invalid_message ops[0].record[1]: holds "\\ud800", which is no well-formed text',
      "invalid_message ops[0].key: is not known; known: op, record",
      "invalid_message ops[0].key: is missing",
      "invalid_message ops[0].key: holds a Set, which is no term",
      "invalid_message ops[0].pattern: is missing",
      "invalid_message ops[0].pattern[0].$any: must be true",
      "invalid_message ops[0].limit: is 0; allowed: an integer from 1 to 9007199254740991",
      'invalid_message ops[0].limit: is "7"; allowed: an integer from 1 to 9007199254740991',
    ]);
    const operations = [null, {}, { ops: "x" }, { ops: [], op: 1 }];
    expect(
      writer.ask(...operations).map((one) => (one.kind === "refused" ? one.error.message : one.kind)),
    ).to.deep.equal([
      "ops: must be an array of operations",
      "ops: must be an array of operations",
      "ops: must be an array of operations",
      "op: is not known; known: ops",
    ]);
    expect(writer.query({ type: "count" })).to.equal(0);
  });

  it("as a query is refused with the field that is wrong", () => {
    const { state } = new PartitionWriter();
    const queries = [
      [],
      { type: "all" },
      { type: "get" },
      { type: "get", key: Symbol("s") },
      { type: "match" },
      { type: "match", pattern: [{ $foo: 1 }] },
      { type: "scan", limit: 10_001 },
      { type: "scan", after: 7 },
      { type: "scan", after: "\ud800" },
      { type: "count", pattern: ANY },
    ];
    expect(queries.map((query) => refusal(() => state.query(query, false)))).to.deep.equal([
      "invalid_message query: must be an object with type",
      'invalid_message query.type: is "all"; allowed: get, match, scan, count',
      "invalid_message query.key: is missing",
      "invalid_message query.key: holds a symbol, which is no term",
      "invalid_message query.pattern: is missing",
      "invalid_message query.pattern[0].$foo: is no part of a pattern; known: $any, $var, $lit",
      "invalid_message query.limit: is 10001; allowed: an integer from 1 to 10000",
      "invalid_message query.after: must be the next of a piece, or null",
      "invalid_message query.after: must be the next of a piece, or null",
      "invalid_message query.pattern: is not known; known: type",
    ]);
  });
});
