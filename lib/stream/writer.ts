/**
 * The owner of an epoch, from its barrier on: it appends, feeds members and learners, counts who holds what,
 * commits by write quorum of its own epoch, and opens once its barrier is committed.
 */
import { invariant } from "../base/invariant.ts";
import { EPOCH_ZERO } from "../journal/epoch.ts";
import { hasQuorum, isMember, quorumValue } from "./configuration.ts";
import { chained, type Entry, KIND_BARRIER, KIND_BATCH } from "./entry.ts";
import { commitTo } from "./follower.ts";
import { abandonClaim, claimProgresses, fence } from "./lose-epoch.ts";
import type { Ack, Nack, RetireOk } from "./messages.ts";
import { settleReads } from "./reads.ts";
import type { ReplicaId } from "./replica-id.ts";
import type { Claim, Progress, ReplicaState, Writer } from "./replica-state.ts";
import { broadcastHeartbeat, replicate, sendHeartbeat } from "./replication.ts";
import { isHigher, isSame, type Turn } from "./turn.ts";

const encoder = new TextEncoder();

/** The claim's log is the one to go on with: its barrier is the first entry of the new epoch. */
export function beginEpoch(turn: Turn, claim: Claim): void {
  const { log, self } = turn.state;
  const { epoch, configuration } = claim;
  const barrierSeq = log.lastSeq + 1;
  const receivers = configuration.members.filter((member) => member !== self);
  const writer: Writer = {
    epoch,
    configuration,
    barrierSeq,
    progress: new Map(receivers.map((member) => [member, newProgress(true, barrierSeq)])),
    round: 1,
    reads: [],
    heldSeq: 0,
    retiring: [],
    toldCommitSeq: 0,
    ticks: 0,
  };
  turn.role("adopted");
  turn.set({ writer });
  if (!turn.state.tailCertain) {
    // Its log is now the adopted one, which lacks nothing that was ever committed.
    turn.set({ tailCertain: true });
    turn.effect({ type: "confirmTail" });
  }
  appendOwn(turn, [encoder.encode(JSON.stringify(configuration))], KIND_BARRIER);
  ownStored(turn);
}

export function newProgress(member: boolean, nextSeq: number): Progress {
  return {
    member,
    matchSeq: 0,
    heldSeq: 0,
    nextSeq,
    mode: "stream",
    silentTicks: 0,
    round: 0,
    echoedAt: Number.NEGATIVE_INFINITY,
    activated: EPOCH_ZERO,
    probing: false,
    caughtUp: false,
  };
}

/** Whether an entry may be appended now; refused before any effect otherwise. */
export function canPropose({ role, writer, log, commitSeq, settings }: ReplicaState): boolean {
  return role === "open" && writer !== null && log.lastSeq - commitSeq < settings.pendingMax;
}

export function propose(turn: Turn, payloads: readonly Uint8Array[]): void {
  if (canPropose(turn.state)) {
    appendOwn(turn, payloads, KIND_BATCH);
    ownStored(turn);
  }
}

function appendOwn(turn: Turn, payloads: readonly Uint8Array[], kind: number): void {
  const { writer, log } = turn.state;
  invariant(writer !== null, "only the owner of an epoch appends to it");
  const { epoch } = writer;
  const entries = payloads.map((payload, index) => ({ seq: log.lastSeq + 1 + index, epoch, kind, payload }));
  const appended: readonly Entry[] = chained(log.last.chain, entries);
  invariant(
    kind === KIND_BARRIER || isSame(log.last.epoch, epoch),
    "the first entry of an epoch is its barrier",
  );
  turn.append(appended);
  replicate(turn);
}

/** In memory what is appended counts at once; on disk when it is stored. */
function ownStored(turn: Turn): void {
  if (turn.state.settings.durability === "memory") {
    turn.set({ durableSeq: turn.state.log.lastSeq });
  }
  advance(turn);
}

// --- what others hold ---------------------------------------------------------------------------

