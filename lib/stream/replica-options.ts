/** What a replica of a stream is started with. */
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { NodeEvent } from "../node/node-floor.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Beat } from "./beat.ts";
import type { Configuration } from "./configuration.ts";
import type { StreamDefinition } from "./definition.ts";
import type { Letter } from "./messages.ts";
import type { ReplicaState, StreamEffect, StreamEvent } from "./replica-state.ts";
import type { StreamMode } from "./requests.ts";
import type { ReplicaSettings } from "./settings.ts";
import type { StateLimits, TransferLimits } from "./state-limits.ts";
import type { StreamStorage } from "./storage.ts";

/**
 * Places in the shell where a test may throw; each stands before what it names. A throw crashes the actor, in
 * storage (`store:`) it fails the storage for good.
 */
export const FAULT_POINTS = [
  "effect:send",
  "effect:store",
  "effect:commit",
  "effect:heldByQuorum",
  "effect:truncated",
  "effect:install",
  "effect:opened",
  "effect:closed",
  "effect:role",
  "effect:sendSnapshot",
  "effect:claimFailed",
  "effect:readReady",
  "effect:readRefused",
  "effect:nudge",
  "effect:caughtUp",
  "effect:confirmTail",
  /** The pure step has been taken, none of its effects performed. */
  "stepped",
  /** An effect has been performed, and will be once more by whoever comes after a crash here. */
  "performed",
  /** Storage has news, and nobody has looked at them. */
  "storageNews",
  /** A batch is resolved and not yet proposed. */
  "resolved",
  /** An answer is about to leave. */
  "answer",
  /** Storage: before each of the writes that a store consists of, and before it is reported as done. */
  "store:hard",
  "store:reset",
  "store:truncate",
  "store:entries",
  "store:done",
] as const;

export type FaultPoint = (typeof FAULT_POINTS)[number];

export interface ReplicaOptions {
  readonly stream: string;
  /** The life of the data set: a stream begun anew under an old name has another. */
  readonly lineage: string;
  /** What the stream holds. */
  readonly definition: StreamDefinition<unknown, unknown>;
  readonly mode: StreamMode;
  /**
   * Of this copy, never used before: with `node` it makes the replica's id. A copy whose storage can vouch for
   * all that it ever acknowledged goes on under the incarnation stored there instead.
   */
  readonly incarnation: string;
  /** For a replica that must become another one within this process; younger than all before. Default: drawn. */
  readonly nextIncarnation?: () => string;
  /** The stream's first configuration, at every replica that is there from its beginning; else null. */
  readonly genesis: Configuration | null;
  /** Nodes on which replicas of this stream may live: whom an empty replica asks for the writer. May be a getter. */
  readonly nodes: readonly string[];
  /** Whether a replica that is no member any more should go on to follow the stream. Without it: no. */
  readonly isWanted?: () => boolean;
  /** Null: in memory only. */
  readonly storage: StreamStorage | null;
  readonly settings?: Partial<ReplicaSettings>;
  /** Bounds of the replicated state and of its transfers, where the defaults do not fit what carries them. */
  readonly stateLimits?: Partial<StateLimits>;
  readonly transferLimits?: Partial<TransferLimits>;
  /**
   * Sends a letter to all replicas at once, which saves packing it for each. It may be lost like any other;
   * false: it did not leave. Absent: each is sent its own.
   */
  readonly fanOut?: (letter: Letter) => boolean;
  /** What all replicas of a process tick by, every `heartbeatMs`; without, this one has a timer of its own. */
  readonly beat?: Beat;
  /** Called when entries have been applied, or a snapshot has taken the state's place. It must not throw. */
  readonly applied?: () => void;
  /** Called when the role has changed, or a learner has caught up. It must not throw. */
  readonly changed?: () => void;
  /** Sees every step of the pure replica. */
  readonly probe?: StreamProbe;
  /** Called at each fault point. For tests. */
  readonly faultPoint?: (point: FaultPoint) => void;
}

export type StreamProbe = (
  before: ReplicaState,
  event: StreamEvent,
  after: ReplicaState,
  effects: readonly StreamEffect[],
) => void;

/** What a replica needs of its node; an ActorSystem has all of it. */
export interface ReplicaPorts {
  readonly node: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Registers for the node floor's events; returns what ends it. */
export type WatchNodes = (listener: (event: NodeEvent) => void) => () => void;
