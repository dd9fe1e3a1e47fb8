/**
 * What a replica of a stream is made of: its settings, its state, what can happen to it and what it asks
 * for. `step` (step.ts) turns one state and one event into the next state and effects; nothing here opens
 * a socket, reads a clock or draws a number.
 */
import type { Epoch } from "../journal/epoch.ts";
import type { Configuration, Proposed } from "./configuration.ts";
import type { Entry, Position } from "./entry.ts";
import type { Log } from "./log.ts";
import type { Message } from "./messages.ts";
import type { ReplicaId } from "./replica-id.ts";
import type { Role } from "./role-chart.ts";

/** Fixed for the life of a replica. A tick is `heartbeatMs`; times in ticks do not run while the process is stalled. */
export interface StreamSettings {
  readonly durability: "memory" | "disk";
  /** Silence of the primary after which a member may ask for a new epoch; each time one of [n, 2n) is drawn. */
  readonly failureTicks: number;
  /** A writer that hears no write quorum for so long gives up its epoch. */
  readonly stepDownTicks: number;
  /** A claim that takes longer is given up, and so is a round of questions before it. */
  readonly claimTicks: number;
  /** Between two sendings of the same question. */
  readonly retryTicks: number;
  /** Entries appended and not yet committed, above which the writer takes no more. */
  readonly pendingMax: number;
  /** Entries sent to one member and not yet acknowledged by it. */
  readonly windowEntries: number;
  readonly appendEntries: number;
  readonly appendBytes: number;
  /** Committed entries kept for those who lag; who lacks older ones gets a snapshot. */
  readonly keptEntries: number;
  /** Learners that a writer brings up at a time; those that have caught up do not count. */
  readonly learnersMax: number;
  /** Disk mode: acknowledge entries also when they are held in memory, for `sync` answers. */
  readonly acknowledgeHeld: boolean;
  /** Read leases, off at 0. */
  readonly leaseMs: number;
  /** How far clocks may run apart, as a share: 0.25 is a quarter. */
  readonly clockDrift: number;
}

/** What a replica must never forget, durably in disk mode. */
export interface HardState {
  readonly promise: Epoch;
  readonly activated: Proposed | null;
  /** Configurations it was sealed for, with epochs above the activated one. */
  readonly successors: readonly Proposed[];
}

/** The question before a claim. */
export interface PresealRound {
  readonly epoch: Epoch;
  readonly configuration: Configuration;
  readonly force: boolean;
  readonly yes: readonly ReplicaId[];
  readonly ticks: number;
}

/** What one sealed replica answered. */
export interface Sealed {
  readonly last: Position;
  readonly tailCertain: boolean;
}

/** A claim on its way: sealing, then adopting. */
export interface Claim {
  readonly epoch: Epoch;
  readonly configuration: Configuration;
  /** The newest activated configuration known when the claim began. */
  readonly base: Proposed;
  /** Above the base: every configuration that any answer has named. Each needs its seal quorum. */
  readonly chain: readonly Proposed[];
  readonly sealed: ReadonlyMap<ReplicaId, Sealed>;
  /** False until the own promise is durable; nobody is asked before. */
  readonly asking: boolean;
  /** Whose log is adopted, once the seal is complete; the own id when it is the own log. */
  readonly source: ReplicaId | null;
  readonly target: Position | null;
  /** Up to here the own log equals the source's; null before its first answer. */
  readonly matched: Position | null;
  readonly ticks: number;
}

/** What the owner of an epoch knows of one receiver of its log. */
export interface Progress {
  readonly member: boolean;
  /** Known durable there. */
  readonly matchSeq: number;
  /** Known held there in memory. */
  readonly heldSeq: number;
  /** The next to send. */
  readonly nextSeq: number;
  /** "probe" after a refusal: one message at a time until one is taken. */
  readonly mode: "stream" | "probe" | "snapshot";
  /** Ticks since it was last heard. */
  readonly silentTicks: number;
  readonly round: number;
  /** The owner's clock at the sending of the newest message it has answered. */
  readonly echoedAt: number;
  readonly activated: Epoch;
  /** In probe mode: nothing more is sent until the next tick or answer. */
  readonly probing: boolean;
  /** A learner that has once held everything committed. */
  readonly caughtUp: boolean;
}

