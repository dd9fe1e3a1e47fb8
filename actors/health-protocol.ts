/** The messages of HealthMonitor and the shapes of its answers. */
import { z } from "zod";
import { defineProtocol, type ProtocolOf } from "../lib/actor/protocol.ts";
import { HEALTH_CHECKS, HEALTH_STATUSES } from "../lib/cluster/health.ts";
import { nodeName, noFields } from "./services.ts";

const nullableNumber = z.number().nullable();
const breachSchema = z.object({
  check: z.enum(HEALTH_CHECKS),
  severity: z.enum(["degraded", "critical", "unknown"]),
  value: nullableNumber,
  threshold: nullableNumber,
  message: z.string(),
});
const nodeHealthSchema = z.object({
  node: z.string(),
  status: z.enum(HEALTH_STATUSES),
  rttMs: nullableNumber,
  eventLoopLagMs: nullableNumber,
  errorRate: nullableNumber,
  crashes: nullableNumber,
  breaches: z.array(breachSchema).readonly(),
});
const clusterHealthSchema = z.object({
  status: z.enum(HEALTH_STATUSES),
  node: z.string(),
  checkedAt: z.string().nullable(),
  roundAgeMs: nullableNumber,
  nodes: z.array(nodeHealthSchema).readonly(),
});
const thresholdsSchema = z.object({
  latencyMs: z.number(),
  eventLoopLagMs: z.number(),
  errorRate: z.number(),
});

export const healthMonitorProtocol = defineProtocol({
  clusterHealth: {
    call: noFields,
    reply: clusterHealthSchema,
    help: "the last round: the cluster's status and each node's",
  },
  nodeHealth: {
    call: z.strictObject({ node: nodeName }),
    reply: nodeHealthSchema,
    help: "the last round's result for one node; status unknown for one that was not measured",
  },
  forceCheck: { call: noFields, reply: clusterHealthSchema, help: "runs a round now and answers its result" },
  reconfigure: {
    call: z.strictObject({
      intervalMs: z.int().min(100).optional(),
      latencyMs: z.number().positive().optional(),
      eventLoopLagMs: z.number().positive().optional(),
      errorRate: z.number().min(0).max(1).optional(),
    }),
    reply: z.object({ intervalMs: z.number(), thresholds: thresholdsSchema }),
    help: "changes the interval or thresholds while it runs and answers those in force",
  },
  selfReport: {
    call: noFields,
    reply: z.object({
      eventLoopLagMs: z.number(),
      errorRate: z.number(),
      crashes: z.number(),
      roundAgeMs: nullableNumber,
      intervalMs: z.number(),
    }),
    help: "what this node tells other nodes' health rounds about itself",
  },
  round: { cast: z.strictObject({ generation: z.int() }), help: "time for the next round", from: "node" },
});

export type HealthMonitorProtocol = ProtocolOf<typeof healthMonitorProtocol>;
export type ClusterHealth = z.infer<typeof clusterHealthSchema>;
