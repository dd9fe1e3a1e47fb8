/**
 * What the writer of the root stream has to say to the cluster map by itself: pure.
 *
 * Members that are away for too long leave; a partition whose first replicas are gone before it was ever
 * founded begins anew. Who joins asks for it, and is checked then.
 */
import { nodeOf, replicaId } from "../stream/replica-id.ts";
import type { ClusterMap, MapOperation } from "./cluster-map-schema.ts";

export interface RootView {
  readonly map: ClusterMap;
  /** Nodes that are up, this one included, with their incarnations. */
  readonly up: ReadonlyMap<string, string>;
  readonly nowMs: number;
}

export interface RootWatch {
  /** Members that are not up, and since when, as far as this writer has watched. */
  readonly awaySince: ReadonlyMap<string, number>;
  /** Partitions that are not founded although their first replicas are gone, and since when. */
  readonly orphanSince: ReadonlyMap<string, number>;
}

export const NOTHING_WATCHED: RootWatch = { awaySince: new Map(), orphanSince: new Map() };

/** How long the first replicas of a partition must be gone before it begins anew. */
const ORPHAN_MS = 3_000;

/** The operations that are due. The watch begins with the writer's term: it has seen nothing before. */
export function rootDuties(
  watch: RootWatch,
  view: RootView,
  evictAfterMs: number,
): { readonly watch: RootWatch; readonly operations: readonly MapOperation[] } {
  const { map, up, nowMs } = view;
  const away = map.members.filter(({ node }) => !up.has(node)).map(({ node }) => node);
  const orphans = map.partitions.filter(({ founded, genesis }) => !founded && !hasMajority(genesis, up));
  const next: RootWatch = {
    awaySince: sinceWhen(away, watch.awaySince, nowMs),
    orphanSince: sinceWhen(
      orphans.map(({ lineage }) => lineage),
      watch.orphanSince,
      nowMs,
    ),
  };
  const isDue = (since: number | undefined, afterMs: number): boolean =>
    since !== undefined && nowMs - since >= afterMs;
  const evictions = map.members
    .filter(({ node }) => isDue(next.awaySince.get(node), evictAfterMs))
    .map(({ node, incarnation }) => ({ type: "leave", node, incarnation, reason: "evicted" }) as const);
  const upMembers = map.members.map(({ node }) => node).filter((node) => up.has(node));
  const begunAnew = orphans
    .filter(({ lineage }) => upMembers.length > 0 && isDue(next.orphanSince.get(lineage), ORPHAN_MS))
    .map(
      ({ partition, generation }) => ({ type: "refound", partition, generation, nodes: upMembers }) as const,
    );
  return { watch: next, operations: [...evictions, ...begunAnew] };
}

/** Whether enough of the first replicas may still open the stream. */
function hasMajority(genesis: readonly string[], up: ReadonlyMap<string, string>): boolean {
  const alive = genesis.filter((replica) => {
    const node = nodeOf(replica);
    return replica === replicaId(node, up.get(node) ?? "");
  });
  return 2 * alive.length > genesis.length;
}

function sinceWhen(
  present: readonly string[],
  before: ReadonlyMap<string, number>,
  nowMs: number,
): ReadonlyMap<string, number> {
  return new Map(present.map((each) => [each, before.get(each) ?? nowMs]));
}
