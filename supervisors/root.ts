/**
 * The supervision tree of a node.
 *
 *     root (one_for_one)
 *     +- system (rest_for_one): metrics, manager, node_monitor, health_monitor, stats
 *     +- actors (dynamic): whatever the user starts with node.start
 *
 * Within `system` the order is that of dependence: when the manager is restarted, those that told it
 * something or ask it things are started anew after it. A user actor that crashes too often costs the
 * children of `actors`, not the node's own; only when `actors` itself fails too often does the node end.
 */
import { HealthMonitor, type HealthMonitorArgs } from "../actors/health-monitor.ts";
import { Manager, type ManagerArgs } from "../actors/manager.ts";
import { Metrics } from "../actors/metrics.ts";
import { NodeMonitor, type NodeMonitorArgs } from "../actors/node-monitor.ts";
import type { NodeServices } from "../actors/services.ts";
import { Stats } from "../actors/stats.ts";
import { type ChildSpec, child, type SupervisorInit } from "../lib/actor/child-spec.ts";
import { DynamicSupervisor, Supervisor } from "../lib/actor/supervisor.ts";

export interface RootArgs {
  readonly services: NodeServices;
  readonly manager: ManagerArgs;
  readonly nodeMonitor: NodeMonitorArgs;
  readonly health: HealthMonitorArgs;
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

function systemChildren({ services, manager, nodeMonitor, health }: RootArgs): readonly ChildSpec[] {
  return [
    child(Metrics, services, { name: "metrics" }),
    child(Manager, manager, { name: "manager" }),
    child(NodeMonitor, nodeMonitor, { name: "node_monitor" }),
    child(HealthMonitor, health, { name: "health_monitor" }),
    child(Stats, services, { name: "stats" }),
  ];
}
