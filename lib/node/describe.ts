/** `describe`: an actor's messages, with their fields, for people and programs that have no types. */
import { z } from "zod";
import type { CallEntry, CastEntry, ProtocolTable, Schema } from "../actor/protocol.ts";

export interface MessageDescription {
  readonly kind: "call" | "cast";
  readonly help: string;
  readonly from: "anyone" | "node";
  /** JSON Schema of the fields beside `type`, where the schema library can tell. */
  readonly fields?: unknown;
  /** JSON Schema of the reply. */
  readonly reply?: unknown;
}

export interface ActorDescription {
  readonly actor: string;
  readonly node: string;
  readonly messages: Readonly<Record<string, MessageDescription>>;
}

export function describeProtocol(actor: string, node: string, table: ProtocolTable): ActorDescription {
  const messages = Object.entries(table).map(([type, entry]) => [type, describeEntry(entry)] as const);
  return { actor, node, messages: Object.fromEntries(messages) };
}

function describeEntry(entry: CallEntry | CastEntry): MessageDescription {
  const { help, from = "anyone" } = entry;
  if ("call" in entry) {
    return { kind: "call", help, from, ...fieldsOf(entry.call), reply: jsonSchemaOf(entry.reply) };
  }
  return { kind: "cast", help, from, ...fieldsOf(entry.cast) };
}

function fieldsOf(schema: Schema): { fields?: unknown } {
  const fields = jsonSchemaOf(schema);
  return fields === undefined ? {} : { fields };
}

/** Other libraries than zod have no common way to tell their fields; their messages are listed without. */
function jsonSchemaOf(schema: Schema): unknown {
  if (!(schema instanceof z.ZodType)) {
    return undefined;
  }
  const { $schema: _dialect, ...described } = z.toJSONSchema(schema, { unrepresentable: "any", io: "input" });
  return described;
}
