/** One node of a walk: the replica it runs, what its disk holds, and its clock. */
import { EPOCH_ZERO } from "../../../lib/journal/epoch.ts";
import { Log } from "../../../lib/stream/log.ts";
import type { ReplicaId } from "../../../lib/stream/replica-id.ts";
import type { HardState, ReplicaState, StreamEffect } from "../../../lib/stream/replica-state.ts";

export type Store = Extract<StreamEffect, { type: "store" }>;

/** A store that is not yet done; `confirms`: after it the tail is certain again. */
export interface PendingStore {
  readonly store: Store;
  /** What was known to be committed when it was asked for. */
  readonly commitSeq: number;
  confirms: boolean;
}

/** What a disk holds of a replica. */
export interface Stored {
  hard: HardState;
  log: Log;
  commitSeq: number;
  tailCertain: boolean;
}

/** Runs at its own rate; `offsetMs` keeps two clocks from being compared by accident. */
export interface HostClock {
  readonly rate: number;
  readonly offsetMs: number;
}

export interface Host {
  readonly node: string;
  readonly clock: HostClock;
  id: ReplicaId;
  state: ReplicaState;
  pending: PendingStore[];
  stored: Stored;
}

export function nothingStored(): Stored {
  return {
    hard: { promise: EPOCH_ZERO, activated: null, successors: [] },
    log: Log.empty(),
    commitSeq: 0,
    tailCertain: true,
  };
}

export function persist(stored: Stored, { store, commitSeq, confirms }: PendingStore): void {
  const { reset, truncateAfter, entries, hard } = store;
  let { log } = stored;
  if (reset !== null) {
    log = Log.empty(reset);
  }
  if (truncateAfter !== null) {
    log = log.truncateAfter(truncateAfter);
  }
  stored.log = log.append(entries);
  stored.hard = hard ?? stored.hard;
  stored.commitSeq = Math.max(stored.commitSeq, commitSeq);
  stored.tailCertain ||= confirms;
}

/** A power cut between two flushes: the last `count` entries, though acknowledged, are not there any more. */
export function loseTail(stored: Stored, count: number): void {
  const { log } = stored;
  stored.log = log.truncateAfter(Math.max(log.base.seq, log.lastSeq - count));
  stored.tailCertain = false;
}

/** The time on its own clock. */
export function localMs({ clock }: Host, nowMs: number): number {
  return clock.offsetMs + clock.rate * nowMs;
}

export function describeHost({ id, state }: Host): string {
  const { role, hard, log, commitSeq } = state;
  return `${id} ${role} promise ${hard.promise.counter} last ${log.lastSeq} commit ${commitSeq}`;
}
