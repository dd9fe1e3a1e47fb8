/**
 * The foreign edge: messages of any NATS client, and the answers it gets.
 *
 * A message is a JSON object or a msgpack map with a string `type`; its first byte tells which, and the answer
 * comes in the same form: `{ ok: value }` or `{ error: { code, message } }`, an error also in the headers of
 * NATS's service convention. Whatever is wrong with a message becomes an `invalid_message` or
 * `payload_too_large` that says what and where; and an answer, once asked for, always comes out as bytes.
 */
import { type ErrorCode, type ErrorData, isErrorCode, messageOf, SupercastError } from "../base/errors.ts";
import type { Limits } from "../base/limits.ts";
import { decode, encode } from "./codec.ts";
import { type Marks, parseJson, stringifyJson, toForeign, toInteger } from "./json.ts";
import { scanMsgpack } from "./scan.ts";

export type ForeignForm = "json" | "msgpack";

export interface ForeignMessage {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** The form is known even when the message is not, so that the error can be answered in it. */
export type ForeignDecoded =
  | { readonly form: ForeignForm; readonly message: ForeignMessage }
  | { readonly form: ForeignForm; readonly error: SupercastError };

export type ForeignAnswer = { readonly ok: unknown } | { readonly error: ErrorData };

export interface EncodedAnswer {
  readonly payload: Uint8Array;
  /** Only with an error. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The numbers of `Nats-Service-Error-Code`: HTTP's, where HTTP has one that fits. */
export const SERVICE_ERROR_CODES = {
  invalid_message: 400,
  forbidden: 403,
  noproc: 404,
  timeout: 408,
  calling_self: 409,
  already_started: 409,
  config_mismatch: 412,
  payload_too_large: 413,
  not_writer: 421,
  locked: 423,
  mailbox_full: 429,
  overload: 429,
  exit: 500,
  start_failed: 500,
  internal: 500,
  nodedown: 503,
  noconnection: 503,
  quorum_not_reached: 503,
  majority_timeout: 504,
  unknown_outcome: 504,
} as const satisfies Record<ErrorCode, number>;

export const SERVICE_ERROR_HEADER = "Nats-Service-Error";
export const SERVICE_ERROR_CODE_HEADER = "Nats-Service-Error-Code";

const ERROR_TEXT_MAX = 2048;
const HEADER_TEXT_MAX = 256;

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const;
const JSON_SPACE: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);
const OPENING_BRACE = 0x7b;

// --- messages ----------------------------------------------------------------------------------

/** Reads a message of a foreign client. Throws nothing. */
export function decodeForeign(
  payload: Uint8Array,
  limits: Pick<Limits, "foreignBytes" | "foreignDepth">,
): ForeignDecoded {
  const form = formOf(payload);
  try {
    return { form, message: checkMessage(read(payload, form, limits)) };
  } catch (error) {
    return { form, error: asSupercastError(error, "invalid_message") };
  }
}

/** No JSON text begins with a byte of 0x80 or above, save for a byte-order mark. */
function formOf(payload: Uint8Array): ForeignForm {
  return (payload[0] ?? 0) >= 0x80 && !hasByteOrderMark(payload) ? "msgpack" : "json";
}

function hasByteOrderMark(payload: Uint8Array): boolean {
  return BYTE_ORDER_MARK.every((byte, index) => payload[index] === byte);
}

function read(
  payload: Uint8Array,
  form: ForeignForm,
  limits: Pick<Limits, "foreignBytes" | "foreignDepth">,
): unknown {
  const max = limits.foreignBytes;
  if (payload.length > max) {
    throw new SupercastError(
      "payload_too_large",
      `the message takes ${payload.length} bytes of ${max} allowed`,
      {
        details: { bytes: payload.length, max },
      },
    );
  }
  return form === "json" ? readJson(payload, limits.foreignDepth) : readMsgpack(payload, limits.foreignDepth);
}

function readJson(payload: Uint8Array, depthMax: number): unknown {
  if (hasByteOrderMark(payload)) {
    throw invalid("the message begins with a byte-order mark; send JSON without one");
  }
  const first = payload.find((byte) => !JSON_SPACE.has(byte));
  if (first === undefined) {
    throw invalid(`the message is empty; ${EXPECTED}`);
  }
  if (first !== OPENING_BRACE) {
    throw invalid(`the message begins with ${nameByte(first)}; ${EXPECTED}`);
  }
  return parseJson(payload, depthMax);
}

function readMsgpack(payload: Uint8Array, depthMax: number): unknown {
  const first = payload[0] ?? 0;
  if (first > 0x8f && first !== 0xde && first !== 0xdf) {
    throw invalid(`the message begins with ${nameByte(first)}; ${EXPECTED}`);
  }
  const problem = scanMsgpack(payload, depthMax);
  if (problem !== undefined) {
    throw invalid(`not an acceptable msgpack map: ${problem}`);
  }
  return fromMsgpack(decode(payload), "message");
}

const EXPECTED = 'expected a JSON object or a msgpack map with a "type"';

function nameByte(byte: number): string {
  return byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `the byte 0x${byte.toString(16)}`;
}

/** Integers into their one form, and no dates beyond what Date holds. Works in place: the value is ours. */
function fromMsgpack(value: unknown, path: string): unknown {
  if (typeof value === "bigint") {
    return toInteger(value);
  }
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) {
    return value === 0 ? 0 : value;
  }
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) {
      throw invalid(`${path} is a timestamp beyond the range of dates`);
    }
    return value;
  }
  if (Array.isArray(value)) {
    value.forEach((item, index) => {
      value[index] = fromMsgpack(item, `${path}[${index}]`);
    });
    return value;
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, fromMsgpack(item, `${path}.${key}`)]),
  );
}

