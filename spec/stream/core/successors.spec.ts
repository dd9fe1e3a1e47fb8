/**
 * What a claim must hear of proposals before it, in the two schedules that chance takes long to find: an epoch
 * of the present members that goes behind a change of them, and a configuration that is proposed twice.
 */
import { expect } from "chai";
import { majorityOf } from "../../../lib/stream/configuration.ts";
import { type Letter, Rig } from "./rig.ts";

/** Delivers everything but what is `lost`, until nothing is on its way. */
function deliverBut(rig: Rig, lost: (letter: Letter) => boolean): void {
  for (let rounds = 0; rounds < 100 && rig.letters.length > 0; rounds++) {
    rig.letters = rig.letters.filter((letter) => !lost(letter));
    rig.deliverRound();
  }
}

function isActivate({ message }: Letter): boolean {
  return message.type === "activate";
}

/** a, b and c with a as the writer, and `learners` that know it. */
function founded(learners: readonly string[]): Rig {
  const rig = new Rig(3);
  rig.open("a/1");
  for (const id of learners) {
    rig.add(id);
    rig.feed(id, { type: "join", to: "a/1" });
  }
  rig.deliver();
  rig.tick(4);
  for (const id of learners) {
    expect(rig.state(id).hard.activated?.configuration.members).to.deep.equal(["a/1", "b/1", "c/1"]);
  }
  return rig;
}

/** Claims until it opens: the first claim may only hear of a higher epoch. */
function openBut(rig: Rig, id: string, lost: (letter: Letter) => boolean): void {
  for (let count = 0; count < 2 && (count === 0 || rig.state(id).role !== "open"); count++) {
    rig.feed(id, { type: "claim", configuration: null, force: true });
    deliverBut(rig, lost);
  }
}

describe("a claim and the proposals before it", () => {
  it("hears of an epoch of the old members that was proposed behind a change of members", () => {
    const rig = founded(["d/1", "e/1"]);
    // c changes the members; only c itself learns that they are active.
    rig.isolate("a/1");
    const configuration = majorityOf(["c/1", "d/1", "e/1"]);
    rig.feed("c/1", { type: "claim", configuration, force: true });
    deliverBut(rig, isActivate);
    expect(rig.state("c/1").role).to.equal("open");
    // a, which has not heard of it, opens an epoch of the old members: d and e are sealed for that.
    rig.heal();
    rig.isolate("c/1");
    openBut(rig, "a/1", isActivate);
    expect(rig.state("a/1").role).to.equal("open");
    rig.propose("a/1", "kept");
    deliverBut(rig, isActivate);
    expect(rig.committed("a/1")).to.deep.equal(["kept"]);
    // c goes on with the new members, which must tell it of that epoch.
    rig.letters = [];
    rig.heal();
    rig.isolate("a/1");
    rig.isolate("b/1");
    openBut(rig, "c/1", isActivate);
    rig.tick(4);
    expect(rig.state("c/1").role).to.equal("sealing");
    rig.heal();
    rig.tick(40);
    const writer = rig.ids.find((id) => rig.state(id).role === "open") ?? "";
    expect(rig.committed(writer)).to.deep.equal(["kept"]);
  });

  it("hears of an older proposal for the very configuration that it proposes itself", () => {
    const rig = founded(["d/1"]);
    // b changes the members and commits with d; c has promised, and hears nothing more.
    rig.isolate("a/1");
    const configuration = majorityOf(["b/1", "c/1", "d/1"]);
    const unheard = ({ to, message }: Letter): boolean =>
      message.type === "activate" ||
      (to === "c/1" && (message.type === "append" || message.type === "heartbeat"));
    rig.feed("b/1", { type: "claim", configuration, force: true });
    deliverBut(rig, unheard);
    rig.propose("b/1", "kept");
    deliverBut(rig, unheard);
    expect(rig.state("b/1").role).to.equal("open");
    expect(rig.committed("b/1")).to.deep.equal(["kept"]);
    // c proposes the same members. Without d's promise it may not go on: d has what b has committed.
    rig.letters = [];
    rig.heal();
    rig.isolate("b/1");
    rig.feed("c/1", { type: "claim", configuration, force: true });
    deliverBut(rig, ({ to, message }) => to === "d/1" && message.type === "seal");
    expect(rig.state("c/1").role).to.equal("sealing");
    rig.tick(4);
    expect(rig.state("c/1").role).to.equal("open");
    expect(rig.committed("c/1")).to.deep.equal(["kept"]);
  });
});
