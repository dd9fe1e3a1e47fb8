/**
 * Protocols: which messages an actor understands and what it answers.
 *
 * A protocol is a type, so that a wrong message does not compile and a call infers its reply:
 *
 *     type CounterProtocol = { add: Call<{ n: number }, number>; reset: Cast };
 *
 * An actor that foreign clients may reach also has a protocol at run time, made from schemas by
 * `defineProtocol`; the type then follows from it (`ProtocolOf<typeof counter>`).
 */
import type { Names } from "./names.ts";
import type { ActorRef } from "./ref.ts";

/** A message that is answered. `Fields` are its fields beside `type`. */
export interface Call<Fields extends object = NoFields, Reply = void> {
  readonly call: Fields;
  readonly reply: Reply;
}

/** A message that is not answered. */
export interface Cast<Fields extends object = NoFields> {
  readonly cast: Fields;
}

export type NoFields = Record<never, never>;

/** The bound of a protocol: every entry is a Call or a Cast. Works for interfaces and type literals. */
export type ProtocolShape<P> = { readonly [Type in keyof P]: Call<object, unknown> | Cast<object> };

/** Any message at all, as the runtime sees it. */
export interface AnyMessage {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** The protocol of a process about which nothing is known: any message, unknown replies. */
export interface Untyped {
  readonly untyped: true;
}

type Flat<T> = { [Key in keyof T]: T[Key] };
type Typed<Type, Fields> = Flat<{ readonly type: Type } & Frozen<Fields>>;

/** Messages are data that nobody changes: so literals with lists in them are accepted as they are. */
type Frozen<T> = T extends ((...args: never) => unknown) | Uint8Array | Date
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Frozen<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: Frozen<T[Key]> }
      : T;

/** The messages of `P` that are calls. */
export type CallMessage<P> = P extends Untyped
  ? AnyMessage
  : {
      [Type in keyof P & string]: P[Type] extends Call<infer Fields, unknown> ? Typed<Type, Fields> : never;
    }[keyof P & string];

/** The messages of `P` that are casts. */
export type CastMessage<P> = P extends Untyped
  ? AnyMessage
  : { [Type in keyof P & string]: P[Type] extends Cast<infer Fields> ? Typed<Type, Fields> : never }[keyof P &
      string];

/** What a call with message `M` is answered. */
export type ReplyTo<P, M> = P extends Untyped
  ? unknown
  : M extends { readonly type: infer Type }
    ? Type extends keyof P
      ? P[Type] extends Call<object, infer Reply>
        ? Reply
        : never
      : never
    : never;

/** The protocol of whatever `Target` addresses. */
export type ProtocolAt<Target> =
  Target extends ActorRef<infer P>
    ? P
    : Target extends { readonly name: infer Name }
      ? Name extends keyof Names
        ? Names[Name]
        : Untyped
      : Untyped;

// --- protocols at run time ---------------------------------------------------------------------

/** The part of the Standard Schema interface (standardschema.dev, version 1) that is used here. */
export interface Schema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

export interface CallEntry {
  /** The schema of the message's fields beside `type`. */
  readonly call: Schema<object>;
  readonly reply: Schema;
  readonly help: string;
  /** Who may send it; "node" refuses foreign clients with `forbidden`. Default "anyone". */
  readonly from?: "anyone" | "node";
  /** The message has a field `requestId` of its own: repeats are recognised by the actor, across nodes. */
  readonly ownRequestId?: true;
}

export interface CastEntry {
  readonly cast: Schema<object>;
  readonly help: string;
  readonly from?: "anyone" | "node";
}

/** A protocol at run time: what `describe` lists and what foreign messages are checked against. */
export type ProtocolTable = { readonly [type: string]: CallEntry | CastEntry };

type OutputOf<S> = S extends Schema<infer Output> ? Output : never;
/** A schema of an object without fields may say `Record<string, never>`, which would forbid `type` too. */
type FieldsOf<S> =
  OutputOf<S> extends infer Fields extends object
    ? string extends keyof Fields
      ? [Fields[string]] extends [never]
        ? NoFields
        : Fields
      : Fields
    : never;

/** The protocol type of a table made by `defineProtocol`. */
export type ProtocolOf<Table> = {
  readonly [Type in keyof Table]: Table[Type] extends {
    readonly call: infer Fields;
    readonly reply: infer Reply;
  }
    ? Call<FieldsOf<Fields>, OutputOf<Reply>>
    : Table[Type] extends { readonly cast: infer Fields }
      ? Cast<FieldsOf<Fields>>
      : never;
};

/** Declares a protocol by its schemas (zod, or any other Standard Schema library). */
export function defineProtocol<const Table extends ProtocolTable>(table: Table): Table {
  return table;
}
