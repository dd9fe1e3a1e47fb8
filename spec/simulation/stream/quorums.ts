/**
 * The fault atlas: what may be destroyed without destroying the stream. A replica may lose what it holds only
 * while every configuration that could still matter keeps a seal quorum of sound members without it.
 */
import { compareEpochs, EPOCH_ZERO } from "../../../lib/journal/epoch.ts";
import type { Configuration, Proposed } from "../../../lib/stream/configuration.ts";
import type { ReplicaId } from "../../../lib/stream/replica-id.ts";
import type { Observed, World } from "./world.ts";

/** `doomed`: replicas that are to be counted as lost already. */
export function keepsQuorums(
  world: World,
  without: ReplicaId,
  doomed: ReadonlySet<ReplicaId> = new Set(),
): boolean {
  const isSound = ({ self, lost }: Observed): boolean => self !== without && !doomed.has(self) && !lost;
  const sound = [...world.replicas.values()].filter(isSound);
  return configurationsThatMatter(world, sound).every(({ members, sealQuorum, writeQuorum }) => {
    const left = sound.filter(({ self }) => members.includes(self));
    return !members.includes(without) || left.length >= Math.max(sealQuorum, writeQuorum);
  });
}

/**
 * The newest that ever opened, and whatever has been proposed since. While none of those who are left knows that
 * it has opened, what they know as active still has to be sealed and matters too.
 */
function configurationsThatMatter(world: World, left: readonly Observed[]): Configuration[] {
  const newest = world.newest?.epoch ?? EPOCH_ZERO;
  const found = world.newest === null ? [] : [world.newest.configuration];
  let known: Proposed | null = null;
  for (const { state } of left) {
    const { activated, successors } = state.hard;
    const claimed = state.claim === null ? [] : [state.claim];
    const open = [...successors, ...claimed].filter(({ epoch }) => compareEpochs(epoch, newest) > 0);
    found.push(...open.map(({ configuration }) => configuration));
    if (activated !== null && (known === null || compareEpochs(activated.epoch, known.epoch) > 0)) {
      known = activated;
    }
  }
  const behind = known !== null && (world.newest === null || compareEpochs(known.epoch, newest) < 0);
  return known !== null && behind ? [...found, known.configuration] : found;
}
