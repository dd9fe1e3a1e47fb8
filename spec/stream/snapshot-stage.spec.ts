/** Snapshots cut while the state goes on, and staged: the state at the end is that of the log. */
import { expect } from "chai";
import fc from "fast-check";
import type { Change } from "../../lib/stream/definition.ts";
import { ReplicatedState } from "../../lib/stream/replicated-state.ts";
import type { SnapshotCut, SnapshotPart } from "../../lib/stream/snapshot-cut.ts";
import { SnapshotStage } from "../../lib/stream/snapshot-stage.ts";
import { decode, encode } from "../../lib/wire/codec.ts";
import {
  definition,
  EntryLog,
  newState,
  payloadOf,
  type RowInput,
  replayed,
  request,
  Writer,
} from "./state-support.ts";

const NO_BOUND = Number.POSITIVE_INFINITY;

function partsOf(cut: SnapshotCut): SnapshotPart[] {
  const parts: SnapshotPart[] = [];
  for (let part = cut.next(); part !== null; part = cut.next()) {
    parts.push(part);
  }
  return parts;
}

function staged(parts: readonly SnapshotPart[]): ReplicatedState {
  const stage = new SnapshotStage();
  for (const part of parts) {
    stage.take(part);
  }
  const { content } = stage;
  if (content === null) {
    throw new Error("the snapshot is not whole");
  }
  return new ReplicatedState(definition, {}, content);
}

/** A log of any shape: several rows per entry, requests that stand in it twice, deletions, expiries, barriers. */
const names = {
  keys: fc.constantFrom("a", "b", "c", "d", "e", "f"),
  clients: fc.constantFrom("x", "y", "z"),
};
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ key: names.keys, value: fc.nat(99) }) },
  { weight: 2, arbitrary: fc.record({ key: names.keys, deleted: fc.constant(true as const) }) },
);
const requestRow = fc
  .record({
    clientId: names.clients,
    requestSeq: fc.integer({ min: 1, max: 12 }),
    back: fc.nat(4),
    answer: fc.nat(9),
    changes: fc.array(change, { maxLength: 3 }),
  })
  .map(
    ({ clientId, requestSeq, back, answer, changes }): RowInput => ({
      clientId,
      requestSeq,
      doneBelow: Math.max(0, requestSeq - back),
      answer,
      changes,
    }),
  );
const expiryRow = (seq: number): fc.Arbitrary<RowInput> =>
  fc
    .tuple(fc.array(names.clients, { maxLength: 2 }), fc.nat(seq - 1))
    .map(([clientIds, idleSinceSeq]) => ({ clientIds, idleSinceSeq }));
const payloads = (length: number): fc.Arbitrary<readonly (Uint8Array | null)[]> =>
  fc.tuple(
    ...Array.from({ length }, (_, index) =>
      fc.oneof(
        {
          weight: 8,
          arbitrary: fc
            .array(fc.oneof({ weight: 5, arbitrary: requestRow }, expiryRow(index + 1)), {
              minLength: 1,
              maxLength: 4,
            })
            .map(payloadOf),
        },
        { weight: 1, arbitrary: fc.constant(null) },
      ),
    ),
  );

