/**
 * The fault atlas: what may be destroyed without destroying the stream. A replica may lose what it holds only
 * while every configuration that could still matter keeps a seal quorum of sound members without it.
 */
import { compareEpochs, EPOCH_ZERO } from "../../../lib/journal/epoch.ts";
import type { Configuration } from "../../../lib/stream/configuration.ts";
import type { ReplicaId } from "../../../lib/stream/replica-id.ts";
import type { World } from "./world.ts";

/** `doomed`: replicas that are to be counted as lost already. */
export function keepsQuorums(
  world: World,
  without: ReplicaId,
  doomed: ReadonlySet<ReplicaId> = new Set(),
): boolean {
  return configurationsThatMatter(world).every(({ members, sealQuorum, writeQuorum }) => {
    const sound = members.filter((member) => {
      return member !== without && !doomed.has(member) && world.replicas.get(member)?.lost !== true;
    });
    return !members.includes(without) || sound.length >= Math.max(sealQuorum, writeQuorum);
  });
}

/** The newest that ever opened, the first before that, and whatever has been proposed since. */
export function configurationsThatMatter(world: World): Configuration[] {
  const newest = world.newest?.epoch ?? EPOCH_ZERO;
  const found = new Map<string, Configuration>();
  if (world.newest !== null) {
    found.set("newest", world.newest.configuration);
  }
  for (const { state, lost } of world.replicas.values()) {
    const { activated, successors } = state.hard;
    const claimed = state.claim === null ? [] : [state.claim];
    const open = [...successors, ...claimed].filter(({ epoch }) => compareEpochs(epoch, newest) > 0);
    const first = world.newest === null && activated !== null ? [activated] : [];
    for (const { epoch, configuration } of lost ? [] : [...first, ...open]) {
      found.set(`${epoch.counter}/${epoch.owner}`, configuration);
    }
  }
  return [...found.values()];
}
