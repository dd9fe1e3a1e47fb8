/**
 * Whether a message between replicas has the fields of its type. A replica must not stumble over what a node
 * of another version, or a bug there, has sent: such a message is dropped and counted.
 */
import { problemOf } from "./configuration.ts";
import type { Message } from "./messages.ts";

type Check = (value: unknown) => boolean;
type Fields = { readonly [field: string]: Check };

const isNumber: Check = (value) => typeof value === "number" && Number.isFinite(value);
const isSeq: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const isText: Check = (value) => typeof value === "string";
const isFlag: Check = (value) => typeof value === "boolean";
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const record =
  (fields: Fields): Check =>
  (value) =>
    isRecord(value) && hasFields(value, fields);

const OWNER = /^[0-9a-f]{16}$/;
const isWord: Check = (value) => typeof value === "string" && OWNER.test(value);
const isEpoch = record({ counter: isSeq, owner: isWord });
const isPosition = record({ seq: isSeq, epoch: isEpoch, chain: isWord });
const isEntry = record({
  seq: isSeq,
  epoch: isEpoch,
  kind: (kind) => Number.isInteger(kind) && Number(kind) >= 0 && Number(kind) <= 255,
  payload: (payload) => payload instanceof Uint8Array,
});
const isConfiguration: Check = (value) =>
  isRecord(value) &&
  Array.isArray(value["members"]) &&
  value["members"].every(isText) &&
  isNumber(value["writeQuorum"]) &&
  isNumber(value["sealQuorum"]) &&
  problemOf({
    members: value["members"],
    writeQuorum: Number(value["writeQuorum"]),
    sealQuorum: Number(value["sealQuorum"]),
  }) === null;
const isProposed = record({ epoch: isEpoch, configuration: isConfiguration });

const owned = { epoch: isEpoch, commitSeq: isSeq, barrierSeq: isSeq, round: isSeq, sentAt: isNumber };

type FieldsOf<M extends Message> = { readonly [Field in Exclude<keyof M, "type">]: Check };

/** Every field of every type, so that a new one does not compile without its check. */
const FIELDS: { readonly [Type in Message["type"]]: FieldsOf<Extract<Message, { readonly type: Type }>> } = {
  preseal: { epoch: isEpoch, configuration: isConfiguration, base: isEpoch, force: isFlag },
  presealOk: { epoch: isEpoch },
  presealNo: { epoch: isEpoch, promise: isEpoch, activated: orNull(isProposed) },
  seal: { epoch: isEpoch, configuration: isConfiguration },
  sealOk: {
    epoch: isEpoch,
    last: isPosition,
    commitSeq: isSeq,
    activated: orNull(isProposed),
    successors: listOf(isProposed),
    tailCertain: isFlag,
  },
  sealNo: { epoch: isEpoch, promise: isEpoch, activated: orNull(isProposed), waitMs: isNumber },
  fetch: { epoch: isEpoch, last: isPosition, commitSeq: isSeq },
  entries: { epoch: isEpoch, prev: isPosition, entries: listOf(isEntry) },
  append: { ...owned, prev: isPosition, entries: listOf(isEntry) },
  heartbeat: { ...owned, tail: isPosition, life: orNull(isText) },
  ack: { epoch: isEpoch, seq: isSeq, heldSeq: isSeq, round: isSeq, sentAt: isNumber, activated: isEpoch },
  nack: {
    epoch: isEpoch,
    reason: isText,
    hintSeq: isSeq,
    promise: isEpoch,
    round: isSeq,
    life: orNull(isText),
  },
  activate: { activated: isProposed },
  retireOk: { epoch: isEpoch },
  who: {},
  whoOk: { promise: isEpoch, primary: orNull(isText), activated: orNull(isProposed), last: isPosition },
  join: {},
  readIndex: { id: isSeq, epoch: isEpoch },
  readIndexOk: { id: isSeq, seq: isSeq },
  readIndexNo: { id: isSeq },
  handOver: { epoch: isEpoch },
};

/** Whether `value` is a message; its entries, if any, follow each other by seq. */
export function isMessage(value: unknown): value is Message {
  if (!isRecord(value) || !isType(value["type"]) || !hasFields(value, FIELDS[value["type"]])) {
    return false;
  }
  const { prev, entries } = value;
  return !isRecord(prev) || !Array.isArray(entries) || follow(Number(prev["seq"]), entries);
}

function follow(prevSeq: number, entries: readonly unknown[]): boolean {
  return entries.every((entry, index) => isRecord(entry) && entry["seq"] === prevSeq + 1 + index);
}

function isType(value: unknown): value is Message["type"] {
  return typeof value === "string" && Object.hasOwn(FIELDS, value);
}

function hasFields(value: Readonly<Record<string, unknown>>, fields: Fields): boolean {
  for (const field in fields) {
    if (fields[field]?.(value[field]) !== true) {
      return false;
    }
  }
  return true;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
