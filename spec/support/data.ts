/** The data floor of simulated nodes, as specs look at it and use it. */
import type { ClusterMap } from "../../lib/cluster/cluster-map-schema.ts";
import type { ReadMode, StreamMode } from "../../lib/stream/requests.ts";
import type { SimCluster } from "./sim-cluster.ts";

export interface At {
  readonly seq: number;
  readonly value: unknown;
}

/** The cluster map as a node knows it. */
export function mapOf(sim: SimCluster, name: string): ClusterMap | null {
  return sim.get(name).node.clusterMap;
}

/** Whether a node knows every partition as founded. */
export function founded(sim: SimCluster, name: string): boolean {
  const map = mapOf(sim, name);
  return map !== null && map.partitions.every((each) => each.founded);
}

export function commit(
  sim: SimCluster,
  name: string,
  partition: number,
  ops: readonly object[],
  mode: StreamMode = "strong",
): Promise<At> {
  return sim.get(name).node.call({ name: "wal" }, { type: "commit", partition, ops, mode });
}

export function read(
  sim: SimCluster,
  name: string,
  partition: number,
  query: object,
  mode: ReadMode = "quorum",
): Promise<At> {
  return sim.get(name).node.call({ name: "wal" }, { type: "read", partition, query, mode });
}
