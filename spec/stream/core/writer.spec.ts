import { expect } from "chai";
import { majorityOf } from "../../../lib/stream/configuration.ts";
import { step } from "../../../lib/stream/step.ts";
import { canPropose } from "../../../lib/stream/writer.ts";
import { Rig } from "./rig.ts";

describe("the writer of an epoch", () => {
  it("commits what a write quorum holds, and tells the others", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.isolate("c/1");
    rig.propose("a/1", "one", "two");
    rig.deliver();
    expect(rig.committed("a/1")).to.deep.equal(["one", "two"]);
    rig.feed("a/1", { type: "nudged" });
    rig.deliver();
    expect(rig.committed("b/1")).to.deep.equal(["one", "two"]);
    expect(rig.committed("c/1")).to.deep.equal([]);
    rig.heal();
    rig.tick(2);
    expect(rig.committed("c/1")).to.deep.equal(["one", "two"]);
  });

  it("does not count a learner, however much it holds", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.add("d/1");
    rig.feed("d/1", { type: "join", to: "a/1" });
    rig.deliver();
    rig.tick(2);
    expect(rig.effects("a/1", "caughtUp").map(({ replica }) => replica)).to.deep.equal(["d/1"]);
    rig.isolate("b/1");
    rig.isolate("c/1");
    rig.propose("a/1", "one");
    rig.deliver();
    expect(rig.state("d/1").log.lastSeq).to.equal(rig.state("a/1").log.lastSeq);
    expect(rig.committed("a/1")).to.deep.equal([]);
  });

  it("brings up so many learners at a time; one that has caught up makes room for the next", () => {
    const rig = new Rig(3, { learnersMax: 1 });
    rig.open("a/1");
    for (const id of ["d/1", "e/1"]) {
      rig.add(id);
    }
    rig.cut("d/1", "a/1");
    rig.feed("a/1", { type: "message", from: "d/1", message: { type: "join" } });
    rig.feed("e/1", { type: "join", to: "a/1" });
    rig.deliver();
    const fed = (): string[] =>
      [...(rig.state("a/1").writer?.progress ?? [])].filter(([, { member }]) => !member).map(([id]) => id);
    expect(fed()).to.deep.equal(["d/1"]);
    rig.heal();
    rig.tick(2);
    expect(rig.effects("a/1", "caughtUp").map(({ replica }) => replica)).to.deep.equal(["d/1"]);
    rig.feed("e/1", { type: "join", to: "a/1" });
    rig.deliver();
    rig.tick(2);
    expect(fed()).to.deep.equal(["d/1", "e/1"]);
    expect(rig.state("e/1").log.lastSeq).to.equal(rig.state("a/1").log.lastSeq);
  });

  it("does not commit entries of an older epoch by counting their copies, only behind its own barrier", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.tick();
    rig.cut("b/1", "a/1");
    rig.cut("c/1", "a/1");
    rig.propose("a/1", "old");
    rig.deliver(); // held by all three, known committed by nobody
    rig.remove("a/1");
    rig.cut("c/1", "b/1"); // b seals by c's answer of before; its barrier is not acknowledged
    rig.heal();
    rig.feed("b/1", { type: "claim", configuration: null, force: true });
    rig.letters = rig.letters.filter(({ to }) => to !== "a/1");
    rig.deliver();
    const { commitSeq, writer } = rig.state("b/1");
    expect(commitSeq).to.be.at.least(writer?.barrierSeq ?? Number.POSITIVE_INFINITY);
    expect(rig.committed("b/1")).to.deep.equal(["old"]);
  });

  it("is told nothing by an acknowledgement of another epoch, or of one who is no receiver", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.isolate("b/1");
    rig.isolate("c/1");
    rig.propose("a/1", "one");
    rig.deliver();
    const { epoch, barrierSeq } = rig.state("a/1").writer ?? {
      epoch: { counter: 0, owner: "" },
      barrierSeq: 0,
    };
    const ack = { type: "ack", seq: 2, heldSeq: 2, round: 1, sentAt: 0, activated: epoch } as const;
    const older = { ...epoch, counter: epoch.counter - 1 };
    rig.feed("a/1", { type: "message", from: "b/1", message: { ...ack, epoch: older } });
    rig.feed("a/1", { type: "message", from: "b/2", message: { ...ack, epoch } });
    rig.feed("a/1", { type: "message", from: "a/1", message: { ...ack, epoch } });
    expect(rig.state("a/1").commitSeq).to.equal(barrierSeq);
  });

  it("takes nothing beyond pendingMax, before any effect", () => {
    const rig = new Rig(3, { pendingMax: 2 });
    rig.open("a/1");
    rig.isolate("b/1");
    rig.isolate("c/1");
    rig.propose("a/1", "one");
    rig.propose("a/1", "two");
    expect(canPropose(rig.state("a/1"))).to.equal(false);
    const before = rig.state("a/1");
    const payloads = [new Uint8Array(1)];
    expect(step(before, { type: "propose", payloads }, 0)).to.deep.equal({ state: before, effects: [] });
  });

  it("sends no more than a window, and goes on as it is acknowledged", () => {
    const rig = new Rig(3, { windowEntries: 4, appendEntries: 2 });
    rig.open("a/1");
    rig.deliver();
    rig.propose("a/1", ...Array.from({ length: 20 }, (_, index) => `${index}`));
    const sent = rig.letters.filter(({ to, message }) => to === "b/1" && message.type === "append");
    expect(sent).to.have.length(2);
    rig.deliver();
    expect(rig.committed("a/1")).to.have.length(20);
  });

  it("sends one message for all who stand at the same entry", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    const before = rig.effects("a/1", "send").length;
    rig.propose("a/1", "one");
    const sends = rig.effects("a/1", "send").slice(before);
    expect(sends.map(({ to }) => to)).to.deep.equal([["b/1", "c/1"]]);
  });

  it("brings one that missed entries up to date from where it stands", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.propose("a/1", "one");
    rig.intercept("append");
    rig.propose("a/1", "two");
    rig.deliver();
    rig.tick();
    expect(rig.committed("b/1")).to.deep.equal(["one", "two"]);
  });

  it("asks for a snapshot for one that lacks what is no longer held, and goes on behind it", () => {
    const rig = new Rig(3, { keptEntries: 3 });
    rig.open("a/1");
    rig.isolate("c/1");
    for (let index = 0; index < 20; index++) {
      rig.propose("a/1", `${index}`);
      rig.deliver();
    }
    rig.heal();
    rig.tick(2);
    expect(rig.effects("a/1", "sendSnapshot").map(({ to }) => to)).to.deep.equal(["c/1"]);
    const { log, commitSeq } = rig.state("a/1");
    const base = log.position(commitSeq);
    if (base === null) {
      throw new Error("the commit position is held");
    }
    rig.feed("c/1", { type: "snapshotReceived", base });
    expect(rig.effects("c/1", "install")).to.have.length(1);
    rig.feed("a/1", { type: "snapshotSent", to: "c/1", seq: base.seq });
    rig.deliver();
    rig.propose("a/1", "after");
    rig.deliver();
    rig.tick();
    expect(rig.state("c/1").commitSeq).to.equal(rig.state("a/1").commitSeq);
    expect(rig.state("c/1").log.base.seq).to.equal(base.seq);
  });

  it("gives its epoch up when it hears no write quorum, and says which entries may be lost", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.isolate("a/1");
    rig.propose("a/1", "in doubt");
    rig.tick(12);
    expect(rig.state("a/1").role).to.not.equal("open");
    expect(rig.effects("a/1", "closed")).to.have.length(1);
    rig.heal();
    rig.tick(30);
    const [writer] = rig.ids.filter((id) => rig.state(id).role === "open");
    expect(writer).to.be.a("string");
    expect(rig.committed("a/1")).to.deep.equal(rig.committed(writer ?? ""));
  });

  it("is fenced at once by an append of a newer epoch, even one that does not fit its log", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.tick();
    rig.isolate("a/1");
    rig.open("b/1");
    rig.open("b/1");
    rig.propose("b/1", "one");
    rig.propose("b/1", "two");
    rig.deliver();
    rig.heal();
    rig.propose("b/1", "three");
    rig.deliver();
    expect(rig.state("a/1").role).to.not.equal("open");
    rig.tick(2);
    expect(rig.committed("a/1")).to.deep.equal(["one", "two", "three"]);
  });

  it("swaps a member for a learner in one epoch change, and the old one retires", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.propose("a/1", "one");
    rig.deliver();
    rig.add("d/1");
    rig.feed("d/1", { type: "join", to: "a/1" });
    rig.deliver();
    rig.tick(2);
    rig.feed("a/1", { type: "claim", configuration: majorityOf(["a/1", "b/1", "d/1"]), force: false });
    rig.deliver();
    rig.tick(2);
    expect(rig.ids.map((id) => rig.state(id).role)).to.deep.equal(["open", "follower", "gone", "follower"]);
    expect(rig.state("a/1").writer?.retiring).to.deep.equal([]);
    rig.isolate("b/1");
    rig.propose("a/1", "two");
    rig.deliver();
    expect(rig.committed("a/1")).to.deep.equal(["one", "two"]);
  });

  it("is not replaced by a configuration whose new members do not answer", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.tick();
    rig.feed("a/1", { type: "claim", configuration: majorityOf(["a/1", "b/1", "x/1"]), force: false });
    rig.deliver();
    rig.tick(25);
    expect(rig.state("a/1").role).to.equal("open");
    expect(rig.effects("a/1", "claimFailed").map(({ reason }) => reason)).to.deep.equal(["too few agreed"]);
  });
});
