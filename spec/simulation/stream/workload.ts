/**
 * What the simulated stream holds: registers, counters, lists and queues, one value per key.
 *
 * The definition is as plain as it can be, so that whatever goes wrong in a run is the stream's fault. All
 * answers are scalars, null, or lists of scalars, which the checkers compare as they are.
 */
import { z } from "zod";
import type { Change, ReadView, Resolution, StreamDefinition } from "../../../lib/stream/definition.ts";
import type { Scalar } from "../../checkers/models.ts";

const key = z.string();
const scalar = z.union([z.string(), z.number(), z.boolean()]);

const operationSchema = z.discriminatedUnion("op", [
  z.strictObject({ op: z.literal("put"), key, value: scalar }),
  z.strictObject({ op: z.literal("delete"), key }),
  z.strictObject({ op: z.literal("cas"), key, from: scalar.nullable(), to: scalar }),
  z.strictObject({ op: z.literal("increment"), key, by: z.int() }),
  z.strictObject({ op: z.literal("append"), key, value: scalar }),
  z.strictObject({ op: z.literal("add"), key, value: scalar }),
  z.strictObject({ op: z.literal("out"), key }),
]);

export type WorkOperation = z.output<typeof operationSchema>;

const querySchema = z.strictObject({
  op: z.literal("get"),
  key,
  /** Of the asker; has no meaning here. */
  tag: z.int().optional(),
});

/** The whole value of a key. */
export type WorkQuery = z.output<typeof querySchema>;

type Values = Pick<ReadView, "get">;

export const workload: StreamDefinition<unknown, unknown> = {
  resolve: (view, operation) => resolve(view, operationSchema.parse(operation)),
  query: (view, query) => view.get(querySchema.parse(query).key) ?? null,
};

/** What an operation does to the values that are there. */
export function resolve(view: Values, operation: WorkOperation): Resolution {
  const { key } = operation;
  switch (operation.op) {
    case "put":
      return { answer: true, changes: [{ key, value: operation.value }] };
    case "delete":
      return view.get(key) === undefined ? unchanged(false) : { answer: true, changes: [gone(key)] };
    case "cas":
      return scalarAt(view, key) === operation.from
        ? { answer: true, changes: [{ key, value: operation.to }] }
        : unchanged(false);
    case "increment": {
      const present = view.get(key);
      const sum = (typeof present === "number" ? present : 0) + operation.by;
      return { answer: sum, changes: [{ key, value: sum }] };
    }
    case "append":
    case "add":
      return { answer: true, changes: [{ key, value: [...listAt(view, key), operation.value] }] };
    case "out": {
      const [first, ...rest] = listAt(view, key);
      return first === undefined ? unchanged(null) : { answer: first, changes: [{ key, value: rest }] };
    }
  }
}

function unchanged(answer: Scalar | null): Resolution {
  return { answer, changes: [] };
}

function gone(key: string): Change {
  return { key, deleted: true };
}

export function isScalar(value: unknown): value is Scalar {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function scalarAt(view: Values, key: string): Scalar | null {
  const value = view.get(key);
  return isScalar(value) ? value : null;
}

function listAt(view: Values, key: string): readonly Scalar[] {
  const value = view.get(key);
  return Array.isArray(value) ? value.filter(isScalar) : [];
}
