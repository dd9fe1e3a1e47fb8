/**
 * What a chaos run knows of the thing under test: writes, quorum reads, and how the cluster stands.
 *
 * The real one speaks the `wal` protocol over a bare NATS connection (`wal-target.ts`); specs put something
 * simpler, and something broken, in its place.
 */

/** What an operation came to. */
export type Outcome<Value> =
  | { readonly status: "ok"; readonly value: Value }
  /** It certainly did not happen and never will. */
  | { readonly status: "refused"; readonly why: string }
  /** Nobody can tell: it may have happened, or happen still. */
  | { readonly status: "unknown"; readonly why: string };

/** One change of a key; several of one write happen together or not at all. */
export type Change =
  | { readonly op: "put"; readonly key: string; readonly value: string }
  | { readonly op: "delete"; readonly key: string };

/** What a write is answered with: how many of its deletions found something to delete. */
export interface Written {
  readonly deleted: number;
}

export interface Patience {
  /** An attempt without an answer is given up after this, and repeated under the same identity. */
  readonly attemptMs: number;
  /** After this the outcome is unknown. */
  readonly deadlineMs: number;
}

/** One client's way to the data. */
export interface Target {
  /** `requestId`: the write's identity over all its attempts. */
  write(
    requestId: string,
    partition: number,
    changes: readonly Change[],
    patience: Patience,
  ): Promise<Outcome<Written>>;
  /** The value of a key, linearizable; null when there is none. Refused and unknown both mean: no answer. */
  read(partition: number, key: string, patience: Patience): Promise<Outcome<string | null>>;
  close(): Promise<void>;
}

/** How the cluster stands, for the nemesis. */
export interface ClusterView {
  /** Nodes that are writer of a partition now, as far as can be seen. */
  writers(): Promise<readonly string[]>;
  /** Whether this node answers at all. */
  answers(node: string): Promise<boolean>;
  /**
   * What is lacking to full strength: every partition with an open writer and all its copies there and caught up.
   * Undefined when nothing is.
   */
  lacks(): Promise<string | undefined>;
}
