/**
 * What may be asked of a partition: operations that change records, and queries. They come from callers, also
 * from foreign ones, so every field is checked before anything happens, and an error names the field.
 */
import { SupercastError } from "../base/errors.ts";
import { compilePattern, type Matcher } from "../base/pattern.ts";
import { describeValue, isPlainObject, isWellFormed, NESTING_MAX } from "../base/term.ts";
import { termKey } from "../base/term-key.ts";
import { findProblem, travels } from "../wire/travel.ts";

/** An array of terms; the one at the partition's `keyPos` is its key. */
export type StoreRecord = readonly unknown[];

/**
 * `put` replaces the record with the same key. The deletions go through the records in the order of their keys
 * and end after `limit` of them, when there is one.
 */
export type StoreOp =
  | { readonly op: "put"; readonly record: StoreRecord }
  | { readonly op: "delete"; readonly key: unknown }
  | { readonly op: "deleteMatch"; readonly pattern: unknown; readonly limit?: number }
  | { readonly op: "deleteAll"; readonly limit?: number };

/** In order, each on what those before it have left, and all or none. */
export interface StoreOperation {
  readonly ops: readonly StoreOp[];
}

/** What an operation has done: records that were put, and records that were there and are deleted. */
export interface StoreAnswer {
  readonly put: number;
  readonly deleted: number;
}

/**
 * `match` and `scan` give a piece: at most `limit` records in the order of their keys, behind the position
 * `after`, which is the `next` of the piece before. A record that is there all the while is met exactly once.
 */
export type StoreQuery =
  | { readonly type: "get"; readonly key: unknown }
  | {
      readonly type: "match";
      readonly pattern: unknown;
      readonly limit?: number;
      readonly after?: string | null;
    }
  | { readonly type: "scan"; readonly limit?: number; readonly after?: string | null }
  | { readonly type: "count" };

export interface StorePiece {
  readonly records: readonly StoreRecord[];
  /** Where to go on, at any replica; null when nothing is left. May come with fewer than `limit` records. */
  readonly next: string | null;
}

/** A request for a piece as it was checked. */
export interface PieceQuery {
  readonly matcher: Matcher | null;
  readonly limit: number;
  readonly after: string | null;
}

/** Without a matcher all records are meant. */
export interface CheckedDeletion {
  readonly op: "deleteMatch";
  readonly matcher: Matcher | null;
  readonly limit: number;
}

export type CheckedOp =
  | { readonly op: "put"; readonly key: string; readonly record: StoreRecord }
  | { readonly op: "delete"; readonly key: string }
  | CheckedDeletion;

export type CheckedQuery =
  | { readonly type: "get"; readonly key: string }
  | { readonly type: "piece"; readonly piece: PieceQuery }
  | { readonly type: "count" };

/** Records of one piece when nothing else is said, and at most. */
export const PIECE_RECORDS = 1_000;
export const PIECE_RECORDS_MAX = 10_000;

/** Levels that the stream's codec puts around a record. */
const RECORD_LEVELS = NESTING_MAX - 3;

/** Throws `invalid_message`, naming the field, for what is no operation. */
export function checkOperation(operation: unknown, keyPos: number): CheckedOp[] {
  if (!isFields(operation) || !Array.isArray(operation["ops"])) {
    throw wrong("ops", "must be an array of operations");
  }
  refuseStrangers(operation, OPERATION_FIELDS);
  return operation["ops"].map((op: unknown, index) => {
    if (!isFields(op)) {
      throw wrong(`ops[${index}]`, "must be an object with op");
    }
    try {
      return checkOp(op, keyPos);
    } catch (error) {
      throw placed(`ops[${index}].`, error);
    }
  });
}

function checkOp(op: Fields, keyPos: number): CheckedOp {
  switch (op["op"]) {
    case "put": {
      refuseStrangers(op, PUT_FIELDS);
      return { op: "put", ...checkRecord(op["record"], keyPos) };
    }
    case "delete": {
      refuseStrangers(op, DELETE_FIELDS);
      return { op: "delete", key: checkKey(op["key"], "key") };
    }
    case "deleteMatch": {
      refuseStrangers(op, DELETE_MATCH_FIELDS);
      const matcher = checkPattern(op["pattern"]);
      return { op: "deleteMatch", matcher, limit: checkLimit(op["limit"], Number.MAX_SAFE_INTEGER) };
    }
    case "deleteAll": {
      refuseStrangers(op, DELETE_ALL_FIELDS);
      const limit = checkLimit(op["limit"], Number.MAX_SAFE_INTEGER);
      return { op: "deleteMatch", matcher: null, limit };
    }
    default:
      throw wrong("op", `is ${shown(op["op"])}; allowed: put, delete, deleteMatch, deleteAll`);
  }
}

