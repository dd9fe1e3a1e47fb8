import { expect } from "chai";
import type { Down } from "../../lib/actor/info.ts";
import type { LocalRef } from "../../lib/actor/local-ref.ts";
import type { Pid } from "../../lib/actor/pid.ts";
import { formatReason } from "../../lib/base/reason.ts";
import { outcomeOf, SimCluster, type SimNode } from "../support/sim-cluster.ts";
import { BOOM, Worker, type WorkerArgs, type WorkerProtocol } from "./actors.ts";

const NAMES = ["a", "b", "c"];

describe("a cluster over the in-process transport", () => {
  let cluster: SimCluster;
  let a: SimNode;
  let b: SimNode;

  async function worker(on: SimNode, name: string, args: WorkerArgs = {}): Promise<LocalRef<WorkerProtocol>> {
    return await cluster.run(on.node.start(Worker, args, { name, restart: "temporary" }));
  }

  /** What the process has noted, or "gone". */
  async function seen(ref: LocalRef<WorkerProtocol>): Promise<readonly string[] | string> {
    return await cluster.run(ref.call({ type: "seen" }).catch(() => "gone"));
  }

  function downsOf(on: SimNode, target: Pid | { name: string; node: string }): Down[] {
    const downs: Down[] = [];
    on.node.monitor(target, (down) => downs.push(down));
    return downs;
  }

  function reasons(downs: readonly Down[]): string[] {
    return downs.map((down) => formatReason(down.reason));
  }

  beforeEach(async () => {
    cluster = new SimCluster();
    const [first, second] = await cluster.startAll(NAMES);
    if (first === undefined || second === undefined) {
      throw new Error("nodes were started");
    }
    a = first;
    b = second;
  });

  afterEach(async () => {
    cluster.hub.clearFaults();
    await cluster.stopAll();
  });

  // --- messages ---------------------------------------------------------------------------------

  it("sees all its nodes as soon as the last has started", () => {
    expect(cluster.whole()).to.equal(true);
    for (const name of NAMES) {
      expect([...cluster.get(name).node.nodes()].sort()).to.deep.equal(NAMES);
    }
  });

  it("calls by name and by pid, and casts, on other nodes as at home (otp 88)", async () => {
    const ref = await worker(b, "w");
    const value = { text: "é", list: [1, { deep: null }], bytes: new Uint8Array([1, 2]) };
    expect(await cluster.run(a.node.call({ name: "w", node: "b" }, { type: "echo", value }))).to.deep.equal(
      value,
    );
    expect(await cluster.run(a.node.call(ref.pid, { type: "echo", value: 7 }))).to.equal(7);
    a.node.cast(ref.pid, { type: "note", from: "a", n: 1 });
    a.node.cast({ name: "w", node: "b" }, { type: "note", from: "a", n: 2 });
    await cluster.advance(1);
    expect(await seen(ref)).to.deep.equal(["note a 1", "note a 2"]);
  });

  it("keeps the order of casts, calls and signals between a pair (otp 89)", async () => {
    const ref = await worker(b, "w");
    for (let n = 0; n < 2_000; n++) {
      a.node.cast(ref.pid, { type: "note", from: "a", n });
    }
    const notes = await cluster.run(a.node.call(ref.pid, { type: "seen" }));
    expect(notes).to.deep.equal(Array.from({ length: 2_000 }, (_, n) => `note a ${n}`));
  });

  it("puts what is bound for one node in one turn into one message", async () => {
    const ref = await worker(b, "w");
    await cluster.advance(1);
    const before = a.transport.stats.outMessages;
    for (let n = 0; n < 500; n++) {
      a.node.cast(ref.pid, { type: "note", from: "a", n });
    }
    await cluster.clock.settle();
    expect(a.transport.stats.outMessages - before).to.equal(1);
  });

  it("fails a call to nobody with noproc, to a node that is not there with nodedown, late with timeout", async () => {
    const ref = await worker(b, "w");
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
    const ref = await worker(b, "w");
    expect(
      await cluster.run(outcomeOf(a.node.call(ref.pid, { type: "later", ms: 100 }, { timeoutMs: 50 }))),
    ).to.equal("timeout");
    await cluster.advance(100);
    expect(await cluster.run(a.node.call(ref.pid, { type: "echo", value: 1 }))).to.equal(1);
  });

  it("fails the callers of a process that dies mid-call with its reason (otp 88)", async () => {
    const ref = await worker(b, "w");
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
    await worker(b, "w");
    const value = "x".repeat(2_000_000);
    const call = a.node.call({ name: "w", node: "b" }, { type: "echo", value });
    expect(await cluster.run(outcomeOf(call))).to.equal("payload_too_large");
    expect(a.events.filter((each) => each.type === "connectionBroken")).to.deep.equal([]);
  });

  it("answers in place of an answer that cannot travel", async () => {
    await worker(b, "w");
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
    await worker(b, "w");
    const { replies, failed } = await cluster.run(
      a.node.multiCall(["a", "b", "z"], "w", { type: "echo", value: 3 }, { timeoutMs: 100 }),
    );
    expect([...replies]).to.deep.equal([["b", 3]]);
    expect([...failed.keys()].sort()).to.deep.equal(["a", "z"]);
  });

  // --- links, monitors, stop ----------------------------------------------------------------------

  it("delivers one DOWN with the reason, by pid and by name; noproc for nobody (otp 89)", async () => {
    const ref = await worker(b, "w");
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
    const ref = await worker(b, "w");
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
    const home = await worker(a, "home", { trap: true });
    const away = await worker(b, "away");
    const other = await worker(b, "other", { trap: true });
    await cluster.run(home.call({ type: "tie", target: away.pid }));
    await cluster.run(home.call({ type: "tie", target: other.pid }));
    await cluster.run(home.call({ type: "untie", target: other.pid }));
    await cluster.advance(1);
    b.node.exit(away.pid, BOOM);
    await cluster.advance(10);
    expect(await seen(home)).to.deep.equal(["exit boom"]);
    b.node.exit(other.pid, "kill");
    await cluster.advance(10);
    expect(await seen(home)).to.deep.equal(["exit boom"]);
    const late = await worker(b, "late");
    await cluster.run(late.call({ type: "tie", target: home.pid }));
    await cluster.advance(1);
    a.node.exit(home.pid, "kill");
    await cluster.advance(10);
    expect(await seen(late)).to.equal("gone");
  });

  it("exits a link to a dead process with noproc", async () => {
    const away = await worker(b, "away");
    b.node.exit(away.pid, "kill");
    await cluster.advance(1);
    const home = await worker(a, "home", { trap: true });
    await cluster.run(home.call({ type: "tie", target: away.pid }));
    await cluster.advance(1);
    expect(await seen(home)).to.deep.equal(["exit noproc"]);
  });

  it("stops a process on another node and says how that went (otp 73, 88)", async () => {
    const ref = await worker(b, "w");
    expect(await cluster.run(outcomeOf(a.node.system.stop(ref.pid)))).to.equal("ok");
    expect(b.node.whereis("w")).to.equal(undefined);
    expect(await cluster.run(outcomeOf(a.node.system.stop({ name: "w", node: "b" })))).to.equal("noproc");
    expect(await cluster.run(outcomeOf(a.node.system.stop({ name: "w", node: "z" })))).to.equal("nodedown");
    const stubborn = await worker(b, "stubborn");
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
    const mine = await worker(a, "mine");
    const theirs = await worker(b, "theirs");
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
    const more = await worker(b, "more");
    b.node.groups.join("g", more.pid);
    b.node.groups.leave("g", theirs.pid);
    cluster.hub.heal("a", ["b", "c"]);
    await cluster.advance(500);
    for (const name of NAMES) {
      expect([...cluster.get(name).node.groups.members("g")].sort()).to.deep.equal([mine.pid, more.pid]);
    }
  });

  it("shares groups of any size", async () => {
    const ref = await worker(b, "w");
    b.node.groups.join("big", new Array<Pid>(20_000).fill(ref.pid));
    await cluster.advance(1);
    expect(a.node.groups.members("big").length).to.equal(20_000);
    const d = await cluster.start("d");
    await cluster.advance(300);
    expect(d.node.groups.members("big").length).to.equal(20_000);
    expect(b.events.filter((each) => each.type === "connectionBroken")).to.deep.equal([]);
  });

  // --- what is lost -------------------------------------------------------------------------------

  it("turns a lost DOWN and a lost exit into noconnection within three heartbeats", async () => {
    const away = await worker(b, "away");
    const home = await worker(a, "home", { trap: true });
    const downs = downsOf(a, away.pid);
    await cluster.run(home.call({ type: "tie", target: away.pid }));
    await cluster.advance(5);
    cluster.hub.setFaults({ dropProbability: 1 }, { from: "b", to: "a" });
    b.node.exit(away.pid, BOOM);
    await cluster.clock.settle();
    cluster.hub.clearFaults();
    expect(downs).to.deep.equal([]);
    await cluster.advance(300);
    expect(reasons(downs)).to.deep.equal(["noconnection"]);
    expect(await seen(home)).to.deep.equal(["exit noconnection"]);
    const again = await worker(b, "again");
    expect(await cluster.run(a.node.call(again.pid, { type: "echo", value: 1 }))).to.equal(1);
  });

  it("fails a call whose request or answer was lost with noconnection, not with its timeout", async () => {
    const ref = await worker(b, "w");
    for (const [from, to] of [
      ["a", "b"],
      ["b", "a"],
    ] as const) {
      cluster.hub.setFaults({ dropProbability: 1 }, { from, to });
      const call = outcomeOf(a.node.call(ref.pid, { type: "echo", value: 1 }, { timeoutMs: 60_000 }));
      await cluster.clock.settle();
      cluster.hub.clearFaults();
      const startedAt = cluster.clock.now();
      expect(await cluster.run(call)).to.equal("noconnection");
      expect(cluster.clock.now() - startedAt).to.be.at.most(310);
      await cluster.advance(300);
    }
  });

  it("handles nothing twice when messages come twice", async () => {
    const ref = await worker(b, "w");
    cluster.hub.setFaults({ duplicateProbability: 1 });
    for (let n = 0; n < 20; n++) {
      a.node.cast(ref.pid, { type: "note", from: "a", n });
      await cluster.advance(10);
    }
    expect(await seen(ref)).to.deep.equal(Array.from({ length: 20 }, (_, n) => `note a ${n}`));
    expect(a.events.filter((each) => each.type === "connectionBroken")).to.deep.equal([]);
  });

  it("does not answer a call of an earlier connection", async () => {
    const ref = await worker(b, "w");
    await cluster.advance(2_000); // past the first health rounds, long before the next
    const slow = outcomeOf(a.node.call(ref.pid, { type: "later", ms: 1_000 }));
    await cluster.advance(10);
    cluster.hub.setFaults({ dropProbability: 1 }, { from: "a", to: "b" });
    a.node.cast(ref.pid, { type: "note", from: "a", n: 1 });
    await cluster.clock.settle();
    cluster.hub.clearFaults();
    expect(await cluster.run(slow)).to.equal("noconnection");
    await cluster.advance(300); // past the break and what follows it
    const arrived = async (): Promise<number> =>
      (await cluster.run(a.node.call({ name: "stats" }, { type: "node" }))).connections.itemsIn;
    const before = await arrived();
    await cluster.advance(700);
    expect(await arrived()).to.equal(before);
    expect(await cluster.run(a.node.call(ref.pid, { type: "echo", value: 2 }))).to.equal(2);
  });

  // --- this node's own connection -----------------------------------------------------------------

  it("fails calls in flight at once when its connection breaks", async () => {
    const ref = await worker(b, "w");
    const call = outcomeOf(a.node.call(ref.pid, { type: "never" }, { timeoutMs: 60_000 }));
    await cluster.advance(10);
    const brokeAt = cluster.clock.now();
    cluster.hub.cut("a");
    expect(await cluster.run(call)).to.equal("noconnection");
    expect(cluster.clock.now()).to.equal(brokeAt);
    cluster.hub.reconnect("a");
  });

  it("lets links, monitors and groups live through a short cut in which nothing was lost", async () => {
    await cluster.advance(1_000); // past the first health rounds, whose calls would be lost
    const ref = await worker(b, "w");
    const downs = downsOf(a, ref.pid);
    await cluster.advance(10);
    const { length } = a.events;
    cluster.hub.cut("a", { reconnectAfterMs: 1_000 });
    await cluster.advance(2_500);
    expect(downs).to.deep.equal([]);
    expect(a.events.slice(length)).to.deep.equal([]);
    b.node.exit(ref.pid, BOOM);
    await cluster.advance(10);
    expect(reasons(downs)).to.deep.equal(["boom"]);
  });

  it("tells who ties, watches, joins or casts while cut off, and agrees again with all afterwards", async () => {
    const away = await worker(b, "away");
    const home = await worker(a, "home", { trap: true });
    const before = downsOf(a, away.pid);
    await cluster.advance(10);
    cluster.hub.cut("a");
    a.node.groups.join("g", home.pid);
    const during = downsOf(a, away.pid);
    await cluster.run(home.call({ type: "tie", target: away.pid }));
    a.node.cast(away.pid, { type: "note", from: "a", n: 1 });
    await cluster.advance(10);
    expect(reasons(before)).to.deep.equal(["noconnection"]);
    expect(reasons(during)).to.deep.equal(["noconnection"]);
    expect(await seen(home)).to.deep.equal(["exit noconnection"]);
    expect(a.node.system.drops.noconnection).to.equal(1);
    expect(a.events.filter((each) => each.type === "connectionBroken").length).to.be.at.most(2);
    cluster.hub.reconnect("a");
    await cluster.advance(500);
    expect(cluster.whole()).to.equal(true);
    expect(b.node.groups.members("g")).to.deep.equal([home.pid]);
    expect(await cluster.run(b.node.call(home.pid, { type: "echo", value: 1 }))).to.equal(1);
  });

  it("takes nobody for down when the server restarts", async () => {
    await cluster.advance(6_000);
    cluster.hub.restart({ downMs: 3_000, spreadMs: 1_500 });
    await cluster.advance(10_000);
    expect(cluster.whole()).to.equal(true);
    for (const name of NAMES) {
      const { events } = cluster.get(name);
      expect(events.filter((each) => each.type === "nodeDown")).to.deep.equal([]);
    }
  });

  it("takes everybody for down when its own connection stays away", async () => {
    cluster.hub.cut("a");
    await cluster.advance(4_900);
    expect(a.node.nodes().length).to.equal(3);
    await cluster.advance(2_600);
    expect(a.node.nodes()).to.deep.equal(["a"]);
    cluster.hub.reconnect("a");
    await cluster.advance(500);
    expect(cluster.whole()).to.equal(true);
  });

  // --- nodes that go and come -----------------------------------------------------------------------

  it("knows a killed node down within seven heartbeats and tells all that hung on it", async () => {
    const waits: number[] = [];
    for (let round = 0; round < 10; round++) {
      await cluster.advance(6_000 + round * 13);
      const ref = await worker(b, "w");
      const home = await worker(a, `home${round}`, { trap: true });
      const downs = downsOf(a, ref.pid);
      await cluster.run(home.call({ type: "tie", target: ref.pid }));
      const call = outcomeOf(a.node.call(ref.pid, { type: "never" }, { timeoutMs: 60_000 }));
      await cluster.advance(5);
      const killedAt = cluster.clock.now();
      cluster.kill("b");
      await cluster.until(() => !a.node.nodes().includes("b"), 5_000);
      waits.push(cluster.clock.now() - killedAt);
      expect(await cluster.run(call)).to.equal("nodedown");
      expect(reasons(downs)).to.deep.equal(["noconnection"]);
      expect(await seen(home)).to.deep.equal(["exit noconnection"]);
      b = await cluster.start("b", { peers: NAMES });
      await cluster.advance(200);
      expect(await cluster.run(outcomeOf(a.node.call(ref.pid, { type: "echo" })))).to.equal("noproc");
    }
    expect(Math.max(...waits)).to.be.at.most(700);
  });

  it("takes a killed node for down only after the timeout while its own connection is young", async () => {
    await cluster.advance(3_000);
    const killedAt = cluster.clock.now();
    cluster.hub.cut("a", { reconnectAfterMs: 10 });
    await cluster.advance(200);
    cluster.kill("b");
    await cluster.until(() => !a.node.nodes().includes("b"), 5_000);
    expect(cluster.clock.now() - killedAt).to.be.within(1_900, 2_500);
  });

  it("takes a paused node for down only after the timeout, and up again when it goes on", async () => {
    await cluster.advance(6_000);
    const { incarnation } = b.node;
    const ref = await worker(b, "w");
    const downs = downsOf(a, ref.pid);
    const calling = outcomeOf(a.node.call(ref.pid, { type: "never" }, { timeoutMs: 60_000 }));
    await cluster.advance(5);
    const { length } = a.events;
    cluster.pause("b");
    await cluster.advance(1_800);
    expect(a.node.nodes()).to.include("b");
    expect(a.events.slice(length).map((each) => each.type)).to.deep.equal(["nodeSuspect"]);
    await cluster.advance(400);
    expect(a.node.nodes()).to.not.include("b");
    expect(await cluster.run(calling)).to.equal("nodedown");
    expect(reasons(downs)).to.deep.equal(["noconnection"]);
    cluster.resume("b");
    await cluster.advance(300);
    expect(cluster.whole()).to.equal(true);
    const up = a.events.slice(length).find((each) => each.type === "nodeUp");
    expect(up).to.deep.equal({ type: "nodeUp", node: "b", incarnation });
    expect(b.events.filter((each) => each.type === "nodeDown")).to.deep.equal([]); // its own loop was late
    expect(reasons(downs)).to.deep.equal(["noconnection"]);
    expect(await cluster.run(a.node.call(ref.pid, { type: "echo", value: 1 }))).to.equal(1);
  });

  it("brings the same incarnation back after a partition; old links and monitors stay broken", async () => {
    const home = await worker(a, "home", { trap: true });
    const away = await worker(b, "away", { trap: true });
    await cluster.run(home.call({ type: "tie", target: away.pid }));
    const downs = downsOf(a, away.pid);
    await cluster.advance(5);
    cluster.hub.partition("a", "b");
    await cluster.advance(2_500);
    expect([...a.node.nodes()].sort()).to.deep.equal(["a", "c"]);
    expect(await seen(home)).to.deep.equal(["exit noconnection"]);
    expect(await seen(away)).to.deep.equal(["exit noconnection"]);
    cluster.hub.heal("a", "b");
    await cluster.advance(500);
    expect(cluster.whole()).to.equal(true);
    b.node.exit(away.pid, "kill");
    await cluster.advance(10);
    expect(await seen(home)).to.deep.equal(["exit noconnection"]);
    expect(reasons(downs)).to.deep.equal(["noconnection"]);
  });

  it("tells both sides when only one direction is cut", async () => {
    const home = await worker(a, "home", { trap: true });
    const away = await worker(b, "away", { trap: true });
    await cluster.run(home.call({ type: "tie", target: away.pid }));
    await cluster.advance(5);
    cluster.hub.partition("b", "a", true);
    await cluster.advance(3_000);
    expect(a.node.nodes()).to.not.include("b");
    expect(await seen(home)).to.deep.equal(["exit noconnection"]);
    expect(await seen(away)).to.deep.equal(["exit noconnection"]);
    cluster.hub.heal("a", "b");
    await cluster.advance(500);
    expect(cluster.whole()).to.equal(true);
    expect(await cluster.run(b.node.call(home.pid, { type: "echo", value: 1 }))).to.equal(1);
    expect(await cluster.run(a.node.call(away.pid, { type: "echo", value: 1 }))).to.equal(1);
  });

  it("recognises a node that was paused for so long that the others have forgotten it", async () => {
    const ref = await worker(b, "w");
    const home = await worker(a, "home");
    for (let n = 0; n < 5; n++) {
      a.node.cast(ref.pid, { type: "note", from: "a", n });
      await cluster.advance(1);
    }
    cluster.pause("b");
    await cluster.advance(90_000);
    cluster.resume("b");
    await cluster.advance(1_000);
    expect(cluster.whole()).to.equal(true);
    expect(await cluster.run(a.node.call(ref.pid, { type: "echo", value: 1 }))).to.equal(1);
    expect(await cluster.run(b.node.call(home.pid, { type: "echo", value: 2 }))).to.equal(2);
  });

  it("learns of a node that stops at once, by its goodbye, and lets no late word raise it again", async () => {
    const target = await worker(a, "target");
    const { length } = a.events;
    cluster.hub.setFaults({ delayMs: [300, 300] }, { from: "b", to: "a" });
    b.node.cast(target.pid, { type: "note", from: "b", n: 1 });
    await cluster.clock.settle();
    cluster.hub.clearFaults();
    await cluster.run(b.node.stop());
    cluster.nodes.delete("b");
    await cluster.advance(1_000);
    const told = a.events.slice(length).filter((each) => each.type === "nodeDown" || each.type === "nodeUp");
    expect(told.map((each) => (each.type === "nodeDown" ? each.reason : each.type))).to.deep.equal(["left"]);
  });

  it("refuses a name that a live node answers to", async () => {
    expect(await cluster.run(outcomeOf(cluster.begin("b", {}, "b2")))).to.equal("config_mismatch");
    await cluster.advance(500);
    expect(cluster.whole()).to.equal(true);
  });

  it("ends the older of two nodes with one name when they meet", async () => {
    cluster.hub.partition("b", "b2");
    const younger = await cluster.start("b", { peers: NAMES }, "b2");
    expect(younger.lines.some((line) => line.message.includes("takes the name over"))).to.equal(true);
    let closed: Error | undefined | "open" = "open";
    b.node.closed.then((error) => {
      closed = error;
    });
    cluster.hub.heal("b", "b2");
    await cluster.until(() => closed !== "open", 20_000);
    expect(String(closed)).to.match(/a younger incarnation of b/);
    await cluster.advance(1_000);
    expect(cluster.whole()).to.equal(true);
  });

  it("hears what a listener throws and goes on", async () => {
    a.node.onNodeEvent(() => {
      throw new Error("a bad listener");
    });
    cluster.hub.partition("a", "b");
    await cluster.advance(3_000);
    cluster.hub.heal("a", "b");
    await cluster.advance(500);
    expect(cluster.whole()).to.equal(true);
    expect(a.lines.some((line) => line.message === "a listener threw")).to.equal(true);
  });

  it("is silent after its end: no heartbeat, no event, no timer", async () => {
    await cluster.run(b.node.stop());
    cluster.nodes.delete("b");
    const { outMessages } = b.transport.stats;
    const { length } = b.events;
    await cluster.advance(5_000);
    expect(b.transport.stats.outMessages).to.equal(outMessages);
    expect(b.events.length).to.equal(length);
    expect(
      await cluster.run(outcomeOf(b.node.call({ name: "manager", node: "a" }, { type: "liveNodes" }))),
    ).to.be.oneOf(["nodedown", "noconnection"]);
  });
});
