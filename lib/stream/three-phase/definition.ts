/**
 * Three-phase commit over one stream: wraps what a stream understands, so that an operation can also be
 * prepared, pre-committed and decided, each by an entry of the log.
 *
 * Preparing resolves the operation to changes and locks the keys that it read or changes. All of that is
 * replicated state: it survives the writer, and goes with snapshots. A commit applies exactly the prepared
 * changes. Until then nothing of them is to be seen, and an operation that would change something on the
 * ground of a locked key, or a locked key itself, waits at the writer. Operations that change nothing, and
 * queries, see the state before the transaction.
 *
 * Only one entry decides a transaction: the first abort of one that is not pre-committed, else the first commit
 * or recovery. What comes later is answered with the decision, and what comes for a transaction that the log
 * does not know is refused.
 */
import { SupercastError } from "../../base/errors.ts";
import { invariant } from "../../base/invariant.ts";
import {
  type Change,
  KeyLocked,
  type ReadView,
  type Resolution,
  type StreamDefinition,
} from "../definition.ts";
import { InnerView, isReserved } from "./inner-view.ts";
import {
  isDecided,
  isLocked,
  LedgerChanges,
  readHead,
  readPrepared,
  stateOf,
  undecided,
  viewOf,
} from "./ledger.ts";
import { type ParticipantEventType, type ParticipantState, participantAfter } from "./participant-chart.ts";
import {
  checkTransactionOperation,
  checkTransactionQuery,
  isAboutTransactions,
  type TransactionAnswer,
  type TransactionOperation,
} from "./transaction.ts";

type Inner = StreamDefinition<unknown, unknown>;

/** The bounds of transactions; the same at all replicas of a stream. */
export const DEFAULT_TRANSACTION_LIMITS = {
  /** Transactions that are remembered: the undecided ones, and decisions for whoever comes late. */
  kept: 4_096,
  /** Keys that one transaction may hold; each is a record of the state. */
  locks: 1_024,
} as const satisfies Record<string, number>;

export type TransactionLimits = { readonly [Name in keyof typeof DEFAULT_TRANSACTION_LIMITS]: number };

/**
 * `inner`, and the operations and queries of `transaction.ts`. Throws what `inner` throws; `invalid_message` for
 * a malformed or unknown transaction and for a key that is reserved; `payload_too_large` for one that touches
 * too many keys; `overload` while too many are remembered after an undecided one.
 */
export function withTransactions(inner: Inner, limits: Partial<TransactionLimits> = {}): Inner {
  const bounds = { ...DEFAULT_TRANSACTION_LIMITS, ...limits };
  return {
    resolve: (view, operation, seq) =>
      isAboutTransactions(operation)
        ? resolveTransaction(inner, bounds, view, checkTransactionOperation(operation), seq)
        : resolveInner(inner, view, operation, seq),
    query: (view, query) =>
      isAboutTransactions(query) ? answer(view, query, bounds) : inner.query(innerView(view), query),
    isLocked,
  };
}

function answer(view: ReadView, query: unknown, { kept }: TransactionLimits): unknown {
  const asked = checkTransactionQuery(query);
  return asked.transaction === "get" ? viewOf(view, asked.txnId) : undecided(view, kept);
}

/** Without any record of the ledger the view itself will do. */
function innerView(view: ReadView): ReadView {
  const { records } = readHead(view);
  return records === 0 ? view : new InnerView(view, records);
}

// --- the stream's own operations ------------------------------------------------------------------

function resolveInner(inner: Inner, view: ReadView, operation: unknown, seq?: number): Resolution {
  const head = readHead(view);
  if (head.undecided === 0) {
    const resolution = inner.resolve(innerView(view), operation, seq);
    checkKeys(resolution.changes);
    return resolution;
  }
  const seen = new InnerView(view, head.records);
  const resolution = inner.resolve(seen, operation, seq);
  checkKeys(resolution.changes);
  if (resolution.changes.length > 0) {
    checkLocks(view, touchedBy(seen, resolution.changes));
  }
  return resolution;
}

