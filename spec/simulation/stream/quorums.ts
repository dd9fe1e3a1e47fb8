/**
 * The fault atlas: what may be destroyed without destroying the stream. A replica may lose what it holds only
 * while every configuration that could still matter keeps its quorums without it.
 */
import { compareEpochs, EPOCH_ZERO } from "../../../lib/journal/epoch.ts";
import type { Configuration, Proposed } from "../../../lib/stream/configuration.ts";
import type { ReplicaId } from "../../../lib/stream/replica-id.ts";
import type { Host } from "./host.ts";
import type { Observed, World } from "./world.ts";

/** What may be wrong with replicas that are not known to be lost. */
export interface Risks {
  /** To be counted as lost already. */
  readonly lost: ReadonlySet<ReplicaId>;
  /** Hold what they acknowledged, but may not be able to prove it: the end of their log may be uncertain. */
  readonly doubtful: ReadonlySet<ReplicaId>;
}

/** What may be wrong already when the question is what more may happen. */
export function risksOf(hosts: ReadonlyMap<string, Host>): Risks {
  const lost = new Set<ReplicaId>();
  const doubtful = new Set<ReplicaId>();
  for (const { doomed, doubtful: doubted, replica, home } of hosts.values()) {
    if (replica !== null && (doomed || home?.replica.role === "damaged")) {
      lost.add(replica);
    } else if (replica !== null && (doubted || home?.replica.tailCertain === false)) {
      doubtful.add(replica);
    }
  }
  return { lost, doubtful };
}

const NO_RISKS: Risks = { lost: new Set(), doubtful: new Set() };

/** Whether the stream survives the loss of all that `without` holds. */
export function keepsQuorums(
  world: World,
  without: ReplicaId,
  { lost, doubtful }: Risks = NO_RISKS,
): boolean {
  return survives(world, without, { lost: new Set([...lost, without]), doubtful });
}

/** Whether it survives that `without` comes back with an uncertain end of its log. */
export function keepsCertainty(world: World, without: ReplicaId, { lost, doubtful }: Risks): boolean {
  return survives(world, without, { lost, doubtful: new Set([...doubtful, without]) });
}

/** Whether it survives that all come back with uncertain logs: nobody may be missing then. */
export function survivesBlackout(world: World, { lost }: Risks): boolean {
  const left = [...world.replicas.values()].filter((each) => !each.lost && !lost.has(each.self));
  return configurationsThatMatter(world, left).every(({ members }) =>
    members.every((member) => left.some(({ self }) => self === member)),
  );
}

/** Whether a stream that is to have these members could go on, come what may of those that are at risk. */
export function couldGoOn(world: World, members: readonly ReplicaId[], { lost, doubtful }: Risks): boolean {
  const there = members.filter((member) => world.replicas.get(member)?.lost === false && !lost.has(member));
  const certain = there.filter((member) => !doubtful.has(member));
  return there.length === members.length || certain.length > members.length / 2;
}

/**
 * Quorums of members whose logs are certain, or every member there: then even uncertain logs count, because
 * nothing can be missing from all of them. Configurations that `hit` is not in are none of its concern.
 */
function survives(world: World, hit: ReplicaId, { lost, doubtful }: Risks): boolean {
  const left = [...world.replicas.values()].filter((each) => !each.lost && !lost.has(each.self));
  return configurationsThatMatter(world, left).every(({ members, sealQuorum, writeQuorum }) => {
    const there = left.filter(({ self }) => members.includes(self));
    const certain = there.filter(({ self }) => !doubtful.has(self));
    return (
      !members.includes(hit) ||
      there.length === members.length ||
      certain.length >= Math.max(sealQuorum, writeQuorum)
    );
  });
}

/** Every configuration that could still matter to replicas that are not lost. */
export function configurationsAtRisk(world: World): Configuration[] {
  return configurationsThatMatter(
    world,
    [...world.replicas.values()].filter(({ lost }) => !lost),
  );
}

/**
 * The newest that ever opened, and whatever has been proposed since, also by those who are gone: their seals may
 * still be on their way (seed 136). While none of those who are left knows that the newest has opened, what they
 * know as active still has to be sealed and matters too.
 */
function configurationsThatMatter(world: World, left: readonly Observed[]): Configuration[] {
  const newest = world.newest?.epoch ?? EPOCH_ZERO;
  const found = world.newest === null ? [] : [world.newest.configuration];
  for (const { state } of world.replicas.values()) {
    const claimed = state.claim === null ? [] : [state.claim];
    const asked = state.preseal === null ? [] : [state.preseal];
    const open = [...state.hard.successors, ...claimed, ...asked].filter(
      ({ epoch }) => compareEpochs(epoch, newest) > 0,
    );
    found.push(...open.map(({ configuration }) => configuration));
  }
  let known: Proposed | null = null;
  for (const { state } of left) {
    const { activated } = state.hard;
    if (activated !== null && (known === null || compareEpochs(activated.epoch, known.epoch) > 0)) {
      known = activated;
    }
  }
  const behind = known !== null && (world.newest === null || compareEpochs(known.epoch, newest) < 0);
  return known !== null && behind ? [...found, known.configuration] : found;
}
