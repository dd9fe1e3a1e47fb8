/**
 * The claim: how a replica becomes the writer, and how the members of a stream change. One procedure for
 * both: seal the old configurations, adopt the best log, bring it to the new configuration behind a barrier.
 *
 * A claim asks first (preseal), then seals: the newest activated configuration and every successor of it
 * that any answer names. It adopts the log with the highest epoch of a last entry, and of those the longest.
 */
import { invariant } from "../base/invariant.ts";
import { type Configuration, hasQuorum, isMember, type Proposed, problemOf } from "./configuration.ts";
import type { Position } from "./entry.ts";
import { merge } from "./follower.ts";
import { abandonClaim, fence } from "./lose-epoch.ts";
import type { Entries, PresealNo, PresealOk, SealNo, SealOk } from "./messages.ts";
import type { ReplicaId } from "./replica-id.ts";
import type { Claim, ReplicaState, Sealed } from "./replica-state.ts";
import { isCrowded } from "./successors.ts";
import { isHigher, isSame, type Turn } from "./turn.ts";
import { learnActivated } from "./voter.ts";
import { beginEpoch } from "./writer.ts";

// --- the question before ------------------------------------------------------------------------

/** Whether this replica may try to become the writer at all. */
export function mayClaim(state: ReplicaState): boolean {
  const { activated } = state.hard;
  const ready = ["syncing", "follower", "sealed", "fenced", "open"].includes(state.role);
  return ready && state.claim === null && activated !== null && isMember(activated.configuration, state.self);
}

/**
 * Asks whether a new epoch is welcome; forced, only whether it can be. Null: with the present members. Who is
 * to become a member must agree in any case: nobody proposes a replica that does not answer.
 */
export function ask(turn: Turn, wanted: Configuration | null, force: boolean): void {
  const { state } = turn;
  const { activated } = state.hard;
  if (activated === null || !mayClaim(state)) {
    return;
  }
  const configuration = wanted ?? activated.configuration;
  const epoch = nextEpoch(state);
  const usable = problemOf(configuration) === null && isMember(configuration, state.self);
  if (!usable || isCrowded(state.hard.successors, { epoch, configuration }, activated)) {
    turn.effect({ type: "claimFailed", epoch, reason: "this configuration cannot be proposed" });
    return;
  }
  if (force && addedTo(activated.configuration, configuration).length === 0) {
    beginClaim(turn, configuration);
    return;
  }
  turn.set({ preseal: { epoch, configuration, force, yes: [state.self], ticks: 0 } });
  sendPreseals(turn);
  presealed(turn);
}

function addedTo(base: Configuration, next: Configuration): readonly ReplicaId[] {
  return next.members.filter((member) => !isMember(base, member));
}

function nextEpoch({ seenCounter, hard, owner }: ReplicaState): { counter: number; owner: string } {
  return { counter: Math.max(seenCounter, hard.promise.counter) + 1, owner };
}

export function sendPreseals(turn: Turn): void {
  const { preseal, hard, self } = turn.state;
  if (preseal !== null && hard.activated !== null) {
    const { epoch, configuration, force } = preseal;
    const asked = new Set([...hard.activated.configuration.members, ...configuration.members]);
    const missing = [...asked].filter((member) => member !== self && !preseal.yes.includes(member));
    const base = hard.activated.epoch;
    turn.send(missing, { type: "preseal", epoch, configuration, base, force });
  }
}

export function onPresealOk(turn: Turn, from: ReplicaId, message: PresealOk): void {
  const { preseal } = turn.state;
  if (preseal !== null && isSame(preseal.epoch, message.epoch) && !preseal.yes.includes(from)) {
    turn.set({ preseal: { ...preseal, yes: [...preseal.yes, from] } });
    presealed(turn);
  }
}

export function onPresealNo(turn: Turn, message: PresealNo): void {
  turn.set({ seenCounter: Math.max(turn.state.seenCounter, message.promise.counter) });
  learnActivated(turn, message.activated);
  const { preseal } = turn.state;
  if (preseal !== null && !isHigher(preseal.epoch, message.promise)) {
    turn.set({ preseal: null });
  }
}

/** Begins the claim once enough have agreed; a newly added member must be among them. */
function presealed(turn: Turn): void {
  const { preseal, hard } = turn.state;
  if (preseal === null || hard.activated === null) {
    return;
  }
  const base = hard.activated.configuration;
  const next = preseal.configuration;
  const agrees = (member: ReplicaId): boolean => preseal.yes.includes(member);
  if (
    hasQuorum(base, base.sealQuorum, agrees) &&
    hasQuorum(next, next.writeQuorum, agrees) &&
    addedTo(base, next).every(agrees)
  ) {
    beginClaim(turn, next);
  }
}

// --- the seal -----------------------------------------------------------------------------------

function beginClaim(turn: Turn, configuration: Configuration): void {
  if (turn.state.role === "open") {
    fence(turn);
  }
  const { state } = turn;
  const { activated } = state.hard;
  invariant(activated !== null, "a claimant knows an activated configuration");
  invariant(problemOf(configuration) === null, "every proposed configuration has sound quorums");
  const epoch = nextEpoch(state);
  turn.promise(epoch, state.self);
  turn.rememberSuccessor({ epoch, configuration });
  turn.role("claim");
  const { log, tailCertain, hard } = turn.state;
  const claim: Claim = {
    epoch,
    configuration,
    base: activated,
    chain: chainAbove(activated, hard.successors, epoch),
    sealed: new Map([[state.self, { last: log.last, tailCertain }]]),
    asking: false,
    source: null,
    target: null,
    matched: null,
    ticks: 0,
  };
  turn.set({ claim, preseal: null });
  if (state.settings.durability === "memory") {
    promiseStored(turn);
  }
}

