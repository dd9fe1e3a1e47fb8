/**
 * Placement: which node holds which partition. Pure and the same on every node that sees the same list.
 *
 * The seed's rule: the sorted node list is rotated by the partition's index; its head is the primary, the
 * next `min(replicationFactor - 1, nodes - 1)` are the replicas.
 */

export interface Placement {
  readonly partition: number;
  readonly primary: string;
  readonly replicas: readonly string[];
}

/** The placement of one partition; undefined when there are no nodes. */
export function placePartition(
  nodes: readonly string[],
  partition: number,
  replicationFactor: number,
): Placement | undefined {
  const sorted = [...new Set(nodes)].sort();
  const rotated = sorted.map((_, index) => sorted[(partition + index) % sorted.length] ?? "");
  const [primary, ...rest] = rotated;
  return primary === undefined
    ? undefined
    : { partition, primary, replicas: rest.slice(0, replicationFactor - 1) };
}

/** The whole map, in order of partitions. */
export function placePartitions(
  nodes: readonly string[],
  partitions: number,
  replicationFactor: number,
): readonly Placement[] {
  const map: Placement[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const placement = placePartition(nodes, partition, replicationFactor);
    if (placement !== undefined) {
      map.push(placement);
    }
  }
  return map;
}
