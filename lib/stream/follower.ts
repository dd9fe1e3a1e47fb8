/**
 * The following side of a replica: it takes the log of the owner of the epoch it has promised, says how far
 * it holds it, and learns what is committed. It never acknowledges past a gap.
 */
import { invariant } from "../base/invariant.ts";
import { EPOCH_ZERO, type Epoch } from "../journal/epoch.ts";
import { isMember } from "./configuration.ts";
import { chained, type Position, type WireEntry } from "./entry.ts";
import { Log } from "./log.ts";
import { loseEpoch } from "./lose-epoch.ts";
import type { Append, Heartbeat, NackReason } from "./messages.ts";
import { ownerOf, type ReplicaId } from "./replica-id.ts";
import { isHigher, isSame, type Turn } from "./turn.ts";

export function onAppend(turn: Turn, from: ReplicaId, message: Append): void {
  if (!hearOwner(turn, from, message)) {
    return;
  }
  const refusal = merge(turn, message.prev, message.entries);
  if (refusal !== null) {
    nack(turn, from, refusal);
    return;
  }
  const end = message.prev.seq + message.entries.length;
  turn.set({ matchSeq: Math.max(turn.state.matchSeq, end) });
  followed(turn, message);
  // On disk what is new is acknowledged when it is stored.
  const { durability, acknowledgeHeld } = turn.state.settings;
  turn.acknowledges = durability === "memory" || acknowledgeHeld || end <= turn.state.durableSeq;
}

export function onHeartbeat(turn: Turn, from: ReplicaId, message: Heartbeat): void {
  if (!hearOwner(turn, from, message)) {
    return;
  }
  const { tail } = message;
  if (turn.state.log.position(tail.seq)?.chain === tail.chain) {
    turn.set({ matchSeq: Math.max(turn.state.matchSeq, tail.seq) });
  }
  followed(turn, message);
  if (message.life !== null) {
    onVouched(turn, message.life, tail.seq);
  } else if (turn.state.matchSeq < tail.seq) {
    nack(turn, from, "gap");
  } else {
    turn.acknowledges = true;
  }
}

/**
 * The owner has answered this life: its log ended at `tailSeq` after this replica had lost what it may have lost.
 * A heartbeat of before would not do, which may come once more. Nothing is answered while entries are missing:
 * they are on their way, or the next heartbeat asks for them.
 */
function onVouched(turn: Turn, life: string, tailSeq: number): void {
  if (life === turn.state.life && !turn.state.tailCertain) {
    turn.set({ certainFrom: Math.min(turn.state.certainFrom ?? tailSeq, tailSeq) });
    turn.acknowledges = isMadeGood(turn);
  }
}

/** Whether `from` owns an epoch that may be followed; promises it when it is higher than the promised one. */
function hearOwner(turn: Turn, from: ReplicaId, message: Append | Heartbeat): boolean {
  const { state } = turn;
  const { epoch, round, sentAt } = message;
  if (state.role === "damaged") {
    return false;
  }
  if (isHigher(state.hard.promise, epoch)) {
    refuseStale(turn, from, epoch, round);
    return false;
  }
  const known = isSame(state.hard.promise, epoch) && state.primary === from;
  if (!known && ownerOf(from) !== epoch.owner) {
    return false;
  }
  if (isHigher(epoch, state.hard.promise)) {
    loseEpoch(turn);
    turn.promise(epoch, from);
    turn.role("sealed");
  }
  const { leaseMs, clockDrift } = state.settings;
  const leaseUntilMs = leaseMs > 0 ? turn.nowMs + leaseMs * (1 + clockDrift) : 0;
  turn.set({
    primary: from,
    primaryDown: false,
    silentTicks: 0,
    patienceTicks: 0,
    heard: { round, sentAt },
    leaseUntilMs,
    preseal: null,
  });
  return true;
}

/**
 * Brings the log in line with `entries`, which follow `prev` in the log of another replica. Entries that are
 * there already stay; the first that differs and all after it go. Returns why it cannot, or null.
 */
export function merge(turn: Turn, prev: Position, entries: readonly WireEntry[]): NackReason | null {
  const { log } = turn.state;
  if (prev.seq > log.lastSeq) {
    return "gap";
  }
  const own = log.position(prev.seq);
  if (own !== null && own.chain !== prev.chain) {
    return "mismatch";
  }
  const incoming = chained(prev.chain, entries);
  for (const [index, entry] of incoming.entries()) {
    const present = turn.state.log.position(entry.seq);
    if (present === null && entry.seq > turn.state.log.lastSeq) {
      turn.append(incoming.slice(index));
      return null;
    }
    if (present !== null && present.chain !== entry.chain) {
      invariant(entry.seq > turn.state.commitSeq, "a committed entry is never replaced");
      turn.truncateAfter(entry.seq - 1);
      turn.append(incoming.slice(index));
      return null;
    }
  }
  return null;
}

