import { expect } from "chai";
import { majorityOf } from "../../../lib/stream/configuration.ts";
import { Rig } from "./rig.ts";

describe("a claim", () => {
  it("opens after the first ticks of a new stream, at the first member in order", () => {
    const rig = new Rig(3);
    rig.tick(3);
    expect(rig.ids.map((id) => rig.state(id).role)).to.deep.equal(["open", "follower", "follower"]);
    expect(rig.state("b/1").hard.activated?.epoch).to.deep.equal(rig.state("a/1").writer?.epoch);
  });

  it("opens alone where one member is all there is", () => {
    const rig = new Rig(1);
    rig.tick(2);
    rig.propose("a/1", "one");
    expect(rig.committed("a/1")).to.deep.equal(["one"]);
  });

  it("is not welcome while the primary is heard, and is once its silence has lasted or the node floor reports it down", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.tick();
    rig.feed("b/1", { type: "claim", configuration: null, force: false });
    rig.deliver();
    expect(rig.state("a/1").role).to.equal("open");
    rig.feed("c/1", { type: "replicaDown", replica: "a/1" });
    rig.feed("b/1", { type: "replicaDown", replica: "a/1" });
    rig.remove("a/1");
    rig.tick(8);
    expect(rig.state("b/1").role).to.equal("open");
  });

  it("waits out the silence of a primary that nobody has reported down", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.tick();
    rig.remove("a/1");
    rig.tick(9);
    expect(rig.ids.map((id) => rig.state(id).role)).to.deep.equal(["follower", "follower"]);
    rig.tick(8);
    expect(rig.ids.map((id) => rig.state(id).role)).to.include("open");
  });

  it("adopts the log with the highest epoch at its end, not the longest", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.tick();
    rig.isolate("a/1");
    rig.propose("a/1", "lost 1", "lost 2", "lost 3");
    rig.deliver();
    rig.open("b/1");
    rig.propose("b/1", "kept");
    rig.deliver();
    rig.heal();
    rig.open("a/1"); // hears that its epoch is too low
    rig.open("a/1");
    expect(rig.state("a/1").role).to.equal("open");
    expect(rig.committed("a/1")).to.deep.equal(["kept"]);
  });

  it("brings a longer log of another history page by page to where it parts", () => {
    const rig = new Rig(3, { appendEntries: 3 });
    rig.open("a/1");
    rig.cut("b/1", "a/1"); // acknowledgements do not arrive, so nothing is known committed
    rig.cut("c/1", "a/1");
    rig.propose("a/1", ...Array.from({ length: 12 }, (_, index) => `old ${index}`));
    rig.deliver();
    rig.isolate("a/1");
    rig.propose("a/1", "only here 1", "only here 2");
    rig.open("b/1");
    rig.propose("b/1", "new");
    rig.deliver();
    rig.heal();
    rig.open("a/1");
    rig.open("a/1");
    expect(rig.state("a/1").role).to.equal("open");
    const texts = rig.committed("a/1");
    expect(texts.slice(-2)).to.deep.equal(["old 11", "new"]);
    expect(texts).to.have.length(13);
  });

  it("hears of a proposal that never opened, and seals its members too", () => {
    const rig = new Rig(3);
    rig.add("d/1");
    rig.add("e/1");
    rig.open("a/1");
    rig.tick();
    // b proposes itself with d and e; its seal reaches only c, and then b, d and e are cut off.
    rig.cut("b/1", "a/1");
    rig.feed("b/1", { type: "claim", configuration: majorityOf(["b/1", "d/1", "e/1"]), force: true });
    rig.deliverRound();
    rig.deliverRound();
    rig.letters = rig.intercept("seal").filter(({ to }) => to === "c/1");
    rig.deliverRound();
    for (const id of ["b/1", "d/1", "e/1"]) {
      rig.isolate(id);
    }
    rig.deliver();
    expect(rig.state("c/1").hard.successors.map(({ configuration }) => configuration.members)).to.deep.equal([
      ["b/1", "d/1", "e/1"],
    ]);
    // a must not open before a majority of b, d and e has promised: they may have committed.
    rig.open("a/1");
    rig.open("a/1");
    rig.tick(4);
    expect(rig.state("a/1").role).to.equal("sealing");
    rig.heal();
    rig.isolate("b/1");
    rig.tick(4);
    expect(rig.state("a/1").role).to.equal("open");
    const proof = rig.effects("a/1", "opened")[1]?.proof;
    expect(proof?.chain.map(({ configuration }) => configuration.members)).to.deep.include([
      "b/1",
      "d/1",
      "e/1",
    ]);
    expect(proof?.sealed).to.include.members(["a/1", "c/1", "d/1", "e/1"]);
  });

  it("never proposes two configurations in one epoch: a second claim of the same replica takes a higher one", () => {
    const rig = new Rig(3);
    rig.isolate("a/1");
    rig.open("a/1");
    const first = rig.state("a/1").claim?.epoch.counter ?? 0;
    rig.tick(21);
    rig.open("a/1");
    expect(rig.state("a/1").claim?.epoch.counter).to.be.greaterThan(first);
    expect(rig.effects("a/1", "claimFailed")).to.have.length(1);
  });

  it("refuses to propose a configuration without itself, or with unsound quorums", () => {
    const rig = new Rig(3);
    rig.feed("a/1", { type: "claim", configuration: majorityOf(["b/1", "c/1"]), force: true });
    const unsound = { members: ["a/1", "b/1", "c/1"], writeQuorum: 1, sealQuorum: 2 };
    rig.feed("a/1", { type: "claim", configuration: unsound, force: true });
    expect(rig.effects("a/1", "claimFailed")).to.have.length(2);
    expect(rig.letters).to.deep.equal([]);
  });

  it("is answered by one that is no longer a member with who the members are", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.tick();
    rig.isolate("b/1"); // b does not hear that c goes
    rig.feed("a/1", { type: "claim", configuration: majorityOf(["a/1", "c/1"]), force: true });
    rig.deliver();
    rig.feed("a/1", { type: "claim", configuration: majorityOf(["a/1"]), force: true });
    rig.deliver();
    expect(rig.state("c/1").role).to.equal("gone");
    rig.isolate("a/1");
    rig.heal();
    rig.cut("b/1", "a/1");
    rig.cut("a/1", "b/1");
    rig.open("b/1");
    expect(rig.state("b/1").role).to.equal("gone");
    expect(rig.state("b/1").hard.activated?.configuration.members).to.deep.equal(["a/1"]);
  });

  it("gives the role over without waiting for silence", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    rig.tick();
    rig.propose("a/1", "one");
    rig.deliver();
    rig.feed("a/1", { type: "handOver", to: "c/1" });
    rig.deliver();
    expect(rig.state("c/1").role).to.equal("open");
    expect(rig.state("a/1").role).to.be.oneOf(["follower", "fenced"]);
    rig.tick();
    expect(rig.committed("a/1")).to.deep.equal(["one"]);
  });
});
