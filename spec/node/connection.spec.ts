import { expect } from "chai";
import fc from "fast-check";
import {
  breakConnection,
  type ConnectionState,
  isUntouched,
  newConnection,
  receiveBatch,
  receiveCount,
} from "../../lib/node/connection.ts";

/** One end of a connection whose messages a spec loses, repeats and reorders as it likes. */
class End {
  readonly connection: ConnectionState = newConnection();
  /** What it told its user: each break, each accepted batch by the sender's serial. */
  breaks = 0;
  readonly accepted: number[] = [];
  /** Serials accepted since the last break here. */
  sinceBreak: number[] = [];
  #serial = 0;

  /** A batch to the other end. */
  batch(): Message {
    this.#serial += 1;
    const { number, sent } = this.connection;
    this.connection.sent += 1;
    return { kind: "batch", number, count: sent, serial: this.#serial };
  }

  /** Each beat that is heard is late enough after the last to prove something. */
  #beats = 0;

  beat(): Message {
    const { number, sent } = this.connection;
    return { kind: "beat", number, count: sent, serial: 0 };
  }

  receive({ kind, number, count, serial }: Message): void {
    const verdict =
      kind === "batch"
        ? receiveBatch(this.connection, number, count)
        : receiveCount(this.connection, number, count, this.#beats++, 1);
    if (verdict === "gap" || verdict === "renewed") {
      this.breaks += 1;
      this.sinceBreak = [];
    }
    if (kind === "batch" && (verdict === "accept" || verdict === "renewed")) {
      this.accepted.push(serial);
      this.sinceBreak.push(serial);
    }
  }
}

interface Message {
  readonly kind: "batch" | "beat";
  readonly number: number;
  readonly count: number;
  readonly serial: number;
}

/** One step of a run: what happens to the next message of an end. */
interface Step {
  readonly from: 0 | 1;
  readonly kind: "batch" | "beat";
  readonly fate: "deliver" | "lose" | "twice" | "delay";
}

const steps = fc.array(
  fc.record<Step>({
    from: fc.constantFrom(0, 1),
    kind: fc.constantFrom("batch", "batch", "beat"),
    fate: fc.constantFrom("deliver", "deliver", "deliver", "lose", "twice", "delay"),
  }),
  { maxLength: 60 },
);

/** Runs the steps; what was delayed comes after everything else, newest first. */
function play(run: readonly Step[]): [End, End] {
  const ends: [End, End] = [new End(), new End()];
  const delayed: (() => void)[] = [];
  for (const { from, kind, fate } of run) {
    const to = ends[from === 0 ? 1 : 0];
    const message = ends[from][kind]();
    if (fate === "delay") {
      delayed.unshift(() => to.receive(message));
    } else if (fate !== "lose") {
      to.receive(message);
      if (fate === "twice") {
        to.receive(message);
      }
    }
  }
  for (const deliver of delayed) {
    deliver();
  }
  return ends;
}

/** One heartbeat each way, in order and unharmed. */
function exchangeBeats([left, right]: [End, End]): void {
  right.receive(left.beat());
  left.receive(right.beat());
}

describe("the connection between two incarnations", () => {
  it("accepts batches in order and repeats none", () => {
    const state = newConnection();
    expect([0, 1, 1, 0, 2].map((count) => receiveBatch(state, 1, count))).to.deep.equal([
      "accept",
      "accept",
      "duplicate",
      "duplicate",
      "accept",
    ]);
  });

  it("breaks on a batch that comes too early, and drops what is late", () => {
    const state = newConnection();
    expect(receiveBatch(state, 1, 1)).to.equal("gap");
    expect(state).to.deep.equal({ number: 2, sent: 0, received: 0, behind: undefined });
    expect(receiveBatch(state, 1, 0)).to.equal("late");
    expect(receiveBatch(state, 2, 0)).to.equal("accept");
  });

  it("follows the other side's break, and breaks again when the first batch after it is missing", () => {
    const state = newConnection();
    expect(receiveBatch(state, 5, 0)).to.equal("renewed");
    expect(state.number).to.equal(5);
    expect(receiveBatch(state, 7, 1)).to.equal("gap");
    expect(state.number).to.equal(8);
  });

  it("breaks when a heartbeat tells of more than has come as long after the first as proof takes", () => {
    const state = newConnection();
    expect(receiveCount(state, 1, 1, 0, 50)).to.equal("intact");
    expect(receiveBatch(state, 1, 0)).to.equal("accept");
    expect(receiveCount(state, 1, 1, 100, 50)).to.equal("intact");
    expect(receiveCount(state, 1, 2, 200, 50)).to.equal("intact");
    expect(receiveCount(state, 1, 2, 249, 50)).to.equal("intact");
    expect(receiveCount(state, 1, 2, 250, 50)).to.equal("gap");
    expect(state.number).to.equal(2);
  });

  it("takes beats out of turn, which overtake a batch on its way, for no proof of its loss", () => {
    const state = newConnection();
    for (let beat = 0; beat < 10; beat++) {
      expect(receiveCount(state, 1, 1, 7_066, 50)).to.equal("intact");
    }
    expect(receiveBatch(state, 1, 0)).to.equal("accept");
    expect(receiveCount(state, 1, 1, 8_000, 50)).to.equal("intact");
  });

  it("takes a heartbeat that renews the connection for the first that tells of a loss", () => {
    const state = newConnection();
    expect(receiveCount(state, 3, 2, 0, 50)).to.equal("renewed");
    expect(receiveCount(state, 3, 2, 100, 50)).to.equal("gap");
  });

  it("knows when a break has nothing to tell", () => {
    const state = newConnection();
    expect(isUntouched(state)).to.equal(true);
    receiveBatch(state, 1, 0);
    expect(isUntouched(state)).to.equal(false);
    breakConnection(state);
    expect(isUntouched(state)).to.equal(true);
  });

  it("never accepts a batch twice or out of order, whatever happens on the way", () => {
    fc.assert(
      fc.property(steps, (run) => {
        for (const end of play(run)) {
          const sorted = [...end.accepted].sort((one, other) => one - other);
          expect(end.accepted).to.deep.equal(sorted);
          expect(new Set(end.accepted).size).to.equal(end.accepted.length);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("leaves no hole between two breaks: what is accepted there is a run of what was sent", () => {
    fc.assert(
      fc.property(steps, (run) => {
        for (const { sinceBreak } of play(run)) {
          const [first = 0] = sinceBreak;
          expect(sinceBreak).to.deep.equal(sinceBreak.map((_, index) => first + index));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("tells both sides of a loss within two heartbeats, and of nothing when nothing was lost", () => {
    fc.assert(
      fc.property(steps, fc.nat({ max: 5 }), (run, more) => {
        const ends = play(run);
        for (let beat = 0; beat < 4; beat++) {
          exchangeBeats(ends); // now both agree
        }
        const [left, right] = ends;
        const before = [left.breaks, right.breaks];
        left.batch(); // lost
        for (let batch = 0; batch < more; batch++) {
          right.receive(left.batch());
        }
        exchangeBeats(ends);
        exchangeBeats(ends);
        expect(right.breaks).to.be.greaterThan(before[1] ?? 0);
        expect(left.breaks).to.be.greaterThan(before[0] ?? 0);
        exchangeBeats(ends);
        const [leftAfter, rightAfter] = [left.breaks, right.breaks];
        for (let beat = 0; beat < 5; beat++) {
          exchangeBeats(ends);
          right.receive(left.batch());
          left.receive(right.batch());
        }
        expect([left.breaks, right.breaks]).to.deep.equal([leftAfter, rightAfter]);
      }),
      { numRuns: 1_000 },
    );
  });

  it("comes to rest: once the way is clear both sides agree after four heartbeats and break no more", () => {
    fc.assert(
      fc.property(steps, (run) => {
        const ends = play(run);
        for (let beat = 0; beat < 4; beat++) {
          exchangeBeats(ends);
        }
        const [left, right] = ends;
        expect(left.connection.number).to.equal(right.connection.number);
        expect(left.connection.sent).to.equal(right.connection.received);
        expect(right.connection.sent).to.equal(left.connection.received);
        const before = left.breaks + right.breaks;
        for (let round = 0; round < 5; round++) {
          right.receive(left.batch());
          left.receive(right.batch());
          exchangeBeats(ends);
        }
        expect(left.breaks + right.breaks).to.equal(before);
      }),
      { numRuns: 2_000 },
    );
  });
});
