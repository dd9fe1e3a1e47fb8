/**
 * Linearizable reads by read index. A read notes everything appended at the writer when it arrives, and is
 * ready once that is committed and a write quorum has confirmed, after the read began, that it has promised
 * no newer epoch. A member that asks for a read confirms for itself by asking.
 */
import { isMember } from "./configuration.ts";
import type { ReadIndex } from "./messages.ts";
import type { ReplicaId } from "./replica-id.ts";
import type { PendingRead, ReplicaState, Writer } from "./replica-state.ts";
import { broadcastHeartbeat } from "./replication.ts";
import { isSame, type Turn } from "./turn.ts";

export function onRead(turn: Turn, id: number): void {
  const { role, primary, self, hard, askedReads } = turn.state;
  if (role === "open") {
    admitRead(turn, id, self);
  } else if (primary !== null && primary !== self) {
    turn.set({ askedReads: [...askedReads, { id, ticks: 0 }] });
    turn.send(primary, { type: "readIndex", id, epoch: hard.promise });
  } else {
    turn.effect({ type: "readRefused", id });
  }
}

export function onReadIndex(turn: Turn, from: ReplicaId, message: ReadIndex): void {
  const { role, writer } = turn.state;
  if (role !== "open" || writer === null || !isSame(message.epoch, writer.epoch)) {
    turn.send(from, { type: "readIndexNo", id: message.id });
  } else {
    admitRead(turn, message.id, from);
  }
}

function admitRead(turn: Turn, id: number, asker: ReplicaId): void {
  const { writer, log } = turn.state;
  if (writer !== null) {
    const read: PendingRead = { id, asker, round: writer.round + 1, seq: log.lastSeq, ticks: 0 };
    turn.set({ writer: { ...writer, reads: [...writer.reads, read] } });
    settleReads(turn);
    if (turn.state.writer?.reads.includes(read) === true) {
      broadcastHeartbeat(turn);
    }
  }
}

/** Answers the reads that are ready. */
export function settleReads(turn: Turn): void {
  const { writer, role, self } = turn.state;
  if (writer === null || role !== "open" || writer.reads.length === 0) {
    return;
  }
  const ready = writer.reads.filter((read) => isReady(turn.state, writer, read));
  if (ready.length === 0) {
    return;
  }
  turn.set({ writer: { ...writer, reads: writer.reads.filter((read) => !ready.includes(read)) } });
  for (const { id, asker, seq } of ready) {
    if (asker === self) {
      turn.effect({ type: "readReady", id, seq });
    } else {
      turn.send(asker, { type: "readIndexOk", id, seq });
    }
  }
}

function isReady({ commitSeq, self }: ReplicaState, writer: Writer, read: PendingRead): boolean {
  const confirms = (member: ReplicaId): boolean =>
    member === self || member === read.asker || (writer.progress.get(member)?.round ?? 0) >= read.round;
  const { configuration } = writer;
  const votes = configuration.members.filter(confirms).length;
  return commitSeq >= read.seq && votes >= configuration.writeQuorum && isMember(configuration, self);
}

export function onReadIndexOk(turn: Turn, id: number, seq: number): void {
  if (forgetAsked(turn, id)) {
    turn.effect({ type: "readReady", id, seq });
  }
}

export function onReadIndexNo(turn: Turn, id: number): void {
  if (forgetAsked(turn, id)) {
    turn.effect({ type: "readRefused", id });
  }
}

function forgetAsked(turn: Turn, id: number): boolean {
  const { askedReads } = turn.state;
  turn.set({ askedReads: askedReads.filter((read) => read.id !== id) });
  return turn.state.askedReads.length < askedReads.length;
}

/** Reads that nobody has answered for `failureTicks` are refused, so that none waits for ever. */
export function tickReads(turn: Turn): void {
  const { askedReads, writer, settings, self } = turn.state;
  const older = askedReads.map(({ id, ticks }) => ({ id, ticks: ticks + 1 }));
  turn.set({ askedReads: older.filter(({ ticks }) => ticks <= settings.failureTicks) });
  for (const { id, ticks } of older) {
    if (ticks > settings.failureTicks) {
      turn.effect({ type: "readRefused", id });
    }
  }
  if (writer !== null && writer.reads.length > 0) {
    const waiting = writer.reads.map((read) => ({ ...read, ticks: read.ticks + 1 }));
    const kept = waiting.filter(({ ticks }) => ticks <= settings.failureTicks);
    turn.set({ writer: { ...writer, reads: kept } });
    for (const { id, asker, ticks } of waiting) {
      if (ticks > settings.failureTicks && asker === self) {
        turn.effect({ type: "readRefused", id });
      }
    }
  }
}