function checkMessage(value: unknown): ForeignMessage {
  if (!isObject(value)) {
    throw invalid(`the message is not an object; ${EXPECTED}`);
  }
  if (!isForeignMessage(value)) {
    throw invalid(
      `the field "type" ${"type" in value ? "must be a string that is not empty" : "is missing"}`,
    );
  }
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isForeignMessage(value: Record<string, unknown>): value is ForeignMessage {
  return Object.hasOwn(value, "type") && typeof value["type"] === "string" && value["type"] !== "";
}

function invalid(text: string): SupercastError {
  return new SupercastError("invalid_message", text);
}

// --- answers -----------------------------------------------------------------------------------

/**
 * The bytes of an answer, of at most `bytesMax`. An `ok` value that cannot travel or is too large becomes an
 * error answer that says so. Throws nothing.
 */
export function encodeAnswer(
  answer: ForeignAnswer,
  form: ForeignForm,
  bytesMax: number = Number.POSITIVE_INFINITY,
): EncodedAnswer {
  if ("error" in answer) {
    return encodeError(answer.error, form);
  }
  try {
    const payload = write("ok", answer.ok, form);
    if (payload.length <= bytesMax) {
      return { payload };
    }
    const text = `the answer takes ${payload.length} bytes of ${bytesMax} allowed`;
    return encodeError({ code: "payload_too_large", message: text }, form);
  } catch (error) {
    const { code, message } = asSupercastError(error, "internal");
    return encodeError({ code, message: `the answer cannot be sent: ${message}` }, form);
  }
}

/** Takes nothing about `data` for granted: it may come from a process that built it wrongly. */
function encodeError(data: ErrorData, form: ForeignForm): EncodedAnswer {
  const { code, message } = plainError(data);
  return {
    payload: write("error", { code, message }, form),
    headers: {
      [SERVICE_ERROR_HEADER]: headerText(message) || code,
      [SERVICE_ERROR_CODE_HEADER]: String(SERVICE_ERROR_CODES[code]),
    },
  };
}

function plainError(data: ErrorData): { readonly code: ErrorCode; readonly message: string } {
  try {
    const { code, message } = data;
    return {
      code: isErrorCode(code) ? code : "internal",
      message: (typeof message === "string" ? message : messageOf(message)).slice(0, ERROR_TEXT_MAX),
    };
  } catch {
    return { code: "internal", message: "the error itself cannot be read" };
  }
}

const MSGPACK_MARKS: Marks = {
  integer: (value) => value,
  bytes: (value) => value,
  date: (value) => value,
  number: (value) => value,
  escapes: false,
};

const utf8 = new TextEncoder();

function write(key: "ok" | "error", value: unknown, form: ForeignForm): Uint8Array {
  if (form === "json") {
    return utf8.encode(`{"${key}":${stringifyJson(value, key)}}`);
  }
  return encode({ [key]: toForeign(value, key, MSGPACK_MARKS) });
}

/** Header values are one line of printable ASCII. */
function headerText(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .replace(/[^\x20-\x7e]/g, "?")
    .trim()
    .slice(0, HEADER_TEXT_MAX);
}

function asSupercastError(error: unknown, code: ErrorCode): SupercastError {
  return error instanceof SupercastError
    ? error
    : new SupercastError(code, messageOf(error), { cause: error });
}
