import { expect } from "chai";
import fc from "fast-check";
import type { Epoch } from "../../lib/journal/epoch.ts";
import { Batches, type Caller, type Known, laterMode, type Superseded } from "../../lib/stream/batches.ts";
import { ORIGIN } from "../../lib/stream/entry.ts";
import type { RequestAnswer, StreamMode } from "../../lib/stream/requests.ts";

const TIMEOUT_MS = 100;
const REDIRECT: RequestAnswer = { status: "redirect", primary: "b/1" };

function epoch(counter: number): Epoch {
  return { counter, owner: "00000000000000aa" };
}

class Rig {
  readonly superseded: Superseded[] = [];
  readonly batches = new Batches(TIMEOUT_MS, (batch) => this.superseded.push(batch));
  readonly answers: RequestAnswer[][] = [];

  /** A batch of one request with one caller; its answers come into `answers` at the returned index. */
  add(seq: number, counter: number, mode: StreamMode = "strong", nowMs: number = 0): number {
    const request = { clientId: "c", requestSeq: seq * 1_000 + counter, value: `v${seq}` };
    this.batches.add(seq, epoch(counter), [request]);
    return this.join(seq, counter, mode, nowMs);
  }

  join(seq: number, counter: number, mode: StreamMode = "strong", nowMs: number = 0): number {
    const answers: RequestAnswer[] = [];
    const caller: Caller = { mode, answer: (answer) => answers.push(answer) };
    expect(this.batches.wait(seq, "c", seq * 1_000 + counter, caller, nowMs)).to.equal(true);
    return this.answers.push(answers) - 1;
  }

  commit(seq: number, counter: number): void {
    this.batches.committed({ seq, epoch: epoch(counter) }, REDIRECT);
  }

  status(index: number): string {
    return this.answers[index]?.map(({ status }) => status).join(" ") ?? "";
  }
}

describe("the batches of a writer", () => {
  it("answer in async at once, in sync when held, in strong when committed", () => {
    const rig = new Rig();
    const early = rig.add(2, 1, "async");
    const held = rig.join(2, 1, "sync");
    const late = rig.join(2, 1, "strong");
    expect([early, held, late].map((each) => rig.status(each))).to.deep.equal(["ok", "", ""]);
    rig.batches.held(2);
    expect([held, late].map((each) => rig.status(each))).to.deep.equal(["ok", ""]);
    expect(rig.status(rig.join(2, 1, "sync")), "joined when it is held").to.equal("ok");
    rig.commit(2, 1);
    expect(rig.answers[late]).to.deep.equal([{ status: "ok", value: "v2", seq: 2, epoch: epoch(1) }]);
    expect(rig.batches.undecided).to.equal(0);
    expect(rig.batches.waiting).to.equal(0);
  });

  it("answer unknown when time runs out, and go on", () => {
    const rig = new Rig();
    const first = rig.add(2, 1, "strong", 0);
    const second = rig.add(3, 1, "strong", 50);
    rig.batches.tick(99);
    expect(rig.status(first)).to.equal("");
    rig.batches.tick(100);
    expect([first, second].map((each) => rig.status(each))).to.deep.equal(["unknown", ""]);
    expect(rig.batches.undecided).to.equal(2);
    expect(rig.status(rig.join(2, 1, "strong", 100)), "a repeated request joins again").to.equal("");
    rig.commit(2, 1);
    expect(rig.status(first), "answered once").to.equal("unknown");
    expect(rig.status(2)).to.equal("ok");
  });

  it("are superseded by the first committed entry of a later epoch at or below them, and lost answers are counted", () => {
    const rig = new Rig();
    const committed = rig.add(2, 1);
    const told = rig.add(3, 1, "async");
    const waiting = rig.add(4, 1);
    rig.commit(2, 1);
    rig.batches.epochChanged();
    expect(rig.batches.undecided).to.equal(2);
    rig.commit(3, 2);
    expect([committed, told, waiting].map((each) => rig.status(each))).to.deep.equal([
      "ok",
      "ok",
      "redirect",
    ]);
    expect(rig.superseded.map(({ seq, answered }) => [seq, answered])).to.deep.equal([
      [3, 1],
      [4, 0],
    ]);
  });

  it("stay undecided over the end of their epoch when nothing is committed at their place", () => {
    const rig = new Rig();
    const index = rig.add(2, 1);
    rig.batches.epochChanged();
    expect(rig.batches.wait(2, "c", 2_001, { mode: "strong", answer: () => undefined }, 0)).to.equal(false);
    rig.commit(2, 1);
    expect(rig.status(index)).to.equal("ok");
  });

  it("are decided by the client table of a snapshot that is installed over them", () => {
    const rig = new Rig();
    const kept = rig.add(2, 1);
    const lost = rig.add(3, 1);
    const elsewhere = rig.add(4, 1);
    const done = rig.add(5, 1);
    const beyond = rig.add(9, 1);
    const base = { ...ORIGIN, seq: 8, epoch: epoch(4) };
    const table = new Map<number, Known>([
      [2_001, { seq: 2, epoch: epoch(1), answer: "v2" }],
      [4_001, { seq: 7, epoch: epoch(4), answer: "another" }],
      [5_001, "belowDone"],
    ]);
    rig.batches.installed(base, ({ requestSeq }) => table.get(requestSeq) ?? null, REDIRECT);
    expect([kept, lost, elsewhere, done, beyond].map((each) => rig.status(each))).to.deep.equal([
      "ok",
      "redirect",
      "redirect",
      "ok",
      "redirect",
    ]);
  });

  it("forget callers whose actor has crashed and say unknown to those of a replica that is another now", () => {
    const rig = new Rig();
    const gone = rig.add(2, 1);
    rig.batches.forgetCallers();
    const present = rig.join(2, 1);
    rig.batches.abandon();
    expect([gone, present].map((each) => rig.status(each))).to.deep.equal(["", "unknown"]);
    expect([rig.batches.undecided, rig.batches.waiting]).to.deep.equal([0, 0]);
  });

  it("answer every caller exactly once, whatever happens", () => {
    const event = fc.oneof(
      fc.record({ type: fc.constant("add"), mode: fc.constantFrom<StreamMode>("async", "sync", "strong") }),
      fc.record({
        type: fc.constantFrom("held", "commit", "newEpoch", "tick"),
        mode: fc.constant<StreamMode>("strong"),
      }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const rig = new Rig();
        let [counter, lastSeq, commitSeq, nowMs] = [1, 1, 1, 0];
        for (const { type, mode } of events) {
          if (type === "add") {
            lastSeq += 1;
            rig.add(lastSeq, counter, mode, nowMs);
          } else if (type === "held") {
            rig.batches.held(lastSeq);
          } else if (type === "commit" && commitSeq < lastSeq) {
            commitSeq += 1;
            rig.commit(commitSeq, counter);
          } else if (type === "newEpoch") {
            counter += 1;
            lastSeq = commitSeq + 1;
            rig.batches.epochChanged();
            commitSeq = lastSeq;
            rig.commit(commitSeq, counter);
          } else {
            nowMs += 60;
            rig.batches.tick(nowMs);
          }
        }
        rig.batches.tick(nowMs + TIMEOUT_MS);
        expect(rig.answers.every((answers) => answers.length === 1)).to.equal(true);
        expect(rig.batches.waiting).to.equal(0);
      }),
    );
  });

  it("give a request the later of its own and the stream's mode", () => {
    expect(laterMode("async", "strong")).to.equal("strong");
    expect(laterMode("strong", "async")).to.equal("strong");
    expect(laterMode("sync", undefined)).to.equal("sync");
  });
});
