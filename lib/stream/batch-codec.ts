/**
 * The payload of a batch entry: a head and then its rows, one msgpack value after the other.
 *
 * A row is a request with what it answers and changes, or the order to forget idle clients. What a row leaves
 * in the state, its answer and each change, stands as a value of its own, so that the state's hash is taken
 * of those very bytes and nothing is packed again. What is read back is checked field by field: a payload of
 * something else is `invalid_message`, never half a batch.
 *
 *     [2, rows]  then per request  [clientId, requestSeq, answer] doneBelow changes [key, value]* or [key]*
 *                     per expiry   [idleSinceSeq, clientIds]
 */
import { messageOf, SupercastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { isWellFormed, NESTING_MAX } from "../base/term.ts";
import { decode, decodeRun, encodeInto } from "../wire/codec.ts";
import { travels } from "../wire/travel.ts";
import type { Change, RequestId, Resolution } from "./definition.ts";

const FORMAT = 2;
/** How deep a row holds its answer, and its values: what has come so far must go into other things again. */
const ANSWER_LEVELS = NESTING_MAX - 1;
const VALUE_LEVELS = NESTING_MAX - 3;
/** An array of two: the format, and a count of 32 bits. */
export const BATCH_HEAD_BYTES = 7;

export interface RequestRow extends RequestId {
  readonly kind: "request";
  readonly doneBelow: number;
  readonly answer: unknown;
  readonly changes: readonly Change[];
  /** Where in the payload its answer begins and ends, then where each change begins, then where the last one ends. */
  readonly spans: readonly number[];
}

export interface ExpiryRow {
  readonly kind: "expiry";
  readonly clientIds: readonly string[];
  readonly idleSinceSeq: number;
}

export type BatchRow = RequestRow | ExpiryRow;

// --- writing ------------------------------------------------------------------------------------

/** Writes the payload of one batch, row after row, into room for the largest one. */
export class BatchBuilder {
  readonly #room: Buffer;
  /** The end of what is kept, and of what has been added. */
  #kept = BATCH_HEAD_BYTES;
  #at = BATCH_HEAD_BYTES;
  #rows = 0;

  /** `room`: as many bytes as the payload may have; it is this builder's until `finish`. */
  constructor(room: Buffer) {
    this.#room = room;
  }

  /**
   * Adds a request, which stays when `keep` is called before the next one is added. `tooLong`: the bytes that a payload with it alone would take, when that is more than the
   * room; `full`: there is not enough left of it. Then nothing has been added. Throws `invalid_message` for a
   * key or a value that cannot travel.
   */
  add(request: RequestId, doneBelow: number, { answer, changes }: Resolution): RequestRow | Refused {
    const { clientId, requestSeq } = request;
    const begin = this.#kept;
    this.#at = begin;
    const spans: number[] = [begin];
    this.#put([clientId, requestSeq, answer]);
    spans.push(this.#at);
    this.#put(doneBelow);
    this.#put(changes.length);
    for (const change of changes) {
      spans.push(this.#at);
      this.#put(contentOf(change));
    }
    spans.push(this.#at);
    const end = this.#at;
    if (end > this.#room.length) {
      const alone = BATCH_HEAD_BYTES + end - begin;
      return alone > this.#room.length ? { kind: "tooLong", bytes: alone } : { kind: "full" };
    }
    return {
      kind: "request",
      clientId,
      requestSeq,
      doneBelow,
      answer: this.#asItComesBack(answer, begin, spans[1] ?? begin),
      changes: changes.map((change, index) =>
        "deleted" in change
          ? change
          : { key: change.key, value: this.#valueAt(change.value, spans, 2 + index) },
      ),
      spans,
    };
  }

  /** Adds the order to forget idle clients, for which there must be room; it stays. */
  addExpiry(clientIds: readonly string[], idleSinceSeq: number): void {
    this.#at = this.#kept;
    this.#put([idleSinceSeq, clientIds]);
    invariant(this.#at <= this.#room.length, "there is room for the clients that one entry forgets");
    this.keep();
  }

  /** What was added last stays. */
  keep(): void {
    this.#kept = this.#at;
    this.#rows += 1;
  }

  /** The payload with all that was kept. */
  finish(): Uint8Array {
    writeHead(this.#room, this.#rows);
    return new Uint8Array(this.#room.subarray(0, this.#kept));
  }

  /** Beyond the end of the room it only counts. */
  #put(value: unknown): void {
    this.#at += Math.abs(
      encodeInto(value, this.#room, Math.min(this.#at, this.#room.length), this.#room.length),
    );
  }

  #asItComesBack(answer: unknown, start: number, end: number): unknown {
    if (isScalar(answer)) {
      return answer;
    }
    const row: unknown = decode(this.#room, start, end);
    return Array.isArray(row) ? row[2] : undefined;
  }

  #valueAt(value: unknown, spans: readonly number[], index: number): unknown {
    if (isScalar(value)) {
      return value;
    }
    const change: unknown = decode(this.#room, spans[index], spans[index + 1]);
    return Array.isArray(change) ? change[1] : undefined;
  }
}

/** Why a request was not added. */
export type Refused = { readonly kind: "tooLong"; readonly bytes: number } | { readonly kind: "full" };

/** What comes back from the codec as it was. */
function isScalar(value: unknown): boolean {
  const isText = typeof value === "string" && isWellFormed(value);
  return isText || typeof value === "boolean" || value === null || isPlainNumber(value);
}

function isPlainNumber(value: unknown): boolean {
  return typeof value === "number" && !Object.is(value, -0);
}

function contentOf(change: Change): readonly unknown[] {
  checkKey(change.key);
  if ("deleted" in change) {
    return [change.key];
  }
  if (change.value === undefined) {
    throw foreign(`the value at key ${JSON.stringify(change.key)} is undefined; allowed: to delete it`);
  }
  return [change.key, change.value];
}

function writeHead(into: Uint8Array, rows: number): void {
  into[0] = 0x92;
  into[1] = FORMAT;
  into[2] = 0xce;
  new DataView(into.buffer, into.byteOffset).setUint32(3, rows);
}

// --- reading ------------------------------------------------------------------------------------

/** The rows of an entry's payload. Throws `invalid_message` when it is none. */
export function decodeBatch(payload: Uint8Array): BatchRow[] {
  const { values, ends } = decodeValues(payload);
  const [head] = values;
  if (!Array.isArray(head) || head.length !== 2 || head[0] !== FORMAT) {
    throw foreign(`a batch begins with [${FORMAT}, number of rows]`);
  }
  const rows: BatchRow[] = [];
  let at = 1;
  while (at < values.length) {
    const row = values[at];
    if (!Array.isArray(row)) {
      throw foreign("a row of a batch is no array");
    }
    if (row.length === 2) {
      rows.push(toExpiry(row));
      at += 1;
    } else {
      const request = toRequest(row, values, ends, at);
      rows.push(request);
      at += 3 + request.changes.length;
    }
  }
  if (head[1] !== rows.length) {
    throw foreign(`a batch holds ${rows.length} rows and its head says ${shown(head[1])}`);
  }
  return rows;
}

/** All values, and where each ends. */
function decodeValues(payload: Uint8Array): { readonly values: unknown[]; readonly ends: number[] } {
  const values: unknown[] = [];
  const ends: number[] = [];
  try {
    decodeRun(payload, (value, end) => {
      values.push(value);
      ends.push(end);
    });
  } catch (error) {
    throw foreign(`a batch cannot be read: ${messageOf(error)}`);
  }
  return { values, ends };
}

function toExpiry([idleSinceSeq, clientIds]: readonly unknown[]): ExpiryRow {
  if (!isCount(idleSinceSeq) || !Array.isArray(clientIds) || !clientIds.every(isString)) {
    throw foreign("an expiry row is [idleSinceSeq, clientIds]");
  }
  return { kind: "expiry", clientIds, idleSinceSeq };
}

/** The request whose row stands at `at`. */
function toRequest(
  row: readonly unknown[],
  values: readonly unknown[],
  ends: readonly number[],
  at: number,
): RequestRow {
  const [clientId, requestSeq, answer] = row;
  const doneBelow = values[at + 1];
  const count = values[at + 2];
  if (row.length !== 3 || !isString(clientId) || !isCount(count) || at + 3 + count > values.length) {
    throw foreign("a request is [clientId, requestSeq, answer], doneBelow, a count and so many changes");
  }
  const problem = problemOfRequest(clientId, requestSeq, doneBelow);
  if (!travels(answer, ANSWER_LEVELS)) {
    throw foreign("an answer holds what cannot travel");
  }
  if (problem !== null || !isCount(requestSeq) || !isCount(doneBelow)) {
    throw foreign(problem ?? "requestSeq and doneBelow are counts");
  }
  const changes: Change[] = [];
  const spans: number[] = [ends[at - 1] ?? 0, ends[at] ?? 0];
  for (let index = at + 3; index < at + 3 + count; index++) {
    changes.push(toChange(values[index]));
    spans.push(ends[index - 1] ?? 0);
  }
  spans.push(ends[at + 2 + count] ?? 0);
  return { kind: "request", clientId, requestSeq, doneBelow, answer, changes, spans };
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
