/**
 * The sequential objects that histories are compared with: register, key/value store, counter, queue, stack
 * and list. Each says what an operation answers and leaves behind when nothing else runs.
 *
 * Values are strings, numbers and booleans; null means absent. An operation that does not apply (appending to
 * a number) changes nothing and says so in its output. All operations apply in every state.
 */
import { ANY, type Any, show } from "./history.ts";
import { type Scalar, Sequence } from "./interned-sequence.ts";
import { ILLEGAL, type Model } from "./linearizability.ts";

export type { Scalar };

export interface Applied<State, Output> {
  readonly state: State;
  readonly output: Output;
}

/** A model whose operations have one possible output in each state: it can also be run. */
export interface SequentialModel<State, Input, Output> extends Model<State, Input, Output> {
  apply(state: State, input: Input): Applied<State, Output>;
  inputKey(input: Input): string;
}

interface Definition<State, Input, Output> {
  readonly name: string;
  initial(): State;
  apply(state: State, input: Input): Applied<State, Output>;
  readsOnly(input: Input, output: Output | Any): boolean;
  partitionOf?(input: Input): string;
  showState?(state: State): string;
}

/** A model from a function that runs operations; the output of a history is compared with what it gives. */
export function sequential<State, Input extends object, Output>(
  definition: Definition<State, Input, Output>,
): SequentialModel<State, Input, Output> {
  return {
    ...definition,
    step(state, input, output) {
      const applied = definition.apply(state, input);
      return output === ANY || same(applied.output, output) ? applied.state : ILLEGAL;
    },
    inputKey: show,
  };
}

function same(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((value, index) => same(value, b[index]));
  }
  return a === b || (Number.isNaN(a) && Number.isNaN(b));
}

// Register

export type RegisterInput =
  | { readonly op: "read" }
  | { readonly op: "write"; readonly value: Scalar }
  | { readonly op: "cas"; readonly from: Scalar | null; readonly to: Scalar };

/** One value. read: the value; write: true; cas: whether it was `from` and now is `to`. */
export function registerModel(initial: Scalar | null = null) {
  return sequential<Scalar | null, RegisterInput, Scalar | null>({
    name: "register",
    initial: () => initial,
    apply(state, input) {
      switch (input.op) {
        case "read":
          return { state, output: state };
        case "write":
          return { state: input.value, output: true };
        case "cas":
          return state === input.from ? { state: input.to, output: true } : { state, output: false };
      }
    },
    readsOnly: (input, output) => input.op === "read" || (input.op === "cas" && output === false),
  });
}

// Key/value store

export type KeyValueInput = { readonly key: string } & (
  | { readonly op: "get" | "delete" | "take" }
  | { readonly op: "put" | "insertNew"; readonly value: Scalar }
  | { readonly op: "append"; readonly value: string }
  | { readonly op: "cas"; readonly from: Scalar | null; readonly to: Scalar | null }
  | { readonly op: "increment"; readonly by: number }
);

/**
 * Many keys, each a partition. Outputs: get: the value; put: true; insertNew: whether the key was absent;
 * append: whether it was a string or absent; cas: whether it was `from` (null: absent) and now is `to`;
 * increment: the new number (absent counts as 0), or null when it was none; delete: whether it was there;
 * take: the value that is gone now.
 */
export function keyValueModel(initial: Scalar | null = null) {
  return sequential<Scalar | null, KeyValueInput, Scalar | null>({
    name: "key/value",
    initial: () => initial,
    apply: applyToKey,
    readsOnly: ({ op }, output) =>
      op === "get" ||
      (output === false && op !== "take") ||
      (output === null && (op === "increment" || op === "take")),
    partitionOf: (input) => input.key,
  });
}

