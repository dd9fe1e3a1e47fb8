/** What the Manager understands: membership by hand and the cluster map, for operators and for other nodes. */
import { z } from "zod";
import { defineProtocol, type ProtocolOf } from "../lib/actor/protocol.ts";
import { type BootstrapMessage, isBootstrapMessage } from "../lib/cluster/bootstrap-messages.ts";
import type { ClusterMap } from "../lib/cluster/cluster-map-schema.ts";
import type { JoinAnswer } from "../lib/cluster/cluster-root.ts";
import { LOG_LEVELS } from "../lib/telemetry/log.ts";
import { nodeName, noFields, REPLICATION_MODES } from "./services.ts";

const placement = z.object({
  partition: z.int(),
  primary: z.string(),
  replicas: z.array(z.string()).readonly(),
});

export const managerProtocol = defineProtocol({
  liveNodes: {
    call: noFields,
    reply: z.array(z.string()).readonly(),
    help: "the nodes that are declared here and up, sorted; this node's view",
  },
  nodeUp: {
    call: z.strictObject({ node: nodeName }),
    reply: z.literal(true),
    help: "puts a node in by hand, after checking that it runs Supercast; error nodedown when it does not answer",
  },
  nodeDown: {
    call: z.strictObject({ node: nodeName }),
    reply: z.literal(true),
    help:
      "takes a node out by hand, also out of the cluster map, until nodeUp, or until it comes up as a new " +
      "incarnation; error quorum_not_reached when the map cannot be changed, and nothing was done",
  },
  getReplicas: {
    call: z.strictObject({ partition: z.int().min(0) }),
    reply: z.object({ primary: z.string(), replicas: z.array(z.string()).readonly() }),
    help: "the primary and the replicas of a partition",
  },
  partitionMap: {
    call: noFields,
    reply: z.array(placement).readonly(),
    help: "the placement of all partitions",
  },
  replicationMode: {
    call: noFields,
    reply: z.enum(REPLICATION_MODES),
    help: "the cluster's replication mode",
  },
  status: {
    call: noFields,
    reply: z.object({
      node: z.string(),
      incarnation: z.string(),
      wanted: z.array(z.string()).readonly(),
      live: z.array(z.string()).readonly(),
      nodes: z.array(z.object({ node: z.string(), incarnation: z.string(), status: z.string() })).readonly(),
    }),
    help: "this node, the nodes it wants and sees, each with its incarnation and status",
  },
  setLogLevel: {
    call: z.strictObject({ level: z.enum(LOG_LEVELS) }),
    reply: z.enum(LOG_LEVELS),
    help: "switches this node's log level while it runs",
  },
  clusterMap: {
    call: noFields,
    reply: z.custom<ClusterMap | null>(),
    help: "the map that the cluster has agreed upon: members, settings, partitions; null before it is founded",
  },
  fullSync: {
    call: noFields,
    reply: z.object({ partitions: z.array(z.object({ partition: z.int(), seq: z.int() })) }),
    help: "waits until every copy on this node holds all that was committed when this was asked",
  },
  resetPartition: {
    call: z.strictObject({ partition: z.int().min(0) }),
    reply: z.object({ generation: z.int() }),
    help:
      "after the loss of a majority of a partition's copies: gives up ALL that it held, for good, and begins it anew, " +
      "empty, on members that are up; error invalid_message while the partition still answers",
  },
  joinCluster: {
    call: z.strictObject({ node: nodeName, incarnation: z.string().min(1).max(100) }),
    reply: z.custom<JoinAnswer>(),
    help: "a node asks the map's writer to be let in; error forbidden when it is not declared there",
    from: "node",
  },
  bootstrap: {
    cast: z.strictObject({ message: z.custom<BootstrapMessage>(isBootstrapMessage) }),
    help: "what nodes say to each other until the cluster runs",
    from: "node",
  },
  byHand: {
    cast: z.strictObject({ event: z.enum(["added", "removed"]), node: nodeName }),
    help: "another manager was told to put a node in, or to take it out",
    from: "node",
  },
  declared: {
    cast: z.strictObject({ nodes: z.union([z.array(z.string()).readonly(), z.literal("all")]) }),
    help: "NodeMonitor tells which nodes are declared",
    from: "node",
  },
});

export type ManagerProtocol = ProtocolOf<typeof managerProtocol>;
