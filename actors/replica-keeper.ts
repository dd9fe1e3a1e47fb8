/**
 * Keeps on this node the replicas of partitions that the cluster map wants here.
 *
 * A replica that is wanted here no more stays until it knows an activated configuration without it: until
 * then it may be needed for what it holds.
 */
import { messageOf } from "../lib/base/errors.ts";
import { nodesOfPartition } from "../lib/cluster/cluster-map.ts";
import type { ClusterMap, PartitionEntry } from "../lib/cluster/cluster-map-schema.ts";
import { partitionStream } from "../lib/cluster/partition-streams.ts";
import { majorityOf } from "../lib/stream/configuration.ts";
import { nodeOf } from "../lib/stream/replica-id.ts";
import type { Role } from "../lib/stream/role-chart.ts";
import type { Logger } from "../lib/telemetry/log.ts";
import type { DataServices } from "./data-services.ts";

const NO_MEMBER: ReadonlySet<Role> = new Set<Role>(["empty", "learner", "gone"]);

export class ReplicaKeeper {
  readonly #data: DataServices;
  readonly #node: string;
  readonly #log: Logger;
  /** Called when the state or role of one of the replicas has changed. */
  readonly #changed: () => void;
  /** Called when one of them is no member any more. */
  readonly #retired: () => void;

  constructor(
    data: DataServices,
    node: string,
    log: Logger,
    tell: { readonly changed: () => void; readonly retired: () => void },
  ) {
    this.#data = data;
    this.#node = node;
    this.#log = log;
    this.#changed = tell.changed;
    this.#retired = tell.retired;
  }

  /** Brings this node's replicas in line with the map, as far as that can be done now. */
  follow(): void {
    const { map } = this.#data.view;
    for (const entry of map?.partitions ?? []) {
      if (map !== null && this.#isWanted(map, entry)) {
        this.#begin(map, entry);
      } else if (this.#mayGo(entry)) {
        this.#end(entry);
      }
    }
  }

  #isWanted(map: ClusterMap, { partition, founded, genesis }: PartitionEntry): boolean {
    const begins = !founded && genesis.some((replica) => nodeOf(replica) === this.#node);
    return begins || nodesOfPartition(map, partition).includes(this.#node);
  }

  #begin(map: ClusterMap, entry: PartitionEntry): void {
    const { partition, lineage, genesis } = entry;
    const { host, definition, mode, streamSettings, view } = this.#data;
    const stream = partitionStream(partition);
    host
      .ensure({
        stream,
        lineage,
        definition,
        mode,
        genesis: majorityOf(genesis),
        nodes: () => (view.map ?? map).members.map(({ node }) => node),
        isWanted: () => this.#isWanted(view.map ?? map, view.map?.partitions[partition] ?? entry),
        settings: streamSettings,
        changed: () => this.#changedAt(partition),
      })
      .catch((thrown: unknown) =>
        this.#log.error(`no replica of ${stream} could be started: ${messageOf(thrown)}`, { error: thrown }),
      );
  }

  #changedAt(partition: number): void {
    this.#changed();
    if (this.#data.host.home(partitionStream(partition))?.replica.role === "gone") {
      this.#retired();
    }
  }

  /** Who is no member has promised nothing that anybody counts on. */
  #mayGo({ partition, lineage }: PartitionEntry): boolean {
    const home = this.#data.host.home(partitionStream(partition));
    return home !== undefined && (NO_MEMBER.has(home.replica.role) || home.options.lineage !== lineage);
  }

  #end({ partition }: PartitionEntry): void {
    const stream = partitionStream(partition);
    this.#data.host.remove(stream).catch((thrown: unknown) =>
      this.#log.error(`the replica of ${stream} could not be ended: ${messageOf(thrown)}`, {
        error: thrown,
      }),
    );
  }
}
