import { expect } from "chai";
import "../../actors/names.ts";
import { metricKey } from "../../actors/services.ts";
import { MetricsStore } from "../../lib/telemetry/metrics.ts";
import { SimCluster, type SimNode } from "../support/sim-cluster.ts";

describe("Metrics", () => {
  let cluster: SimCluster;
  let a: SimNode;
  const target = { name: "metrics" } as const;

  beforeEach(async () => {
    cluster = new SimCluster();
    a = await cluster.start("a");
  });

  afterEach(() => cluster.stopAll());

  it("counts by namespace and field, and resets a namespace", async () => {
    const add = (field: string, by?: number): Promise<number> =>
      cluster.run(
        a.node.call(target, {
          type: "increment",
          namespace: "n",
          field,
          ...(by === undefined ? {} : { by }),
        }),
      );
    expect([await add("x"), await add("x", 4)]).to.deep.equal([1, 5]);
    const all = await cluster.run(a.node.call(target, { type: "getAll", namespace: "n" }));
    expect(all).to.deep.equal({ x: 5 });
    expect(await cluster.run(a.node.call(target, { type: "namespaces" }))).to.include("n");
    await cluster.run(a.node.call(target, { type: "reset", namespace: "n" }));
    expect(await cluster.run(a.node.call(target, { type: "getAll", namespace: "n" }))).to.deep.equal({});
  });

  it("keeps the last 256 latencies of a key, oldest first, and percentiles over all", async () => {
    for (let valueUs = 1; valueUs <= 300; valueUs++) {
      a.node.system.call(target, { type: "pushLatency", key: "k", valueUs }).catch(() => undefined);
    }
    const samples = await cluster.run(a.node.call(target, { type: "getLatencySamples", key: "k" }));
    expect(samples).to.deep.equal(Array.from({ length: 256 }, (_, index) => index + 45));
    const latency = await cluster.run(a.node.call(target, { type: "latency", key: "k" }));
    expect(latency?.count).to.equal(300);
    expect(latency?.p50Us).to.be.within(148, 152);
    expect(latency?.maxUs).to.be.within(298, 302);
    expect(await cluster.run(a.node.call(target, { type: "latency", key: "none" }))).to.equal(null);
  });

  it("keeps its counters through a crash of the actor", async () => {
    await cluster.run(a.node.call(target, { type: "increment", namespace: "n", field: "x" }));
    const pid = a.node.whereis("metrics");
    if (pid !== undefined) {
      a.node.exit(pid, "kill");
    }
    await cluster.advance(10);
    expect(await cluster.run(a.node.call(target, { type: "getAll", namespace: "n" }))).to.deep.equal({
      x: 1,
    });
  });
});

describe("the names of metrics", () => {
  it("are any text but that which no object has as a key", () => {
    expect(metricKey.safeParse("__proto__").success).to.equal(false);
    for (const key of ["constructor", "a b", "é"]) {
      expect(metricKey.safeParse(key).success).to.equal(true);
    }
  });
});

describe("the metrics store", () => {
  it("is bounded, whatever keys callers make up, and counts what it refuses", () => {
    const store = new MetricsStore();
    for (let n = 0; n < 12_000; n++) {
      store.increment(`namespace ${n % 3_000}`, `field ${n}`);
      store.recordLatency(`key ${n}`, n);
    }
    expect(store.namespaces().length).to.equal(1_000);
    const fields = store
      .namespaces()
      .reduce((sum, each) => sum + Object.keys(store.counters(each)).length, 0);
    expect(fields).to.be.at.most(10_000);
    expect(Object.keys(store.latencies()).length).to.equal(500);
    expect(store.refused).to.be.greaterThan(8_000);
    const [namespace = ""] = store.namespaces();
    store.resetCounters(namespace);
    store.increment("new", "x");
    expect(store.counter("new", "x")).to.equal(1);
  });

  it("takes any number for a latency", () => {
    const store = new MetricsStore();
    for (const valueUs of [0, 0.1, 1e12, Number.MAX_SAFE_INTEGER]) {
      store.recordLatency("k", valueUs);
    }
    expect(store.latency("k")?.count).to.equal(4);
  });
});