describe("a snapshot of a state that goes on", () => {
  it("staged is the state that has applied the log up to its base, whenever its parts were cut", () => {
    const run = fc.record({
      log: payloads(24),
      start: fc.nat(12),
      /** Entries applied before each part is cut. */
      pace: fc.array(fc.nat(3), { minLength: 30, maxLength: 30 }),
      partBytes: fc.constantFrom(1, 40, 200),
    });
    fc.assert(
      fc.property(run, ({ log, start, pace, partBytes }) => {
        const written = new EntryLog();
        for (const payload of log) {
          payload === null ? written.barrier() : written.batch(payload);
        }
        const { entries } = written;
        const source = replayed(entries.slice(0, start));
        const cut = source.cut(partBytes, NO_BOUND);
        const parts: SnapshotPart[] = [];
        for (let step = 0; !cut.over; step++) {
          for (const entry of entries.slice(source.appliedSeq, source.appliedSeq + (pace[step] ?? 0))) {
            source.apply(entry);
          }
          const part = cut.next();
          if (part !== null) {
            parts.push(part);
          }
        }
        const copy = staged(parts);
        const model = replayed(entries.slice(0, copy.appliedSeq));
        expect(copy.position).to.deep.equal(cut.base);
        expect(copy.stateHash()).to.equal(model.stateHash());
        expect([copy.records, copy.clients]).to.deep.equal([model.records, model.clients]);
        for (const key of ["a", "b", "c", "d", "e", "f"]) {
          expect(copy.query(key, false)).to.deep.equal(model.query(key, false));
        }
        for (const entry of entries.slice(copy.appliedSeq)) {
          expect(copy.apply(entry)).to.deep.equal(model.apply(entry));
        }
        expect(copy.stateHash()).to.equal(model.stateHash());
      }),
      { numRuns: 300 },
    );
  }).timeout(60_000);

  it("ends although the state grows faster than it is cut", () => {
    const writer = new Writer();
    const fill = (from: number, count: number): void => {
      for (let seq = from; seq < from + count; seq++) {
        writer.write(request("x", seq, { do: "put", key: `k${seq}`, value: seq }, seq));
      }
    };
    fill(1, 20);
    const cut = writer.state.cut(1, NO_BOUND);
    const parts: SnapshotPart[] = [];
    for (let step = 0; step < 200 && cut.base === null; step++) {
      const part = cut.next();
      if (part !== null) {
        parts.push(part);
      }
      fill(writer.log.last.seq + 1, 3);
    }
    expect(parts.filter(({ kind }) => kind === "records")).to.have.length(20);
    expect(cut.base).to.not.equal(null);
    expect(staged([...parts, ...partsOf(cut)]).records).to.be.at.least(60);
  });

  it("is cut in parts of about the wanted size", () => {
    const writer = new Writer();
    for (let seq = 1; seq <= 100; seq++) {
      writer.write(request(`client ${seq}`, 1, { do: "put", key: `k${seq}`, value: "v".repeat(100) }));
    }
    const parts = partsOf(writer.state.cut(1_000, NO_BOUND));
    for (const { body } of parts) {
      expect(body.length).to.be.at.most(1_200);
    }
    expect(parts.length).to.be.within(10, 30);
    expect(staged(parts).stateHash()).to.equal(writer.state.stateHash());
  });

  it("knows its clients' requests: what was executed before is not executed again after it", () => {
    const writer = new Writer();
    writer.write(
      request("x", 1, { do: "increment", key: "a" }),
      request("x", 2, { do: "increment", key: "a" }, 2),
    );
    const cut = writer.state.cut(1, NO_BOUND);
    const begun = cut.next();
    writer.write(request("x", 3, { do: "increment", key: "a" }, 2));
    const copy = staged([...(begun === null ? [] : [begun]), ...partsOf(cut)]);
    const again = [1, 2, 3].map((seq) => request("x", seq, { do: "increment", key: "a" }, 0));
    const { payload, outcomes } = copy.resolve(3, again);
    expect(payload).to.equal(null);
    expect(outcomes.map(({ kind }) => kind)).to.deep.equal(["belowDone", "applied", "applied"]);
  });

  it("gives up when more is committed meanwhile than it may keep, and lets the state go", () => {
    const writer = new Writer();
    writer.write(request("x", 1, { do: "increment", key: "a" }));
    const cut = writer.state.cut(1, 200);
    cut.next();
    for (let seq = 2; seq < 9; seq++) {
      writer.write(request("x", seq, { do: "increment", key: "a" }));
    }
    expect(cut.failure).to.match(/exceed 200 bytes/);
    expect(cut.next()).to.equal(null);
    expect(cut.base).to.equal(null);
  });
});

