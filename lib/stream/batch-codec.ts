/**
 * The payload of a batch entry: a head and then its rows, one msgpack value after the other.
 *
 * A row is a request with what it changes and answers, or the order to forget idle clients. What is read
 * back is checked field by field: a payload of something else is `invalid_message`, never half a batch.
 */
import { messageOf, SupercastError } from "../base/errors.ts";
import { isWellFormed, NESTING_MAX } from "../base/term.ts";
import { decode, decodeRun, encode } from "../wire/codec.ts";
import { travels } from "../wire/travel.ts";
import type { Change, RequestId, Resolution } from "./definition.ts";

const FORMAT = 1;
/** How deep a row holds its answer, and its values: what has come so far must go into other things again. */
const ANSWER_LEVELS = NESTING_MAX - 1;
const VALUE_LEVELS = NESTING_MAX - 3;
/** The longest head: an array of two, the format, and a count below 2^32. */
export const BATCH_HEAD_BYTES = 8;

export interface RequestRow extends RequestId {
  readonly kind: "request";
  readonly doneBelow: number;
  readonly answer: unknown;
  readonly changes: readonly Change[];
}

export interface ExpiryRow {
  readonly kind: "expiry";
  readonly clientIds: readonly string[];
  readonly idleSinceSeq: number;
}

export type BatchRow = RequestRow | ExpiryRow;

/** Throws `invalid_message` for a key or a value that cannot travel. */
export function encodeRequestRow(request: RequestId, doneBelow: number, resolution: Resolution): Uint8Array {
  const changes = resolution.changes.map((change) => {
    checkKey(change.key);
    if ("deleted" in change) {
      return [change.key];
    }
    if (change.value === undefined) {
      throw foreign(`the value at key ${JSON.stringify(change.key)} is undefined; allowed: to delete it`);
    }
    return [change.key, change.value];
  });
  return encode([request.clientId, request.requestSeq, doneBelow, resolution.answer, changes]);
}

export function encodeExpiryRow(clientIds: readonly string[], idleSinceSeq: number): Uint8Array {
  return encode([idleSinceSeq, clientIds]);
}

/** The payload of an entry with these rows, which `encodeRequestRow` or `encodeExpiryRow` made. */
export function joinRows(rows: readonly Uint8Array[]): Uint8Array {
  const head = encode([FORMAT, rows.length]);
  const bytes = new Uint8Array(rows.reduce((sum, row) => sum + row.length, head.length));
  bytes.set(head);
  let at = head.length;
  for (const row of rows) {
    bytes.set(row, at);
    at += row.length;
  }
  return bytes;
}

export function decodeRow(bytes: Uint8Array): BatchRow {
  return toRow(decode(bytes));
}

/** The rows of an entry's payload. Throws `invalid_message` when it is none. */
export function decodeBatch(payload: Uint8Array): BatchRow[] {
  const values = decodeValues(payload);
  const [head, ...rows] = values;
  if (!Array.isArray(head) || head.length !== 2 || head[0] !== FORMAT) {
    throw foreign(`a batch begins with [${FORMAT}, number of rows]`);
  }
  if (head[1] !== rows.length) {
    throw foreign(`a batch holds ${rows.length} rows and its head says ${shown(head[1])}`);
  }
  return rows.map(toRow);
}

function decodeValues(payload: Uint8Array): unknown[] {
  const values: unknown[] = [];
  try {
    decodeRun(payload, (value) => values.push(value));
  } catch (error) {
    throw foreign(`a batch cannot be read: ${messageOf(error)}`);
  }
  return values;
}

function toRow(value: unknown): BatchRow {
  if (!Array.isArray(value)) {
    throw foreign("a row of a batch is no array");
  }
  return value.length === 2 ? toExpiry(value) : toRequest(value);
}

function toExpiry([idleSinceSeq, clientIds]: readonly unknown[]): ExpiryRow {
  if (!isCount(idleSinceSeq) || !Array.isArray(clientIds) || !clientIds.every(isString)) {
    throw foreign("an expiry row is [idleSinceSeq, clientIds]");
  }
  return { kind: "expiry", clientIds, idleSinceSeq };
}

function toRequest(row: readonly unknown[]): RequestRow {
  const [clientId, requestSeq, doneBelow, answer, changes] = row;
  if (row.length !== 5 || !isString(clientId) || !Array.isArray(changes)) {
    throw foreign("a request row is [clientId, requestSeq, doneBelow, answer, changes]");
  }
  const problem = problemOfRequest(clientId, requestSeq, doneBelow);
  if (!travels(answer, ANSWER_LEVELS)) {
    throw foreign("an answer holds what cannot travel");
  }
  if (problem !== null || !isCount(requestSeq) || !isCount(doneBelow)) {
    throw foreign(problem ?? "requestSeq and doneBelow are counts");
  }
  return { kind: "request", clientId, requestSeq, doneBelow, answer, changes: changes.map(toChange) };
}

function toChange(change: unknown): Change {
  if (Array.isArray(change)) {
    const [key, value]: readonly unknown[] = change;
    const named = isString(key) && isWellFormed(key);
    if (named && change.length === 1) {
      return { key, deleted: true };
    }
    if (named && change.length === 2 && value !== undefined && travels(value, VALUE_LEVELS)) {
      return { key, value };
    }
  }
  throw foreign("a change is [key] or [key, value]");
}

/** What is wrong with a request's identity, or null. */
export function problemOfRequest(clientId: string, requestSeq: unknown, doneBelow: unknown): string | null {
  if (clientId === "" || !isWellFormed(clientId)) {
    return "clientId is empty or no well-formed text";
  }
  if (!isCount(requestSeq) || requestSeq === 0) {
    return `requestSeq is ${shown(requestSeq)}; allowed: an integer from 1`;
  }
  if (!isCount(doneBelow) || doneBelow > requestSeq) {
    return `doneBelow is ${shown(doneBelow)}; allowed: an integer from 0 to requestSeq ${requestSeq}`;
  }
  return null;
}

function checkKey(key: unknown): void {
  if (!isString(key) || !isWellFormed(key)) {
    throw foreign(`key ${shown(key)} is no well-formed string`);
  }
}

/** For an error text; of foreign values only what is sure not to throw. */
function shown(value: unknown): string {
  return typeof value === "number" || typeof value === "string" ? JSON.stringify(value) : `a ${typeof value}`;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}

function foreign(problem: string): SupercastError {
  return new SupercastError("invalid_message", problem);
}
