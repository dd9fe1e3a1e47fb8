import { expect } from "chai";
import { outcomeOf, type SimCluster, type SimNode } from "../support/sim-cluster.ts";
import { BOOM } from "./actors.ts";
import { downsOf, NAMES, reasons, seen, startTrio, stopTrio, worker } from "./trio.ts";

describe("a cluster that loses messages or connections", () => {
  let cluster: SimCluster;
  let a: SimNode;
  let b: SimNode;

  beforeEach(async () => {
    ({ cluster, a, b } = await startTrio());
  });

  afterEach(() => stopTrio(cluster));

  // --- what is lost -------------------------------------------------------------------------------

  it("turns a lost DOWN and a lost exit into noconnection within three heartbeats", async () => {
    const away = await worker(cluster, b, "away");
    const home = await worker(cluster, a, "home", { trap: true });
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
    expect(await seen(cluster, home)).to.deep.equal(["exit noconnection"]);
    const again = await worker(cluster, b, "again");
    expect(await cluster.run(a.node.call(again.pid, { type: "echo", value: 1 }))).to.equal(1);
  });

  it("fails a call whose request or answer was lost with noconnection, not with its timeout", async () => {
    const ref = await worker(cluster, b, "w");
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
    const ref = await worker(cluster, b, "w");
    cluster.hub.setFaults({ duplicateProbability: 1 });
    for (let n = 0; n < 20; n++) {
      a.node.cast(ref.pid, { type: "note", from: "a", n });
      await cluster.advance(10);
    }
    expect(await seen(cluster, ref)).to.deep.equal(Array.from({ length: 20 }, (_, n) => `note a ${n}`));
    expect(a.events.filter((each) => each.type === "connectionBroken")).to.deep.equal([]);
  });

  it("does not answer a call of an earlier connection", async () => {
    const ref = await worker(cluster, b, "w");
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
    const ref = await worker(cluster, b, "w");
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
    const ref = await worker(cluster, b, "w");
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
    const away = await worker(cluster, b, "away");
    const home = await worker(cluster, a, "home", { trap: true });
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
    expect(await seen(cluster, home)).to.deep.equal(["exit noconnection"]);
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
});
