import { expect } from "chai";
import "../../actors/names.ts";
import { SimCluster, type SimNode } from "../support/sim-cluster.ts";

const NAMES = ["a", "b", "c"];

describe("HealthMonitor", () => {
  let cluster: SimCluster;
  let a: SimNode;
  let alerts: string[];
  let rounds: { readonly status: string }[];

  const ask = () => cluster.run(a.node.call({ name: "health_monitor" }, { type: "clusterHealth" }));

  function kill(name: string): void {
    const pid = a.node.whereis(name);
    if (pid !== undefined) {
      a.node.exit(pid, "kill");
    }
  }

  beforeEach(async () => {
    cluster = new SimCluster();
    alerts = [];
    rounds = [];
    const [first] = await cluster.startAll(NAMES, { restartIntensity: 10 });
    if (first === undefined) {
      throw new Error("nodes were started");
    }
    a = first;
    cluster.hub.connect("listener").subscribe("supercast.default.health.*.a", ({ payload, subject }) => {
      const body = JSON.parse(Buffer.from(payload).toString());
      if (subject.includes(".alert.")) {
        alerts.push(`${body.state} ${body.node} ${body.check} ${body.severity}`);
      } else {
        rounds.push(body);
      }
    });
    await cluster.advance(6_000);
    rounds.length = 0;
  });

  afterEach(() => cluster.stopAll());

  it("measures all wanted nodes each round and publishes the result", async () => {
    await cluster.advance(10_000);
    expect(rounds.map(({ status }) => status)).to.deep.equal(["healthy", "healthy"]);
    const health = await ask();
    expect(health).to.include({ status: "healthy", node: "a" });
    expect(health.nodes.map(({ node, status }) => `${node} ${status}`)).to.deep.equal([
      "a healthy",
      "b healthy",
      "c healthy",
    ]);
    expect(alerts).to.deep.equal([]);
  });

  it("raises the alert of a killed node at once, once, and clears it once when it is back", async () => {
    cluster.kill("c");
    await cluster.advance(750);
    expect(alerts).to.deep.equal(["raised c connectivity unknown"]);
    expect((await ask()).status).to.equal("degraded");
    await cluster.advance(12_000);
    await cluster.start("c", { peers: NAMES });
    await cluster.advance(1_000);
    expect(alerts).to.deep.equal(["raised c connectivity unknown", "cleared c connectivity unknown"]);
    expect((await ask()).status).to.equal("healthy");
  });

  it("neither repeats nor forgets an alert because it crashed, nor loses its thresholds", async () => {
    await cluster.run(
      a.node.call({ name: "health_monitor" }, { type: "reconfigure", intervalMs: 2_000, latencyMs: 7 }),
    );
    cluster.kill("c");
    await cluster.advance(3_000);
    kill("health_monitor");
    await cluster.advance(5_000);
    expect(alerts).to.deep.equal(["raised c connectivity unknown"]);
    kill("health_monitor");
    await cluster.start("c", { peers: NAMES });
    await cluster.advance(5_000);
    expect(alerts).to.deep.equal(["raised c connectivity unknown", "cleared c connectivity unknown"]);
    const kept = await cluster.run(a.node.call({ name: "health_monitor" }, { type: "reconfigure" }));
    expect(kept).to.deep.include({ intervalMs: 2_000 });
    expect(kept.thresholds.latencyMs).to.equal(7);
  });

  it("clears the alert of a node that is wanted no more", async () => {
    cluster.kill("c");
    await cluster.advance(1_000);
    await cluster.run(a.node.call({ name: "node_monitor" }, { type: "reconfigure", nodes: ["a", "b"] }));
    await cluster.run(a.node.call({ name: "health_monitor" }, { type: "forceCheck" }));
    expect(alerts).to.deep.equal(["raised c connectivity unknown", "cleared c connectivity unknown"]);
  });

  it("sees slow links, by thresholds that change at run time, at the next round", async () => {
    cluster.hub.setFaults({ delayMs: [30, 30] });
    const forced = await cluster.run(a.node.call({ name: "health_monitor" }, { type: "forceCheck" }));
    expect(forced.nodes.map(({ rttMs }) => rttMs)).to.deep.equal([0, 60, 60]);
    expect(forced.status).to.equal("healthy");
    await cluster.run(a.node.call({ name: "health_monitor" }, { type: "reconfigure", latencyMs: 50 }));
    await cluster.run(a.node.call({ name: "health_monitor" }, { type: "forceCheck" }));
    cluster.hub.clearFaults();
    await cluster.advance(50);
    expect(alerts).to.deep.equal(["raised b latency degraded", "raised c latency degraded"]);
  });

  it("joins a round that is under way instead of beginning another", async () => {
    cluster.hub.setFaults({ delayMs: [30, 30] });
    const force = { type: "forceCheck" } as const;
    const asked = [1, 2, 3].map(() => a.node.call({ name: "health_monitor" }, force));
    await cluster.run(Promise.all(asked));
    cluster.hub.clearFaults();
    await cluster.advance(50);
    expect(rounds.length).to.equal(1);
  });

  it("lives while the manager restarts, and has rounds again after it", async () => {
    kill("manager");
    await cluster.advance(10);
    const health = await cluster.run(a.node.call({ name: "health_monitor" }, { type: "forceCheck" }));
    expect(health.status).to.equal("healthy");
    expect(alerts).to.deep.equal([]);
  });

  it("takes a monitor whose rounds have stopped for critical, though it answers", async () => {
    const process = cluster.get("b").node.system.whereis("health_monitor");
    if (process === undefined) {
      throw new Error("b's health monitor runs");
    }
    cluster.get("b").node.system.whereis("manager")?.suspend(); // b's rounds fail from now on
    await cluster.advance(25_000);
    const health = await cluster.run(
      a.node.call({ name: "health_monitor" }, { type: "nodeHealth", node: "b" }),
    );
    expect(health.status).to.equal("critical");
    expect(health.breaches.map(({ check }) => check)).to.deep.equal(["progress"]);
    cluster.get("b").node.system.whereis("manager")?.resume();
  });

  it("knows nothing of a node that is not declared, and says so", async () => {
    const health = await cluster.run(
      a.node.call({ name: "health_monitor" }, { type: "nodeHealth", node: "zz" }),
    );
    expect(health.status).to.equal("unknown");
    expect(health.breaches[0]?.message).to.match(/not measured/);
  });
});
