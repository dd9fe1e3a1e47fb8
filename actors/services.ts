/** What the named actors of a node share: handed to each in its args by the runtime. */
import { z } from "zod";
import type { NoFields } from "../lib/actor/protocol.ts";
import { nameProblem } from "../lib/base/names.ts";
import type { NodeFloor } from "../lib/node/node-floor.ts";
import type { Subjects } from "../lib/node/subjects.ts";
import type { MetricsStore } from "../lib/telemetry/metrics.ts";

export const REPLICATION_MODES = ["async", "sync", "strong", "3pc"] as const;
export type ReplicationMode = (typeof REPLICATION_MODES)[number];

/** Options that must be the same on every node of a cluster. */
export interface ClusterOptions {
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly replicationMode: ReplicationMode;
}

export interface NodeServices {
  readonly floor: NodeFloor;
  readonly metrics: MetricsStore;
  readonly subjects: Subjects;
  readonly cluster: ClusterOptions;
  /** Publishes JSON for whoever subscribes; what cannot be sent is logged, never thrown. */
  publishJson(subject: string, body: object): void;
}

/** The schema of a node's name in messages. */
export const nodeName: z.ZodString = z.string().check((context) => {
  const problem = nameProblem("node", context.value);
  if (problem !== undefined) {
    context.issues.push({ code: "custom", message: problem, input: context.value });
  }
});

/** The fields of a message that has none. */
export const noFields: z.ZodType<NoFields> = z.strictObject({});
