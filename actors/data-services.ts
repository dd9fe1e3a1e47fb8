/** What the actors of the data floor share on a node that takes part in the replicated data. */
import type { Listeners } from "../lib/actor/listeners.ts";
import type { MapSettings } from "../lib/cluster/cluster-map-schema.ts";
import type { ClusterRoot } from "../lib/cluster/cluster-root.ts";
import type { Commits, WalBounds } from "../lib/cluster/commits.ts";
import type { MapView } from "../lib/cluster/map-view.ts";
import type { PartitionStreams } from "../lib/cluster/partition-streams.ts";
import type { StreamHost } from "../lib/cluster/stream-host.ts";
import type { StreamDefinition } from "../lib/stream/definition.ts";
import type { StreamMode } from "../lib/stream/requests.ts";
import type { ReplicaSettings } from "../lib/stream/settings.ts";
import type { StreamClient } from "../lib/stream/stream-client.ts";

export interface DataServices {
  readonly host: StreamHost;
  readonly view: MapView;
  /** This node's part in the root stream. */
  readonly cluster: ClusterRoot;
  /** This node's client of the cluster map. */
  readonly root: StreamClient;
  readonly partitions: PartitionStreams;
  /** What a partition's stream holds. */
  readonly definition: StreamDefinition<unknown, unknown>;
  /** Must be the same on every node of the cluster. */
  readonly settings: MapSettings;
  /** Of the streams: when an answer leaves unless it is asked for later. */
  readonly mode: StreamMode;
  readonly streamSettings: Partial<ReplicaSettings>;
  readonly commits: Commits;
  readonly wal: WalBounds;
  /** Told whenever a replica of a partition on this node has applied something or has another role. */
  readonly changes: Listeners<undefined>;
}