/** Throws `invalid_message`, naming the field, for what is no query. */
export function checkQuery(query: unknown): CheckedQuery {
  if (!isFields(query)) {
    throw wrong("query", "must be an object with type");
  }
  try {
    return checkFields(query);
  } catch (error) {
    throw placed("query.", error);
  }
}

function checkFields(query: Fields): CheckedQuery {
  switch (query["type"]) {
    case "get":
      refuseStrangers(query, GET_FIELDS);
      return { type: "get", key: checkKey(query["key"], "key") };
    case "match":
      refuseStrangers(query, MATCH_FIELDS);
      return { type: "piece", piece: checkPiece(query, checkPattern(query["pattern"])) };
    case "scan":
      refuseStrangers(query, SCAN_FIELDS);
      return { type: "piece", piece: checkPiece(query, null) };
    case "count":
      refuseStrangers(query, COUNT_FIELDS);
      return { type: "count" };
    default:
      throw wrong("type", `is ${shown(query["type"])}; allowed: get, match, scan, count`);
  }
}

function checkPiece(query: Fields, matcher: Matcher | null): PieceQuery {
  const after = query["after"] ?? null;
  if (after !== null && (typeof after !== "string" || !isWellFormed(after))) {
    throw wrong("after", "must be the next of a piece, or null");
  }
  const limit = query["limit"] === undefined ? PIECE_RECORDS : checkLimit(query["limit"], PIECE_RECORDS_MAX);
  return { matcher, limit, after };
}

function checkRecord(record: unknown, keyPos: number): { key: string; record: StoreRecord } {
  if (!Array.isArray(record)) {
    throw wrong("record", "must be an array");
  }
  if (record.length <= keyPos) {
    throw wrong("record", `has ${record.length} items; its key stands at ${keyPos}`);
  }
  const key = checkKey(record[keyPos], `record[${keyPos}]`);
  if (!travels(record, RECORD_LEVELS)) {
    const problem = findProblem(record, "record", RECORD_LEVELS) ?? "record changes while it is read";
    throw new SupercastError("invalid_message", problem);
  }
  return { key, record };
}

/** undefined as a key is nearly always one that was forgotten, and JSON could not name it. */
function checkKey(key: unknown, place: string): string {
  if (key === undefined) {
    throw wrong(place, "is missing");
  }
  try {
    return termKey(key);
  } catch (error) {
    throw placed(`${place}: `, error);
  }
}

function checkPattern(pattern: unknown): Matcher {
  if (pattern === undefined) {
    throw wrong("pattern", "is missing");
  }
  return compilePattern(pattern, "pattern");
}

function checkLimit(limit: unknown, most: number): number {
  if (limit === undefined) {
    return most;
  }
  if (typeof limit !== "number" || !Number.isSafeInteger(limit) || limit < 1 || limit > most) {
    throw wrong("limit", `is ${shown(limit)}; allowed: an integer from 1 to ${most}`);
  }
  return limit;
}

type Fields = Readonly<Record<string, unknown>>;

const OPERATION_FIELDS: readonly string[] = ["ops"];
const PUT_FIELDS: readonly string[] = ["op", "record"];
const DELETE_FIELDS: readonly string[] = ["op", "key"];
const DELETE_MATCH_FIELDS: readonly string[] = ["op", "pattern", "limit"];
const DELETE_ALL_FIELDS: readonly string[] = ["op", "limit"];
const GET_FIELDS: readonly string[] = ["type", "key"];
const MATCH_FIELDS: readonly string[] = ["type", "pattern", "limit", "after"];
const SCAN_FIELDS: readonly string[] = ["type", "limit", "after"];
const COUNT_FIELDS: readonly string[] = ["type"];

/** A field that is written wrong would otherwise count as one that is not there. */
function refuseStrangers(fields: Fields, known: readonly string[]): void {
  for (const name of Object.keys(fields)) {
    if (!known.includes(name)) {
      throw wrong(name, `is not known; known: ${known.join(", ")}`);
    }
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && isPlainObject(value);
}

function shown(value: unknown): string {
  return typeof value === "string" || typeof value === "number"
    ? JSON.stringify(value)
    : describeValue(value);
}

function wrong(place: string, problem: string): SupercastError {
  return new SupercastError("invalid_message", `${place}: ${problem}`);
}

function placed(place: string, error: unknown): unknown {
  return error instanceof SupercastError ? new SupercastError(error.code, place + error.message) : error;
}
