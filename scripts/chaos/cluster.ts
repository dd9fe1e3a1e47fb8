/**
 * The cluster of a chaos run: how its nodes are configured, which streams it has, and the clients and the view
 * that speak to it. All that the run knows of the product's options and names stands here.
 */
import { DEFAULT_LIMITS } from "../../lib/base/limits.ts";
import type { Durability } from "./faults.ts";
import { ForeignClient } from "./foreign.ts";
import { StreamView, type WantedStream } from "./stream-view.ts";
import { WalTarget } from "./wal-target.ts";

export const CLUSTER = "chaos";
export const FAILURE_TIMEOUT_MS: number = DEFAULT_LIMITS.failureTimeoutMs;
const REPLICATION_FACTOR = 3;
/** The root stream has at most so many members. */
const ROOT_MEMBERS_MAX = 5;
const NAMES = ["a", "b", "c", "d", "e"] as const;

export interface ClusterSetting {
  readonly nodes: readonly string[];
  readonly partitions: number;
  readonly durability: Durability;
}

/** One partition for each node, so that each is the writer of one. */
export function clusterSetting(count: 3 | 5, durability: Durability): ClusterSetting {
  return { nodes: NAMES.slice(0, count), partitions: count, durability };
}

/** What `start --config` of a node reads, but for the servers. */
export function nodeConfig(
  setting: ClusterSetting,
  name: string,
  dataDir: string,
): Readonly<Record<string, unknown>> {
  const { nodes, partitions, durability } = setting;
  return {
    name,
    cluster: CLUSTER,
    peers: nodes,
    partitions,
    replicationFactor: REPLICATION_FACTOR,
    replicationMode: "strong",
    durability,
    ...(durability === "disk" ? { dataDir } : {}),
  };
}

/** All streams and their copies at full strength. */
export function wantedStreams({ nodes, partitions }: ClusterSetting): readonly WantedStream[] {
  const copies = Math.min(REPLICATION_FACTOR, nodes.length);
  const root = { stream: "root", copies: Math.min(ROOT_MEMBERS_MAX, nodes.length) };
  return [
    root,
    ...Array.from({ length: partitions }, (_, index) => ({ stream: `partition-${index}`, copies })),
  ];
}

export interface ClusterClients {
  readonly targets: readonly WalTarget[];
  readonly probe: WalTarget;
  readonly view: StreamView;
  close(): Promise<void>;
}

/** A connection for each client, half of them JSON and half msgpack, one for the probes and one for the view. */
export async function connectClients(
  servers: readonly string[],
  setting: ClusterSetting,
  clients: number,
): Promise<ClusterClients> {
  const connect = (index: number): Promise<ForeignClient> =>
    ForeignClient.connect(servers, index % 2 === 0 ? "json" : "msgpack", CLUSTER);
  const callers = await Promise.all(Array.from({ length: clients + 2 }, (_, index) => connect(index)));
  const [watcher, ...others] = callers;
  const [probe, ...targets] = others.map((caller) => new WalTarget(caller));
  if (probe === undefined || watcher === undefined) {
    throw new Error("there are connections for the probes and the view");
  }
  return {
    targets,
    probe,
    view: new StreamView(watcher, setting.nodes, wantedStreams(setting)),
    close: async () => {
      await Promise.all([watcher, probe, ...targets].map((each) => each.close()));
    },
  };
}
