import { expect } from "chai";
import "../../actors/names.ts";
import type { NodeOptions } from "../../lib/config/options.ts";
import { outcomeOf, SimCluster, type SimNode } from "../support/sim-cluster.ts";

describe("NodeMonitor", () => {
  let cluster: SimCluster;
  let a: SimNode;
  let events: { readonly type: string; readonly [field: string]: unknown }[];

  async function start(
    nodeMonitor: NodeOptions["nodeMonitor"],
    more: Partial<NodeOptions> = {},
  ): Promise<void> {
    a = await cluster.start("a", { nodeMonitor, ...more });
    await cluster.advance(200);
  }

  const live = (): Promise<readonly string[]> =>
    cluster.run(a.node.call({ name: "manager" }, { type: "liveNodes" }));
  const status = () => cluster.run(a.node.call({ name: "node_monitor" }, { type: "status" }));

  function kill(name: string): void {
    const pid = a.node.whereis(name);
    if (pid !== undefined) {
      a.node.exit(pid, "kill");
    }
  }

  beforeEach(async () => {
    cluster = new SimCluster();
    events = [];
    for (const name of ["b", "c", "d"]) {
      await cluster.start(name);
    }
    cluster.hub.connect("listener").subscribe("supercast.default.cluster.event.a", ({ payload }) => {
      const event = JSON.parse(Buffer.from(payload).toString());
      if (event.type === "declaredChanged") {
        events.push(event);
      }
    });
  });

  afterEach(() => cluster.stopAll());

  it("declares a fixed list, or all", async () => {
    await start({ nodes: ["a", "b", "absent"] });
    expect(await live()).to.deep.equal(["a", "b"]);
    const answer = await cluster.run(
      a.node.call({ name: "node_monitor" }, { type: "reconfigure", all: true }),
    );
    expect(answer.declared).to.equal("all");
    expect(await live()).to.deep.equal(["a", "b", "c", "d"]);
  });

  it("swaps source and set at once and announces the difference", async () => {
    await start({ nodes: ["a", "b"] });
    const answer = await cluster.run(
      a.node.call({ name: "node_monitor" }, { type: "reconfigure", nodes: ["a", "c", "c", "d"] }),
    );
    expect(answer).to.deep.include({ added: ["c", "d"], removed: ["b"] });
    expect(await live()).to.deep.equal(["a", "c", "d"]);
    expect(events).to.have.length(1);
    expect(events[0]).to.deep.include({ added: ["c", "d"], removed: ["b"] });
  });

  it("runs a discovery at start and every refreshMs", async () => {
    let found = ["b"];
    let runs = 0;
    const discover = (): readonly string[] => {
      runs += 1;
      return found;
    };
    await start({ discover, refreshMs: 1_000 });
    expect(await live()).to.deep.equal(["a", "b"]);
    found = ["c", "d", "c"];
    await cluster.advance(1_000);
    expect(await live()).to.deep.equal(["a", "c", "d"]);
    expect(runs).to.equal(2);
    expect((await status()).lastRefresh).to.equal("ok");
  });

  it("keeps what it found last while a discovery throws, finds nonsense or hangs, and lives", async () => {
    const troubles: (() => readonly string[] | Promise<readonly string[]>)[] = [
      () => ["b"],
      () => {
        throw new Error("no such zone");
      },
      () => ["not a name"],
      () => Promise.reject(new Error("refused")),
      () => new Promise(() => undefined),
      () => ["c"],
    ];
    const discover = (): readonly string[] | Promise<readonly string[]> => troubles.shift()?.() ?? ["d"];
    await start({ discover, refreshMs: 1_000 }, { limits: { discoveryTimeoutMs: 500 } });
    const pid = a.node.whereis("node_monitor");
    for (const trouble of [/no such zone/, /"not a name" is not allowed/, /refused/]) {
      await cluster.advance(1_000);
      expect(await live()).to.deep.equal(["a", "b"]);
      const { lastRefresh, lastError } = await status();
      expect(lastRefresh).to.equal("failed");
      expect(lastError).to.match(trouble);
    }
    await cluster.advance(1_500);
    expect((await status()).lastError).to.match(/longer than 500 ms/);
    await cluster.advance(1_000);
    expect(await live()).to.deep.equal(["a", "c"]);
    expect(a.node.whereis("node_monitor")).to.equal(pid);
    expect(a.lines.filter(({ message }) => message.startsWith("node discovery failed")).length).to.equal(4);
  });

  it("lets timers and late results of a source that was replaced die", async () => {
    let runs = 0;
    const waiting: ((found: readonly string[]) => void)[] = [];
    const slow = (): Promise<readonly string[]> => {
      runs += 1;
      return new Promise((resolve) => waiting.push(resolve));
    };
    await start({ discover: slow, refreshMs: 1_000 });
    await cluster.run(a.node.call({ name: "node_monitor" }, { type: "reconfigure", nodes: ["b"] }));
    waiting.shift()?.(["c"]);
    await cluster.advance(10_000);
    expect(await live()).to.deep.equal(["a", "b"]);
    expect(runs).to.equal(1);
    expect((await status()).source).to.deep.equal({ kind: "nodes", nodes: ["b"] });
  });

  it("stays with its source when a reconfigure's discovery fails, and goes on with it", async () => {
    let runs = 0;
    const good = (): readonly string[] => {
      runs += 1;
      return ["b"];
    };
    const bad = (): never => {
      throw new Error("broken");
    };
    await start({ discover: "good", refreshMs: 1_000 }, { discoveries: { good, bad } });
    const before = runs;
    for (const discover of ["bad", "unknown"]) {
      const failed = a.node.call({ name: "node_monitor" }, { type: "reconfigure", discover });
      const text = String(await cluster.run(failed.catch(String)));
      expect(text).to.match(
        discover === "bad"
          ? /broken; the source stays/
          : /allowed: file:PATH, dns:HOST, dns:HOST@SERVER, good, bad/,
      );
    }
    await cluster.advance(2_000);
    expect(runs).to.be.greaterThan(before);
    expect(await live()).to.deep.equal(["a", "b"]);
  });

  it("answers the earlier of two reconfigures that it was replaced", async () => {
    const waiting: ((found: readonly string[]) => void)[] = [];
    const slow = (): Promise<readonly string[]> => new Promise((resolve) => waiting.push(resolve));
    await start({ nodes: ["a"] }, { discoveries: { slow } });
    const first = outcomeOf(a.node.call({ name: "node_monitor" }, { type: "reconfigure", discover: "slow" }));
    await cluster.advance(1);
    await cluster.run(a.node.call({ name: "node_monitor" }, { type: "reconfigure", nodes: ["c"] }));
    waiting.shift()?.(["d"]);
    expect(await cluster.run(first)).to.equal("invalid_message");
    expect(await live()).to.deep.equal(["a", "c"]);
  });

  it("keeps a reconfigure and what was discovered through a crash", async () => {
    let found: readonly string[] | "hang" = ["b", "c"];
    const discover = (): readonly string[] | Promise<readonly string[]> =>
      found === "hang" ? new Promise(() => undefined) : found;
    await start({ nodes: ["a"] }, { discoveries: { discover } });
    await cluster.run(a.node.call({ name: "node_monitor" }, { type: "reconfigure", discover: "discover" }));
    found = "hang";
    kill("node_monitor");
    await cluster.advance(100);
    expect(await live()).to.deep.equal(["a", "b", "c"]);
    expect((await status()).source).to.include({ kind: "discover", discover: "discover" });
  });

  it("tells a manager that was restarted", async () => {
    await start({ nodes: ["a", "d"] });
    kill("manager");
    await cluster.advance(10);
    expect(await live()).to.deep.equal(["a", "d"]);
  });
});
