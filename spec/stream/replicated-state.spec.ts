import { expect } from "chai";
import fc from "fast-check";
import { InvariantError } from "../../lib/base/invariant.ts";
import type { RequestOutcome, StreamRequest } from "../../lib/stream/definition.ts";
import {
  EntryLog,
  EPOCH,
  newState,
  type Operation,
  operation,
  payloadOf,
  replayed,
  request,
  valuesOf,
  Writer,
} from "./state-support.ts";

const increment: Operation = { do: "increment", key: "a" };
const put = (value: unknown): Operation => ({ do: "put", key: "a", value });

function codeOf(outcome: RequestOutcome | undefined): string | undefined {
  return outcome?.kind === "refused" ? outcome.error.code : outcome?.kind;
}

/** A batch as no writer would resolve it. */
function rawBatch(clientId: string, requestSeq: number, doneBelow: number, value: unknown): Uint8Array {
  const changes = [{ key: "a", value }];
  return payloadOf([{ clientId, requestSeq, doneBelow, answer: value, changes }]);
}

describe("a replicated state that applies entries", () => {
  it("gives the answers of an entry, none for a barrier, and has their effects", () => {
    const writer = new Writer();
    const { payload } = writer.append(request("x", 1, increment), request("y", 1, increment));
    const follower = newState();
    expect(follower.apply(new EntryLog().batch(payload ?? new Uint8Array()))).to.deep.equal([
      { clientId: "x", requestSeq: 1, kind: "executed", answer: 1 },
      { clientId: "y", requestSeq: 1, kind: "executed", answer: 2 },
    ]);
    expect(follower.query("a", false)).to.equal(2);
    writer.commit();
    expect(writer.state.apply(writer.log.barrier())).to.deep.equal([]);
    expect(writer.state.appliedSeq).to.equal(2);
  });

  it("takes entries in order only", () => {
    const log = new EntryLog();
    log.barrier();
    expect(() => newState().apply(log.barrier())).to.throw(InvariantError);
  });

  it("is as it was after a payload that is none, and after an entry of unknown kind", () => {
    const log = new EntryLog();
    const state = newState();
    const before = state.stateHash();
    const entry = log.batch(rawBatch("x", 1, 0, "v"));
    const cut = { ...entry, payload: entry.payload.subarray(0, entry.payload.length - 1) };
    for (const bad of [cut, { ...entry, kind: 9 }]) {
      expect(() => state.apply(bad))
        .to.throw()
        .with.property("code", "invalid_message");
    }
    expect([state.appliedSeq, state.stateHash()]).to.deep.equal([0, before]);
    state.apply(entry);
    expect(state.query("a", false)).to.equal("v");
  });

  it("executes a request that stands in the log twice once only", () => {
    const log = new EntryLog();
    const state = newState();
    state.apply(log.batch(rawBatch("x", 1, 0, "first")));
    const [answer] = state.apply(log.batch(rawBatch("x", 1, 0, "second")));
    expect(answer).to.include({ kind: "repeated", answer: "first" });
    state.apply(log.batch(rawBatch("x", 3, 3, "third")));
    const [late] = state.apply(log.batch(rawBatch("x", 2, 0, "late")));
    expect(late).to.include({ kind: "belowDone" });
    expect(state.query("a", false)).to.equal("third");
  });

  it("hashes key, value, entry and answers, and goes back to where it was when they go", () => {
    const hashes = [
      [rawBatch("x", 1, 0, "v")],
      [rawBatch("x", 1, 0, "w")],
      [rawBatch("y", 1, 0, "v")],
      [rawBatch("x", 2, 0, "v")],
      [rawBatch("x", 1, 1, "v")],
    ].map(([payload]) => {
      const state = newState();
      state.apply(new EntryLog().batch(payload ?? new Uint8Array()));
      return state.stateHash();
    });
    const log = new EntryLog();
    log.barrier();
    log.batch(rawBatch("x", 1, 0, "v"));
    hashes.push(replayed(log.entries).stateHash(), newState().stateHash());
    expect(new Set(hashes).size).to.equal(hashes.length);
    const writer = new Writer();
    writer.write(request("x", 1, put("v")));
    writer.write(request("x", 2, { do: "delete", key: "a" }, 2));
    const payload = writer.state.expire(3, ["x"], 2);
    writer.state.apply(writer.log.batch(payload));
    expect(writer.state.stateHash()).to.equal(newState().stateHash());
  });
});

