/**
 * What a StreamReplica understands: requests of clients, questions, orders, and what replicas say to each
 * other. Letters and transfer messages are taken from nodes of the cluster only; a foreign client that sends
 * one gets `forbidden`.
 */
import { z } from "zod";
import { defineProtocol, type ProtocolOf } from "../actor/protocol.ts";
import type { Epoch } from "../journal/epoch.ts";
import type { Configuration } from "./configuration.ts";
import { type Letter, PROTOCOL_VERSION } from "./messages.ts";
import type { ReplicaId } from "./replica-id.ts";
import type { Role } from "./role-chart.ts";

/**
 * When the answer to a request leaves: `async` when its entry is appended at the open writer, `sync` when a
 * write quorum holds it in memory, `strong` when it is committed. The stream fixes it; a single request may
 * ask for a later answer, never for an earlier one.
 */
export const STREAM_MODES = ["async", "sync", "strong"] as const;
export type StreamMode = (typeof STREAM_MODES)[number];

/**
 * What a single request may ask for: also `all`, which is answered when its entry is committed and every
 * member of the present configuration holds it, as durably as the stream promises. One member that does not
 * answer holds it up until the configuration changes, or until it is `unknown`.
 */
export const REQUEST_MODES = [...STREAM_MODES, "all"] as const;
export type RequestMode = (typeof REQUEST_MODES)[number];

/**
 * `local`: what this replica has applied. `primary`: the writer's own state, linearizable only while leases
 * are on. `quorum`: linearizable.
 */
export const READ_MODES = ["local", "primary", "quorum"] as const;
export type ReadMode = (typeof READ_MODES)[number];

export const CLIENT_ID_MAX = 128;

/** The name that the replica of a stream has on each node. */
export function streamActorName(stream: string): `stream-${string}` {
  return `stream-${stream}`;
}

// --- requests -----------------------------------------------------------------------------------

/** What became of a request. Only `ok` says that it took effect; `unknown` says that nobody here can tell. */
export type RequestAnswer =
  /** `seq` and `epoch` are those of the entry that carries it: the position for reading one's own write. */
  | { readonly status: "ok"; readonly value: unknown; readonly seq: number; readonly epoch: Epoch }
  /** Not done here: this replica is not the open writer. `primary`: who it takes for it. */
  | { readonly status: "redirect"; readonly primary: ReplicaId | null }
  /** Not done: too much is in flight. */
  | { readonly status: "overload" }
  /** Not done: a transaction held one of its keys for as long as it might wait. */
  | { readonly status: "locked" }
  /**
   * It was appended, and not decided within `majorityTimeoutMs` (the error code `majority_timeout`); or, in
   * mode `all`, not acknowledged by every member.
   */
  | { readonly status: "unknown" }
  /** Its client has said that it needs no answer to this request any more; it is not executed (again). */
  | { readonly status: "belowDone" };

export type ReadAnswer =
  /** `seq`: the position up to which the answer takes everything into account. */
  | { readonly status: "ok"; readonly value: unknown; readonly seq: number }
  | { readonly status: "redirect"; readonly primary: ReplicaId | null }
  /** No majority confirmed it, or the wanted position was not reached in time. */
  | { readonly status: "unavailable" }
  | { readonly status: "overload" };

/** What became of an order to change epoch or members. */
export type OrderAnswer =
  | { readonly status: "ok"; readonly epoch: Epoch }
  /** The claim was given up; nothing has changed. */
  | { readonly status: "failed"; readonly reason: string }
  | { readonly status: "redirect"; readonly primary: ReplicaId | null }
  /** Not decided in time; it may still happen. */
  | { readonly status: "unknown" };

