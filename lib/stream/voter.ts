/**
 * The voting side of a replica: whether a new epoch is welcome, the promise that seals the old ones, and what
 * it has to tell about its log and about proposals it has seen. What it has promised it never takes back.
 */
import { isMember, type Proposed, problemOf } from "./configuration.ts";
import { refuseStale } from "./follower.ts";
import { abandonClaim, fence, loseEpoch } from "./lose-epoch.ts";
import type { Activate, Fetch, Preseal, Seal } from "./messages.ts";
import type { ReplicaId } from "./replica-id.ts";
import type { Role } from "./role-chart.ts";
import { isCrowded } from "./successors.ts";
import { isHigher, isSame, type Turn } from "./turn.ts";

export function onPreseal(turn: Turn, from: ReplicaId, message: Preseal): void {
  const { hard, role } = turn.state;
  if (role === "damaged") {
    return;
  }
  const { epoch, base } = message;
  // Who has not heard of the present members hears of them before it disturbs them.
  const outdated = hard.activated !== null && isHigher(hard.activated.epoch, base);
  if (!outdated && isHigher(epoch, hard.promise) && (message.force || isPrimaryLost(turn, from))) {
    turn.send(from, { type: "presealOk", epoch });
  } else {
    turn.send(from, { type: "presealNo", epoch, promise: hard.promise, activated: hard.activated });
  }
}

/** Whether this replica would let the present primary go in favour of `candidate`. */
function isPrimaryLost(turn: Turn, candidate: ReplicaId): boolean {
  const { primary, primaryDown, silentTicks, settings, role } = turn.state;
  if (leaseRest(turn, candidate) > 0 || role === "open" || role === "opening") {
    return false;
  }
  return primary === null || primary === candidate || primaryDown || silentTicks >= settings.failureTicks;
}

/** Milliseconds for which a lease granted to another than `candidate` still binds. */
function leaseRest(turn: Turn, candidate: ReplicaId): number {
  const { leaseUntilMs, primary } = turn.state;
  return candidate === primary ? 0 : Math.max(0, leaseUntilMs - turn.nowMs);
}

/**
 * Promises. One that is no longer a member promises too: an older proposal may need its answer, and a claimant
 * who has not heard of the newer members hears of them from it.
 */
export function onSeal(turn: Turn, from: ReplicaId, message: Seal): void {
  const { epoch, configuration } = message;
  const { hard, role } = turn.state;
  if (role === "damaged" || problemOf(configuration) !== null) {
    return;
  }
  const waitMs = leaseRest(turn, from);
  if (isHigher(hard.promise, epoch) || waitMs > 0 || isCrowded(hard.successors, message, hard.activated)) {
    turn.send(from, { type: "sealNo", epoch, promise: hard.promise, activated: hard.activated, waitMs });
    return;
  }
  if (isHigher(epoch, hard.promise)) {
    loseEpoch(turn);
    turn.promise(epoch, from);
    turn.role("sealed");
  }
  turn.rememberSuccessor({ epoch, configuration });
  turn.set({ silentTicks: 0, patienceTicks: 0, preseal: null });
  const { log, commitSeq, tailCertain } = turn.state;
  const { activated, successors } = turn.state.hard;
  const answer = { epoch, last: log.last, commitSeq, activated, successors, tailCertain } as const;
  turn.sendWhenStored(from, { type: "sealOk", ...answer });
}

/** Gives the owner of a claim what its log lacks, or begins to send a snapshot when that is no longer held. */
export function onFetch(turn: Turn, from: ReplicaId, message: Fetch): void {
  const { hard, log, role, settings } = turn.state;
  if (role === "damaged") {
    return;
  }
  if (!isSame(message.epoch, hard.promise)) {
    refuseStale(turn, from, message.epoch, 0);
    return;
  }
  const { last, commitSeq } = message;
  const equal = log.position(last.seq)?.chain === last.chain;
  const prev = equal ? log.position(last.seq) : log.position(commitSeq);
  if (prev === null) {
    turn.effect({ type: "sendSnapshot", to: from });
    return;
  }
  const entries = log.page(prev.seq + 1, settings.appendEntries, settings.appendBytes);
  turn.send(from, { type: "entries", epoch: message.epoch, prev, entries });
}

export function onActivate(turn: Turn, from: ReplicaId, { activated }: Activate): void {
  learnActivated(turn, activated);
  const known = turn.state.hard.activated;
  if (known !== null && !isMember(known.configuration, turn.state.self)) {
    turn.sendWhenStored(from, { type: "retireOk", epoch: known.epoch });
  }
}

/** Takes note of an activated configuration. Everything proposed before it is settled. */
export function learnActivated(turn: Turn, activated: Proposed | null): void {
  const known = turn.state.hard.activated;
  if (activated === null || (known !== null && !isHigher(activated.epoch, known.epoch))) {
    return;
  }
  const { claim, writer, self, seenCounter } = turn.state;
  turn.activated(activated);
  turn.set({ seenCounter: Math.max(seenCounter, activated.epoch.counter) });
  const unsealed = claim !== null && claim.source === null;
  if (claim !== null && (unsealed || isHigher(activated.epoch, claim.epoch))) {
    abandonClaim(turn, "a newer configuration is active");
  } else if (writer !== null && isHigher(activated.epoch, writer.epoch)) {
    fence(turn);
  }
  if (isMember(activated.configuration, self)) {
    turn.role("admitted");
  } else if (!isOutsider(turn.state.role) && !isAwaited(turn)) {
    turn.role("retired");
  }
}

/** Whether it never was a member. */
function isOutsider(role: Role): boolean {
  return role === "empty" || role === "learner";
}

/** Whether an epoch or a proposal that is still open may make this replica a member again. */
function isAwaited(turn: Turn): boolean {
  const { hard, self } = turn.state;
  const follows = hard.activated !== null && isHigher(hard.promise, hard.activated.epoch);
  return follows || hard.successors.some(({ configuration }) => isMember(configuration, self));
}
