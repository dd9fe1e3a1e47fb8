/** The sending side of a transfer (skeleton; the body follows). */
import type { Position } from "./entry.ts";
import type { ReplicatedState } from "./replicated-state.ts";
import type { SnapshotCancel, SnapshotChunk, SourceMessage } from "./snapshot-messages.ts";
import type { TransferLimits } from "./state-limits.ts";

export type SourceOutcome =
  | { readonly kind: "sending" }
  /** The receiver has a verified snapshot at `base`. */
  | { readonly kind: "sent"; readonly base: Position }
  | { readonly kind: "failed"; readonly reason: string };

export declare class SnapshotSource {
  /** Begins a snapshot of `state` as it is; entries that `state` applies from now on are heard of by itself. */
  constructor(state: ReplicatedState, transfer: number, limits?: Partial<TransferLimits>);
  get outcome(): SourceOutcome;
  /** Cuts and returns the next chunk, or null while the window is full or nothing is left to cut. One short slice of work. */
  next(): SnapshotChunk | null;
  /** A message as it came; whatever is none of a receiver of this transfer is dropped. After an acknowledgement `next` may have more. */
  receive(message: unknown): void;
  /** A tick: what to send again, or the news that it is given up. */
  tick(): SourceMessage[];
  /** Ends it, unless it has ended; null then. No longer holds on to the state. */
  cancel(reason: string): SnapshotCancel | null;
}
