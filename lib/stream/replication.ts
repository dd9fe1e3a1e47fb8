/** Sending the owner's log: appends to all who stand at the same entry, probes, heartbeats. */
import type { ReplicaId } from "./replica-id.ts";
import type { Progress, Writer } from "./replica-state.ts";
import type { Turn } from "./turn.ts";

/** Sends every receiver what it lacks, as far as its window allows. */
export function replicate(turn: Turn): void {
  const { writer, log } = turn.state;
  if (writer === null || !isAwaited(writer, log.lastSeq)) {
    return;
  }
  const progress = new Map(writer.progress);
  const streams = new Map<number, ReplicaId[]>();
  for (const [replica, at] of writer.progress) {
    if (at.mode === "snapshot" || at.nextSeq > log.lastSeq) {
      continue;
    }
    if (log.position(at.nextSeq - 1) === null) {
      progress.set(replica, { ...at, mode: "snapshot" });
      turn.effect({ type: "sendSnapshot", to: replica });
    } else if (at.mode === "probe") {
      probe(turn, progress, replica, at);
    } else if (roomOf(turn, at) > 0) {
      streams.set(at.nextSeq, [...(streams.get(at.nextSeq) ?? []), replica]);
    }
  }
  let { toldCommitSeq } = writer;
  for (const [nextSeq, replicas] of streams) {
    stream(turn, progress, replicas, nextSeq);
    toldCommitSeq = replicas.length === progress.size ? turn.state.commitSeq : toldCommitSeq;
  }
  turn.set({ writer: { ...writer, progress, toldCommitSeq } });
}

/** Whether any receiver may lack an entry; after most acknowledgements none does. */
function isAwaited({ progress }: Writer, lastSeq: number): boolean {
  for (const { mode, nextSeq } of progress.values()) {
    if (mode !== "snapshot" && nextSeq <= lastSeq) {
      return true;
    }
  }
  return false;
}

/** After a refusal: one message at a time, from where the receiver said. */
function probe(turn: Turn, progress: Map<ReplicaId, Progress>, replica: ReplicaId, at: Progress): void {
  if (!at.probing) {
    sendAppend(turn, [replica], at.nextSeq, turn.state.settings.appendEntries);
    progress.set(replica, { ...at, probing: true });
  }
}

/** One message after the other to all who stand at `nextSeq`, until the end or the first full window. */
function stream(
  turn: Turn,
  progress: Map<ReplicaId, Progress>,
  replicas: ReplicaId[],
  nextSeq: number,
): void {
  const { log, settings } = turn.state;
  let room = Number.POSITIVE_INFINITY;
  for (const replica of replicas) {
    const at = progress.get(replica);
    room = at === undefined ? room : Math.min(room, roomOf(turn, at));
  }
  let next = nextSeq;
  while (next <= log.lastSeq && room > 0) {
    const sent = sendAppend(turn, replicas, next, Math.min(room, settings.appendEntries));
    next += sent;
    room -= sent;
  }
  for (const replica of replicas) {
    const at = progress.get(replica);
    if (at !== undefined) {
      progress.set(replica, { ...at, nextSeq: next });
    }
  }
}

/** How many more entries may be on their way to a receiver. */
function roomOf(turn: Turn, { nextSeq, heldSeq }: Progress): number {
  return turn.state.settings.windowEntries - (nextSeq - 1 - heldSeq);
}

/** Returns how many entries went out, at least one. */
function sendAppend(turn: Turn, to: readonly ReplicaId[], fromSeq: number, maxEntries: number): number {
  const { log, commitSeq, settings, writer } = turn.state;
  const prev = log.position(fromSeq - 1);
  if (writer === null || prev === null) {
    return 0;
  }
  const page = log.page(fromSeq, maxEntries, settings.appendBytes);
  const entries = page.map(({ seq, epoch, kind, payload }) => ({ seq, epoch, kind, payload }));
  const { epoch, barrierSeq, round } = writer;
  turn.send(to, {
    type: "append",
    epoch,
    prev: { seq: prev.seq, epoch: prev.epoch, chain: prev.chain },
    entries,
    commitSeq,
    barrierSeq,
    round,
    sentAt: turn.nowMs,
  });
  return entries.length;
}

/** Tells all receivers where the log ends and what is committed, in a new round. */
export function broadcastHeartbeat(turn: Turn): void {
  const { writer, commitSeq } = turn.state;
  if (writer === null) {
    return;
  }
  turn.set({ writer: { ...writer, round: writer.round + 1, toldCommitSeq: commitSeq } });
  sendHeartbeat(turn, [...writer.progress.keys()], null);
}

/** `life`: whose question it answers, if it is an answer. */
export function sendHeartbeat(turn: Turn, to: readonly ReplicaId[], life: string | null): void {
  const { writer, log, commitSeq } = turn.state;
  if (writer === null) {
    return;
  }
  const { seq, epoch, chain } = log.last;
  turn.send(to, {
    type: "heartbeat",
    epoch: writer.epoch,
    tail: { seq, epoch, chain },
    commitSeq,
    barrierSeq: writer.barrierSeq,
    round: writer.round,
    sentAt: turn.nowMs,
    life,
  });
}
