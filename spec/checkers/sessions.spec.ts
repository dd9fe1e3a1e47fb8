import { expect } from "chai";
import fc from "fast-check";
import { seededRandom } from "../../lib/base/random.ts";
import { kindsOf } from "./findings.ts";
import {
  checkReadsAgainstLog,
  checkSessions,
  type LogWrite,
  type PositionedRead,
  type SessionOperation,
} from "./sessions.ts";

function operation(
  kind: "read" | "write",
  position: number,
  call: number,
  returned = call + 1,
): SessionOperation {
  return { session: "s", log: "x", kind, position, call, return: returned };
}

function kinds(...history: SessionOperation[]): string[] {
  return kindsOf(checkSessions(history));
}

describe("checkSessions", () => {
  it("accepts a session that only goes forwards", () => {
    const history = [operation("write", 1, 0), operation("read", 1, 2), operation("read", 5, 4)];
    expect(kinds(...history, operation("write", 6, 6), operation("read", 6, 8))).to.deep.equal([]);
  });

  it("finds a read that lacks the session's own write", () => {
    expect(kinds(operation("write", 3, 0), operation("read", 2, 2))).to.deep.equal(["read your writes"]);
  });

  it("finds a read that is behind an earlier read", () => {
    expect(kinds(operation("read", 3, 0), operation("read", 2, 2))).to.deep.equal(["monotonic reads"]);
    const between = [operation("read", 3, 0), operation("read", 4, 2), operation("read", 3, 4)];
    expect(kinds(...between)).to.deep.equal(["monotonic reads"]);
  });

  it("finds writes before what the session had written or read", () => {
    expect(kinds(operation("write", 3, 0), operation("write", 3, 2))).to.deep.equal(["monotonic writes"]);
    expect(kinds(operation("read", 3, 0), operation("write", 3, 2))).to.deep.equal(["writes follow reads"]);
  });

  it("does not compare operations that overlap, other sessions, or other logs", () => {
    expect(kinds(operation("write", 3, 0, 9), operation("read", 2, 2))).to.deep.equal([]);
    expect(kinds(operation("write", 3, 0, 2), operation("read", 2, 2))).to.deep.equal([]);
    const behind = operation("read", 2, 2);
    expect(kinds(operation("write", 3, 0), { ...behind, session: "t" })).to.deep.equal([]);
    expect(kinds(operation("write", 3, 0), { ...behind, log: "y" })).to.deep.equal([]);
  });

  it("says which two operations", () => {
    const [violation] = checkSessions([operation("write", 3, 0), operation("read", 2, 2)]).violations;
    expect(violation?.message).to.equal(
      'session s, log "x": write at [0, 1] had position 3, read at [2, 3] has 2',
    );
  });

  it("finds every read that is set back in a legal session", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 3, maxLength: 60 }), fc.nat(), (writes, choice) => {
        let position = 0;
        const history = writes.map((isWrite, index) => {
          position += isWrite ? 1 : 0;
          return operation(isWrite ? "write" : "read", position, 2 * index);
        });
        expect(kinds(operation("write", 0, -2), ...history)).to.deep.equal([]);
        const victim = 1 + (choice % (history.length - 1));
        const broken = history.map((one, index) => {
          return index === victim
            ? operation("read", (history[index - 1]?.position ?? 0) - 1, one.call)
            : one;
        });
        expect(kinds(...broken)).to.satisfy((found: string[]) => {
          return found.includes("read your writes") || found.includes("monotonic reads");
        });
      }),
    );
  });
});

describe("checkReadsAgainstLog", () => {
  const log: LogWrite[] = [
    { position: 1, key: "x", value: 1 },
    { position: 2, key: "y", value: 5 },
    { position: 4, key: "x", value: null },
    { position: 3, key: "x", value: 2 },
  ];
  const wrong = (...reads: PositionedRead[]): number => checkReadsAgainstLog(log, reads).total;

  it("accepts what the log has at each position", () => {
    const values = [null, 1, 1, 2, null, null];
    expect(wrong(...values.map((value, position) => ({ key: "x", position, value })))).to.equal(0);
    expect(wrong({ key: "y", position: 9, value: 5 })).to.equal(0);
  });

  it("finds values from before, from after, and come back after deletion", () => {
    expect(wrong({ key: "x", position: 3, value: 1 })).to.equal(1);
    expect(wrong({ key: "x", position: 1, value: 2 })).to.equal(1);
    expect(wrong({ key: "x", position: 5, value: 2 })).to.equal(1);
    expect(wrong({ key: "z", position: 5, value: 2 })).to.equal(1);
  });

  it("agrees with replaying the log for each read", () => {
    let wrongs = 0;
    for (let seed = 0; seed < 500; seed++) {
      const random = seededRandom(seed);
      const key = () => `k${random.below(3)}`;
      const value = () => [null, 1, 2][random.below(3)] ?? null;
      const writes = Array.from({ length: 8 }, (_, position) => ({ position, key: key(), value: value() }));
      const read = { key: key(), position: random.below(9), value: value() };
      const last = writes.filter((one) => one.key === read.key && one.position <= read.position).at(-1);
      const expected = (last?.value ?? null) === read.value ? 0 : 1;
      expect(checkReadsAgainstLog(writes, [read]).total).to.equal(expected);
      wrongs += expected;
    }
    expect(wrongs).to.be.within(100, 400);
  });
});
