/**
 * A partition of the store as a stream: what its operations change and what its queries answer.
 *
 * The stream holds each record under the canonical key of the record's key, so a stream's order of keys is the
 * order of terms. Operations are resolved at the writer, patterns and all, to what becomes of single keys.
 */
import { SupercastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import type { Matcher } from "../base/pattern.ts";
import { termKey } from "../base/term-key.ts";
import type { Change, ReadView, Resolution, StreamDefinition } from "../stream/definition.ts";
import { countOver, keysOver } from "../stream/layer.ts";
import { encodeInto } from "../wire/codec.ts";
import {
  type CheckedDeletion,
  type CheckedOp,
  checkOperation,
  checkQuery,
  type PieceQuery,
  type StoreAnswer,
  type StorePiece,
  type StoreRecord,
} from "./operations.ts";

/** Deletions of one operation that are worth trying: more do not fit into an entry. */
const CHANGES_MAX = 100_000;
/** What one piece may come to: it goes into one message. */
const PIECE_BYTES = 256 * 1024;
/** Records that are looked at for one piece, so that one query never holds up the node for long. */
const PIECE_LOOKS = 20_000;
const NOWHERE = Buffer.alloc(0);

/** `keyPos`: where in a record its key stands, from 0. */
export function partitionDefinition(keyPos: number = 0): StreamDefinition<unknown, unknown> {
  invariant(Number.isSafeInteger(keyPos) && keyPos >= 0, "keyPos is an index");
  return {
    resolve: (view, operation) => resolve(view, checkOperation(operation, keyPos), keyPos),
    query: (view, query) => answer(view, query, keyPos),
  };
}

/** What an operation has changed so far, above the state that it found. */
class Draft implements ReadView {
  readonly changes = new Map<string, Change>();
  readonly #below: ReadView;

  constructor(below: ReadView) {
    this.#below = below;
  }

  get(key: string): unknown {
    const change = this.changes.get(key);
    if (change === undefined) {
      return this.#below.get(key);
    }
    return "deleted" in change ? undefined : change.value;
  }

  count(): number {
    return countOver(this.#below, this.changes.keys(), (key) => this.#isDeleted(key));
  }

  keys(after: string | null = null): IterableIterator<string> {
    return keysOver(this.#below, this.changes.keys(), (key) => this.#isDeleted(key), after);
  }

  delete(key: string): void {
    this.changes.set(key, { key, deleted: true });
  }

  #isDeleted(key: string): boolean {
    const change = this.changes.get(key);
    return change !== undefined && "deleted" in change;
  }
}

function resolve(view: ReadView, ops: readonly CheckedOp[], keyPos: number): Resolution {
  const draft = new Draft(view);
  let put = 0;
  let deleted = 0;
  for (const [index, op] of ops.entries()) {
    switch (op.op) {
      case "put":
        draft.changes.set(op.key, { key: op.key, value: op.record });
        put += 1;
        break;
      case "delete":
        if (draft.get(op.key) !== undefined) {
          draft.delete(op.key);
          deleted += 1;
        }
        break;
      case "deleteMatch":
        deleted += deleteMatching(draft, op, keyPos, `ops[${index}]`);
        break;
    }
  }
  const done: StoreAnswer = { put, deleted };
  return { answer: done, changes: [...draft.changes.values()] };
}

function deleteMatching(
  draft: Draft,
  { matcher, limit }: CheckedDeletion,
  keyPos: number,
  place: string,
): number {
  const keys: string[] = [];
  for (const key of candidates(draft, matcher, null, keyPos)) {
    if (keys.length === limit) {
      break;
    }
    if (keys.length === CHANGES_MAX) {
      const problem = `${place}: more than ${CHANGES_MAX} records to delete; give a limit, and repeat`;
      throw new SupercastError("payload_too_large", problem);
    }
    if (matcher === null || matcher.matches(draft.get(key))) {
      keys.push(key);
    }
  }
  for (const key of keys) {
    draft.delete(key);
  }
  return keys.length;
}

/** The keys of the records that may match, in order, behind `after`. */
function candidates(
  view: ReadView,
  matcher: Matcher | null,
  after: string | null,
  keyPos: number,
): Iterable<string> {
  const only = matcher?.constantAt(keyPos) ?? null;
  if (only === null) {
    return view.keys(after);
  }
  const key = termKey(only.value);
  return view.get(key) !== undefined && (after === null || key > after) ? [key] : [];
}

function answer(view: ReadView, asked: unknown, keyPos: number): StoreRecord | StorePiece | number | null {
  const query = checkQuery(asked);
  switch (query.type) {
    case "get": {
      const record = view.get(query.key);
      return record === undefined ? null : recordOf(record);
    }
    case "piece":
      return pieceOf(view, query.piece, keyPos);
    case "count":
      return view.count();
  }
}

function pieceOf(view: ReadView, { matcher, limit, after }: PieceQuery, keyPos: number): StorePiece {
  const records: StoreRecord[] = [];
  let bytes = 0;
  let looks = 0;
  let last = after;
  for (const key of candidates(view, matcher, after, keyPos)) {
    if (records.length === limit || looks === PIECE_LOOKS) {
      return { records, next: last };
    }
    looks += 1;
    const record = recordOf(view.get(key));
    if (matcher === null || matcher.matches(record)) {
      bytes += Math.abs(encodeInto(record, NOWHERE, 0, 0));
      if (records.length > 0 && bytes > PIECE_BYTES) {
        return { records, next: last };
      }
      records.push(record);
    }
    last = key;
  }
  return { records, next: null };
}

function recordOf(value: unknown): StoreRecord {
  invariant(Array.isArray(value), "a partition holds records");
  return value;
}