export interface ReplicaStatus {
  readonly stream: string;
  readonly lineage: string;
  readonly self: ReplicaId;
  readonly mode: StreamMode;
  readonly role: Role;
  /** The promised epoch. */
  readonly epoch: Epoch;
  /** The replica that it takes for the writer. */
  readonly primary: ReplicaId | null;
  /** The newest activated configuration known here, with its epoch; null while none is. */
  readonly activated: { readonly epoch: Epoch; readonly configuration: Configuration } | null;
  readonly members: readonly ReplicaId[];
  readonly lastSeq: number;
  readonly commitSeq: number;
  readonly appliedSeq: number;
  readonly durableSeq: number;
  readonly tailCertain: boolean;
  /** Of the applied state: equal at equal `appliedSeq`. */
  readonly stateHash: string;
  /** At the open writer: who is fed without being a member, and who of them holds all that is committed. */
  readonly learners: readonly { readonly replica: ReplicaId; readonly caughtUp: boolean }[];
  /** Own batches whose fate is not known yet. */
  readonly undecided: number;
  /** Since this home was opened: own batches that were superseded, and answered requests among them. */
  readonly lost: { readonly batches: number; readonly answered: number };
}

// --- the table ----------------------------------------------------------------------------------

const seqField = z.int().min(0);
const replicaField = z.string().min(3).max(200);
const membersField = z.array(replicaField).min(1).max(31);

const configurationField = z.strictObject({
  members: membersField,
  writeQuorum: z.int().min(1),
  sealQuorum: z.int().min(1),
});

const orderReply = z.custom<OrderAnswer>();

export const streamProtocol = defineProtocol({
  request: {
    call: z.strictObject({
      clientId: z.string().min(1).max(CLIENT_ID_MAX),
      requestSeq: z.int().min(1),
      doneBelow: seqField,
      operation: z.unknown(),
      mode: z.enum(REQUEST_MODES).optional(),
      lockWaitMs: z.number().min(0).optional(),
    }),
    reply: z.custom<RequestAnswer>(),
    help: "an operation for the log; repeated with the same clientId and requestSeq it takes effect once",
  },
  read: {
    call: z.strictObject({
      query: z.unknown(),
      mode: z.enum(READ_MODES),
      minSeq: seqField.optional(),
    }),
    reply: z.custom<ReadAnswer>(),
    help: "a question to the state; minSeq waits until this position is applied",
  },
  status: {
    call: z.strictObject({}),
    reply: z.custom<ReplicaStatus>(),
    help: "role, epoch, members and positions of this replica",
  },
  reconfigure: {
    call: z.strictObject({ configuration: configurationField.optional(), members: membersField.optional() }),
    reply: orderReply,
    help: "new members, this replica among them, by one epoch change; members alone means majorities",
    from: "node",
  },
  claim: {
    call: z.strictObject({ force: z.boolean().optional() }),
    reply: orderReply,
    help: "this replica asks for the writer's role; force: without asking whether others still hear a writer",
    from: "node",
  },
  handOver: {
    call: z.strictObject({ to: replicaField }),
    reply: orderReply,
    help: "the writer lets another member take over",
    from: "node",
  },
  letter: {
    cast: z.strictObject({ letter: z.custom<Letter>(isLetter) }),
    help: "a message of another replica of this stream",
    from: "node",
  },
  snapshot: {
    cast: z.strictObject({ parcel: z.custom<Parcel>(isParcel) }),
    help: "a message of a transfer between two replicas of this stream",
    from: "node",
  },
});

export type StreamProtocol = ProtocolOf<typeof streamProtocol>;

// --- between replicas ---------------------------------------------------------------------------

/** A transfer message on its way; the same rules hold as for letters. */
export interface Parcel {
  readonly v: typeof PROTOCOL_VERSION;
  readonly stream: string;
  readonly lineage: string;
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  /** A message of the transfer; whoever takes it checks its fields. */
  readonly message: { readonly type: string };
}

/** Whether `value` has a letter's envelope; a node may be of another version. */
export function isLetter(value: unknown): value is Letter {
  return isAddressed(value) && Array.isArray(value.to) && value.to.every((to) => typeof to === "string");
}

export function isParcel(value: unknown): value is Parcel {
  return isAddressed(value) && typeof value.to === "string";
}

function isAddressed(value: unknown): value is { readonly to: unknown } {
  return (
    isRecord(value) &&
    value["v"] === PROTOCOL_VERSION &&
    typeof value["stream"] === "string" &&
    typeof value["lineage"] === "string" &&
    typeof value["from"] === "string" &&
    isRecord(value["message"]) &&
    typeof value["message"]["type"] === "string"
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
