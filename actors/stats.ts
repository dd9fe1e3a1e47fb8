/**
 * Stats: overviews of the cluster, its partitions, the API's traffic and this node's inside
 * (SuperCache's Cluster.Stats).
 */
import { z } from "zod";
import { Actor } from "../lib/actor/actor.ts";
import type { From } from "../lib/actor/from.ts";
import { type CallMessage, defineProtocol, type ProtocolOf } from "../lib/actor/protocol.ts";
import type { CallResult } from "../lib/actor/result.ts";
import { messageOf, SupercastError } from "../lib/base/errors.ts";
import type { Placement } from "../lib/cluster/placement.ts";
import { API_METRICS } from "../lib/node/foreign-gateway.ts";
import { processTree, type TreeNode } from "../lib/node/process-tree.ts";
import type { LatencySummary } from "../lib/telemetry/metrics.ts";
import { type NodeServices, nodeName, noFields, REPLICATION_MODES } from "./services.ts";

const treeSchema: z.ZodType<readonly TreeNode[]> = z.custom<readonly TreeNode[]>();
const partitionSchema = z.object({
  partition: z.int(),
  primary: z.string(),
  replicas: z.array(z.string()).readonly(),
});
const latencySchema: z.ZodType<LatencySummary> = z.object({
  count: z.number(),
  meanUs: z.number(),
  p50Us: z.number(),
  p95Us: z.number(),
  p99Us: z.number(),
  maxUs: z.number(),
});
const counters = z.record(z.string(), z.number());

export const statsProtocol = defineProtocol({
  cluster: {
    call: noFields,
    reply: z.object({
      nodes: z.array(z.string()).readonly(),
      partitions: z.int(),
      replicationFactor: z.int(),
      replicationMode: z.enum(REPLICATION_MODES),
    }),
    help: "live nodes, number of partitions, replication factor and mode",
  },
  partitions: {
    call: noFields,
    reply: z.array(partitionSchema).readonly(),
    help: "primary and replicas of each partition",
  },
  primaryPartitions: {
    call: noFields,
    reply: z.array(z.int()),
    help: "partitions whose primary is this node",
  },
  replicaPartitions: {
    call: noFields,
    reply: z.array(z.int()),
    help: "partitions of which this node is a replica",
  },
  nodePartitions: {
    call: z.strictObject({ node: nodeName }),
    reply: z.object({ primary: z.array(z.int()), replica: z.array(z.int()) }),
    help: "the partitions of a node, by role",
  },
  record: {
    call: z.strictObject({
      key: z.string().min(1).max(128),
      latencyUs: z.number().min(0),
      error: z.boolean().optional(),
    }),
    reply: z.literal(true),
    help: "records one operation under a key: its latency, and whether it failed",
  },
  api: {
    call: noFields,
    reply: z.object({ counters, operations: counters, latencies: z.record(z.string(), latencySchema) }),
    help: "calls, casts and errors of foreign clients; operations recorded and their latencies in microseconds",
  },
  node: {
    call: noFields,
    reply: z.object({
      node: z.string(),
      incarnation: z.string(),
      uptimeMs: z.number(),
      processes: z.int(),
      crashes: z.int(),
      deadLetters: counters,
      connections: z.object({
        batchesIn: z.int(),
        batchesOut: z.int(),
        itemsIn: z.int(),
        invalid: z.int(),
        stale: z.int(),
        connectionBreaks: z.int(),
      }),
    }),
    help: "this node's inside: processes, crashes, dead letters by reason, traffic with other nodes",
  },
  tree: {
    call: noFields,
    reply: treeSchema,
    help: "the supervision tree with pids, restarts and mailbox lengths",
  },
});

export type StatsProtocol = ProtocolOf<typeof statsProtocol>;

interface StatsState {
  readonly services: NodeServices;
  readonly startedAt: number;
}

const OPERATIONS = "operations";

export class Stats extends Actor<StatsProtocol, StatsState, NodeServices> {
  static override readonly protocol = statsProtocol;

  init(services: NodeServices): StatsState {
    return { services, startedAt: this.now() };
  }

  override handleCall(message: CallMessage<StatsProtocol>, from: From<StatsProtocol>): CallResult {
    const { metrics } = this.state.services;
    switch (message.type) {
      case "cluster":
        return this.#answerLater(from, this.#cluster());
      case "partitions":
        return this.#answerLater(from, this.#map());
      case "primaryPartitions":
        return this.#answerLater(
          from,
          this.#partitionsOf(this.process.system.node).then((held) => held.primary),
        );
      case "replicaPartitions":
        return this.#answerLater(
          from,
          this.#partitionsOf(this.process.system.node).then((held) => held.replica),
        );
      case "nodePartitions":
        return this.#answerLater(from, this.#partitionsOf(message.node));
      case "record":
        metrics.increment(OPERATIONS, message.key);
        if (message.error === true) {
          metrics.increment(OPERATIONS, `${message.key}_errors`);
        }
        metrics.recordLatency(message.key, message.latencyUs);
        return this.reply(message, true);
      case "api":
        return this.reply(message, {
          counters: metrics.counters(API_METRICS),
          operations: metrics.counters(OPERATIONS),
          latencies: metrics.latencies(),
        });
      case "node":
        return this.reply(message, this.#node());
      case "tree":
        return this.reply(message, processTree(this.process.system));
    }
  }

  /** The manager holds the map; asking it must not hold up this mailbox. */
  #answerLater(from: From<StatsProtocol>, answer: Promise<unknown>): CallResult {
    answer.then(
      (value) => from.settle(value),
      (error: unknown) =>
        from.fail(error instanceof SupercastError ? error : new SupercastError("internal", messageOf(error))),
    );
    return this.noReply();
  }

  #map(): Promise<readonly Placement[]> {
    return this.call({ name: "manager" }, { type: "partitionMap" });
  }

  async #cluster(): Promise<object> {
    const nodes = await this.call({ name: "manager" }, { type: "liveNodes" });
    return { nodes, ...this.state.services.cluster };
  }

  async #partitionsOf(node: string): Promise<{ primary: number[]; replica: number[] }> {
    const map = await this.#map();
    return {
      primary: map.filter((each) => each.primary === node).map((each) => each.partition),
      replica: map.filter((each) => each.replicas.includes(node)).map((each) => each.partition),
    };
  }

  #node(): {
    node: string;
    incarnation: string;
    uptimeMs: number;
    processes: number;
    crashes: number;
    deadLetters: Record<string, number>;
    connections: NodeServices["floor"]["stats"];
  } {
    const { system } = this.process;
    return {
      node: system.node,
      incarnation: system.incarnation,
      uptimeMs: Math.round(this.now() - this.state.startedAt),
      processes: system.processCount,
      crashes: system.crashes,
      deadLetters: { ...system.drops },
      connections: this.state.services.floor.stats,
    };
  }

  override formatState(): unknown {
    return { startedAt: this.state.startedAt };
  }
}