function touchedBy({ touched }: InnerView, changes: readonly Change[]): ReadonlySet<string> {
  return new Set([...touched, ...changes.map(({ key }) => key)]);
}

function checkKeys(changes: readonly Change[]): void {
  for (const { key } of changes) {
    if (isReserved(key)) {
      throw new SupercastError(
        "invalid_message",
        `key: ${JSON.stringify(key)} begins as keys of transactions do`,
      );
    }
  }
}

function checkLocks(view: ReadView, keys: ReadonlySet<string>): void {
  for (const key of keys) {
    if (isLocked(view, key)) {
      throw new KeyLocked(key);
    }
  }
}

// --- transactions ---------------------------------------------------------------------------------

function resolveTransaction(
  inner: Inner,
  limits: TransactionLimits,
  view: ReadView,
  operation: TransactionOperation,
  seq: number | undefined,
): Resolution {
  invariant(seq !== undefined, "a transaction is resolved for an entry");
  const { txnId } = operation;
  if (operation.transaction === "prepare") {
    return stateOf(view, txnId) === "unknown"
      ? prepare(inner, limits, view, operation, seq)
      : repeated(view, txnId);
  }
  const event = operation.transaction === "decide" ? operation.outcome : operation.transaction;
  const before = stateOf(view, txnId);
  const after = participantAfter(before, event);
  if (after === before || after === "unknown") {
    checkMeaning(txnId, before, event);
    return { answer: presentAnswer(before), changes: [] };
  }
  const ledger = new LedgerChanges(view, limits.kept);
  if (before === "unknown") {
    ledger.begin(txnId, after, seq);
  } else {
    ledger.move(txnId, after);
  }
  const applied = after === "committed" ? (readPrepared(view, txnId)?.changes ?? []) : [];
  const given: TransactionAnswer = { state: after };
  return { answer: given, changes: [...applied, ...ledger.finish()], releases: isDecided(after) };
}

/** An event that says nothing in a state is a defect of whoever sent it, or late. Late is no error. */
function checkMeaning(txnId: string, state: string, event: ParticipantEventType): void {
  if (state === "unknown") {
    throw new SupercastError("invalid_message", `txnId: no transaction ${txnId} is known; nothing was done`);
  }
  if (state === "prepared" && event === "commit") {
    throw new SupercastError("invalid_message", `txnId: ${txnId} is not pre-committed; nothing was done`);
  }
}

function presentAnswer(state: ParticipantState): TransactionAnswer {
  invariant(state !== "unknown", "an answer is given for a transaction that is known");
  return { state };
}

/** A prepare that comes again. */
function repeated(view: ReadView, txnId: string): Resolution {
  const prepared = readPrepared(view, txnId);
  const present = presentAnswer(stateOf(view, txnId));
  return { answer: prepared === null ? present : { ...present, value: prepared.value }, changes: [] };
}

function prepare(
  inner: Inner,
  limits: TransactionLimits,
  view: ReadView,
  { txnId, operation }: Extract<TransactionOperation, { readonly transaction: "prepare" }>,
  seq: number,
): Resolution {
  if (isAboutTransactions(operation)) {
    throw new SupercastError("invalid_message", "operation: a transaction cannot be part of another one");
  }
  const seen = new InnerView(view, readHead(view).records);
  const { answer: value, changes } = inner.resolve(seen, operation, seq);
  checkKeys(changes);
  const keys = touchedBy(seen, changes);
  if (keys.size > limits.locks) {
    throw new SupercastError(
      "payload_too_large",
      `the transaction touches ${keys.size} keys; allowed: ${limits.locks}`,
    );
  }
  checkLocks(view, keys);
  const ledger = new LedgerChanges(view, limits.kept);
  ledger.begin(txnId, "prepared", seq);
  ledger.prepare(txnId, { value, changes, keys: [...keys] });
  const given: TransactionAnswer = { state: "prepared", value };
  return { answer: given, changes: ledger.finish() };
}
