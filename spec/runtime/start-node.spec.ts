import { expect } from "chai";
import { SupercastError } from "../../lib/base/errors.ts";
import { decodeHeartbeat } from "../../lib/node/heartbeat.ts";
import { Worker } from "../simulation/actors.ts";
import { outcomeOf, SimCluster } from "../support/sim-cluster.ts";

describe("startNode", () => {
  let cluster: SimCluster;

  beforeEach(() => {
    cluster = new SimCluster();
  });

  afterEach(() => cluster.stopAll());

  it("starts the named actors under the root tree", async () => {
    const { node } = await cluster.start("a");
    const [root] = node.tree();
    expect(root?.name).to.equal("root");
    const [system, actors] = root?.children ?? [];
    expect(system?.children.map(({ name }) => name)).to.deep.equal([
      "metrics",
      "manager",
      "node_monitor",
      "health_monitor",
      "stats",
    ]);
    expect(actors?.name).to.equal("actors");
  });

  it("resolves when the declared nodes that are up have been heard", async () => {
    await cluster.start("a", { peers: ["a", "b"] });
    const { node } = await cluster.start("b", { peers: ["a", "b"] });
    expect(node.nodes()).to.deep.equal(["b", "a"]);
    const before = cluster.clock.now();
    await cluster.start("c", { peers: ["a", "b", "c", "absent"] });
    expect(cluster.clock.now() - before).to.be.at.most(200);
  });

  it("refuses wrong options before it touches anything", async () => {
    expect(await outcomeOf(cluster.begin("any"))).to.equal("config_mismatch");
    expect(await outcomeOf(cluster.begin("ok", { subjectPrefix: "a..b" }))).to.equal("config_mismatch");
  });

  it("leaves nothing running when it fails half-way", async () => {
    await cluster.start("a");
    const beats: string[] = [];
    cluster.hub.connect("x").subscribe("supercast.default.heartbeat.*", ({ payload }) => {
      beats.push(decodeHeartbeat(payload).incarnation);
    });
    expect(await cluster.run(outcomeOf(cluster.begin("a", {}, "a2")))).to.equal("config_mismatch");
    await cluster.advance(1_000);
    expect(beats.length).to.be.at.least(9);
    expect(new Set(beats).size).to.equal(1);
    cluster.hub.connect("a2"); // its name at the hub is free again
  });

  it("waits for a connection that is away just then, and asks again whether its name is free", async () => {
    await cluster.start("a");
    const starting = cluster.begin("b", { peers: ["a", "b"] });
    cluster.hub.cut("b");
    await cluster.advance(2_000);
    expect(cluster.nodes.has("b")).to.equal(false);
    cluster.hub.reconnect("b");
    const { node } = await cluster.run(starting);
    expect(node.nodes()).to.deep.equal(["b", "a"]);
  });

  it("restarts user actors, and says so when one does not start", async () => {
    const { node } = await cluster.start("a");
    const ref = await cluster.run(node.start(Worker, {}, { name: "w" }));
    ref.cast({ type: "crash", why: "test" });
    await cluster.until(() => node.whereis("w") !== undefined && node.whereis("w") !== ref.pid);
    const again = await cluster.run(node.start(Worker, {}, { name: "w" }).catch((error: unknown) => error));
    expect(again).to.be.instanceOf(SupercastError).with.property("code", "already_started");
  });

  it("monitors for plain functions: once, not after they are taken back, and they may throw", async () => {
    const { node, lines } = await cluster.start("a");
    const ref = await cluster.run(node.start(Worker, {}, { name: "w", restart: "temporary" }));
    const told: string[] = [];
    node.monitor(ref.pid, () => {
      told.push("first");
      throw new Error("no good");
    });
    const withdraw = node.monitor(ref.pid, () => told.push("withdrawn"));
    node.monitor({ name: "w" }, () => told.push("last"));
    node.exit(ref.pid, "kill");
    withdraw(); // the DOWN is on its way already
    await cluster.clock.settle();
    expect(told).to.deep.equal(["first", "last"]);
    expect(lines.some(({ message }) => message === "a monitor's function threw")).to.equal(true);
  });
});