describe("a repeated request", () => {
  it("gets the stored answer of the applied entry", () => {
    const writer = new Writer();
    writer.write(request("x", 1, increment));
    const { payload, outcomes } = writer.append(request("x", 1, increment));
    expect(payload).to.equal(null);
    expect(outcomes).to.deep.equal([{ kind: "applied", seq: 1, epoch: EPOCH, answer: 1 }]);
    expect(writer.state.query("a", true)).to.equal(1);
  });

  it("gets the seq of the entry in flight that carries it, also within one batch", () => {
    const writer = new Writer();
    const first = writer.append(request("x", 1, increment), request("x", 1, increment));
    const second = writer.append(request("x", 1, increment));
    expect(first.outcomes[1]).to.deep.equal({ kind: "inFlight", seq: 1, answer: 1 });
    expect(second).to.deep.equal({ payload: null, outcomes: [{ kind: "inFlight", seq: 1, answer: 1 }] });
    writer.commit();
    expect(writer.state.query("a", false)).to.equal(1);
  });

  it("is new again when the overlay that carried it is dropped, and known when its entry commits all the same", () => {
    const writer = new Writer();
    writer.append(request("x", 1, increment));
    writer.state.dropOverlay();
    expect(writer.state.query("a", true)).to.equal(undefined);
    const again = writer.state.resolve(1, [request("x", 1, increment)]);
    expect(again.outcomes).to.deep.equal([{ kind: "new", answer: 1 }]);
    writer.state.dropOverlay();
    writer.commit();
    expect(writer.append(request("x", 1, increment)).outcomes[0]).to.include({ kind: "applied", answer: 1 });
  });

  it("is refused below doneBelow, whether that is applied or in flight", () => {
    const writer = new Writer();
    writer.write(request("x", 1, increment), request("x", 2, increment));
    writer.append(request("x", 3, increment, 2));
    expect(writer.append(request("x", 1, increment)).outcomes).to.deep.equal([{ kind: "belowDone" }]);
    writer.commit();
    expect(writer.append(request("x", 1, increment)).outcomes).to.deep.equal([{ kind: "belowDone" }]);
    expect(writer.state.answered("x", 1)).to.equal("belowDone");
    expect(writer.state.answered("x", 2)).to.deep.equal({ seq: 1, epoch: EPOCH, answer: 2 });
    expect(writer.state.answered("x", 4)).to.equal(null);
  });

  it("keeps no answer below doneBelow, however far it jumps", () => {
    const writer = new Writer();
    for (let seq = 1; seq <= 5; seq++) {
      writer.write(request("x", seq, increment));
    }
    writer.write(request("x", 1_000_000, increment, 1_000_000));
    const other = new Writer();
    expect(writer.state.answered("x", 5)).to.equal("belowDone");
    expect(other.state.answered("x", 5)).to.equal(null);
    expect(writer.append(request("x", 1_000_000, increment)).outcomes[0]).to.include({ answer: 6 });
  });

  it("of a client is known until an entry expires the client, and then only if it was idle", () => {
    const writer = new Writer();
    writer.write(request("x", 1, increment));
    writer.write(request("y", 1, increment));
    expect(writer.state.idleClients(1, 9)).to.deep.equal(["x"]);
    expect(writer.state.idleClients(2, 1)).to.deep.equal(["x"]);
    writer.log.batch(writer.state.expire(3, ["x", "y"], 1));
    expect(writer.append(request("x", 1, increment)).outcomes[0]).to.include({ kind: "applied" });
    writer.commit();
    expect(writer.state.answered("x", 1)).to.equal(null);
    expect(writer.state.answered("y", 1)).to.include({ answer: 2 });
  });
});

