/** What any NATS client can do with a cluster: by the bare `nats` client alone. */
import { expect } from "chai";
import { pack, unpack } from "msgpackr";
import { RequestStrategy } from "nats";
import { eventually } from "../support/eventually.ts";
import { describeWithNats } from "../support/nats-server.ts";
import { ForeignRig, subject, utf8 } from "./foreign-rig.ts";

describeWithNats("a cluster as the bare nats client has it", function () {
  this.timeout(20_000);
  let rig: ForeignRig;

  before(async () => {
    rig = await ForeignRig.start();
  });

  after(() => rig?.stop());

  it("answers JSON with JSON and msgpack with msgpack", async () => {
    const json = await rig.raw(subject("tally"), utf8.encode('{"type":"add","n":1}'));
    expect(json.string()).to.equal('{"ok":1}');
    expect(json.headers).to.equal(undefined);
    const msgpack = await rig.raw(subject("tally"), pack({ type: "add", n: 2 }));
    expect(unpack(msgpack.data)).to.deep.equal({ ok: 3 });
  });

  it("takes casts, and calls sent as casts", async () => {
    rig.client.publish(subject("tally", "a", "cast"), utf8.encode('{"type":"bump","by":10}'));
    rig.client.publish(subject("tally", "a", "cast"), pack({ type: "add", n: 10 }));
    expect(await rig.ask("tally", { type: "add", n: 0 })).to.deep.equal({ ok: 23 });
  });

  it("answers to `any`, from one of the nodes", async () => {
    const nodes = new Set<unknown>();
    for (let n = 0; n < 40 && nodes.size < 2; n++) {
      const { ok } = rig.read(await rig.raw(subject("stats", "any"), utf8.encode('{"type":"node"}')));
      nodes.add(typeof ok === "object" && ok !== null && "node" in ok ? ok.node : "none");
    }
    expect([...nodes].sort()).to.deep.equal(["a", "b"]);
  });

  it("describes every actor: its messages, their fields, who may send them", async () => {
    for (const actor of ["manager", "node_monitor", "health_monitor", "metrics", "stats", "tally"]) {
      const { ok } = await rig.ask(actor, { type: "describe" });
      expect(ok, actor).to.include({ actor, node: "a" });
      expect(Object.keys(Object(ok).messages).length, actor).to.be.greaterThan(2);
    }
    const { ok } = await rig.ask("manager", { type: "describe" });
    const { getReplicas, declared } = Object(ok).messages;
    expect(getReplicas).to.include({ kind: "call", from: "anyone" });
    expect(getReplicas.fields.properties.partition.type).to.equal("integer");
    expect(declared).to.include({ kind: "cast", from: "node" });
  });

  it("is a NATS micro service per node", async () => {
    const answers: { type: string; metadata?: { node?: string } }[] = [];
    for (const verb of ["PING", "INFO", "STATS"]) {
      const found = await rig.client.requestMany(`$SRV.${verb}.supercast`, "", {
        strategy: RequestStrategy.Count,
        maxMessages: 2,
        maxWait: 2_000,
      });
      for await (const message of found) {
        answers.push(JSON.parse(message.string()));
      }
    }
    const types = answers.map((each) => each.type.replace(/^io\.nats\.micro\.v1\./, ""));
    expect(types).to.deep.equal([
      ...["ping_response", "ping_response"],
      ...["info_response", "info_response"],
      ...["stats_response", "stats_response"],
    ]);
    const nodes = answers.slice(0, 2).map((each) => each.metadata?.node);
    expect(nodes.sort()).to.deep.equal(["a", "b"]);
    const tree = await rig.raw("supercast.foreign.service.a.tree", new Uint8Array(0));
    expect(JSON.stringify(rig.read(tree).ok)).to.include("node_monitor");
  });

  it("publishes health rounds, and alerts once when they are raised and once when they are cleared", async () => {
    const checks: unknown[] = [];
    const alerts: { state: string; node: string; check: string }[] = [];
    const listening = rig.client.subscribe("supercast.foreign.health.>", {
      callback: (_error, message) => {
        const list: unknown[] = message.subject.includes(".alert.") ? alerts : checks;
        list.push(JSON.parse(message.string()));
      },
    });
    await rig.client.flush();
    expect((await rig.ask("health_monitor", { type: "forceCheck" })).ok).to.include({
      status: "healthy",
      node: "a",
    });
    await rig.ask("health_monitor", { type: "reconfigure", latencyMs: 0.000_001 });
    await rig.ask("health_monitor", { type: "forceCheck" });
    await rig.ask("health_monitor", { type: "forceCheck" });
    await rig.ask("health_monitor", { type: "reconfigure", latencyMs: 5_000 });
    await rig.ask("health_monitor", { type: "forceCheck" });
    await eventually("the alert is cleared", () => alerts.some((each) => each.state === "cleared"));
    expect(checks.length).to.be.at.least(4);
    expect(alerts.map(({ state, node, check }) => `${state} ${node} ${check}`)).to.deep.equal([
      "raised b latency",
      "cleared b latency",
    ]);
    listening.unsubscribe();
  });

  it("reconfigures NodeMonitor live and announces what changed", async () => {
    const events: { type: string }[] = [];
    const listening = rig.client.subscribe("supercast.foreign.cluster.event.a", {
      callback: (_error, message) => events.push(JSON.parse(message.string())),
    });
    await rig.client.flush();
    const { ok } = await rig.ask("node_monitor", { type: "reconfigure", nodes: ["a"] });
    expect(ok).to.deep.include({ added: [], removed: ["b"] });
    await eventually("a lives alone", async () => {
      const live = await rig.ask("manager", { type: "liveNodes" });
      return JSON.stringify(live.ok) === '["a"]';
    });
    await rig.ask("node_monitor", { type: "reconfigure", nodes: ["a", "b"] });
    await eventually(
      "both changes were announced",
      () => events.filter(({ type }) => type === "mapChanged").length === 2,
    );
    expect(events.filter(({ type }) => type === "declaredChanged").length).to.equal(2);
    listening.unsubscribe();
  });

  it("lets a request with a requestId take effect once, whatever its form, and answers each repeat", async () => {
    const { ok: before } = await rig.ask("tally", { type: "add", n: 0 });
    const message = { type: "add", n: 5, requestId: "r-1" };
    const answers = await Promise.all([
      rig.ask("tally", message),
      rig.send("tally", pack(message)),
      rig.ask("tally", message),
    ]);
    expect(answers).to.deep.equal(Array(3).fill({ ok: Number(before) + 5 }));
    expect(await rig.ask("tally", { type: "add", n: 0 })).to.deep.equal({ ok: Number(before) + 5 });
    for (const requestId of ["", 7, "x".repeat(129), null]) {
      const { error } = await rig.ask("tally", { type: "add", n: 1, requestId });
      expect(error?.code).to.equal("invalid_message");
      expect(error?.message).to.match(/^requestId: /);
    }
  });
});