/** A read that waits at the writer. */
export interface PendingRead {
  readonly id: number;
  /** Who asked: its promise counts as one vote. */
  readonly asker: ReplicaId;
  readonly round: number;
  /** Everything appended when it arrived. */
  readonly seq: number;
  readonly ticks: number;
}

/** The owner of an epoch, from the barrier on. */
export interface Writer {
  readonly epoch: Epoch;
  readonly configuration: Configuration;
  readonly barrierSeq: number;
  readonly progress: ReadonlyMap<ReplicaId, Progress>;
  readonly round: number;
  readonly reads: readonly PendingRead[];
  /** Held in memory by a write quorum. */
  readonly heldSeq: number;
  /** Members of older configurations that have not yet understood that they are no longer. */
  readonly retiring: readonly ReplicaId[];
  /** The commit position that the last message to all has carried. */
  readonly toldCommitSeq: number;
  readonly ticks: number;
}

/** A store that has been asked for and is not yet done. */
export interface PendingStore {
  readonly mark: number;
  /** The end of the log that it makes durable. */
  readonly lastSeq: number;
}

export interface ReplicaState {
  readonly self: ReplicaId;
  /** What stands for `self` in epochs. */
  readonly owner: string;
  readonly settings: StreamSettings;
  readonly role: Role;
  readonly hard: HardState;
  /** The owner of the promised epoch, as far as known. */
  readonly primary: ReplicaId | null;
  readonly log: Log;
  readonly commitSeq: number;
  /** The log equals that of the owner of the promised epoch up to here. */
  readonly matchSeq: number;
  /** The log is durable up to here. In memory mode always its end. */
  readonly durableSeq: number;
  /** False while the log may have lost an acknowledged end. */
  readonly tailCertain: boolean;
  /** Of this life of the replica alone: tells an answer to it from what was said before a restart. */
  readonly life: string;
  /** An uncertain log is good once it equals the owner's up to here: where that ended when this life asked. */
  readonly certainFrom: number | null;
  /** Marks number the stores. */
  readonly mark: number;
  readonly storedMark: number;
  readonly stores: readonly PendingStore[];
  /** The store that makes the promise durable; nothing is acknowledged under it before. */
  readonly promiseMark: number;
  /** Answers that leave when their store is done. */
  readonly held: readonly HeldMessage[];
  /** Ticks since the primary was last heard. */
  readonly silentTicks: number;
  /** What the last message of the promised epoch's owner asked to have repeated; null before its first. */
  readonly heard: { readonly round: number; readonly sentAt: number } | null;
  /** Silence after which this replica asks for a new epoch; 0 until one is drawn. */
  readonly patienceTicks: number;
  /** Whether the node floor has reported the primary's incarnation down, or there never was a primary. */
  readonly primaryDown: boolean;
  readonly preseal: PresealRound | null;
  readonly claim: Claim | null;
  readonly writer: Writer | null;
  /** Reads asked of the writer by this replica: id and ticks waited. */
  readonly askedReads: readonly { readonly id: number; readonly ticks: number }[];
  /** A lease granted to the primary runs until this time of the own clock. */
  readonly leaseUntilMs: number;
  /** The highest epoch counter seen anywhere; the next claim goes above it. */
  readonly seenCounter: number;
}

export interface HeldMessage {
  readonly mark: number;
  readonly to: ReplicaId;
  readonly message: Message;
}

