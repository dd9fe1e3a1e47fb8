/** The protocols behind the names of a node's own actors, so that messages to them are checked. */
import type { StreamProtocol } from "../lib/stream/requests.ts";
import type { HealthMonitorProtocol } from "./health-protocol.ts";
import type { ManagerProtocol } from "./manager-protocol.ts";
import type { MetricsProtocol } from "./metrics.ts";
import type { NodeMonitorProtocol } from "./node-monitor.ts";
import type { ReplicatorProtocol } from "./replicator.ts";
import type { StatsProtocol } from "./stats.ts";
import type { ThreePhaseCommitProtocol } from "./three-phase-commit.ts";
import type { TxnRegistryProtocol } from "./txn-registry.ts";
import type { WalProtocol } from "./wal.ts";

declare module "../lib/actor/names.ts" {
  interface Names {
    manager: ManagerProtocol;
    node_monitor: NodeMonitorProtocol;
    health_monitor: HealthMonitorProtocol;
    metrics: MetricsProtocol;
    stats: StatsProtocol;
    wal: WalProtocol;
    three_phase_commit: ThreePhaseCommitProtocol;
    txn_registry: TxnRegistryProtocol;
    replicator: ReplicatorProtocol;
    [stream: `stream-${string}`]: StreamProtocol;
  }
}
