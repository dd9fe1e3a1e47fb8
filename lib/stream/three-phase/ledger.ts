/**
 * The records of transactions in a stream's state, under keys that no operation of the stream itself can have:
 * which transactions there are, what the prepared ones will change, which keys are locked.
 *
 * Transactions are numbered as they come. The last `kept` numbers are remembered, so that whatever comes late
 * for a decided transaction is answered with the decision.
 */
import { SupercastError } from "../../base/errors.ts";
import { invariant } from "../../base/invariant.ts";
import type { Change, ReadView } from "../definition.ts";
import { isParticipantState, type ParticipantState } from "./participant-chart.ts";
import type { TransactionState, TransactionView } from "./transaction.ts";

/** Keys that begin with this are the ledger's. */
export const RESERVED = "\u0000txn/";
/** Behind all of the ledger's keys, and before or at none of anybody else's. */
export const RESERVED_END = `${RESERVED}\uffff`;
const HEAD = `${RESERVED}head`;

const slotKey = (slot: number): string => `${RESERVED}n/${slot}`;
const txnKey = (txnId: string): string => `${RESERVED}t/${txnId}`;
const preparedKey = (txnId: string): string => `${RESERVED}p/${txnId}`;
const lockKey = (key: string): string => `${RESERVED}l/${key}`;

export interface LedgerHead {
  /** The number of the next transaction. */
  readonly next: number;
  readonly undecided: number;
  /** Records of the ledger in the state. */
  readonly records: number;
}

/** What a prepared transaction will do. */
export interface Prepared {
  readonly value: unknown;
  readonly changes: readonly Change[];
  /** All that it holds. */
  readonly keys: readonly string[];
}

interface Known {
  readonly state: TransactionState;
  readonly number: number;
  readonly seq: number;
}

// --- reading --------------------------------------------------------------------------------------

export function readHead(view: ReadView): LedgerHead {
  const head = view.get(HEAD);
  if (!Array.isArray(head)) {
    return { next: 0, undecided: 0, records: 0 };
  }
  return { next: Number(head[0]), undecided: Number(head[1]), records: Number(head[2]) };
}

export function isLocked(view: ReadView, key: string): boolean {
  return view.get(lockKey(key)) !== undefined;
}

export function stateOf(view: ReadView, txnId: string): ParticipantState {
  return readKnown(view, txnId)?.state ?? "unknown";
}

/** What a transaction that is not decided will do; null for any other. */
export function readPrepared(view: ReadView, txnId: string): Prepared | null {
  const prepared = view.get(preparedKey(txnId));
  if (!Array.isArray(prepared)) {
    return null;
  }
  const [value, changes, keys]: unknown[] = prepared;
  invariant(Array.isArray(changes) && Array.isArray(keys), "a prepared transaction has changes and keys");
  return { value, changes: changes.map(changeOf), keys: keys.map(String) };
}

export function viewOf(view: ReadView, txnId: string): TransactionView | null {
  const known = readKnown(view, txnId);
  if (known === null) {
    return null;
  }
  return { txnId, state: known.state, seq: known.seq, keys: readPrepared(view, txnId)?.keys ?? [] };
}

/** In the order in which they were prepared. Costs at most `kept` look-ups. */
export function undecided(view: ReadView, kept: number): TransactionView[] {
  const { next, undecided: count } = readHead(view);
  const found: TransactionView[] = [];
  for (let number = next - 1; number >= Math.max(0, next - kept) && found.length < count; number--) {
    const txnId = String(view.get(slotKey(number % kept)));
    const transaction = viewOf(view, txnId);
    if (transaction !== null && !isDecided(transaction.state)) {
      found.push(transaction);
    }
  }
  return found.reverse();
}

export function isDecided(state: ParticipantState): boolean {
  return state === "committed" || state === "aborted";
}

function readKnown(view: ReadView, txnId: string): Known | null {
  const record = view.get(txnKey(txnId));
  if (!Array.isArray(record)) {
    return null;
  }
  const [state, number, seq]: unknown[] = record;
  invariant(isParticipantState(state) && state !== "unknown", "a transaction's record has its state");
  return { state, number: Number(number), seq: Number(seq) };
}

function changeOf(packed: unknown): Change {
  invariant(Array.isArray(packed), "a prepared change has a key");
  const key = String(packed[0]);
  return packed.length === 1 ? { key, deleted: true } : { key, value: packed[1] };
}

// --- writing --------------------------------------------------------------------------------------

/** The changes that one operation makes to the ledger. */
export class LedgerChanges {
  readonly #view: ReadView;
  readonly #kept: number;
  readonly #changes: Change[] = [];
  #head: LedgerHead;

  constructor(view: ReadView, kept: number) {
    this.#view = view;
    this.#kept = kept;
    this.#head = readHead(view);
  }

  /** A transaction that the log has not known so far. Throws `overload` when the oldest is not decided. */
  begin(txnId: string, state: TransactionState, seq: number): void {
    const number = this.#head.next;
    const slot = slotKey(number % this.#kept);
    const oldest = this.#view.get(slot);
    if (oldest !== undefined) {
      this.#forget(String(oldest));
    }
    this.#put(slot, txnId);
    this.#put(txnKey(txnId), [state, number, seq]);
    const { undecided: count } = this.#head;
    this.#head = { ...this.#head, next: number + 1, undecided: count + (isDecided(state) ? 0 : 1) };
  }

  /** Keeps what a transaction will do, and locks its keys. */
  prepare(txnId: string, { value, changes, keys }: Prepared): void {
    const packed = changes.map((change) => ("deleted" in change ? [change.key] : [change.key, change.value]));
    this.#put(preparedKey(txnId), [value, packed, keys]);
    for (const key of keys) {
      this.#put(lockKey(key), txnId);
    }
  }

  /** A transaction that the log knows goes on; a decided one holds nothing any more. */
  move(txnId: string, state: TransactionState): void {
    const known = readKnown(this.#view, txnId);
    invariant(known !== null && !isDecided(known.state), "a decision stays");
    this.#put(txnKey(txnId), [state, known.number, known.seq]);
    if (!isDecided(state)) {
      return;
    }
    for (const key of readPrepared(this.#view, txnId)?.keys ?? []) {
      this.#delete(lockKey(key));
    }
    this.#delete(preparedKey(txnId));
    this.#head = { ...this.#head, undecided: this.#head.undecided - 1 };
  }

  /** All of them; after this nothing is to be added. */
  finish(): readonly Change[] {
    this.#count(HEAD, 1);
    const { next, undecided: count, records } = this.#head;
    this.#changes.push({ key: HEAD, value: [next, count, records] });
    return this.#changes;
  }

  #forget(txnId: string): void {
    const known = readKnown(this.#view, txnId);
    if (known !== null && !isDecided(known.state)) {
      throw new SupercastError(
        "overload",
        `transaction ${txnId} is undecided, and ${this.#kept} have come since; nothing was done`,
      );
    }
    this.#delete(txnKey(txnId));
  }

  #put(key: string, value: unknown): void {
    this.#count(key, 1);
    this.#changes.push({ key, value });
  }

  #delete(key: string): void {
    this.#count(key, 0);
    this.#changes.push({ key, deleted: true });
  }

  /** No key is changed twice by one operation, so the view tells whether it was there. */
  #count(key: string, after: 0 | 1): void {
    const before = this.#view.get(key) === undefined ? 0 : 1;
    this.#head = { ...this.#head, records: this.#head.records + after - before };
  }
}
