/** Three nodes, and what the specs of simulated clusters do with them. */
import type { Down } from "../../lib/actor/info.ts";
import type { LocalRef } from "../../lib/actor/local-ref.ts";
import type { Pid } from "../../lib/actor/pid.ts";
import { formatReason } from "../../lib/base/reason.ts";
import { SimCluster, type SimNode } from "../support/sim-cluster.ts";
import { Worker, type WorkerArgs, type WorkerProtocol } from "./actors.ts";

export const NAMES: string[] = ["a", "b", "c"];

export interface Trio {
  readonly cluster: SimCluster;
  readonly a: SimNode;
  readonly b: SimNode;
}

export async function startTrio(): Promise<Trio> {
  const cluster = new SimCluster();
  await cluster.startAll(NAMES);
  return { cluster, a: cluster.get("a"), b: cluster.get("b") };
}

export async function stopTrio(cluster: SimCluster): Promise<void> {
  cluster.hub.clearFaults();
  await cluster.stopAll();
}

/** A worker that nobody restarts. */
export async function worker(
  cluster: SimCluster,
  on: SimNode,
  name: string,
  args: WorkerArgs = {},
): Promise<LocalRef<WorkerProtocol>> {
  return await cluster.run(on.node.start(Worker, args, { name, restart: "temporary" }));
}

/** What a worker has noted, or "gone". */
export async function seen(
  cluster: SimCluster,
  ref: LocalRef<WorkerProtocol>,
): Promise<readonly string[] | string> {
  return await cluster.run(ref.call({ type: "seen" }).catch(() => "gone"));
}

/** The DOWNs of a monitor as they come. */
export function downsOf(on: SimNode, target: Pid | { name: string; node: string }): Down[] {
  const downs: Down[] = [];
  on.node.monitor(target, (down) => downs.push(down));
  return downs;
}

export function reasons(downs: readonly Down[]): string[] {
  return downs.map((down) => formatReason(down.reason));
}