/** The configurations above the base that a claim for `epoch` must seal too. */
function chainAbove(
  base: Proposed,
  successors: readonly Proposed[],
  epoch: Claim["epoch"],
): readonly Proposed[] {
  return successors.filter((each) => isHigher(each.epoch, base.epoch) && !isSame(each.epoch, epoch));
}

/** Sends the seals once the own promise is durable: an epoch may never be proposed twice. */
export function promiseStored(turn: Turn): void {
  const { claim, promiseMark, storedMark } = turn.state;
  if (claim !== null && !claim.asking && storedMark >= promiseMark) {
    turn.set({ claim: { ...claim, asking: true } });
    sendSeals(turn);
    sealed(turn);
  }
}

export function sendSeals(turn: Turn): void {
  const { claim, self } = turn.state;
  if (claim?.asking === true && claim.source === null) {
    const members = toSeal(claim).flatMap(({ configuration }) => configuration.members);
    const missing = [...new Set(members)].filter((member) => member !== self && !claim.sealed.has(member));
    turn.send(missing, { type: "seal", epoch: claim.epoch, configuration: claim.configuration });
  }
}

function toSeal(claim: Claim): readonly Proposed[] {
  return [claim.base, ...claim.chain];
}

export function onSealOk(turn: Turn, from: ReplicaId, message: SealOk): void {
  const { claim } = turn.state;
  if (claim === null || !isSame(claim.epoch, message.epoch) || claim.source !== null) {
    return;
  }
  learnActivated(turn, message.activated);
  if (turn.state.claim === null) {
    return;
  }
  const { last, tailCertain } = message;
  const named = chainAbove(claim.base, message.successors, claim.epoch);
  const added = named.filter(({ epoch }) => !claim.chain.some((each) => isSame(each.epoch, epoch)));
  const answers = new Map<ReplicaId, Sealed>([...claim.sealed, [from, { last, tailCertain }]]);
  turn.set({ claim: { ...claim, sealed: answers, chain: [...claim.chain, ...added] } });
  if (added.length > 0) {
    sendSeals(turn);
  }
  sealed(turn);
}

export function onSealNo(turn: Turn, message: SealNo): void {
  const { claim, seenCounter } = turn.state;
  turn.set({ seenCounter: Math.max(seenCounter, message.promise.counter) });
  learnActivated(turn, message.activated);
  if (claim !== null && isSame(claim.epoch, message.epoch) && isHigher(message.promise, claim.epoch)) {
    abandonClaim(turn, "another epoch is higher");
  }
}

/** Whether every configuration concerned has been sealed. A log that may have lost its end does not count. */
function isSealed(claim: Claim): boolean {
  return toSeal(claim).every(({ configuration }) => {
    const certain = (member: ReplicaId): boolean => claim.sealed.get(member)?.tailCertain === true;
    const all = configuration.members.every((member) => claim.sealed.has(member));
    return all || hasQuorum(configuration, configuration.sealQuorum, certain);
  });
}

/** Goes on once the seal is complete. */
export function sealed(turn: Turn): void {
  const { claim, self } = turn.state;
  if (claim === null || !claim.asking || claim.source !== null || !isSealed(claim)) {
    return;
  }
  if (turn.nowMs < turn.state.leaseUntilMs) {
    return; // The own promise counts like any other's: not while a lease granted before it still runs.
  }
  let source = self;
  let target = turn.state.log.last;
  for (const [replica, { last }] of claim.sealed) {
    if (isBetter(last, target)) {
      source = replica;
      target = last;
    }
  }
  turn.set({ claim: { ...claim, source, target, ticks: 0 } });
  turn.role("sealComplete");
  adopt(turn);
}

/** Whether a log that ends at `left` goes before one that ends at `right`: by epoch first, then by length. */
function isBetter(left: Position, right: Position): boolean {
  return isHigher(left.epoch, right.epoch) || (isSame(left.epoch, right.epoch) && left.seq > right.seq);
}

// --- the adoption -------------------------------------------------------------------------------

/** Goes on to the barrier when the own log ends as the one to be adopted does; else asks for what is missing. */
export function adopt(turn: Turn): void {
  const { claim, log, role } = turn.state;
  if (claim === null || claim.target === null || role !== "adopting") {
    return;
  }
  if (log.position(claim.target.seq)?.chain === claim.target.chain) {
    beginEpoch(turn, claim);
  } else {
    sendFetch(turn);
  }
}

export function sendFetch(turn: Turn): void {
  const { claim, log, commitSeq } = turn.state;
  if (claim !== null && claim.source !== null && claim.source !== turn.state.self) {
    const { seq, epoch, chain } = claim.matched ?? log.last;
    turn.send(claim.source, { type: "fetch", epoch: claim.epoch, last: { seq, epoch, chain }, commitSeq });
  }
}

export function onEntries(turn: Turn, from: ReplicaId, message: Entries): void {
  const { claim, role } = turn.state;
  if (role !== "adopting" || claim === null || claim.source !== from || !isSame(claim.epoch, message.epoch)) {
    return;
  }
  if (message.entries.length > 0 && merge(turn, message.prev, message.entries) === null) {
    // The page may hold nothing new: the logs part only further on.
    const matched = turn.state.log.position(message.prev.seq + message.entries.length);
    turn.set({ claim: { ...claim, matched, ticks: 0 } });
    adopt(turn);
  }
}