export function onAck(turn: Turn, from: ReplicaId, message: Ack): void {
  const { writer, log } = turn.state;
  const progress = writer?.progress.get(from);
  if (writer === null || progress === undefined || !isSame(message.epoch, writer.epoch)) {
    return;
  }
  invariant(message.heldSeq <= log.lastSeq, "nobody holds more of an epoch than its owner");
  const matchSeq = Math.max(progress.matchSeq, message.seq);
  const heldSeq = Math.max(progress.heldSeq, message.heldSeq, matchSeq);
  const streams = progress.mode !== "snapshot";
  update(turn, from, {
    ...progress,
    matchSeq,
    heldSeq,
    nextSeq: progress.mode === "probe" ? heldSeq + 1 : Math.max(progress.nextSeq, heldSeq + 1),
    mode: streams ? "stream" : "snapshot",
    probing: false,
    silentTicks: 0,
    round: Math.max(progress.round, message.round),
    echoedAt: Math.max(progress.echoedAt, message.sentAt),
    activated: message.activated,
  });
  if (matchSeq > progress.matchSeq) {
    claimProgresses(turn);
  }
  reportLearner(turn, from);
  advance(turn);
  replicate(turn);
}

function reportLearner(turn: Turn, from: ReplicaId): void {
  const progress = turn.state.writer?.progress.get(from);
  if (
    progress !== undefined &&
    !progress.member &&
    !progress.caughtUp &&
    progress.matchSeq >= turn.state.commitSeq
  ) {
    update(turn, from, { ...progress, caughtUp: true });
    turn.effect({ type: "caughtUp", replica: from });
  }
}

export function onNack(turn: Turn, from: ReplicaId, message: Nack): void {
  const { writer, claim, seenCounter } = turn.state;
  turn.set({ seenCounter: Math.max(seenCounter, message.promise.counter) });
  const epoch = writer?.epoch ?? claim?.epoch;
  if (epoch === undefined || !isSame(message.epoch, epoch)) {
    return;
  }
  if (message.reason === "stale") {
    stepDown(turn, message.promise);
    return;
  }
  const progress = writer?.progress.get(from);
  if (progress === undefined) {
    return;
  }
  const heard = { ...progress, silentTicks: 0, round: Math.max(progress.round, message.round) };
  const uncertain = message.reason === "uncertain";
  const matchSeq = uncertain ? Math.min(progress.matchSeq, message.hintSeq) : progress.matchSeq;
  const nextSeq = Math.max(message.hintSeq, matchSeq) + 1;
  const heldSeq = Math.min(progress.heldSeq, nextSeq - 1);
  const known = progress.mode === "snapshot" || (progress.mode === "probe" && progress.nextSeq === nextSeq);
  update(turn, from, known ? heard : { ...heard, matchSeq, heldSeq, nextSeq, mode: "probe", probing: false });
  if (message.life !== null) {
    sendHeartbeat(turn, [from], message.life);
  }
  replicate(turn);
}

function stepDown(turn: Turn, promise: Nack["promise"]): void {
  const { writer, claim, role } = turn.state;
  const own = writer?.epoch ?? claim?.epoch;
  if (own === undefined || !isHigher(promise, own)) {
    return;
  }
  if (role === "open") {
    fence(turn);
  } else {
    abandonClaim(turn, "another epoch is higher");
  }
}

export function update(turn: Turn, replica: ReplicaId, progress: Progress): void {
  const { writer } = turn.state;
  if (writer !== null) {
    turn.set({ writer: { ...writer, progress: new Map(writer.progress).set(replica, progress) } });
  }
}

// --- commit -------------------------------------------------------------------------------------

/**
 * Commits what a write quorum of the own configuration holds, counting from the barrier on: entries of older
 * epochs are committed by what follows them, never by counting their copies.
 */
export function advance(turn: Turn): void {
  const { writer, self, durableSeq, log, commitSeq } = turn.state;
  if (writer === null) {
    return;
  }
  const { configuration, progress, barrierSeq } = writer;
  const durable = (member: ReplicaId): number =>
    member === self ? durableSeq : (progress.get(member)?.matchSeq ?? 0);
  const held = (member: ReplicaId): number =>
    member === self ? log.lastSeq : (progress.get(member)?.heldSeq ?? 0);
  const quorum = configuration.writeQuorum;
  const heldSeq = quorumValue(configuration, quorum, held);
  if (heldSeq >= barrierSeq && heldSeq > writer.heldSeq) {
    turn.set({ writer: { ...writer, heldSeq } });
    turn.effect({ type: "heldByQuorum", seq: heldSeq });
  }
  const seq = quorumValue(configuration, quorum, durable);
  if (seq >= barrierSeq && seq > commitSeq) {
    commitTo(turn, seq);
    turn.effect({ type: "nudge" });
    opened(turn);
  }
  settleReads(turn);
}