/** What every message of the owner brings besides entries: the commit position, and with it the role. */
function followed(turn: Turn, message: Append | Heartbeat): void {
  const { state } = turn;
  commitTo(turn, Math.min(message.commitSeq, state.matchSeq));
  const { activated } = state.hard;
  if (activated !== null && isMember(activated.configuration, state.self)) {
    turn.role(state.matchSeq >= message.barrierSeq ? "following" : "behind");
  } else {
    turn.role("fed");
  }
}

/** Whether an uncertain log holds, durably, all that the owner had when it answered this life. */
function isMadeGood({ state }: Turn): boolean {
  const { tailCertain, certainFrom, matchSeq, durableSeq, settings } = state;
  const goodSeq = settings.durability === "memory" ? matchSeq : Math.min(matchSeq, durableSeq);
  return !tailCertain && certainFrom !== null && goodSeq >= certainFrom;
}

/**
 * Tells the primary how far the log is held; at the end of a step, when what it stores has its mark. Nothing
 * is acknowledged before the promise is durable, and no entry before it is.
 */
export function acknowledge(turn: Turn): void {
  const { primary, self, promiseMark, storedMark, matchSeq, durableSeq, heard, hard } = turn.state;
  if (primary === null || primary === self || heard === null || promiseMark > storedMark) {
    return;
  }
  if (isMadeGood(turn)) {
    turn.set({ tailCertain: true });
    turn.effect({ type: "confirmTail" });
  }
  if (!turn.state.tailCertain) {
    nack(turn, primary, "uncertain");
    return;
  }
  turn.send(primary, {
    type: "ack",
    epoch: hard.promise,
    seq: Math.min(matchSeq, durableSeq),
    heldSeq: matchSeq,
    round: heard.round,
    sentAt: heard.sentAt,
    activated: hard.activated?.epoch ?? EPOCH_ZERO,
  });
}

/** Says where the owner must go on: after what is certain to be in its log. */
function nack(turn: Turn, to: ReplicaId, why: NackReason): void {
  const { commitSeq, matchSeq, hard, heard, tailCertain, life } = turn.state;
  // Whoever may have lost what it once acknowledged says so first: the owner must take that back.
  const reason = tailCertain ? why : "uncertain";
  const hintSeq = Math.max(commitSeq, matchSeq);
  const { promise } = hard;
  const said = { epoch: promise, reason, hintSeq, promise, round: heard?.round ?? 0 } as const;
  turn.send(to, { type: "nack", ...said, life: tailCertain ? null : life });
}

/** A message of an older epoch: its sender must learn that there is a newer one. */
export function refuseStale(turn: Turn, to: ReplicaId, epoch: Epoch, round: number): void {
  const { promise } = turn.state.hard;
  turn.send(to, { type: "nack", epoch, reason: "stale", hintSeq: 0, promise, round, life: null });
}

/** Commits what is held up to `seq`. Entries that were committed before are dropped beyond `keptEntries`. */
export function commitTo(turn: Turn, seq: number): void {
  const { commitSeq, log, settings } = turn.state;
  if (seq <= commitSeq) {
    return;
  }
  invariant(seq <= log.lastSeq, "only what is held is committed");
  // Those being committed stay: whoever applies them reads them from this log.
  const keepFrom = Math.min(seq - settings.keptEntries, commitSeq);
  const compacted = keepFrom - log.base.seq >= settings.keptEntries ? log.compactTo(keepFrom) : log;
  turn.set({ commitSeq: seq, log: compacted });
  turn.effect({ type: "commit", seq });
}

/** A verified snapshot is at hand. It replaces the log only where the log does not lead to it by itself. */
export function onSnapshot(turn: Turn, base: Position): void {
  const { log, commitSeq } = turn.state;
  if (base.seq <= commitSeq) {
    return;
  }
  if (log.position(base.seq)?.chain === base.chain) {
    commitTo(turn, base.seq);
    return;
  }
  if (isHigher(base.epoch, turn.state.hard.promise)) {
    loseEpoch(turn);
    turn.promise(base.epoch, null);
    turn.role("sealed");
  }
  turn.effect({ type: "install", base });
  turn.resetLog(Log.empty(base), base);
}
