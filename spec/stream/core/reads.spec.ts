import { expect } from "chai";
import { hasLease } from "../../../lib/stream/leases.ts";
import { Rig } from "./rig.ts";

function ready(rig: Rig, id: string): { id: number; seq: number }[] {
  return rig.effects(id, "readReady").map(({ id: read, seq }) => ({ id: read, seq }));
}

function refused(rig: Rig, id: string): number[] {
  return rig.effects(id, "readRefused").map(({ id: read }) => read);
}

describe("a linearizable read", () => {
  it("is ready at the writer once a write quorum has confirmed after it began", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.propose("a/1", "one");
    rig.deliver();
    rig.feed("a/1", { type: "read", id: 1 });
    expect(ready(rig, "a/1")).to.deep.equal([]);
    rig.deliver();
    expect(ready(rig, "a/1")).to.deep.equal([{ id: 1, seq: rig.state("a/1").commitSeq }]);
  });

  it("is not confirmed by answers to what was sent before it began", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.feed("a/1", { type: "tick", draw: 0 });
    rig.deliverRound(); // the answers to the heartbeat are on their way
    const answers = rig.letters.splice(0);
    rig.feed("a/1", { type: "read", id: 1 });
    rig.letters = answers;
    rig.isolate("b/1");
    rig.isolate("c/1");
    rig.heal();
    rig.deliverRound();
    expect(ready(rig, "a/1")).to.deep.equal([]);
  });

  it("waits for what was appended before it and is not yet committed", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.propose("a/1", "one");
    rig.feed("a/1", { type: "read", id: 1 });
    const appends = rig.intercept("append");
    rig.deliverRound();
    rig.deliverRound();
    expect(ready(rig, "a/1")).to.deep.equal([]);
    rig.letters.push(...appends);
    rig.deliver();
    rig.tick();
    expect(ready(rig, "a/1")).to.deep.equal([{ id: 1, seq: rig.state("a/1").commitSeq }]);
  });

  it("costs a member of three one question and one answer", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.propose("a/1", "one");
    rig.deliver();
    rig.feed("b/1", { type: "read", id: 7 });
    rig.deliverRound();
    rig.deliverRound();
    expect(ready(rig, "b/1")).to.deep.equal([{ id: 7, seq: rig.state("a/1").commitSeq }]);
  });

  it("of a member of five needs one more confirmation", () => {
    const rig = new Rig(5);
    rig.open("a/1");
    rig.feed("b/1", { type: "read", id: 7 });
    rig.deliverRound();
    expect(rig.letters.filter(({ to }) => to === "b/1").map(({ message }) => message.type)).to.not.include(
      "readIndexOk",
    );
    rig.deliver();
    expect(ready(rig, "b/1")).to.have.length(1);
  });

  it("is refused where there is no writer, by a writer that loses its epoch, and when nobody answers", () => {
    const rig = new Rig(3);
    rig.feed("a/1", { type: "read", id: 1 });
    expect(refused(rig, "a/1")).to.deep.equal([1]);
    rig.open("a/1");
    rig.isolate("a/1");
    rig.feed("a/1", { type: "read", id: 2 });
    rig.feed("b/1", { type: "read", id: 3 });
    rig.tick(12);
    expect(refused(rig, "a/1")).to.deep.equal([1, 2]);
    expect(refused(rig, "b/1")).to.deep.equal([3]);
  });

  it("is not answered by a writer of an older epoch on the word of a member that has promised a newer one", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.tick();
    rig.isolate("a/1");
    rig.open("b/1");
    rig.propose("b/1", "new");
    rig.deliver();
    const { promise } = rig.state("b/1").hard;
    rig.feed("a/1", { type: "message", from: "c/1", message: { type: "readIndex", id: 9, epoch: promise } });
    expect(rig.letters.map(({ message }) => message.type)).to.deep.equal(["readIndexNo"]);
  });
});

describe("a read lease", () => {
  const settings = { leaseMs: 1_000, clockDrift: 0.25 } as const;

  it("is held once a write quorum has answered, for a share of its time counted from the sending", () => {
    const rig = new Rig(3, settings);
    rig.open("a/1");
    rig.tick();
    const sentAt = rig.nowMs;
    expect(hasLease(rig.state("a/1"), sentAt)).to.equal(true);
    expect(hasLease(rig.state("a/1"), sentAt + 749)).to.equal(true);
    expect(hasLease(rig.state("a/1"), sentAt + 751)).to.equal(false);
  });

  it("keeps every other claimant waiting, longer than its holder uses it", () => {
    const rig = new Rig(3, settings);
    rig.open("a/1");
    rig.tick();
    const granted = rig.nowMs;
    rig.isolate("a/1");
    rig.nowMs = granted + 1_200;
    rig.open("b/1");
    expect(rig.state("b/1").role).to.equal("sealing");
    rig.nowMs = granted + 1_300;
    rig.feed("b/1", { type: "tick", draw: 0 });
    rig.feed("b/1", { type: "tick", draw: 0 });
    rig.deliver();
    expect(rig.state("b/1").role).to.equal("open");
    expect(hasLease(rig.state("a/1"), granted + 1_200)).to.equal(false);
  });

  it("is nobody's where leases are off", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.tick();
    expect(hasLease(rig.state("a/1"), rig.nowMs)).to.equal(false);
  });
});
