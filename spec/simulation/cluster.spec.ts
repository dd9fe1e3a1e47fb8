import { expect } from "chai";
import type { Down } from "../../lib/actor/info.ts";
import type { Pid } from "../../lib/actor/pid.ts";
import { outcomeOf, type SimCluster, type SimNode } from "../support/sim-cluster.ts";
import { BOOM } from "./actors.ts";
import { downsOf, NAMES, reasons, seen, startTrio, stopTrio, worker } from "./trio.ts";

describe("a cluster over the in-process transport", () => {
  let cluster: SimCluster;
  let a: SimNode;
  let b: SimNode;

  beforeEach(async () => {
    ({ cluster, a, b } = await startTrio());
  });

  afterEach(() => stopTrio(cluster));

  // --- messages ---------------------------------------------------------------------------------

  it("sees all its nodes as soon as the last has started", () => {
    expect(cluster.whole()).to.equal(true);
    for (const name of NAMES) {
      expect([...cluster.get(name).node.nodes()].sort()).to.deep.equal(NAMES);
    }
  });

  it("calls by name and by pid, and casts, on other nodes as at home (otp 88)", async () => {
    const ref = await worker(cluster, b, "w");
    const value = { text: "é", list: [1, { deep: null }], bytes: new Uint8Array([1, 2]) };
    expect(await cluster.run(a.node.call({ name: "w", node: "b" }, { type: "echo", value }))).to.deep.equal(
      value,
    );
    expect(await cluster.run(a.node.call(ref.pid, { type: "echo", value: 7 }))).to.equal(7);
    a.node.cast(ref.pid, { type: "note", from: "a", n: 1 });
    a.node.cast({ name: "w", node: "b" }, { type: "note", from: "a", n: 2 });
    await cluster.advance(1);
    expect(await seen(cluster, ref)).to.deep.equal(["note a 1", "note a 2"]);
  });

  it("keeps the order of casts, calls and signals between a pair (otp 89)", async () => {
    const ref = await worker(cluster, b, "w");
    for (let n = 0; n < 2_000; n++) {
      a.node.cast(ref.pid, { type: "note", from: "a", n });
    }
    const notes = await cluster.run(a.node.call(ref.pid, { type: "seen" }));
    expect(notes).to.deep.equal(Array.from({ length: 2_000 }, (_, n) => `note a ${n}`));
  });

  it("puts what is bound for one node in one turn into one message", async () => {
    const ref = await worker(cluster, b, "w");
    await cluster.advance(1);
    const before = a.transport.stats.outMessages;
    for (let n = 0; n < 500; n++) {
      a.node.cast(ref.pid, { type: "note", from: "a", n });
    }
    await cluster.clock.settle();
    expect(a.transport.stats.outMessages - before).to.equal(1);
  });

  it("fails a call to nobody with noproc, to a node that is not there with nodedown, late with timeout", async () => {
    const ref = await worker(cluster, b, "w");
    const calls = [
      a.node.call({ name: "nobody", node: "b" }, { type: "echo" }),
      a.node.call({ name: "w", node: "z" }, { type: "echo" }),
      a.node.call(ref.pid, { type: "never" }, { timeoutMs: 50 }),
      a.node.call("b/0incarnation/1", { type: "echo" }),
    ];
    const outcomes = await cluster.run(Promise.all(calls.map(outcomeOf)));
    expect(outcomes).to.deep.equal(["noproc", "nodedown", "timeout", "noproc"]);
  });

  it("drops an answer that comes after the timeout", async () => {
    const ref = await worker(cluster, b, "w");
    expect(
      await cluster.run(outcomeOf(a.node.call(ref.pid, { type: "later", ms: 100 }, { timeoutMs: 50 }))),
    ).to.equal("timeout");
    await cluster.advance(100);
    expect(await cluster.run(a.node.call(ref.pid, { type: "echo", value: 1 }))).to.equal(1);
  });

  it("fails the callers of a process that dies mid-call with its reason (otp 88)", async () => {
    const ref = await worker(cluster, b, "w");
    const call = a.node.call(ref.pid, { type: "never" });
    const failure = call.then(
      () => "answered",
      (error: unknown) => String(error),
    );
    a.node.cast(ref.pid, { type: "crash", why: "out of luck" });
    expect(await cluster.run(failure)).to.match(/ended before it answered: Error: out of luck/);
  });

  it("counts casts to nobody and never throws for them", async () => {
    a.node.cast({ name: "nobody", node: "b" }, { type: "note" });
    a.node.cast({ name: "w", node: "z" }, { type: "note" });
    a.node.cast({ name: "w", node: "b" }, { type: "note", from: "a", n: Symbol("x") });
    await cluster.advance(1);
    expect(b.node.system.drops.noproc).to.equal(1);
    expect(a.node.system.drops.noconnection).to.equal(1);
    expect(a.node.system.drops.invalid_message).to.equal(1);
  });

  it("tells what a call of more than a batch's bytes is: payload_too_large", async () => {
    await worker(cluster, b, "w");
    const value = "x".repeat(2_000_000);
    const call = a.node.call({ name: "w", node: "b" }, { type: "echo", value });
    expect(await cluster.run(outcomeOf(call))).to.equal("payload_too_large");
    expect(a.events.filter((each) => each.type === "connectionBroken")).to.deep.equal([]);
  });

  it("answers in place of an answer that cannot travel", async () => {
    await worker(cluster, b, "w");
    const answer = b.node.system.whereis("w");
    if (answer === undefined) {
      throw new Error("w runs");
    }
    answer.behaviour.handleCall = (_message: object, from) => {
      from.settle(() => "no function travels");
      return undefined;
    };
    const failure = a.node.call({ name: "w", node: "b" }, { type: "echo" });
    expect(await cluster.run(outcomeOf(failure))).to.equal("invalid_message");
  });

  it("asks many nodes at once and says who did not answer (otp 75)", async () => {
    await worker(cluster, b, "w");
    const { replies, failed } = await cluster.run(
      a.node.multiCall(["a", "b", "z"], "w", { type: "echo", value: 3 }, { timeoutMs: 100 }),
    );
    expect([...replies]).to.deep.equal([["b", 3]]);
    expect([...failed.keys()].sort()).to.deep.equal(["a", "z"]);
  });

  // --- links, monitors, stop ----------------------------------------------------------------------

  it("delivers one DOWN with the reason, by pid and by name; noproc for nobody (otp 89)", async () => {
    const ref = await worker(cluster, b, "w");
    const byPid = downsOf(a, ref.pid);
    const byName = downsOf(a, { name: "w", node: "b" });
    const nobody = downsOf(a, { name: "nobody", node: "b" });
    const nowhere = downsOf(a, { name: "w", node: "z" });
    await cluster.advance(1);
    expect(reasons(nobody)).to.deep.equal(["noproc"]);
    expect(reasons(nowhere)).to.deep.equal(["noconnection"]);
    a.node.exit(ref.pid, BOOM);
    await cluster.advance(10);
    expect(reasons(byPid)).to.deep.equal(["boom"]);
    expect(reasons(byName)).to.deep.equal(["boom"]);
    expect(byName[0]?.target).to.deep.equal({ name: "w", node: "b" });
  });

  it("delivers nothing after demonitor, and keeps nothing of it on either side", async () => {
    const ref = await worker(cluster, b, "w");
    const downs: Down[] = [];
    const withdraw = a.node.monitor(ref.pid, (down) => downs.push(down));
    await cluster.advance(1);
    expect(b.node.system.processAt(ref.pid)?.ties.watchedBy.size).to.equal(1);
    withdraw();
    withdraw();
    await cluster.advance(1);
    expect(b.node.system.processAt(ref.pid)?.ties.watchedBy.size).to.equal(0);
    a.node.exit(ref.pid, "kill");
    await cluster.advance(10);
    withdraw();
    expect(downs).to.deep.equal([]);
  });

  it("carries exits over links both ways, once, and not after unlink", async () => {
    const home = await worker(cluster, a, "home", { trap: true });
    const away = await worker(cluster, b, "away");
    const other = await worker(cluster, b, "other", { trap: true });
    await cluster.run(home.call({ type: "tie", target: away.pid }));
    await cluster.run(home.call({ type: "tie", target: other.pid }));
    await cluster.run(home.call({ type: "untie", target: other.pid }));
    await cluster.advance(1);
    b.node.exit(away.pid, BOOM);
    await cluster.advance(10);
    expect(await seen(cluster, home)).to.deep.equal(["exit boom"]);
    b.node.exit(other.pid, "kill");
    await cluster.advance(10);
    expect(await seen(cluster, home)).to.deep.equal(["exit boom"]);
    const late = await worker(cluster, b, "late");
    await cluster.run(late.call({ type: "tie", target: home.pid }));
    await cluster.advance(1);
    a.node.exit(home.pid, "kill");
    await cluster.advance(10);
    expect(await seen(cluster, late)).to.equal("gone");
  });

  it("exits a link to a dead process with noproc", async () => {
    const away = await worker(cluster, b, "away");
    b.node.exit(away.pid, "kill");
    await cluster.advance(1);
    const home = await worker(cluster, a, "home", { trap: true });
    await cluster.run(home.call({ type: "tie", target: away.pid }));
    await cluster.advance(1);
    expect(await seen(cluster, home)).to.deep.equal(["exit noproc"]);
  });

  it("stops a process on another node and says how that went (otp 73, 88)", async () => {
    const ref = await worker(cluster, b, "w");
    expect(await cluster.run(outcomeOf(a.node.system.stop(ref.pid)))).to.equal("ok");
    expect(b.node.whereis("w")).to.equal(undefined);
    expect(await cluster.run(outcomeOf(a.node.system.stop({ name: "w", node: "b" })))).to.equal("noproc");
    expect(await cluster.run(outcomeOf(a.node.system.stop({ name: "w", node: "z" })))).to.equal("nodedown");
    const stubborn = await worker(cluster, b, "stubborn");
    const process = b.node.system.processAt(stubborn.pid);
    if (process === undefined) {
      throw new Error("stubborn runs");
    }
    process.behaviour.terminate = () => new Promise(() => undefined);
    const stop = a.node.system.stop(stubborn.pid, { timeoutMs: 100 });
    expect(await cluster.run(outcomeOf(stop))).to.equal("timeout");
    const killed = a.node.system.stop(stubborn.pid, { timeoutMs: 100 });
    a.node.exit(stubborn.pid, "kill");
    expect(await cluster.run(outcomeOf(killed))).to.equal("exit");
  });

  // --- groups -------------------------------------------------------------------------------------

  it("shares group members, drops those of a lost node, and has them back after it returns (otp 84)", async () => {
    const mine = await worker(cluster, a, "mine");
    const theirs = await worker(cluster, b, "theirs");
    a.node.groups.join("g", mine.pid);
    b.node.groups.join("g", theirs.pid);
    await cluster.advance(1);
    for (const name of NAMES) {
      expect([...cluster.get(name).node.groups.members("g")].sort()).to.deep.equal([mine.pid, theirs.pid]);
    }
    cluster.hub.partition("a", ["b", "c"]);
    await cluster.advance(3_000);
    expect(a.node.groups.members("g")).to.deep.equal([mine.pid]);
    expect(b.node.groups.members("g")).to.deep.equal([theirs.pid]);
    const more = await worker(cluster, b, "more");
    b.node.groups.join("g", more.pid);
    b.node.groups.leave("g", theirs.pid);
    cluster.hub.heal("a", ["b", "c"]);
    await cluster.advance(500);
    for (const name of NAMES) {
      expect([...cluster.get(name).node.groups.members("g")].sort()).to.deep.equal([mine.pid, more.pid]);
    }
  });

  it("shares groups of any size", async () => {
    const ref = await worker(cluster, b, "w");
    b.node.groups.join("big", new Array<Pid>(20_000).fill(ref.pid));
    await cluster.advance(1);
    expect(a.node.groups.members("big").length).to.equal(20_000);
    const d = await cluster.start("d");
    await cluster.advance(300);
    expect(d.node.groups.members("big").length).to.equal(20_000);
    expect(b.events.filter((each) => each.type === "connectionBroken")).to.deep.equal([]);
  });
});
