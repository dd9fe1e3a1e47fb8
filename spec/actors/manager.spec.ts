import { expect } from "chai";
import "../../actors/names.ts";
import { outcomeOf, SimCluster, type SimNode } from "../support/sim-cluster.ts";

const NAMES = ["a", "b", "c"];

describe("Manager", () => {
  let cluster: SimCluster;
  let a: SimNode;
  let events: { readonly type: string; readonly [field: string]: unknown }[];

  const live = (): Promise<readonly string[]> =>
    cluster.run(a.node.call({ name: "manager" }, { type: "liveNodes" }));

  beforeEach(async () => {
    cluster = new SimCluster();
    events = [];
    const [first] = await cluster.startAll(NAMES);
    if (first === undefined) {
      throw new Error("nodes were started");
    }
    a = first;
    cluster.hub.connect("listener").subscribe("supercast.default.cluster.event.a", ({ payload }) => {
      events.push(JSON.parse(Buffer.from(payload).toString()));
    });
  });

  afterEach(() => cluster.stopAll());

  it("knows who is declared and up, on every node alike", async () => {
    for (const name of NAMES) {
      const nodes = await cluster.run(a.node.call({ name: "manager", node: name }, { type: "liveNodes" }));
      expect(nodes).to.deep.equal(NAMES);
    }
  });

  it("computes the same map everywhere, and answers for a partition or says which there are", async () => {
    const map = await cluster.run(a.node.call({ name: "manager" }, { type: "partitionMap" }));
    expect(map.length).to.equal(8);
    const other = await cluster.run(a.node.call({ name: "manager", node: "c" }, { type: "partitionMap" }));
    expect(other).to.deep.equal(map);
    const replicas = await cluster.run(
      a.node.call({ name: "manager" }, { type: "getReplicas", partition: 4 }),
    );
    expect(replicas).to.deep.equal({ primary: "b", replicas: ["c", "a"] });
    const wrong = a.node.call({ name: "manager" }, { type: "getReplicas", partition: 8 });
    expect(String(await cluster.run(wrong.catch(String)))).to.match(/partition 8; allowed: 0 to 7/);
    expect(await cluster.run(a.node.call({ name: "manager" }, { type: "replicationMode" }))).to.equal(
      "async",
    );
  });

  it("announces who goes and comes, and how the map changes", async () => {
    await cluster.advance(6_000);
    events.length = 0;
    cluster.kill("c");
    await cluster.advance(1_000);
    expect(await live()).to.deep.equal(["a", "b"]);
    expect(events.map(({ type }) => type)).to.deep.equal(["mapChanged", "nodeDown"]);
    expect(events[0]).to.deep.include({ live: ["a", "b"], joined: [], left: ["c"] });
    expect(events[1]).to.include({ node: "c", reason: "no_responders" });
    await cluster.start("c", { peers: NAMES });
    await cluster.advance(200);
    expect(await live()).to.deep.equal(NAMES);
    expect(events.slice(2).map(({ type }) => type)).to.deep.equal(["mapChanged", "nodeUp"]);
  });

  it("takes a node out by hand until it is put back, and only puts in who answers", async () => {
    const send = (message: { type: "nodeUp" | "nodeDown"; node: string }): Promise<string> =>
      cluster.run(outcomeOf(a.node.call({ name: "manager" }, message)));
    expect(await send({ type: "nodeDown", node: "b" })).to.equal("ok");
    expect(await live()).to.deep.equal(["a", "c"]);
    expect(await send({ type: "nodeUp", node: "b" })).to.equal("ok");
    expect(await live()).to.deep.equal(NAMES);
    expect(await send({ type: "nodeUp", node: "z" })).to.equal("nodedown");
    expect(await send({ type: "nodeUp", node: "a" })).to.equal("ok");
    expect(await send({ type: "nodeDown", node: "a" })).to.equal("invalid_message");
    expect(await live()).to.deep.equal(NAMES);
  });

  async function crashManager(): Promise<void> {
    const before = a.node.whereis("manager");
    if (before === undefined) {
      throw new Error("the manager runs");
    }
    a.node.exit(before, "kill");
    await cluster.advance(10);
    expect(a.node.whereis("manager")).to.not.equal(before);
  }

  it("has its view back after a crash, declared set included", async () => {
    await crashManager();
    expect(await live()).to.deep.equal(NAMES);
  });

  it("keeps through its crashes what was done by hand: who was taken out, who was put in", async () => {
    const send = (message: { type: "nodeUp" | "nodeDown"; node: string }): Promise<string> =>
      cluster.run(outcomeOf(a.node.call({ name: "manager" }, message)));
    await cluster.start("d", { peers: ["d"] });
    await cluster.advance(200);
    expect([
      await send({ type: "nodeDown", node: "b" }),
      await send({ type: "nodeUp", node: "d" }),
    ]).to.deep.equal(["ok", "ok"]);
    for (let crash = 0; crash < 2; crash++) {
      await crashManager();
      expect(await live()).to.deep.equal(["a", "c", "d"]);
      await cluster.advance(6_000);
    }
    expect(await send({ type: "nodeUp", node: "b" })).to.equal("ok");
    expect(await send({ type: "nodeDown", node: "d" })).to.equal("ok");
    await crashManager();
    expect(await live()).to.deep.equal(NAMES);
  });

  it("puts back who was taken out by hand and came up as a new incarnation while it was restarted", async () => {
    await cluster.run(a.node.call({ name: "manager" }, { type: "nodeDown", node: "b" }));
    cluster.kill("b");
    await cluster.advance(6_000);
    await crashManager();
    expect(await live()).to.deep.equal(["a", "c"]);
    await cluster.start("b", { peers: NAMES });
    await crashManager();
    await cluster.advance(200);
    expect(await live()).to.deep.equal(NAMES);
    await cluster.advance(6_000);
    await crashManager();
    expect(await live()).to.deep.equal(NAMES);
  });

  it("shows this node, what it wants and what it sees", async () => {
    const status = await cluster.run(a.node.call({ name: "manager" }, { type: "status" }));
    expect(status).to.deep.include({ node: "a", wanted: NAMES, live: NAMES });
    expect(status.nodes.map(({ node, status: is }) => `${node} ${is}`)).to.deep.equal([
      "a up",
      "b up",
      "c up",
    ]);
  });
});