function applyToKey(state: Scalar | null, input: KeyValueInput): Applied<Scalar | null, Scalar | null> {
  switch (input.op) {
    case "get":
      return { state, output: state };
    case "put":
      return { state: input.value, output: true };
    case "insertNew":
      return state === null ? { state: input.value, output: true } : { state, output: false };
    case "append":
      return state === null || typeof state === "string"
        ? { state: (state ?? "") + input.value, output: true }
        : { state, output: false };
    case "cas":
      return state === input.from ? { state: input.to, output: true } : { state, output: false };
    case "increment": {
      const sum = state === null ? input.by : typeof state === "number" ? state + input.by : null;
      return { state: sum ?? state, output: sum };
    }
    case "delete":
      return { state: null, output: state !== null };
    case "take":
      return { state: null, output: state };
  }
}

// Counter

export type CounterInput = { readonly counter?: string } & (
  | { readonly op: "read" }
  | { readonly op: "add"; readonly by: number }
);

/** Numbers by name. read: the sum; add: the new sum. */
export function counterModel(initial = 0) {
  return sequential<number, CounterInput, number>({
    name: "counter",
    initial: () => initial,
    apply(state, input) {
      const sum = input.op === "add" ? state + input.by : state;
      return { state: sum, output: sum };
    },
    readsOnly: (input) => input.op === "read",
    partitionOf: (input) => input.counter ?? "",
  });
}

// Queue and stack

export type QueueInput = { readonly queue?: string } & (
  | { readonly op: "add"; readonly value: Scalar }
  | { readonly op: "out" | "peek" | "count" | "getAll" }
);

/** First in, first out, by name. add: true; out, peek: the first or null; count; getAll: first to last. */
export function queueModel() {
  return sequential<Sequence, QueueInput, Scalar | null | readonly Scalar[]>({
    name: "queue",
    initial: () => Sequence.empty(),
    apply(state, input) {
      switch (input.op) {
        case "add":
          return { state: state.push(input.value), output: true };
        case "out":
          return { state: state.shift(), output: state.first ?? null };
        case "peek":
          return { state, output: state.first ?? null };
        case "count":
          return { state, output: state.length };
        case "getAll":
          return { state, output: state.toArray() };
      }
    },
    readsOnly: ({ op }, output) =>
      op === "peek" || op === "count" || op === "getAll" || (op === "out" && output === null),
    partitionOf: (input) => input.queue ?? "",
    showState: (state) => show(state.toArray()),
  });
}

export type StackInput = { readonly stack?: string } & (
  | { readonly op: "push"; readonly value: Scalar }
  | { readonly op: "pop" | "count" | "getAll" }
);

/** Last in, first out, by name. push: true; pop: the last or null; count; getAll: last pushed first. */
export function stackModel() {
  return sequential<Sequence, StackInput, Scalar | null | readonly Scalar[]>({
    name: "stack",
    initial: () => Sequence.empty(),
    apply(state, input) {
      switch (input.op) {
        case "push":
          return { state: state.push(input.value), output: true };
        case "pop":
          return { state: state.pop(), output: state.last ?? null };
        case "count":
          return { state, output: state.length };
        case "getAll":
          return { state, output: state.toArray().reverse() };
      }
    },
    readsOnly: ({ op }, output) => op === "count" || op === "getAll" || (op === "pop" && output === null),
    partitionOf: (input) => input.stack ?? "",
    showState: (state) => show(state.toArray().reverse()),
  });
}

// List

export type ListInput = { readonly key: string } & (
  | { readonly op: "append"; readonly value: Scalar }
  | { readonly op: "read" }
);

/** Lists by key. append: true; read: all values in order. */
export function listModel() {
  return sequential<Sequence, ListInput, true | readonly Scalar[]>({
    name: "list",
    initial: () => Sequence.empty(),
    apply(state, input) {
      return input.op === "append"
        ? { state: state.push(input.value), output: true }
        : { state, output: state.toArray() };
    },
    readsOnly: (input) => input.op === "read",
    partitionOf: (input) => input.key,
    showState: (state) => show(state.toArray()),
  });
}