describe("the open writer", () => {
  it("refuses what it cannot take before any effect, and goes on with the rest", () => {
    const writer = new Writer();
    const { outcomes } = writer.append(
      request(
        "x",
        1,
        put(() => 1),
      ),
      request("x", 2, { do: "move", key: "b", to: "c" }),
      request("", 3, increment),
      request("x", 4, increment, 5),
      request("x", 5, put(undefined)),
      request("x", 6, { do: "put", key: "\udc00", value: 1 }),
      request("x", 7, increment),
    );
    const invalid = Array.from({ length: 6 }, () => "invalid_message");
    expect(outcomes.map(codeOf)).to.deep.equal([...invalid, "new"]);
    expect(writer.state.query("a", true)).to.equal(1);
    expect(writer.append(request("x", 1, increment)).outcomes[0]).to.deep.include({ kind: "new", answer: 2 });
  });

  it("refuses the operation of a definition that fails, and not the replica", () => {
    const writer = new Writer();
    const broken: StreamRequest = { clientId: "x", requestSeq: 1, doneBelow: 0, operation: null };
    const { payload, outcomes } = writer.append(broken);
    expect([payload, outcomes.map(codeOf)]).to.deep.equal([null, ["internal"]]);
  });

  it("defers what has no room in the entry, in order, and refuses what never has", () => {
    const writer = new Writer({ entryBytes: 200 });
    const sizes = [90, 300, 90, 90, 1];
    const requests = sizes.map((size, index) => request("x", index + 1, put("v".repeat(size))));
    const { payload, outcomes } = writer.append(...requests, request("x", 1, increment));
    expect(outcomes.map(codeOf)).to.deep.equal([
      "new",
      "payload_too_large",
      "deferred",
      "deferred",
      "deferred",
      "deferred",
    ]);
    expect(payload?.length).to.be.at.most(200);
    expect(writer.append(...requests.slice(2)).outcomes.map(codeOf)).to.deep.equal([
      "new",
      "deferred",
      "deferred",
    ]);
  });

  it("bounds a client's window, its bytes, the clients and all bytes", () => {
    const window = new Writer({ clientWindow: 3 });
    const far = window.append(
      request("x", 4, increment),
      request("x", 3, increment),
      request("x", 5, increment, 3),
    );
    expect(far.outcomes.map(codeOf)).to.deep.equal(["overload", "new", "new"]);
    const clients = new Writer({ clients: 2 });
    const asked = ["x", "y", "z", "x"].map((id, index) => request(id, index + 1, increment));
    expect(clients.append(...asked).outcomes.map(codeOf)).to.deep.equal(["new", "new", "overload", "new"]);
    for (const limit of ["clientBytes", "clientTableBytes"] as const) {
      const writer = new Writer({ [limit]: 100 });
      writer.write(request("x", 1, put("v".repeat(50))));
      const taking: Operation = { do: "delete", key: "a" };
      expect(codeOf(writer.append(request("x", 2, taking)).outcomes[0])).to.equal("new");
      expect(codeOf(writer.append(request("x", 3, put("v".repeat(50)))).outcomes[0])).to.equal("new");
      expect(codeOf(writer.append(request("x", 4, taking)).outcomes[0])).to.equal("overload");
      writer.commit();
      expect(codeOf(writer.append(request("x", 5, taking)).outcomes[0])).to.equal("overload");
    }
  });

  it("resolves for the next entry only, and applies what it has resolved only", () => {
    const writer = new Writer();
    expect(() => writer.state.resolve(2, [])).to.throw(InvariantError);
    writer.append(request("x", 1, increment));
    expect(() => writer.state.resolve(1, [])).to.throw(InvariantError);
    const other = new EntryLog().batch(rawBatch("x", 1, 0, 7));
    expect(() => writer.state.apply(other)).to.throw(InvariantError);
  });

  it("keeps callers' objects out of the state", () => {
    const writer = new Writer();
    const value = { list: [1] };
    writer.append(request("x", 1, put(value)));
    value.list.push(2);
    expect(writer.state.query("a", true)).to.deep.equal({ list: [1] });
  });

  it("answers pipelined operations as if each had been committed before the next, and every replica agrees", () => {
    const batches = fc.array(
      fc.record({
        requests: fc.array(fc.tuple(fc.constantFrom("x", "y"), operation, fc.nat(2)), { maxLength: 4 }),
        commits: fc.nat(3),
      }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(batches, (steps) => {
        const pipelined = new Writer();
        const single = new Writer();
        const seqs = new Map<string, number>();
        for (const { requests, commits } of steps) {
          const asked = requests.map(([clientId, op, done]) => {
            const seq = (seqs.get(clientId) ?? 0) + 1;
            seqs.set(clientId, seq);
            return request(clientId, seq, op, Math.max(0, seq - done));
          });
          const answers = pipelined
            .append(...asked)
            .outcomes.map((outcome) => (outcome.kind === "new" ? outcome.answer : outcome.kind));
          expect(answers).to.deep.equal(asked.flatMap((one) => single.write(one)));
          pipelined.commit(commits);
        }
        pipelined.commit();
        expect(valuesOf(pipelined.state)).to.deep.equal(valuesOf(single.state));
        const follower = replayed(pipelined.log.entries);
        expect(follower.stateHash()).to.equal(pipelined.state.stateHash());
        expect(valuesOf(follower)).to.deep.equal(valuesOf(pipelined.state));
      }),
      { numRuns: 300 },
    );
  }).timeout(60_000);

  it("executes no request twice, whatever is repeated, committed and dropped", () => {
    const step = fc.oneof(
      fc.record({ type: fc.constant("ask" as const), requestSeq: fc.integer({ min: 1, max: 6 }) }),
      fc.record({ type: fc.constant("commit" as const), count: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ type: fc.constant("lose" as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { state, log } = new Writer();
        for (const one of steps) {
          if (one.type === "ask") {
            const batch = state.resolve(log.last.seq + 1, [
              request("x", one.requestSeq, { do: "append", key: "a", item: one.requestSeq }),
            ]);
            if (batch.payload !== null) {
              log.batch(batch.payload);
            }
          } else if (one.type === "commit") {
            for (const entry of log.entries.slice(state.appliedSeq, state.appliedSeq + one.count)) {
              state.apply(entry);
            }
          } else {
            state.dropOverlay();
            log.entries.length = state.appliedSeq;
          }
        }
        for (const entry of log.entries.slice(state.appliedSeq)) {
          state.apply(entry);
        }
        const done = state.query("a", false) ?? [];
        expect(done).to.be.an("array");
        expect(new Set(Array.isArray(done) ? done : []).size).to.equal(
          Array.isArray(done) ? done.length : -1,
        );
        for (let seq = 1; seq <= 6; seq++) {
          const executed = Array.isArray(done) && done.includes(seq);
          expect(state.answered("x", seq) !== null).to.equal(executed);
        }
      }),
      { numRuns: 1_000 },
    );
  }).timeout(60_000);
});
