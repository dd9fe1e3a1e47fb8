/**
 * What only a real nats-server and real processes can show: killed and paused processes, a server that
 * goes and comes, credentials that it demands.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { expect } from "chai";
import type { Down } from "../../lib/actor/info.ts";
import type { NodeOptions } from "../../lib/config/options.ts";
import type { NodeEvent } from "../../lib/node/node-floor.ts";
import type { Node } from "../../lib/runtime/node.ts";
import { startNode } from "../../lib/runtime/start-node.ts";
import { collectLog } from "../../lib/telemetry/log.ts";
import { Worker } from "../simulation/actors.ts";
import { eventually } from "../support/eventually.ts";
import { describeWithNats, type NatsServer, startNatsServer } from "../support/nats-server.ts";
import { outcomeOf } from "../support/sim-cluster.ts";

/** As the default settings, but for a connection that is trusted sooner. */
const LIMITS = { reconnectGraceMs: 1_500 };
const PEERS = ["a", "b", "c"];

const quiet = () => ({ log: collectLog().log });

describeWithNats("nodes in processes of their own over a real nats-server", function () {
  this.timeout(20_000);
  let server: NatsServer;
  let a: Node;
  let events: NodeEvent[];
  const children = new Map<string, ChildProcess>();

  function options(name: string): NodeOptions {
    return { name, cluster: "real", servers: server.url, peers: PEERS, limits: LIMITS };
  }

  async function startChild(name: string): Promise<void> {
    const child = fork(new URL("child-node.ts", import.meta.url), [JSON.stringify(options(name))], {
      execArgv: ["--import", "tsx"],
    });
    children.set(name, child);
    await Promise.race([
      once(child, "message"),
      once(child, "exit").then(([code]) => {
        throw new Error(`child ${name} ended with ${code}`);
      }),
    ]);
  }

  function signal(name: string, signalName: NodeJS.Signals): void {
    const pid = children.get(name)?.pid;
    if (pid === undefined) {
      throw new Error(`no child ${name}`);
    }
    process.kill(pid, signalName);
  }

  const sees = (name: string): boolean => a.nodes().includes(name);

  function downsOf(target: { name: string; node: string }): Down[] {
    const downs: Down[] = [];
    a.monitor(target, (down) => downs.push(down));
    return downs;
  }

  before(async () => {
    server = await startNatsServer();
    a = await startNode(options("a"), quiet());
    events = [];
    a.onNodeEvent((event) => events.push(event));
    await Promise.all([startChild("b"), startChild("c")]);
    await eventually("a sees b and c", () => sees("b") && sees("c"));
  });

  after(async () => {
    for (const child of children.values()) {
      if (child.exitCode === null && child.signalCode === null) {
        const gone = once(child, "exit");
        child.kill("SIGKILL");
        await gone;
      }
    }
    await a?.stop();
    await server?.stop();
  });

  it("calls, casts, links and monitors across processes", async () => {
    const remote = { name: "w", node: "b" };
    expect(await a.call(remote, { type: "echo", value: { n: [1n, "é"] } })).to.deep.equal({ n: [1n, "é"] });
    a.cast(remote, { type: "note", from: "a", n: 1 });
    expect(await a.call(remote, { type: "seen" })).to.deep.equal(["note a 1"]);
    const home = await a.start(Worker, {}, { name: "home", restart: "temporary" });
    await a.call(remote, { type: "tie", target: home.pid });
    const downs = downsOf({ name: "home", node: "a" });
    a.exit(home.pid, { shutdown: "enough" });
    await eventually("b's worker has trapped the exit", async () => {
      const seen = await a.call(remote, { type: "seen" });
      return Array.isArray(seen) && seen.includes("exit shutdown(enough)");
    });
    expect(downs.length).to.equal(1);
  });

  it("settles hundreds of calls of many callers, each with its own answer", async () => {
    const asked = Array.from({ length: 500 }, (_, n) => n);
    const answers = await Promise.all(
      asked.map((n) => a.call({ name: "w", node: n % 2 === 0 ? "b" : "c" }, { type: "echo", value: n })),
    );
    expect(answers).to.deep.equal(asked);
  });

  it("refuses a name that is taken, and says by whom", async () => {
    const taken = startNode(options("b"), quiet()).then(
      () => "started",
      (error: unknown) => String(error),
    );
    expect(await taken).to.match(/the name "b" is taken: incarnation [a-z0-9]+ answers to it/);
    expect(sees("b")).to.equal(true);
  });

  it("knows a paused process down after the timeout only, and up again when it goes on", async () => {
    const { length } = events;
    const downs = downsOf({ name: "w", node: "b" });
    await a.call({ name: "w", node: "b" }, { type: "seen" });
    const pausedAt = performance.now();
    signal("b", "SIGSTOP");
    await eventually("b is down", () => !sees("b"));
    const tookMs = performance.now() - pausedAt;
    expect(tookMs).to.be.within(1_850, 2_600);
    expect(downs.map((down) => down.reason)).to.deep.equal(["noconnection"]);
    signal("b", "SIGCONT");
    await eventually("b is up again", () => sees("b"));
    const told = events.slice(length).filter((event) => "node" in event && event.node === "b");
    expect(told.map((event) => event.type)).to.include.members(["nodeSuspect", "nodeDown", "nodeUp"]);
    expect(told.find((event) => event.type === "nodeDown")).to.include({ reason: "silent" });
    expect(await a.call({ name: "w", node: "b" }, { type: "echo", value: 1 })).to.equal(1);
  });

  it("knows a killed process down well under a second", async () => {
    const downs = downsOf({ name: "w", node: "c" });
    const call = outcomeOf(a.call({ name: "w", node: "c" }, { type: "never" }, { timeoutMs: 60_000 }));
    await a.call({ name: "w", node: "c" }, { type: "seen" });
    const killedAt = performance.now();
    signal("c", "SIGKILL");
    await eventually("c is down", () => !sees("c"));
    expect(performance.now() - killedAt).to.be.below(900);
    expect(await call).to.equal("nodedown");
    expect(downs.map((down) => down.reason)).to.deep.equal(["noconnection"]);
    const down = events.findLast((event) => event.type === "nodeDown");
    expect(down).to.include({ node: "c", reason: "no_responders" });
  });

  it("takes a new incarnation of a killed node in at once", async () => {
    await startChild("c");
    await eventually("a sees c again", () => sees("c"));
    expect(await a.call({ name: "w", node: "c" }, { type: "echo", value: 2 })).to.equal(2);
  });

  it("takes nobody for down when the nats-server restarts, and fails calls in flight at once", async () => {
    const { length } = events;
    const call = a.call({ name: "w", node: "b" }, { type: "never" }, { timeoutMs: 60_000 });
    const failed = outcomeOf(call).then((code) => ({ code, at: performance.now() }));
    await a.call({ name: "w", node: "b" }, { type: "seen" });
    await server.kill();
    const killedAt = performance.now();
    const { code, at } = await failed;
    expect(code).to.equal("noconnection");
    expect(at - killedAt).to.be.below(500);
    await server.restart();
    await eventually("calls pass again", async () => {
      const calls = ["b", "c"].map((node) =>
        a.call({ name: "w", node }, { type: "echo" }, { timeoutMs: 500 }),
      );
      const codes = await Promise.all(calls.map(outcomeOf));
      return codes.every((each) => each === "ok");
    });
    const down = events.slice(length).filter((event) => event.type === "nodeDown");
    expect(down).to.deep.equal([]);
  });

  it("hears a child that stops say goodbye", async () => {
    const child = children.get("c");
    const { length } = events;
    child?.send("stop");
    await eventually("c has left", () => !sees("c"));
    expect(events.slice(length).find((event) => event.type === "nodeDown")).to.include({ reason: "left" });
    await eventually("the child has ended", () => child?.exitCode === 0);
  });

  it("waits for a server that is not there yet, says so, and comes up when it comes up", async () => {
    const spare = await startNatsServer();
    const { port, url } = spare;
    await spare.stop();
    const { log, lines } = collectLog();
    const starting = startNode({ name: "late", servers: url }, { log });
    await eventually("it says that it waits", () =>
      lines.some((line) => line.message.includes("trying again")),
    );
    const back = await startNatsServer({ port });
    const late = await starting;
    expect(late.nodes()).to.deep.equal(["late"]);
    await late.stop();
    await back.stop();
  });

  it("needs the credentials that the server demands", async () => {
    const guarded = await startNatsServer({ config: 'authorization { user: "u", password: "p" }' });
    const start = (credentials: Partial<NodeOptions>): Promise<Node> =>
      startNode({ name: "guarded", servers: guarded.url, ...credentials }, quiet());
    expect(await outcomeOf(start({}))).to.equal("forbidden");
    expect(await outcomeOf(start({ user: "u", password: "wrong" }))).to.equal("forbidden");
    const node = await start({ user: "u", password: "p" });
    expect(node.nodes()).to.deep.equal(["guarded"]);
    await node.stop();
    await guarded.stop();
  });
});
