/**
 * The streams of the partitions as this node's actors reach them: one client each, which finds the writer
 * wherever it is.
 */
import { SupercastError } from "../base/errors.ts";
import { type ClientHost, StreamClient } from "../stream/stream-client.ts";
import { nodesOfPartition } from "./cluster-map.ts";
import { type ClusterMap, PARTITIONS_MAX, type PartitionEntry } from "./cluster-map-schema.ts";
import type { MapView } from "./map-view.ts";

/** The stream of a partition. */
export function partitionStream(partition: number): string {
  return `partition-${partition}`;
}

export interface PartitionStreamsParts {
  readonly host: ClientHost & { readonly node: string };
  readonly view: MapView;
  readonly isUp: (node: string) => boolean;
  /** The node that the replica of a stream here takes for the writer's. */
  readonly writerOf: (stream: string) => string | null;
  /** Requests of one client of a partition under way at a time. */
  readonly windowMax: number;
}

export class PartitionStreams {
  readonly #parts: PartitionStreamsParts;
  readonly #clients = new Map<string, StreamClient>();

  constructor(parts: PartitionStreamsParts) {
    this.#parts = parts;
  }

  /**
   * The client of this node for a partition. Throws `invalid_message` for a partition that there is not, and
   * `quorum_not_reached` as long as the cluster, or the partition, is not founded.
   */
  client(partition: number): StreamClient {
    const { lineage } = this.#founded(partition);
    const known = this.#clients.get(lineage);
    if (known !== undefined) {
      return known;
    }
    const client = this.#newClient(partition);
    this.#clients.set(lineage, client);
    return client;
  }

  /** A client under an id that other nodes may use as well, for one request that may be repeated there. */
  clientFor(partition: number, clientId: string): StreamClient {
    this.#founded(partition);
    return this.#newClient(partition, clientId);
  }

  #founded(partition: number): PartitionEntry {
    const { map } = this.#parts.view;
    const entry = map?.partitions[partition];
    if (map !== null && entry === undefined) {
      const allowed = `0 to ${map.settings.partitions - 1}`;
      throw new SupercastError("invalid_message", `partition: ${partition}; allowed: ${allowed}`);
    }
    if (map === null && !(Number.isInteger(partition) && partition >= 0 && partition < PARTITIONS_MAX)) {
      throw new SupercastError("invalid_message", `partition: ${partition} is no partition`);
    }
    if (entry === undefined || !entry.founded) {
      const what = map === null ? "the cluster" : `partition ${partition}`;
      throw new SupercastError("quorum_not_reached", `${what} is not founded yet; nothing was done`);
    }
    return entry;
  }

  #newClient(partition: number, clientId?: string): StreamClient {
    const { host, view, windowMax, isUp, writerOf } = this.#parts;
    const stream = partitionStream(partition);
    return new StreamClient(host, {
      stream,
      windowMax,
      guess: () => writerOf(stream),
      ...(clientId === undefined ? {} : { clientId }),
      get nodes() {
        return view.map === null ? [] : nodesToAsk(view.map, partition, host.node, isUp);
      },
    });
  }
}

/**
 * Those that should have a copy, the preferred writer first; then all others, which may have one still. Nodes
 * that are down are asked only when all are.
 */
function nodesToAsk(
  map: ClusterMap,
  partition: number,
  self: string,
  isUp: (node: string) => boolean,
): readonly string[] {
  const wanted = nodesOfPartition(map, partition);
  const others = map.members.map(({ node }) => node).filter((node) => !wanted.includes(node));
  const all = [...wanted, ...others];
  const up = all.filter(isUp);
  return up.length > 0 ? up : all.length > 0 ? all : [self];
}
