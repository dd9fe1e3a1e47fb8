/**
 * The replicated state of a stream: its table, and the answers of its clients' requests.
 *
 * Every replica applies the same entries in the same order and has the same state after it; equal
 * `stateHash` at equal `appliedSeq` says so. At the open writer, effects of entries that are not yet applied
 * lie above it in an overlay, so that what is resolved next counts them in.
 */
import type {
  AppliedAnswer,
  ResolvedBatch,
  StoredAnswer,
  StreamDefinition,
  StreamRequest,
} from "./definition.ts";
import type { Entry, Position } from "./entry.ts";
import type { StateLimits } from "./state-limits.ts";

export declare class ReplicatedState {
  constructor(definition: StreamDefinition<unknown, unknown>, limits?: Partial<StateLimits>);
  /** The last applied entry; ORIGIN before the first. */
  get position(): Position;
  get appliedSeq(): number;
  get records(): number;
  get clients(): number;
  /** Sixteen hexadecimal digits over all records and the client table, independent of their order. */
  stateHash(): string;
  /**
   * Applies the committed entry after `position`. The answers are those of the requests in it, in order; none
   * for a barrier. An entry of the overlay leaves it. Throws `invalid_message` for a payload that is none,
   * before anything has changed.
   */
  apply(entry: Entry): AppliedAnswer[];
  /**
   * At the open writer: resolves requests in order for the entry that will stand at `seq`, which is the one
   * after the last applied or last resolved one. With a payload, its effects are in the overlay from now on.
   */
  resolve(seq: number, requests: readonly StreamRequest[]): ResolvedBatch;
  /**
   * At the open writer: the payload of the entry at `seq` that forgets those of `clientIds` that have no
   * request after entry `idleSinceSeq`. Only the writer's clock knows when that is long enough: longer than
   * any client goes on repeating a request.
   */
  expire(seq: number, clientIds: readonly string[], idleSinceSeq: number): Uint8Array;
  /** Up to `max` clients without a request after entry `idleSinceSeq`, the longest idle first. */
  idleClients(idleSinceSeq: number, max: number): string[];
  /** Uncommitted effects are no longer to be seen: the own epoch has ended. */
  dropOverlay(): void;
  /** `uncommitted`: with the overlay. Throws what the definition throws. */
  query(query: unknown, uncommitted: boolean): unknown;
  /** From applied state only. */
  answered(clientId: string, requestSeq: number): StoredAnswer | "belowDone" | null;
}
