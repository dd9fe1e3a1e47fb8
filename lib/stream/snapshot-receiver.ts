/** The receiving side of transfers (skeleton; the body follows). */
import type { StreamDefinition } from "./definition.ts";
import type { Position } from "./entry.ts";
import type { ReplicaId } from "./replica-id.ts";
import type { ReplicatedState } from "./replicated-state.ts";
import type { ReceiverMessage } from "./snapshot-messages.ts";
import type { StateLimits, TransferLimits } from "./state-limits.ts";

/** What a step of the receiver asks for. */
export type ReceiverEffect =
  | { readonly type: "send"; readonly to: ReplicaId; readonly message: ReceiverMessage }
  /** A whole and verified snapshot: `state` may take the place of the applied state. */
  | {
      readonly type: "received";
      readonly from: ReplicaId;
      readonly base: Position;
      readonly state: ReplicatedState;
    }
  /** A transfer has ended without a snapshot. */
  | { readonly type: "failed"; readonly from: ReplicaId; readonly reason: string };

/** Takes one transfer at a time and stages it into a state of its own. One for the life of a replica. */
export declare class SnapshotReceiver {
  constructor(
    definition: StreamDefinition<unknown, unknown>,
    stateLimits?: Partial<StateLimits>,
    limits?: Partial<TransferLimits>,
  );
  /** Whose transfer is being taken, or null. */
  get from(): ReplicaId | null;
  /** `message` is as it came: whatever is no message of a source is dropped. */
  receive(from: ReplicaId, message: unknown): ReceiverEffect[];
  tick(): ReceiverEffect[];
  /** Gives up the transfer that is being taken, if any. */
  cancel(reason: string): ReceiverEffect[];
}
