/**
 * What is heard too late, or said before: words from before a promise or a restart that still look like an answer
 * to what is asked now, and news that came to everybody but those who need it.
 */
import { expect } from "chai";
import { majorityOf } from "../../../lib/stream/configuration.ts";
import { hasLease } from "../../../lib/stream/leases.ts";
import type { Letter } from "./rig.ts";
import { Rig } from "./rig.ts";

/** Everything that can happen has happened, but what is `lost`: letters delivered, stores done. */
function rest(rig: Rig, lost: (letter: Letter) => boolean = () => false): void {
  for (let round = 0; round < 30; round++) {
    for (const id of rig.ids) {
      rig.store(id);
    }
    rig.letters = rig.letters.filter((letter) => !lost(letter));
    rig.deliverRound();
  }
}

function openBy(rig: Rig, id: string): void {
  rig.feed(id, { type: "claim", configuration: null, force: true });
  rest(rig);
  expect(rig.state(id).role).to.equal("open");
}

function ticks(rig: Rig, count: number): void {
  for (let round = 0; round < count; round++) {
    rig.tick();
    rest(rig);
  }
}

function join(rig: Rig, ...ids: readonly string[]): void {
  for (const id of ids) {
    rig.add(id);
    rig.feed(id, { type: "join", to: "a/1" });
  }
}

describe("a replica that has promised a new epoch", () => {
  /** d has heard many rounds of a as a learner; b opens an epoch in which d is a member, and is cut off at once. */
  function promoted(leaseMs: number): Rig {
    const rig = new Rig(3, { durability: "disk", leaseMs });
    rig.setClock("a/1", { rate: 1, offsetMs: 1_000_000 });
    openBy(rig, "a/1");
    join(rig, "d/1");
    rest(rig);
    ticks(rig, 30);
    expect(rig.state("d/1").role).to.equal("learner");
    // a proposes d as a member and dies: whoever claims next must seal d, too.
    const configuration = majorityOf(["a/1", "b/1", "d/1"]);
    rig.feed("a/1", { type: "claim", configuration, force: true });
    rest(rig, ({ message }) => message.type === "sealOk");
    rig.remove("a/1");
    rig.nowMs += 2 * leaseMs;
    const wanted = majorityOf(["b/1", "c/1", "d/1"]);
    rig.feed("b/1", { type: "claim", configuration: wanted, force: true });
    rest(rig, ({ to, message }) => to === "d/1" && message.type !== "seal" && message.type !== "preseal");
    expect(rig.state("b/1").role).to.equal("open");
    return rig;
  }

  it("does not repeat to its owner the rounds of an older one", () => {
    const rig = promoted(0);
    rig.isolate("b/1");
    rig.feed("b/1", { type: "read", id: 1 });
    rest(rig);
    expect(rig.state("b/1").writer?.progress.get("d/1")?.round).to.equal(0);
    expect(rig.effects("b/1", "readReady")).to.deep.equal([]);
  });

  it("does not grant its owner a lease by an older owner's clock", () => {
    const rig = promoted(1_000);
    rig.cut("c/1", "b/1");
    rig.cut("d/1", "b/1");
    rig.nowMs += 1_300;
    expect(hasLease(rig.state("b/1"), rig.clockMs("b/1"))).to.equal(false);
    expect(rig.state("b/1").writer?.progress.get("d/1")?.echoedAt).to.equal(Number.NEGATIVE_INFINITY);
  });
});

describe("a log that may have lost its end", () => {
  it("is not made good by what its owner said before the loss", () => {
    const rig = new Rig(3, { durability: "disk" });
    openBy(rig, "a/1");
    rig.isolate("c/1");
    rig.propose("a/1", "one");
    rest(rig);
    rig.feed("a/1", { type: "tick", draw: 0 });
    const early = rig.letters.filter(({ to, message }) => to === "b/1" && message.type === "heartbeat");
    expect(early).to.have.length(1);
    rig.propose("a/1", "two");
    rest(rig);
    expect(rig.committed("a/1")).to.deep.equal(["one", "two"]);
    // b comes back without the last entry that it acknowledged, then hears the old heartbeat once more.
    const { hard, log } = rig.state("b/1");
    rig.add("b/1", {
      stored: { hard, log: log.truncateAfter(log.lastSeq - 1), commitSeq: 0, tailCertain: false },
      life: "second",
    });
    rig.letters = [...early];
    rig.deliverRound();
    rig.letters = [];
    expect(rig.state("b/1").tailCertain).to.equal(false);
    // Without a, b and c are not enough.
    rig.heal();
    rig.isolate("a/1");
    rig.feed("c/1", { type: "claim", configuration: null, force: true });
    rest(rig);
    expect(rig.state("c/1").role).to.equal("sealing");
    // With a again everything is there.
    rig.heal();
    ticks(rig, 60);
    const writer = rig.ids.find((id) => rig.state(id).role === "open") ?? "";
    expect(rig.committed(writer)).to.deep.equal(["one", "two"]);
    expect(rig.ids.map((id) => rig.state(id).tailCertain)).to.deep.equal([true, true, true]);
  });
});

describe("a change of all members but one", () => {
  it("reaches the new members from those who were told, when its owner dies before it tells them", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    join(rig, "d/1", "e/1");
    rig.deliver();
    rig.tick(4);
    const configuration = majorityOf(["a/1", "d/1", "e/1"]);
    rig.feed("a/1", { type: "claim", configuration, force: true });
    rest(rig, ({ to, message }) => message.type === "activate" && (to === "d/1" || to === "e/1"));
    expect(rig.state("a/1").role).to.equal("open");
    expect(rig.state("b/1").role).to.equal("gone");
    rig.letters = [];
    rig.remove("a/1");
    rig.tick(100);
    const writers = rig.ids.filter((id) => rig.state(id).role === "open");
    expect(writers).to.have.length(1);
    expect(rig.state(writers[0] ?? "").hard.activated?.configuration.members).to.deep.equal(
      configuration.members,
    );
  });
});

describe("a replica that is removed a second time", () => {
  it("has not understood it because it once understood the first time", () => {
    const rig = new Rig(3);
    rig.open("a/1");
    const older = rig.state("a/1").hard.promise;
    rig.isolate("c/1");
    rig.feed("a/1", { type: "claim", configuration: majorityOf(["a/1", "b/1"]), force: true });
    rig.deliver();
    const newer = rig.state("a/1").hard.promise;
    rig.feed("a/1", { type: "message", from: "c/1", message: { type: "retireOk", epoch: older } });
    expect(rig.state("a/1").writer?.retiring).to.deep.equal(["c/1"]);
    rig.feed("a/1", { type: "message", from: "c/1", message: { type: "retireOk", epoch: newer } });
    expect(rig.state("a/1").writer?.retiring).to.deep.equal([]);
  });
});
