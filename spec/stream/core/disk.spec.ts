import { expect } from "chai";
import { Log } from "../../../lib/stream/log.ts";
import { createReplica } from "../../../lib/stream/step.ts";
import { Rig } from "./rig.ts";

/** Everything that can happen has happened: letters delivered, stores done. */
function rest(rig: Rig): void {
  for (let round = 0; round < 20; round++) {
    for (const id of rig.ids) {
      rig.store(id);
    }
    rig.deliver();
  }
}

function openOnDisk(members: number): Rig {
  const rig = new Rig(members, { durability: "disk" });
  rig.feed("a/1", { type: "claim", configuration: null, force: true });
  rest(rig);
  return rig;
}

describe("a replica on disk", () => {
  it("sends no seal before its own promise is stored", () => {
    const rig = new Rig(3, { durability: "disk" });
    rig.feed("a/1", { type: "claim", configuration: null, force: true });
    expect(rig.letters).to.deep.equal([]);
    rig.store("a/1");
    expect(rig.letters.map(({ message }) => message.type)).to.deep.equal(["seal", "seal"]);
  });

  it("answers a seal only when its promise is stored", () => {
    const rig = new Rig(3, { durability: "disk" });
    rig.feed("a/1", { type: "claim", configuration: null, force: true });
    rig.store("a/1");
    rig.deliver();
    expect(rig.state("b/1").hard.promise.counter).to.equal(1);
    expect(rig.letters).to.deep.equal([]);
    rig.store("b/1");
    expect(rig.letters.map(({ from, message }) => `${from} ${message.type}`)).to.deep.equal(["b/1 sealOk"]);
  });

  it("acknowledges an entry only when it is stored, and the writer counts itself no sooner", () => {
    const rig = openOnDisk(3);
    rig.isolate("c/1");
    rig.propose("a/1", "one");
    rig.deliver();
    rig.store("b/1");
    rig.deliver();
    expect(rig.committed("a/1")).to.deep.equal([]);
    rig.store("a/1");
    expect(rig.committed("a/1")).to.deep.equal(["one"]);
  });

  it("commits without the writer's own disk when a write quorum of others has stored", () => {
    const rig = openOnDisk(3);
    rig.propose("a/1", "one");
    rig.deliver();
    rig.store("b/1");
    rig.store("c/1");
    rig.deliver();
    expect(rig.committed("a/1")).to.deep.equal(["one"]);
  });

  it("acknowledges what it already holds without storing it again", () => {
    const rig = openOnDisk(3);
    rig.propose("a/1", "one");
    rest(rig);
    const { log } = rig.state("a/1");
    const prev = log.position(1);
    const entry = log.entry(2);
    const { writer } = rig.state("a/1");
    if (prev === null || entry === null || writer === null) {
      throw new Error("the writer holds its entries");
    }
    const { epoch, barrierSeq, round } = writer;
    const entries = [entry];
    const append = {
      type: "append",
      epoch,
      prev,
      entries,
      commitSeq: 0,
      barrierSeq,
      round,
      sentAt: 0,
    } as const;
    rig.feed("b/1", { type: "message", from: "a/1", message: append });
    expect(rig.letters.map(({ message }) => message.type)).to.deep.equal(["ack"]);
  });

  it("keeps its promise and its log over a restart, and what it knew of successors", () => {
    const rig = openOnDisk(3);
    rig.propose("a/1", "one");
    rest(rig);
    const { hard, log } = rig.state("b/1");
    rig.add("b/1", { stored: { hard, log, commitSeq: 0, tailCertain: true } });
    expect(rig.state("b/1").hard).to.deep.equal(hard);
    rig.tick();
    rest(rig);
    expect(rig.state("b/1").commitSeq).to.equal(rig.state("a/1").commitSeq);
    expect(rig.state("b/1").role).to.equal("follower");
  });

  it("takes no part once its storage has failed", () => {
    const rig = openOnDisk(3);
    rig.feed("a/1", { type: "storeFailed" });
    expect(rig.state("a/1").role).to.equal("damaged");
    expect(rig.effects("a/1", "closed")).to.have.length(1);
    rig.feed("b/1", { type: "replicaDown", replica: "a/1" });
    rig.feed("c/1", { type: "replicaDown", replica: "a/1" });
    for (let round = 0; round < 10; round++) {
      rig.tick();
      rest(rig);
    }
    expect(rig.ids.map((id) => rig.state(id).role)).to.deep.equal(["damaged", "open", "follower"]);
  });
});

describe("a log that may have lost its end", () => {
  /** b comes back with `kept` entries and an uncertain tail. */
  function uncertain(kept: number): Rig {
    const rig = openOnDisk(3);
    rig.propose("a/1", "one", "two");
    rest(rig);
    const { hard, log } = rig.state("b/1");
    const stored = { hard, log: log.truncateAfter(kept), commitSeq: 0, tailCertain: false };
    rig.add("b/1", { stored });
    return rig;
  }

  it("counts in no seal quorum", () => {
    const rig = uncertain(1);
    rig.remove("a/1");
    rig.feed("c/1", { type: "claim", configuration: null, force: true });
    rest(rig);
    expect(rig.state("c/1").claim?.sealed.get("b/1")?.tailCertain).to.equal(false);
    expect(rig.state("c/1").role).to.equal("sealing");
  });

  it("counts again once the open writer has brought it up to its own end", () => {
    const rig = uncertain(1);
    rig.cut("c/1", "a/1"); // now b's word decides
    rig.propose("a/1", "three");
    for (let round = 0; round < 20; round++) {
      rig.intercept("heartbeat"); // b asks where a's log ends, and gets no answer
      for (const id of rig.ids) {
        rig.store(id);
      }
      rig.deliverRound();
    }
    expect(rig.state("b/1").durableSeq).to.equal(rig.state("a/1").log.lastSeq);
    expect(rig.committed("a/1")).to.deep.equal(["one", "two"]);
    rig.tick();
    rest(rig);
    expect(rig.effects("b/1", "confirmTail")).to.have.length(1);
    expect(rig.committed("a/1")).to.deep.equal(["one", "two", "three"]);
  });

  it("lets a stream go on when every member has answered, each with what it still has", () => {
    const rig = uncertain(2);
    for (const id of ["a/1", "c/1"]) {
      const { hard, log } = rig.state(id);
      rig.add(id, { stored: { hard, log: log.truncateAfter(2), commitSeq: 0, tailCertain: false } });
    }
    rig.feed("c/1", { type: "claim", configuration: null, force: true });
    rest(rig);
    for (let round = 0; round < 4; round++) {
      rig.tick();
      rest(rig);
    }
    expect(rig.state("c/1").role).to.equal("open");
    expect(rig.ids.map((id) => rig.state(id).tailCertain)).to.deep.equal([true, true, true]);
    expect(rig.committed("c/1")).to.deep.equal(["one"]);
  });

  it("of a replica that never stored anything is an empty log", () => {
    const { log, role } = createReplica("x/1", new Rig(1).settings);
    expect(log.lastSeq).to.equal(Log.empty().lastSeq);
    expect(role).to.equal("empty");
  });
});
