/**
 * What replicas of one stream say to each other. Each message travels in a `Letter`, and a receiver drops
 * letters that are not addressed to its own incarnation or come from another lineage.
 */
import type { Epoch } from "../journal/epoch.ts";
import type { Configuration, Proposed } from "./configuration.ts";
import type { Position, WireEntry } from "./entry.ts";
import type { ReplicaId } from "./replica-id.ts";

export const PROTOCOL_VERSION = 1;

export interface Letter {
  readonly v: typeof PROTOCOL_VERSION;
  readonly stream: string;
  /** The life of the data set: a stream begun anew under an old name has another. */
  readonly lineage: string;
  readonly from: ReplicaId;
  readonly to: readonly ReplicaId[];
  readonly message: Message;
}

/** "Would you agree to a new epoch?" Changes nothing at the receiver. */
export interface Preseal {
  readonly type: "preseal";
  readonly epoch: Epoch;
  readonly configuration: Configuration;
  /** The newest activated epoch that the asker knows. */
  readonly base: Epoch;
  /** Somebody has decided that the primary goes, whether or not it is still heard. */
  readonly force: boolean;
}

export interface PresealOk {
  readonly type: "presealOk";
  readonly epoch: Epoch;
}

export interface PresealNo {
  readonly type: "presealNo";
  readonly epoch: Epoch;
  readonly promise: Epoch;
  readonly activated: Proposed | null;
}

/** "Promise to take nothing from an older epoch, and remember whom I propose." The first message of a claim. */
export interface Seal {
  readonly type: "seal";
  readonly epoch: Epoch;
  readonly configuration: Configuration;
}

export interface SealOk {
  readonly type: "sealOk";
  readonly epoch: Epoch;
  readonly last: Position;
  readonly commitSeq: number;
  readonly activated: Proposed | null;
  /** Every configuration this replica was sealed for and knows no activated successor of. */
  readonly successors: readonly Proposed[];
  /** False while its log may have lost an acknowledged end. */
  readonly tailCertain: boolean;
}

export interface SealNo {
  readonly type: "sealNo";
  readonly epoch: Epoch;
  readonly promise: Epoch;
  readonly activated: Proposed | null;
  /** How long a lease granted to another owner still runs; 0 when no lease is the reason. */
  readonly waitMs: number;
}

/** The owner of a claim asks the holder of the best log for what it lacks. */
export interface Fetch {
  readonly type: "fetch";
  readonly epoch: Epoch;
  /** What the asker has in common with the holder, or, at first, the end of its log. */
  readonly last: Position;
  /** What the asker knows to be committed: the answer never starts before it. */
  readonly commitSeq: number;
}

export interface Entries {
  readonly type: "entries";
  readonly epoch: Epoch;
  readonly prev: Position;
  readonly entries: readonly WireEntry[];
}

/** Entries of the owner's log, and everything a heartbeat says. */
export interface Append {
  readonly type: "append";
  readonly epoch: Epoch;
  readonly prev: Position;
  readonly entries: readonly WireEntry[];
  readonly commitSeq: number;
  readonly barrierSeq: number;
  /** Counts the owner's rounds; the answer repeats it. */
  readonly round: number;
  /** The owner's clock in milliseconds when it sent this; the answer repeats it. */
  readonly sentAt: number;
}

export interface Heartbeat {
  readonly type: "heartbeat";
  readonly epoch: Epoch;
  /** The end of the owner's log. */
  readonly tail: Position;
  readonly commitSeq: number;
  readonly barrierSeq: number;
  readonly round: number;
  readonly sentAt: number;
  /** An answer to one that does not know whether it lost the end of its log: the life that asked. Null to all others. */
  readonly life: string | null;
}

export interface Ack {
  readonly type: "ack";
  readonly epoch: Epoch;
  /** The receiver's log equals the owner's up to here, and is as durable as the stream promises. */
  readonly seq: number;
  /** The same in memory: at least `seq`. */
  readonly heldSeq: number;
  readonly round: number;
  readonly sentAt: number;
  /** The newest activated epoch it knows. */
  readonly activated: Epoch;
}

export type NackReason = "gap" | "mismatch" | "stale" | "uncertain";

export interface Nack {
  readonly type: "nack";
  readonly epoch: Epoch;
  readonly reason: NackReason;
  /** The owner goes on after this seq. */
  readonly hintSeq: number;
  readonly promise: Epoch;
  readonly round: number;
  /** With `uncertain`: the life of the replica that asks where the owner's log ends. */
  readonly life: string | null;
}

/** "This epoch's barrier is held by a write quorum of its configuration." */
export interface Activate {
  readonly type: "activate";
  readonly activated: Proposed;
}

/** A replica outside the activated configuration has understood that it is one. */
export interface RetireOk {
  readonly type: "retireOk";
  readonly epoch: Epoch;
}

export interface Who {
  readonly type: "who";
}

export interface WhoOk {
  readonly type: "whoOk";
  readonly promise: Epoch;
  /** The replica that it takes for the writer, or for the one about to become it. */
  readonly primary: ReplicaId | null;
  readonly activated: Proposed | null;
  readonly last: Position;
}

/** A replica that is no member asks the writer to feed it. */
export interface Join {
  readonly type: "join";
}

export interface ReadIndex {
  readonly type: "readIndex";
  readonly id: number;
  /** The asker's promise: it counts as a vote for this epoch. */
  readonly epoch: Epoch;
}

export interface ReadIndexOk {
  readonly type: "readIndexOk";
  readonly id: number;
  readonly seq: number;
}

export interface ReadIndexNo {
  readonly type: "readIndexNo";
  readonly id: number;
}

/** The writer hands its role over: the receiver may claim without asking first. */
export interface HandOver {
  readonly type: "handOver";
  readonly epoch: Epoch;
}

export type Message =
  | Preseal
  | PresealOk
  | PresealNo
  | Seal
  | SealOk
  | SealNo
  | Fetch
  | Entries
  | Append
  | Heartbeat
  | Ack
  | Nack
  | Activate
  | RetireOk
  | Who
  | WhoOk
  | Join
  | ReadIndex
  | ReadIndexOk
  | ReadIndexNo
  | HandOver;
