/**
 * What a kind of stream understands, and what the requests and answers of its replicated state look like.
 *
 * A definition is pure: the same view and the same operation give the same changes and the same answer. It
 * runs at the writer only; what travels and what every replica applies are the changes.
 */
import { SupercastError } from "../base/errors.ts";
import type { Epoch } from "../journal/epoch.ts";

/** A state to look at. The values belong to the state: who changes one breaks the replica. */
export interface ReadView {
  /** The value at `key`, undefined when there is none. */
  get(key: string): unknown;
  /** How many keys have a value. */
  count(): number;
  /**
   * The keys that have a value, each once, in the order of UTF-16 code units (JavaScript's `<`): all, or those
   * behind `after`, which need not be one of them. The same on every replica with the same state. For use at
   * once: it ends with an InvariantError when the state changes under it.
   */
  keys(after?: string | null): IterableIterator<string>;
}

/** What an operation does to one key. A key is a well-formed string of any length from 0. */
export type Change =
  | { readonly key: string; readonly value: unknown }
  | { readonly key: string; readonly deleted: true };

export interface Resolution {
  readonly answer: unknown;
  /** In order; when a key stands here twice, the later change counts. */
  readonly changes: readonly Change[];
  /** Keys that were locked are free behind this operation: who waits for them comes before what follows. */
  readonly releases?: boolean;
}

/** The operation may not go on now: another one holds `key`. Nothing has happened. */
export class KeyLocked extends SupercastError {
  readonly key: string;

  constructor(key: string) {
    super("locked", `a transaction holds ${JSON.stringify(key)}; nothing was done`);
    this.key = key;
  }
}

/**
 * Operations and queries come from callers: a definition checks them, and throws a `SupercastError` for
 * one that it refuses. Then nothing has happened.
 */
export interface StreamDefinition<Operation, Query = Operation> {
  /**
   * Turns an operation into changes and an answer, on committed state plus the writer's own entries in flight.
   * `seq`: of the entry that will carry it. Throws `KeyLocked` for one that has to wait for a key.
   */
  resolve(view: ReadView, operation: Operation, seq?: number): Resolution;
  /** Answers a query from applied state; changes nothing. */
  query(view: ReadView, query: Query): unknown;
  /** Whether an operation that touches `key` has to wait; for definitions that throw `KeyLocked`. */
  isLocked?(view: ReadView, key: string): boolean;
}

/** What makes a request of a client the same request when it comes again. */
export interface RequestId {
  readonly clientId: string;
  /** Counts from 1 up. */
  readonly requestSeq: number;
}

export interface StreamRequest extends RequestId {
  /** The client needs no answer to any request below this any more; at most `requestSeq`. */
  readonly doneBelow: number;
  readonly operation: unknown;
}

/** What became of one request of a batch. Only with `new` it is part of the batch. */
export type RequestOutcome =
  /** The entry of this batch carries it. `answer` as it will come back, through the codec. */
  | { readonly kind: "new"; readonly answer: unknown }
  /** Repeated: the entry at `seq`, not yet applied, carries it (it may be that of this batch). */
  | { readonly kind: "inFlight"; readonly seq: number; readonly answer: unknown }
  /** Repeated: the applied entry at `seq` carried it. */
  | { readonly kind: "applied"; readonly seq: number; readonly epoch: Epoch; readonly answer: unknown }
  /** Its client has said that it needs no answer any more. */
  | { readonly kind: "belowDone" }
  /** It cannot be taken, now (`overload`) or ever; nothing has happened. */
  | { readonly kind: "refused"; readonly error: SupercastError }
  /** No room in this entry; it goes, with all after it in their order, into the next one. */
  | { readonly kind: "deferred" };

/** What a batch of requests becomes. */
export interface ResolvedBatch {
  /** The payload of the entry; null when no request is new and no entry is needed. */
  readonly payload: Uint8Array | null;
  /** As many as requests, in their order. */
  readonly outcomes: readonly RequestOutcome[];
}

/** An answer that an applied entry brings. */
export interface AppliedAnswer extends RequestId {
  /**
   * `executed`: it took effect by this entry. `repeated`: an earlier entry carried it; this one changed
   * nothing. `belowDone`: no longer known; this entry changed nothing.
   */
  readonly kind: "executed" | "repeated" | "belowDone";
  /** Undefined with `belowDone`. */
  readonly answer: unknown;
}

/** The stored answer of an applied request. */
export interface StoredAnswer {
  /** The entry that carried it, and its epoch. */
  readonly seq: number;
  readonly epoch: Epoch;
  readonly answer: unknown;
}