function opened(turn: Turn): void {
  const { role, claim, writer, self, commitSeq, durableSeq } = turn.state;
  if (role !== "opening" || claim === null || writer === null) {
    return;
  }
  const { epoch, configuration, barrierSeq, progress } = writer;
  const holds = (member: ReplicaId): boolean =>
    (member === self ? durableSeq : (progress.get(member)?.matchSeq ?? 0)) >= barrierSeq;
  invariant(commitSeq >= barrierSeq, "an epoch opens behind its committed barrier");
  invariant(hasQuorum(configuration, configuration.writeQuorum, holds), "a write quorum holds the barrier");
  turn.activated({ epoch, configuration });
  turn.role("opened");
  const { base, chain } = claim;
  const older = [base, ...chain].flatMap((each) => each.configuration.members);
  const retiring = [...new Set(older)].filter((member) => !isMember(configuration, member));
  turn.set({ claim: null, writer: { ...writer, retiring } });
  const barrierHeldBy = configuration.members.filter(holds);
  const proof = { base, chain, sealed: [...claim.sealed.keys()], barrierSeq, barrierHeldBy };
  turn.effect({ type: "opened", epoch, configuration, proof });
  announce(turn);
}

/** Tells who has not heard it that this epoch is active: members and learners, and those who are no longer members. */
export function announce(turn: Turn): void {
  const { writer, hard, role } = turn.state;
  if (writer === null || hard.activated === null || role !== "open") {
    return;
  }
  const unaware = [...writer.progress].filter(([, { activated }]) => isHigher(writer.epoch, activated));
  const to = [...unaware.map(([replica]) => replica), ...writer.retiring];
  turn.send(to, { type: "activate", activated: hard.activated });
}

export function onRetireOk(turn: Turn, from: ReplicaId, { epoch }: RetireOk): void {
  const { writer } = turn.state;
  if (writer?.retiring.includes(from) === true && !isHigher(writer.epoch, epoch)) {
    turn.set({ writer: { ...writer, retiring: writer.retiring.filter((replica) => replica !== from) } });
  }
}

/** The commit position leaves by itself when no append has carried it. */
export function onNudged(turn: Turn): void {
  const { writer, commitSeq } = turn.state;
  if (writer !== null && writer.toldCommitSeq < commitSeq) {
    broadcastHeartbeat(turn);
  }
}

// --- learners -----------------------------------------------------------------------------------

export function onJoin(turn: Turn, from: ReplicaId): void {
  const { writer, role, settings, log, hard, primary } = turn.state;
  if (writer === null || role !== "open") {
    turn.send(from, {
      type: "whoOk",
      promise: hard.promise,
      primary,
      activated: hard.activated,
      last: log.last,
    });
    return;
  }
  const copied = [...writer.progress.values()].filter(isCopied).length;
  if (!writer.progress.has(from) && copied < settings.learnersMax) {
    update(turn, from, newProgress(false, log.lastSeq + 1));
    broadcastHeartbeat(turn);
  }
}

/** Whether it is a learner that still costs more than a member does: one that has caught up takes no place. */
function isCopied({ member, caughtUp, mode }: Progress): boolean {
  return !member && (!caughtUp || mode === "snapshot");
}

/** A transfer of a snapshot has ended; what follows it is sent as entries. */
export function onSnapshotSent(turn: Turn, to: ReplicaId, seq: number | null): void {
  const progress = turn.state.writer?.progress.get(to);
  if (progress?.mode === "snapshot") {
    const nextSeq = Math.max(progress.matchSeq, seq ?? 0) + 1;
    update(turn, to, { ...progress, mode: "probe", nextSeq, probing: seq === null });
    replicate(turn);
  }
}
