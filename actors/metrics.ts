/** Metrics: the node's counters and latency samples, by message (SuperCache's Cluster.Metrics). */
import { z } from "zod";
import { Actor } from "../lib/actor/actor.ts";
import { type CallMessage, defineProtocol, type ProtocolOf } from "../lib/actor/protocol.ts";
import type { CallResult } from "../lib/actor/result.ts";
import type { MetricsStore } from "../lib/telemetry/metrics.ts";
import { type NodeServices, noFields } from "./services.ts";

const key = z.string().min(1).max(128);

export const metricsProtocol = defineProtocol({
  increment: {
    call: z.strictObject({ namespace: key, field: key, by: z.number().optional() }),
    reply: z.number(),
    help: "adds `by` (default 1) to a counter and answers its value",
  },
  getAll: {
    call: z.strictObject({ namespace: key }),
    reply: z.record(z.string(), z.number()),
    help: "all counters of a namespace",
  },
  namespaces: { call: noFields, reply: z.array(z.string()), help: "the namespaces that have counters" },
  reset: {
    call: z.strictObject({ namespace: key }),
    reply: z.literal(true),
    help: "sets a namespace's counters to zero",
  },
  pushLatency: {
    call: z.strictObject({ key, valueUs: z.number().min(0) }),
    reply: z.literal(true),
    help: "records one latency in microseconds",
  },
  getLatencySamples: {
    call: z.strictObject({ key }),
    reply: z.array(z.number()),
    help: "the last 256 latencies of a key in microseconds, oldest first",
  },
  latency: {
    call: z.strictObject({ key }),
    reply: z
      .object({
        count: z.number(),
        meanUs: z.number(),
        p50Us: z.number(),
        p95Us: z.number(),
        p99Us: z.number(),
        maxUs: z.number(),
      })
      .nullable(),
    help: "percentiles over all latencies of a key; null when there are none",
  },
});

export type MetricsProtocol = ProtocolOf<typeof metricsProtocol>;

export class Metrics extends Actor<MetricsProtocol, MetricsStore, NodeServices> {
  static override readonly protocol = metricsProtocol;

  init(services: NodeServices): MetricsStore {
    return services.metrics;
  }

  override handleCall(message: CallMessage<MetricsProtocol>): CallResult {
    const store = this.state;
    switch (message.type) {
      case "increment":
        store.increment(message.namespace, message.field, message.by);
        return this.reply(message, store.counter(message.namespace, message.field));
      case "getAll":
        return this.reply(message, store.counters(message.namespace));
      case "namespaces":
        return this.reply(message, store.namespaces());
      case "reset":
        store.resetCounters(message.namespace);
        return this.reply(message, true);
      case "pushLatency":
        store.recordLatency(message.key, message.valueUs);
        return this.reply(message, true);
      case "getLatencySamples":
        return this.reply(message, store.latencySamples(message.key));
      case "latency":
        return this.reply(message, store.latency(message.key) ?? null);
    }
  }

  override formatState(store: MetricsStore): unknown {
    return { namespaces: store.namespaces() };
  }
}
