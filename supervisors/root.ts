/**
 * The supervision tree of a node.
 *
 *     root (one_for_one)
 *     +- system (rest_for_one): metrics, streams (dynamic), manager, node_monitor, wal, replicator,
 *     |                         txn_registry, three_phase_commit, health_monitor, stats
 *     +- actors (dynamic): whatever the user starts with node.start
 *
 * Within `system` the order is that of dependence: when the manager is restarted, those that told it
 * something or ask it things are started anew after it. Under `streams` live the replicas of this node; a node
 * that takes no part in the data has neither them nor what works on them. A user actor that crashes too often costs the
 * children of `actors`, not the node's own; only when `actors` itself fails too often does the node end.
 */
import { HealthMonitor, type HealthMonitorArgs } from "../actors/health-monitor.ts";
import { Manager, type ManagerArgs } from "../actors/manager.ts";
import { Metrics } from "../actors/metrics.ts";
import { NodeMonitor, type NodeMonitorArgs } from "../actors/node-monitor.ts";
import { Replicator, type ReplicatorArgs } from "../actors/replicator.ts";
import type { NodeServices } from "../actors/services.ts";
import { Stats } from "../actors/stats.ts";
import { ThreePhaseCommit, type ThreePhaseCommitArgs } from "../actors/three-phase-commit.ts";
import { TxnRegistry } from "../actors/txn-registry.ts";
import { Wal, type WalArgs } from "../actors/wal.ts";
import { type ChildSpec, child, type SupervisorInit } from "../lib/actor/child-spec.ts";
import { DynamicSupervisor, Supervisor } from "../lib/actor/supervisor.ts";
import { PARTITIONS_MAX } from "../lib/cluster/cluster-map-schema.ts";
import { STREAMS } from "../lib/cluster/stream-host.ts";

export interface DataArgs {
  readonly wal: WalArgs;
  readonly replicator: ReplicatorArgs;
  readonly transactions: ThreePhaseCommitArgs;
}

export interface RootArgs {
  readonly services: NodeServices;
  readonly manager: ManagerArgs;
  readonly nodeMonitor: NodeMonitorArgs;
  readonly health: HealthMonitorArgs;
  /** Null: this node takes no part in the replicated data. */
  readonly data: DataArgs | null;
  /** Restarts allowed among the user's actors within `periodMs`. */
  readonly actors: { readonly intensity: number; readonly periodMs: number };
}

/** The name of the supervisor of the user's actors. */
export const ACTORS = "actors";

export function rootTree(args: RootArgs): SupervisorInit {
  return {
    strategy: "one_for_one",
    children: [
      child(Supervisor, { strategy: "rest_for_one", children: systemChildren(args) }, { id: "system" }),
      // Its mailbox takes as many start requests as somebody cares to issue at once.
      child(DynamicSupervisor, args.actors, { name: ACTORS, mailbox: Number.POSITIVE_INFINITY }),
    ],
  };
}

/** Restarts of replicas allowed in 5 s: a fault that hits all of them once must not end the node. */
const REPLICA_RESTARTS = 2 * (PARTITIONS_MAX + 1);

function systemChildren(args: RootArgs): readonly ChildSpec[] {
  const { services, manager, nodeMonitor, health, data } = args;
  const streams = { intensity: REPLICA_RESTARTS, periodMs: 5_000 };
  return [
    child(Metrics, services, { name: "metrics" }),
    ...(data === null ? [] : [child(DynamicSupervisor, streams, { name: STREAMS })]),
    child(Manager, manager, { name: "manager" }),
    child(NodeMonitor, nodeMonitor, { name: "node_monitor" }),
    ...(data === null ? [] : dataChildren(data)),
    child(HealthMonitor, health, { name: "health_monitor" }),
    child(Stats, services, { name: "stats" }),
  ];
}

function dataChildren({ wal, replicator, transactions }: DataArgs): readonly ChildSpec[] {
  return [
    child(Wal, wal, { name: "wal" }),
    child(Replicator, replicator, { name: "replicator" }),
    child(TxnRegistry, transactions, { name: "txn_registry" }),
    child(ThreePhaseCommit, transactions, { name: "three_phase_commit" }),
  ];
}
