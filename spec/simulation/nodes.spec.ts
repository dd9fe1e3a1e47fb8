import { expect } from "chai";
import { outcomeOf, type SimCluster, type SimNode } from "../support/sim-cluster.ts";
import { downsOf, NAMES, reasons, seen, startTrio, stopTrio, worker } from "./trio.ts";

describe("nodes that go and come", () => {
  let cluster: SimCluster;
  let a: SimNode;
  let b: SimNode;

  beforeEach(async () => {
    ({ cluster, a, b } = await startTrio());
  });

  afterEach(() => stopTrio(cluster));

  it("knows a killed node down within seven heartbeats and tells all that hung on it", async () => {
    const waits: number[] = [];
    for (let round = 0; round < 10; round++) {
      await cluster.advance(6_000 + round * 13);
      const ref = await worker(cluster, b, "w");
      const home = await worker(cluster, a, `home${round}`, { trap: true });
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
      expect(await seen(cluster, home)).to.deep.equal(["exit noconnection"]);
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
    const ref = await worker(cluster, b, "w");
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
    const home = await worker(cluster, a, "home", { trap: true });
    const away = await worker(cluster, b, "away", { trap: true });
    await cluster.run(home.call({ type: "tie", target: away.pid }));
    const downs = downsOf(a, away.pid);
    await cluster.advance(5);
    cluster.hub.partition("a", "b");
    await cluster.advance(2_500);
    expect([...a.node.nodes()].sort()).to.deep.equal(["a", "c"]);
    expect(await seen(cluster, home)).to.deep.equal(["exit noconnection"]);
    expect(await seen(cluster, away)).to.deep.equal(["exit noconnection"]);
    cluster.hub.heal("a", "b");
    await cluster.advance(500);
    expect(cluster.whole()).to.equal(true);
    b.node.exit(away.pid, "kill");
    await cluster.advance(10);
    expect(await seen(cluster, home)).to.deep.equal(["exit noconnection"]);
    expect(reasons(downs)).to.deep.equal(["noconnection"]);
  });

  it("tells both sides when only one direction is cut", async () => {
    const home = await worker(cluster, a, "home", { trap: true });
    const away = await worker(cluster, b, "away", { trap: true });
    await cluster.run(home.call({ type: "tie", target: away.pid }));
    await cluster.advance(5);
    cluster.hub.partition("b", "a", true);
    await cluster.advance(3_000);
    expect(a.node.nodes()).to.not.include("b");
    expect(await seen(cluster, home)).to.deep.equal(["exit noconnection"]);
    expect(await seen(cluster, away)).to.deep.equal(["exit noconnection"]);
    cluster.hub.heal("a", "b");
    await cluster.advance(500);
    expect(cluster.whole()).to.equal(true);
    expect(await cluster.run(b.node.call(home.pid, { type: "echo", value: 1 }))).to.equal(1);
    expect(await cluster.run(a.node.call(away.pid, { type: "echo", value: 1 }))).to.equal(1);
  });

  it("recognises a node that was paused for so long that the others have forgotten it", async () => {
    const ref = await worker(cluster, b, "w");
    const home = await worker(cluster, a, "home");
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
    const target = await worker(cluster, a, "target");
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
    void b.node.closed.then((error) => {
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
