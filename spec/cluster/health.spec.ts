import { expect } from "chai";
import {
  assessCluster,
  assessNode,
  DEFAULT_THRESHOLDS,
  type Measurement,
  type NodeHealth,
  type SelfReport,
} from "../../lib/cluster/health.ts";

const SOUND: SelfReport = { eventLoopLagMs: 1, errorRate: 0, crashes: 0, roundAgeMs: 100, intervalMs: 5_000 };

function measured(report: Partial<SelfReport> = {}, rttMs = 1): Measurement {
  return { node: "b", rttMs, report: { ...SOUND, ...report }, error: undefined };
}

function assess(measurement: Measurement): [status: string, ...checks: string[]] {
  const { status, breaches } = assessNode(measurement, DEFAULT_THRESHOLDS);
  return [status, ...breaches.map((breach) => `${breach.check} ${breach.severity}`)];
}

describe("the health of a node", () => {
  it("is healthy at its thresholds, degraded above, critical far above", () => {
    expect(assess(measured())).to.deep.equal(["healthy"]);
    expect(assess(measured({}, 100))).to.deep.equal(["healthy"]);
    expect(assess(measured({}, 101))).to.deep.equal(["degraded", "latency degraded"]);
    expect(assess(measured({}, 1_001))).to.deep.equal(["critical", "latency critical"]);
    expect(assess(measured({ eventLoopLagMs: 250 }))).to.deep.equal(["degraded", "eventLoopLag degraded"]);
    expect(assess(measured({ errorRate: 0.6 }))).to.deep.equal(["critical", "errorRate critical"]);
  });

  it("is unknown when it does not answer, and says why", () => {
    const health = assessNode(
      { node: "b", rttMs: undefined, report: undefined, error: "node b went down" },
      DEFAULT_THRESHOLDS,
    );
    expect(health.status).to.equal("unknown");
    expect(health.breaches[0]?.message).to.equal("b cannot be reached: node b went down");
  });

  it("follows from progress: rounds that stopped make a node critical that still answers", () => {
    expect(assess(measured({ roundAgeMs: 15_000 }))).to.deep.equal(["healthy"]);
    expect(assess(measured({ roundAgeMs: 15_001 }))).to.deep.equal(["critical", "progress critical"]);
  });

  it("measures a node's progress by the interval of that node", () => {
    expect(assess(measured({ roundAgeMs: 50_000, intervalMs: 60_000 }))).to.deep.equal(["healthy"]);
  });

  it("is as bad as its worst breach", () => {
    expect(assess(measured({ eventLoopLagMs: 5_000 }, 200))[0]).to.equal("critical");
  });
});

describe("the health of a cluster", () => {
  const node = (status: NodeHealth["status"]): NodeHealth => ({
    node: status,
    status,
    rttMs: null,
    eventLoopLagMs: null,
    errorRate: null,
    crashes: null,
    breaches: [],
  });
  const cases: readonly [statuses: NodeHealth["status"][], expected: string][] = [
    [["healthy", "healthy"], "healthy"],
    [["healthy", "degraded"], "degraded"],
    [["healthy", "healthy", "unknown"], "degraded"],
    [["healthy", "unknown"], "critical"],
    [["healthy", "unknown", "unknown"], "critical"],
    [["healthy", "healthy", "critical"], "critical"],
    [[], "unknown"],
  ];
  for (const [statuses, expected] of cases) {
    it(`is ${expected} when its nodes are ${statuses.join(", ") || "none"}`, () => {
      expect(assessCluster(statuses.map(node), 0, 5_000)).to.equal(expected);
    });
  }

  it("is unknown before the first round and when the last one is old", () => {
    expect(assessCluster([node("healthy")], undefined, 5_000)).to.equal("unknown");
    expect(assessCluster([node("healthy")], 15_001, 5_000)).to.equal("unknown");
  });
});
