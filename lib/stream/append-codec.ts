/**
 * Appends on the wire to all replicas at once: one flat msgpack array, because as objects their field names and
 * repeated epochs would be most of what travels and of what it costs to read.
 *
 *     [format, stream, lineage, from, to,
 *      epoch counter, epoch owner, prev seq, prev epoch counter, prev epoch owner, prev chain,
 *      commitSeq, barrierSeq, round, sentAt,
 *      then per entry: kind, payload, and null or [counter, owner] where the epoch is not the message's]
 */
import type { Epoch } from "../journal/epoch.ts";
import { decode, encode } from "../wire/codec.ts";
import type { WireEntry } from "./entry.ts";
import type { Append, Letter } from "./messages.ts";
import { PROTOCOL_VERSION } from "./messages.ts";

export interface AppendLetter extends Letter {
  readonly message: Append;
}

const FORMAT = 1;
const HEAD_FIELDS = 15;
const ENTRY_FIELDS = 3;

export function isAppendLetter(letter: Letter): letter is AppendLetter {
  return letter.message.type === "append";
}

export function encodeAppend({ stream, lineage, from, to, message }: AppendLetter): Uint8Array {
  const { epoch, prev, entries, commitSeq, barrierSeq, round, sentAt } = message;
  const fields: unknown[] = [
    ...[FORMAT, stream, lineage, from, to, epoch.counter, epoch.owner],
    ...[prev.seq, prev.epoch.counter, prev.epoch.owner, prev.chain],
    ...[commitSeq, barrierSeq, round, sentAt],
  ];
  for (const entry of entries) {
    const isOlder = entry.epoch.counter !== epoch.counter || entry.epoch.owner !== epoch.owner;
    fields.push(entry.kind, entry.payload, isOlder ? [entry.epoch.counter, entry.epoch.owner] : null);
  }
  return encode(fields);
}

/**
 * Null for anything else. Of the fields only what is needed to build the letter is checked: like any letter it
 * goes through the checks of its receiver.
 */
export function decodeAppend(bytes: Uint8Array): object | null {
  const fields: unknown = decode(bytes);
  if (!Array.isArray(fields) || fields[0] !== FORMAT || (fields.length - HEAD_FIELDS) % ENTRY_FIELDS !== 0) {
    return null;
  }
  const values: readonly unknown[] = fields;
  const [, stream, lineage, from, to, counter, owner, prevSeq, prevCounter, prevOwner, chain] = values;
  const [commitSeq, barrierSeq, round, sentAt] = values.slice(11, HEAD_FIELDS);
  if (typeof counter !== "number" || typeof owner !== "string" || typeof prevSeq !== "number") {
    return null;
  }
  const epoch: Epoch = { counter, owner };
  const entries: { readonly [Field in keyof WireEntry]: unknown }[] = [];
  for (let at = HEAD_FIELDS; at < values.length; at += ENTRY_FIELDS) {
    const older = values[at + 2];
    entries.push({
      seq: prevSeq + 1 + entries.length,
      epoch: Array.isArray(older) ? { counter: older[0], owner: older[1] } : epoch,
      kind: values[at],
      payload: values[at + 1],
    });
  }
  const prev = { seq: prevSeq, epoch: { counter: prevCounter, owner: prevOwner }, chain };
  const message = { type: "append", epoch, prev, entries, commitSeq, barrierSeq, round, sentAt };
  return { v: PROTOCOL_VERSION, stream, lineage, from, to, message };
}
