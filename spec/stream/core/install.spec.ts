/**
 * A snapshot takes the place of a log: until it is whole the old log is there and counts, until it is durable
 * nothing is said that relies on it, and whoever crashes or is sealed in between has the one or the other.
 */
import { expect } from "chai";
import type { ReplicaState } from "../../../lib/stream/replica-state.ts";
import { KeepingObserver } from "../../simulation/stream/observed-keeping.ts";
import { Trace } from "../../simulation/stream/trace.ts";
import { World } from "../../simulation/stream/world.ts";
import { type Letter, Rig } from "./rig.ts";

/** b and c are the old members of whom c lags so far that only a snapshot helps. On disk. */
function lagging(): { readonly rig: Rig; readonly old: ReplicaState } {
  const rig = new Rig(3, { durability: "disk", keptEntries: 3 });
  const settle = (...ids: string[]): void => {
    for (let round = 0; round < 12; round++) {
      for (const id of ids) {
        rig.store(id);
      }
      rig.deliver();
    }
  };
  rig.open("a/1");
  settle("a/1", "b/1", "c/1");
  rig.propose("a/1", "old");
  settle("a/1", "b/1", "c/1");
  rig.isolate("c/1");
  for (let count = 0; count < 12; count++) {
    rig.propose("a/1", `entry ${count}`);
    settle("a/1", "b/1");
  }
  const old = rig.state("c/1");
  rig.heal();
  rig.tick(2);
  settle("a/1", "b/1", "c/1");
  expect(rig.effects("a/1", "sendSnapshot").map(({ to }) => to)).to.include("c/1");
  expect(rig.state("c/1").log.last).to.deep.equal(old.log.last);
  return { rig, old };
}

function receive(rig: Rig): void {
  const base = rig.state("a/1").log.position(rig.state("a/1").commitSeq);
  if (base === null) {
    throw new Error("the writer holds what it has committed");
  }
  const { seq, epoch, chain } = base;
  rig.feed("c/1", { type: "snapshotReceived", base: { seq, epoch, chain } });
}

/** b claims: what c answers to its seal by then, if anything. */
function sealedBy(rig: Rig): Letter[] {
  rig.letters = [];
  rig.feed("b/1", { type: "claim", configuration: null, force: true });
  rig.store("b/1");
  rig.letters = rig.letters.filter(({ to }) => to === "c/1");
  rig.deliverRound();
  return rig.intercept("sealOk");
}

function lastOf({ message }: Letter): unknown {
  return message.type === "sealOk" ? message.last.seq : null;
}

describe("the installing of a snapshot", () => {
  it("does not begin before the snapshot is whole: a seal finds the old log", () => {
    const { rig, old } = lagging();
    sealedBy(rig);
    rig.store("c/1");
    const [answer] = rig.intercept("sealOk");
    expect(answer && lastOf(answer)).to.equal(old.log.lastSeq);
    expect(rig.committed("c/1")).to.deep.equal(["old"]);
  });

  it("is told to a seal, or to the writer, only when it is durable", () => {
    const { rig } = lagging();
    receive(rig);
    const { base } = rig.state("c/1").log;
    expect(sealedBy(rig)).to.deep.equal([]);
    rig.feed("c/1", { type: "tick", draw: 0 });
    expect(rig.intercept("ack")).to.deep.equal([]);
    rig.store("c/1");
    const [answer] = rig.intercept("sealOk");
    expect(answer && lastOf(answer)).to.equal(base.seq);
  });

  it("leaves the old log where it is not durable: a crash in between loses nothing that was acknowledged", () => {
    const { rig, old } = lagging();
    const { hard, log, commitSeq, tailCertain } = old;
    receive(rig);
    expect(rig.effects("c/1", "install")).to.have.length(1);
    // The store that carries the snapshot was asked for and is not done.
    rig.remove("c/1");
    rig.add("c/1", { stored: { hard, log, commitSeq, tailCertain } });
    rig.letters = [];
    sealedBy(rig);
    rig.store("c/1");
    const [answer] = rig.intercept("sealOk");
    expect(answer && lastOf(answer)).to.equal(old.log.lastSeq);
    expect(rig.state("c/1").log.last).to.deep.equal(old.log.last);
  });
});

describe("the watch over what is kept", () => {
  function watched(): { readonly world: World; readonly keeping: KeepingObserver } {
    const world = new World(
      new Trace(() => 0),
      () => 0,
      () => 0,
    );
    return { world, keeping: new KeepingObserver(world) };
  }

  function rulesOf(world: World): string[] {
    return [...new Set(world.violations.map(({ rule }) => rule))];
  }

  it("finds a log that goes without a snapshot in its place, and one replaced at another event", () => {
    const { rig, old } = lagging();
    const before = rig.state("c/1");
    expect(before.log.last).to.deep.equal(old.log.last);
    receive(rig);
    const after = rig.state("c/1");
    const [install] = rig.effects("c/1", "install");
    const { world, keeping } = watched();
    keeping.step(before, { type: "snapshotReceived", base: after.log.base }, after, []);
    expect(rulesOf(world)).to.deep.equal(["I28"]);
    const other = watched();
    keeping.step(before, { type: "tick", draw: 0 }, after, install === undefined ? [] : [install]);
    other.keeping.replaced("c/1", 3, 9);
    expect(rulesOf(other.world)).to.deep.equal(["I28"]);
    expect(world.violationCount).to.be.greaterThan(1);
  });

  it("finds an acknowledgement of a snapshot that is not durable", () => {
    const { rig } = lagging();
    const before = rig.state("c/1");
    receive(rig);
    const after = rig.state("c/1");
    const { world, keeping } = watched();
    keeping.step(
      before,
      { type: "snapshotReceived", base: after.log.base },
      after,
      rig.effects("c/1", "install"),
    );
    const soFar = world.violationCount;
    const { seq, epoch } = after.log.base;
    const message = { type: "ack", epoch, seq, heldSeq: seq, round: 1, sentAt: 0, activated: epoch } as const;
    keeping.step(after, { type: "tick", draw: 0 }, after, [{ type: "send", to: ["a/1"], message }]);
    expect(world.violationCount).to.equal(soFar + 1);
    keeping.step(after, { type: "stored", mark: after.mark }, after, [
      { type: "send", to: ["a/1"], message },
    ]);
    expect(world.violationCount).to.equal(soFar + 1);
  });

  it("finds a replica that deletes what it is still needed for, or believes in what never opened", () => {
    const { rig } = lagging();
    const { world, keeping } = watched();
    const state = rig.state("c/1");
    const seen = { self: "c/1", state, lives: 1, lost: false, down: false, vouched: null } as const;
    const { promise } = state.hard;
    const observed = { ...seen, durablePromise: promise, vouchedPromise: promise, endedIn: promise };
    keeping.deletes(observed);
    expect(rulesOf(world)).to.deep.equal(["I25"]);
    const configuration = { members: ["a/1", "b/1"], writeQuorum: 2, sealQuorum: 2 };
    const out = { ...state, hard: { ...state.hard, activated: { epoch: promise, configuration } } };
    const believed = watched();
    believed.keeping.deletes({ ...observed, state: out });
    expect(believed.world.violationCount).to.equal(1);
    believed.world.opened.push({ epoch: promise, configuration });
    believed.keeping.deletes({ ...observed, state: out });
    expect(believed.world.violationCount).to.equal(1);
  });
});
