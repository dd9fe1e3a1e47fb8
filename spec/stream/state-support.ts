/** A small store as a stream's definition, a log, and a writer that goes by them. */
import fc from "fast-check";
import { SupercastError } from "../../lib/base/errors.ts";
import { invariant } from "../../lib/base/invariant.ts";
import type { Epoch } from "../../lib/journal/epoch.ts";
import { BatchBuilder } from "../../lib/stream/batch-codec.ts";
import type {
  Change,
  ReadView,
  Resolution,
  ResolvedBatch,
  StreamDefinition,
  StreamRequest,
} from "../../lib/stream/definition.ts";
import {
  chained,
  type Entry,
  KIND_BARRIER,
  KIND_BATCH,
  ORIGIN,
  type Position,
} from "../../lib/stream/entry.ts";
import { ReplicatedState } from "../../lib/stream/replicated-state.ts";
import type { StateLimits } from "../../lib/stream/state-limits.ts";

export type Operation =
  | { readonly do: "put"; readonly key: string; readonly value: unknown }
  | { readonly do: "increment"; readonly key: string }
  | { readonly do: "append"; readonly key: string; readonly item: unknown }
  | { readonly do: "insertNew"; readonly key: string; readonly value: unknown }
  | { readonly do: "delete"; readonly key: string }
  | { readonly do: "move"; readonly key: string; readonly to: string };

export const KEYS = ["a", "b", "c", "d", "e"];

function resolve(view: ReadView, operation: Operation): Resolution {
  const { key } = operation;
  const present = view.get(key);
  switch (operation.do) {
    case "put":
      return { answer: null, changes: [{ key, value: operation.value }] };
    case "increment": {
      const value = (typeof present === "number" ? present : 0) + 1;
      return { answer: value, changes: [{ key, value }] };
    }
    case "append": {
      const value = [...(Array.isArray(present) ? present : []), operation.item];
      return { answer: value.length, changes: [{ key, value }] };
    }
    case "insertNew":
      return present === undefined
        ? { answer: true, changes: [{ key, value: operation.value }] }
        : { answer: false, changes: [] };
    case "delete":
      return { answer: present ?? null, changes: [{ key, deleted: true }] };
    case "move":
      if (present === undefined) {
        throw new SupercastError("invalid_message", `nothing at ${key}`);
      }
      return {
        answer: null,
        changes: [
          { key, deleted: true },
          { key: operation.to, value: present },
        ],
      };
  }
}

const store: StreamDefinition<Operation, string> = {
  resolve,
  query: (view, key) => view.get(key),
};

export const definition: StreamDefinition<unknown, unknown> = store;

export const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ do: fc.constant("put" as const), key: fc.constantFrom(...KEYS), value: fc.jsonValue() }),
  fc.record({ do: fc.constant("increment" as const), key: fc.constantFrom(...KEYS) }),
  fc.record({ do: fc.constant("append" as const), key: fc.constantFrom(...KEYS), item: fc.nat(9) }),
  fc.record({ do: fc.constant("insertNew" as const), key: fc.constantFrom(...KEYS), value: fc.nat(9) }),
  fc.record({ do: fc.constant("delete" as const), key: fc.constantFrom(...KEYS) }),
  fc.record({
    do: fc.constant("move" as const),
    key: fc.constantFrom(...KEYS),
    to: fc.constantFrom(...KEYS),
  }),
);

export function request(
  clientId: string,
  requestSeq: number,
  operation: Operation,
  doneBelow: number = 0,
): StreamRequest {
  return { clientId, requestSeq, doneBelow, operation };
}

export function newState(limits: Partial<StateLimits> = {}): ReplicatedState {
  return new ReplicatedState(definition, limits);
}

export const EPOCH: Epoch = { counter: 3, owner: "00000000000000aa" };

/** Entries that follow each other. */
export class EntryLog {
  readonly entries: Entry[] = [];

  get last(): Position {
    return this.entries.at(-1) ?? ORIGIN;
  }

  batch(payload: Uint8Array): Entry {
    return this.#add(payload, KIND_BATCH);
  }

  barrier(): Entry {
    return this.#add(new Uint8Array(0), KIND_BARRIER);
  }

  #add(payload: Uint8Array, kind: number): Entry {
    const { seq, chain } = this.last;
    const added = chained(chain, [{ seq: seq + 1, epoch: EPOCH, kind, payload }]);
    this.entries.push(...added);
    const [entry] = added;
    if (entry === undefined) {
      throw new Error("one entry was chained");
    }
    return entry;
  }
}

/** A state at the open writer and its log; applies when it is told to. */
export class Writer {
  readonly log = new EntryLog();
  readonly state: ReplicatedState;

  constructor(limits: Partial<StateLimits> = {}) {
    this.state = newState(limits);
  }

  /** Resolves and appends; applies nothing. */
  append(...requests: StreamRequest[]): ResolvedBatch {
    const batch = this.state.resolve(this.log.last.seq + 1, requests);
    if (batch.payload !== null) {
      this.log.batch(batch.payload);
    }
    return batch;
  }

  commit(count: number = Number.POSITIVE_INFINITY): void {
    const from = this.state.appliedSeq;
    for (const entry of this.log.entries.slice(from, from + count)) {
      this.state.apply(entry);
    }
  }

  /** Appends and commits; the answer of each new request, for the others what became of them. */
  write(...requests: StreamRequest[]): unknown[] {
    const { outcomes } = this.append(...requests);
    this.commit();
    return outcomes.map((outcome) => (outcome.kind === "new" ? outcome.answer : outcome.kind));
  }
}

/** A state that has applied `entries` and nothing else. */
export function replayed(entries: readonly Entry[]): ReplicatedState {
  const state = newState();
  for (const entry of entries) {
    state.apply(entry);
  }
  return state;
}

export function valuesOf(state: ReplicatedState): Readonly<Record<string, unknown>> {
  return Object.fromEntries(KEYS.map((key) => [key, state.query(key, false)]));
}

/** A row of a batch as no writer need have resolved it. */
export type RowInput =
  | {
      readonly clientId: string;
      readonly requestSeq: number;
      readonly doneBelow: number;
      readonly answer: unknown;
      readonly changes: readonly Change[];
    }
  | { readonly clientIds: readonly string[]; readonly idleSinceSeq: number };

const ROOM_BYTES = 64 * 1024;

/** The payload of a batch with these rows. */
export function payloadOf(rows: readonly RowInput[]): Uint8Array {
  const builder = new BatchBuilder(Buffer.alloc(ROOM_BYTES));
  for (const row of rows) {
    if ("clientIds" in row) {
      builder.addExpiry(row.clientIds, row.idleSinceSeq);
    } else {
      const { clientId, requestSeq, doneBelow, ...resolution } = row;
      invariant(builder.add({ clientId, requestSeq }, doneBelow, resolution).kind === "request", "it fits");
      builder.keep();
    }
  }
  return builder.finish();
}