describe("a stage", () => {
  const writer = new Writer();
  writer.write(request("x", 1, { do: "put", key: "a", value: 1 }));
  writer.write(request("y", 1, { do: "put", key: "b", value: 2 }));
  const cut = writer.state.cut(1, NO_BOUND);
  const head = [cut.next(), cut.next()].filter((part) => part !== null);
  writer.write(request("x", 2, { do: "put", key: "c", value: 3 }));
  const parts = [...head, ...partsOf(cut)];

  /** The parts with the fields of part `index` changed. */
  function changed(index: number, edit: (fields: unknown[]) => void): SnapshotPart[] {
    return parts.map((part, at) => {
      const fields = decode(part.body);
      if (at !== index || !Array.isArray(fields)) {
        return part;
      }
      edit(fields);
      return { kind: part.kind, body: encode(fields) };
    });
  }

  const indexOf = (kind: string): number => parts.findIndex((part) => part.kind === kind);

  it("takes the parts as they were cut", () => {
    expect(parts.map(({ kind }) => kind)).to.deep.equal([
      "begin",
      "records",
      "records",
      "clients",
      "clients",
      "entries",
      "end",
    ]);
    expect(staged(parts).stateHash()).to.equal(writer.state.stateHash());
  });

  it("lets nothing out before the end", () => {
    const stage = new SnapshotStage();
    for (const part of parts.slice(0, -1)) {
      stage.take(part);
      expect(stage.content).to.equal(null);
    }
  });

  it("refuses a snapshot that lacks a part, has one twice, or out of order", () => {
    for (let index = 0; index < parts.length - 1; index++) {
      expect(() => staged(parts.toSpliced(index, 1)), `without part ${index}`).to.throw();
      expect(() => staged(parts.toSpliced(index, 0, ...parts.slice(index, index + 1)))).to.throw();
    }
    expect(() => staged(parts.toReversed())).to.throw();
    expect(() => new SnapshotStage().take({ kind: "records", body: encode([]) })).to.throw(/after nothing/);
  });

  const edits: readonly (readonly [string, string, (fields: unknown[]) => void])[] = [
    ["another format", "begin", (fields) => fields.splice(0, 1, 9)],
    ["a chain that is no word", "begin", (fields) => fields.splice(4, 1, "chain")],
    ["another history before it", "begin", (fields) => fields.splice(4, 1, "00000000000000ff")],
    ["a record of another value", "records", (fields) => fields.splice(1, 1, 77)],
    ["a record of another entry", "records", (fields) => fields.splice(2, 1, 2)],
    ["a key that is no text", "records", (fields) => fields.splice(0, 1, 5)],
    ["half a record", "records", (fields) => fields.pop()],
    ["another answer", "clients", (fields) => fields.splice(-1, 1, "other")],
    ["another doneBelow", "clients", (fields) => fields.splice(1, 1, 1)],
    ["more answers than it has", "clients", (fields) => fields.splice(3, 1, 1_000_000)],
    ["a trailing entry with another owner", "entries", (fields) => fields.splice(2, 1, "00000000000000ab")],
    ["a trailing entry with another number", "entries", (fields) => fields.splice(0, 1, 4)],
    ["a trailing entry without payload", "entries", (fields) => fields.splice(4, 1, new Uint8Array())],
    ["a row left out that was not", "entries", (fields) => fields.splice(5, 1, [0])],
    ["another base", "end", (fields) => fields.splice(0, 1, 2)],
    ["another count of records", "end", (fields) => fields.splice(4, 1, 4)],
    ["another count of clients", "end", (fields) => fields.splice(5, 1, 4)],
    ["another hash", "end", (fields) => fields.splice(6, 1, "0000000000000000")],
    ["a field too many", "end", (fields) => fields.push(1)],
  ];
  for (const [what, kind, edit] of edits) {
    it(`refuses ${what}`, () => {
      expect(() => staged(changed(indexOf(kind), edit)))
        .to.throw()
        .with.property("code", "invalid_message");
    });
  }

  it("of an empty state is an empty state", () => {
    const empty = newState();
    const copy = staged(partsOf(empty.cut(100, NO_BOUND)));
    expect([copy.position, copy.stateHash()]).to.deep.equal([empty.position, empty.stateHash()]);
  });
});
