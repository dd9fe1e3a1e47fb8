/** What makes a node or a cluster healthy: pure rules over measurements. */

export const HEALTH_STATUSES = ["healthy", "degraded", "critical", "unknown"] as const;
export type HealthStatus = (typeof HEALTH_STATUSES)[number];

export interface HealthThresholds {
  /** Round trip of a call to the node. */
  readonly latencyMs: number;
  /** How late the node's timers run. */
  readonly eventLoopLagMs: number;
  /** Share of failed calls since the round before, 0 to 1. */
  readonly errorRate: number;
}

export const DEFAULT_THRESHOLDS: HealthThresholds = { latencyMs: 100, eventLoopLagMs: 200, errorRate: 0.05 };

/** Beyond this many times its threshold a measure is critical. */
const CRITICAL_FACTOR = 10;
/** A node whose own rounds are this many intervals old makes no progress. */
const STALE_ROUNDS = 3;

/** What one node tells of itself. */
export interface SelfReport {
  readonly eventLoopLagMs: number;
  readonly errorRate: number;
  /** Crashes of processes since the round before. */
  readonly crashes: number;
  /** Age of its last finished round; null before the first. */
  readonly roundAgeMs: number | null;
  /** Between two of its rounds. */
  readonly intervalMs: number;
}

/** What was measured of one node in one round; without a report it could not be reached. */
export interface Measurement {
  readonly node: string;
  readonly rttMs: number | undefined;
  readonly report: SelfReport | undefined;
  readonly error: string | undefined;
}

export const HEALTH_CHECKS = ["connectivity", "latency", "eventLoopLag", "errorRate", "progress"] as const;
export type HealthCheck = (typeof HEALTH_CHECKS)[number];

export interface Breach {
  readonly check: HealthCheck;
  readonly severity: "degraded" | "critical" | "unknown";
  readonly value: number | null;
  readonly threshold: number | null;
  readonly message: string;
}

export interface NodeHealth {
  readonly node: string;
  readonly status: HealthStatus;
  readonly rttMs: number | null;
  readonly eventLoopLagMs: number | null;
  readonly errorRate: number | null;
  readonly crashes: number | null;
  readonly breaches: readonly Breach[];
}

/** Judges one node. */
export function assessNode(measured: Measurement, thresholds: HealthThresholds): NodeHealth {
  const { node, rttMs, report, error } = measured;
  if (report === undefined || rttMs === undefined) {
    const message = `${node} cannot be reached: ${error ?? "no answer"}`;
    const breach: Breach = {
      check: "connectivity",
      severity: "unknown",
      value: null,
      threshold: null,
      message,
    };
    return {
      node,
      status: "unknown",
      rttMs: null,
      eventLoopLagMs: null,
      errorRate: null,
      crashes: null,
      breaches: [breach],
    };
  }
  const breaches = [
    over("latency", `round trip to ${node}`, "ms", rttMs, thresholds.latencyMs),
    over(
      "eventLoopLag",
      `event loop of ${node} late by`,
      "ms",
      report.eventLoopLagMs,
      thresholds.eventLoopLagMs,
    ),
    over("errorRate", `share of failed calls at ${node}`, "", report.errorRate, thresholds.errorRate),
    over(
      "progress",
      `last health round of ${node} is old:`,
      "ms",
      report.roundAgeMs ?? 0,
      STALE_ROUNDS * report.intervalMs,
    ),
  ].filter((breach) => breach !== undefined);
  return {
    node,
    status: worst(breaches.map((breach) => breach.severity)),
    rttMs: round(rttMs),
    eventLoopLagMs: round(report.eventLoopLagMs),
    errorRate: report.errorRate,
    crashes: report.crashes,
    breaches,
  };
}

/**
 * Judges the cluster: critical when a node is, or when half of the nodes or more cannot be reached;
 * degraded when anything is not healthy; unknown while there is no recent round.
 */
export function assessCluster(
  nodes: readonly NodeHealth[],
  roundAgeMs: number | undefined,
  intervalMs: number,
): HealthStatus {
  if (roundAgeMs === undefined || roundAgeMs > STALE_ROUNDS * intervalMs || nodes.length === 0) {
    return "unknown";
  }
  const unreachable = nodes.filter((each) => each.status === "unknown").length;
  if (nodes.some((each) => each.status === "critical") || 2 * unreachable >= nodes.length) {
    return "critical";
  }
  return nodes.every((each) => each.status === "healthy") ? "healthy" : "degraded";
}

function over(
  check: HealthCheck,
  what: string,
  unit: string,
  value: number,
  threshold: number,
): Breach | undefined {
  if (value <= threshold) {
    return undefined;
  }
  const severity = value > CRITICAL_FACTOR * threshold || check === "progress" ? "critical" : "degraded";
  return {
    check,
    severity,
    value: round(value),
    threshold,
    message: `${what} ${round(value)} ${unit}`.trim(),
  };
}

function worst(severities: readonly HealthStatus[]): HealthStatus {
  if (severities.includes("critical")) {
    return "critical";
  }
  return severities.includes("degraded") ? "degraded" : "healthy";
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
