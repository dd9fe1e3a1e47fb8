/** The data floor of simulated nodes, as specs look at it and use it. */

import { nodesOfPartition } from "../../lib/cluster/cluster-map.ts";
import type { ClusterMap } from "../../lib/cluster/cluster-map-schema.ts";
import { nodeOf } from "../../lib/stream/replica-id.ts";
import {
  type ReadMode,
  type ReplicaStatus,
  type StreamMode,
  streamActorName,
} from "../../lib/stream/requests.ts";
import type { SimCluster } from "./sim-cluster.ts";

export interface At {
  readonly seq: number;
  readonly value: unknown;
}

/** The cluster map as a node knows it. */
export function mapOf(sim: SimCluster, name: string): ClusterMap | null {
  return sim.get(name).node.clusterMap;
}

/** The nodes that are members of the cluster, by the map as a node knows it. */
export function membersAt(sim: SimCluster, name: string): readonly string[] {
  return mapOf(sim, name)?.members.map(({ node }) => node) ?? [];
}

/** Whether a node knows every partition as founded. */
export function founded(sim: SimCluster, name: string): boolean {
  const map = mapOf(sim, name);
  return map?.partitions.every((each) => each.founded) === true;
}

/** Whether all nodes that run know the same map, with these members and every partition founded. */
export function agreed(sim: SimCluster, members: readonly string[] = [...sim.nodes.keys()].sort()): boolean {
  const names = [...sim.nodes.keys()];
  return (
    new Set(names.map((name) => mapOf(sim, name)?.version)).size === 1 &&
    names.every((name) => founded(sim, name) && membersAt(sim, name).join() === members.join())
  );
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

/** One record under `key`. */
export function put(
  sim: SimCluster,
  name: string,
  partition: number,
  key: string,
  value: unknown,
): Promise<At> {
  return commit(sim, name, partition, [{ op: "put", record: [key, value] }]);
}

/** The value of the record under `key`, or null. */
export async function get(
  sim: SimCluster,
  name: string,
  partition: number,
  key: string,
  mode: ReadMode = "quorum",
): Promise<unknown> {
  const { value } = await read(sim, name, partition, { type: "get", key }, mode);
  return Array.isArray(value) ? value[1] : value;
}

/** What the replica of a stream on a node says of itself; null where there is none. */
export async function replicaAt(
  sim: SimCluster,
  name: string,
  stream: string,
): Promise<ReplicaStatus | null> {
  const { node } = sim.get(name);
  const actor = streamActorName(stream);
  return node.whereis(actor) === undefined ? null : await node.call({ name: actor }, { type: "status" });
}

/** The open writer's word on a stream; null while no node has it, or more than one believes so. */
export async function writerOf(sim: SimCluster, stream: string): Promise<ReplicaStatus | null> {
  const found: ReplicaStatus[] = [];
  for (const name of sim.nodes.keys()) {
    const status = await replicaAt(sim, name, stream);
    if (status?.role === "open") {
      found.push(status);
    }
  }
  const [first] = found;
  return found.length === 1 && first !== undefined ? first : null;
}

/** Nodes of the members of a stream, sorted, as its writer has it. */
export async function membersOf(sim: SimCluster, stream: string): Promise<readonly string[]> {
  const writer = await writerOf(sim, stream);
  return writer === null ? [] : writer.members.map(nodeOf).sort();
}

/** What differs from the map that `name` knows: partitions' members and writers, replicas elsewhere. Empty at rest. */
export async function unsettled(sim: SimCluster, name: string): Promise<readonly string[]> {
  const map = mapOf(sim, name);
  if (map === null || !agreed(sim)) {
    return ["the map"];
  }
  const past = map.members.filter(({ node, incarnation }) => sim.get(node).node.incarnation !== incarnation);
  if (past.length > 0) {
    return past.map(({ node }) => `${node} is in the map as it was`);
  }
  const problems: string[] = [];
  for (const { partition } of map.partitions) {
    const stream = `partition-${partition}`;
    const wanted = nodesOfPartition(map, partition);
    const writer = await writerOf(sim, stream);
    const members = writer?.members.map(nodeOf).sort() ?? [];
    if (
      writer === null ||
      nodeOf(writer.self) !== wanted[0] ||
      members.join() !== [...wanted].sort().join()
    ) {
      const role = writer === null ? "no writer" : `${writer.self} of ${members.join()}`;
      problems.push(`${stream}: ${role}; wanted ${wanted.join()}`);
    }
    for (const node of sim.nodes.keys()) {
      const replica = await replicaAt(sim, node, stream);
      if (!wanted.includes(node) && replica !== null) {
        problems.push(`${stream}: still on ${node}`);
      }
      if (wanted.includes(node) && writer?.members.includes(replica?.self ?? "") !== true) {
        problems.push(`${stream}: the replica on ${node} is no member`);
      }
    }
  }
  return problems;
}

const STEP_MS = 200;

/** Lets time go on until `check` finds nothing; fails with what it still finds. */
export async function untilNothing(
  sim: SimCluster,
  check: () => Promise<readonly string[]>,
  limitMs: number = 30_000,
): Promise<void> {
  const end = sim.clock.now() + limitMs;
  for (;;) {
    const found = await sim.run(check());
    if (found.length === 0) {
      return;
    }
    if (sim.clock.now() >= end) {
      throw new Error(`after ${limitMs} ms: ${found.join("; ")}`);
    }
    await sim.advance(STEP_MS);
  }
}

/** All as the map has it. */
export async function settled(sim: SimCluster, limitMs?: number): Promise<void> {
  const [name = ""] = sim.nodes.keys();
  await untilNothing(sim, () => unsettled(sim, name), limitMs);
}

/** The root stream has these members. */
export async function rootSettled(sim: SimCluster, nodes: readonly string[]): Promise<void> {
  await untilNothing(sim, async () => {
    const members = await membersOf(sim, "root");
    return members.join() === nodes.join() ? [] : [`the root stream's members are ${members.join()}`];
  });
}
