/** How long after the SIGKILL of a writer a write is committed again. */
import { DEFAULT_LIMITS } from "../../../lib/base/limits.ts";
import { atMost } from "../statistics.ts";
import type { Bench, Context, Samples } from "../suite.ts";
import { Cluster } from "./cluster.ts";
import { sharedNowMs } from "./load.ts";

const KILLS = 20;
const KILLS_SHORT = 3;
const PER_SECOND = 200;
/** Between rest and kill, so that kills fall anywhere between two heartbeats. */
const SETTLE_MS = 1_000;
const STEP_MS = 37;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Milliseconds; afterwards the killed node runs again and the cluster is at rest. */
async function killOnce(cluster: Cluster, settleMs: number, failures: Map<string, number>): Promise<number> {
  const victim = await cluster.settled();
  const survivor = cluster.nodes.find((node) => node !== victim);
  if (survivor === undefined) {
    throw new Error("there is no other node");
  }
  await survivor.ask({ type: "beginPaced", perSecond: PER_SECOND });
  await pause(settleMs);
  if ((await cluster.settled()) !== victim) {
    throw new Error(`${victim.name} is not the writer any more`);
  }
  const killedAt = sharedNowMs();
  await victim.kill();
  // A write counts when it began after the process was gone: what was under way may have been the victim's.
  const committedAt = await survivor.number({ type: "firstAfter", atMs: sharedNowMs() });
  const { failed } = await survivor.endPaced();
  for (const [code, count] of Object.entries(failed)) {
    failures.set(code, (failures.get(code) ?? 0) + count);
  }
  await cluster.startNode(victim.name).ready();
  await cluster.settled();
  return committedAt - killedAt;
}

async function run(context: Context): Promise<Samples> {
  const kills = context.short === true ? KILLS_SHORT : KILLS;
  context.progress("starting three nodes");
  const cluster = await Cluster.start();
  const failures = new Map<string, number>();
  try {
    // "No responders" counts only on a connection that has stood for this long.
    await pause(DEFAULT_LIMITS.reconnectGraceMs);
    const ours: number[] = [];
    for (let kill = 0; kill < kills; kill++) {
      context.progress(`kill ${kill + 1} of ${kills}`);
      ours.push(await killOnce(cluster, SETTLE_MS + kill * STEP_MS, failures));
    }
    const failed = [...failures].map(([code, count]) => `${count} ${code}`).join(", ") || "none";
    const notes = [
      `kill by kill: ${ours.map((ms) => ms.toFixed(0)).join(", ")} ms`,
      `of ${PER_SECOND} writes begun each second on another node, these were not answered: ${failed}`,
    ];
    return { ours, again: [], baselines: {}, notes, shortened: kills !== KILLS };
  } finally {
    await cluster.close();
  }
}

export const FAILOVER: Bench = {
  name: "failover",
  measure: "failover after SIGKILL of a writer, p50 of 20, from the kill to the next committed write",
  unit: "ms",
  settings:
    "three nodes made by startNode with defaults and replicationMode strong, each in its own process, one " +
    `nats-server; ${PER_SECOND} strong commits begun each second on another node; the first one that began after the ` +
    "process was gone counts, from the signal to its answer; begun when the nodes have stood for " +
    "limits.reconnectGraceMs",
  needsNats: true,
  baselines: [
    {
      name: "heartbeat interval",
      settings: "limits.heartbeatMs, its default",
      constant: DEFAULT_LIMITS.heartbeatMs,
      target: atMost(10),
    },
  ],
  run,
};