export type StreamEvent =
  | { readonly type: "message"; readonly from: ReplicaId; readonly message: Message }
  /** `draw`: a random number in [0, 1). */
  | { readonly type: "tick"; readonly draw: number }
  /** Appends at the open writer; refused silently in any other role, so ask `canPropose` first. */
  | { readonly type: "propose"; readonly payloads: readonly Uint8Array[] }
  /** `force`: whether or not others still hear the primary. Without a configuration: the present one. */
  | { readonly type: "claim"; readonly configuration: Configuration | null; readonly force: boolean }
  | { readonly type: "handOver"; readonly to: ReplicaId }
  | { readonly type: "stored"; readonly mark: number }
  | { readonly type: "storeFailed" }
  /** The node floor reports a node's incarnation as gone, or as seen again. */
  | { readonly type: "replicaDown"; readonly replica: ReplicaId }
  | { readonly type: "replicaUp"; readonly replica: ReplicaId }
  /** A linearizable read; answered by `readReady` or `readRefused` with the same id. */
  | { readonly type: "read"; readonly id: number }
  /** A complete and verified snapshot of committed state at `base` is at hand. */
  | { readonly type: "snapshotReceived"; readonly base: Position }
  /** A transfer that `sendSnapshot` began has ended; `seq` is what the receiver now has, null when it failed. */
  | { readonly type: "snapshotSent"; readonly to: ReplicaId; readonly seq: number | null }
  /** The reply to `nudge`. */
  | { readonly type: "nudged" }
  /** A learner asks to be fed; sent by the replica itself to `to`. */
  | { readonly type: "join"; readonly to: ReplicaId };

export type StreamEffect =
  | { readonly type: "send"; readonly to: readonly ReplicaId[]; readonly message: Message }
  /** Disk mode: write all of this, in this order, then report `stored` with the mark. */
  | {
      readonly type: "store";
      readonly mark: number;
      /** Replace the log and state by a snapshot at this position. */
      readonly reset: Position | null;
      readonly truncateAfter: number | null;
      readonly entries: readonly Entry[];
      readonly hard: HardState | null;
    }
  /** Entries up to `seq` are committed: apply them in order. They are at hand as `log.slice`. */
  | { readonly type: "commit"; readonly seq: number }
  /** `heldSeq` of a write quorum has risen: the answer of `sync` mode. */
  | { readonly type: "heldByQuorum"; readonly seq: number }
  /** Entries above `seq` are no longer in the log. */
  | { readonly type: "truncated"; readonly seq: number }
  /** Put the snapshot at `base` in place of the applied state; after that everything up to it is applied. */
  | { readonly type: "install"; readonly base: Position }
  | {
      readonly type: "opened";
      readonly epoch: Epoch;
      readonly configuration: Configuration;
      readonly proof: OpenProof;
    }
  /** The own epoch has ended; uncommitted effects of it are no longer to be seen. */
  | { readonly type: "closed"; readonly epoch: Epoch }
  | { readonly type: "role"; readonly role: Role; readonly previous: Role }
  /** Begin to send a snapshot of the applied state; report `snapshotSent`. */
  | { readonly type: "sendSnapshot"; readonly to: ReplicaId }
  /** A claim was given up before it opened. */
  | { readonly type: "claimFailed"; readonly epoch: Epoch; readonly reason: string }
  | { readonly type: "readReady"; readonly id: number; readonly seq: number }
  | { readonly type: "readRefused"; readonly id: number }
  /** Send `nudged` within `commitDelayMs`, once, however often this is asked in between. */
  | { readonly type: "nudge" }
  /** A learner holds everything up to the writer's end. */
  | { readonly type: "caughtUp"; readonly replica: ReplicaId }
  /** Disk mode: the journal's uncertain tail has been made good. */
  | { readonly type: "confirmTail" };

/** Why an epoch was allowed to open: who was sealed for the base and each successor, who holds the barrier. */
export interface OpenProof {
  readonly base: Proposed;
  readonly chain: readonly Proposed[];
  readonly sealed: readonly ReplicaId[];
  readonly barrierSeq: number;
  readonly barrierHeldBy: readonly ReplicaId[];
}

export interface Stepped {
  readonly state: ReplicaState;
  readonly effects: readonly StreamEffect[];
}
