/**
 * Random histories of small size, and the legal ones among them: a model is run by several clients, each
 * operation at a random instant between its call and its return; then some operations lose their outcome.
 */
import { ANY, type Operation } from "./history.ts";
import type {
  CounterInput,
  KeyValueInput,
  ListInput,
  QueueInput,
  RegisterInput,
  SequentialModel,
  StackInput,
} from "./models.ts";

/** The part of the product's Random port that is needed here. */
export interface Chance {
  /** A float in [0, 1). */
  next(): number;
  /** An integer in [0, bound). */
  below(bound: number): number;
}

export interface HistoryShape {
  readonly clients: number;
  readonly operations: number;
  /** How far the instants of one client's operations lie apart, at most. Small: many ties. */
  readonly gapMax: number;
  /** Share of the operations that never return. */
  readonly unknownShare: number;
}

interface Slot {
  readonly clientId: number;
  readonly call: number;
  readonly effect: number;
  readonly return: number;
}

/** A history that some order explains. */
export function legalHistory<State, Input, Output>(
  model: SequentialModel<State, Input, Output>,
  drawInput: (chance: Chance) => Input,
  shape: HistoryShape,
  chance: Chance,
): Operation<Input, Output>[] {
  const slots = drawSlots(shape, chance).sort((a, b) => a.effect - b.effect);
  const states = new Map<string, State>();
  return slots.map((slot) => {
    const { clientId, call } = slot;
    const input = drawInput(chance);
    const partition = model.partitionOf?.(input) ?? "";
    const before = states.get(partition) ?? model.initial();
    const { state, output } = model.apply(before, input);
    const unknown = chance.next() < shape.unknownShare;
    if (!unknown || chance.next() < 0.5) {
      states.set(partition, state);
    }
    return unknown
      ? { clientId, input, call, output: ANY, return: Number.POSITIVE_INFINITY }
      : { clientId, input, call, output, return: slot.return };
  });
}

/** Per client one operation after the other; the instants of effect differ by fractions. */
function drawSlots({ clients, operations, gapMax }: HistoryShape, chance: Chance): Slot[] {
  const clock = Array.from({ length: clients }, () => 0);
  return Array.from({ length: operations }, () => {
    const clientId = chance.below(clients);
    const call = (clock[clientId] ?? 0) + chance.below(gapMax + 1);
    const returned = call + chance.below(gapMax + 1);
    clock[clientId] = returned + 1;
    return { clientId, call, effect: call + chance.next() * (returned - call), return: returned };
  });
}

/**
 * The history with one thing changed: an output taken from another operation (one that `mayDonate`), or an
 * operation moved in time. The result may still be linearizable.
 */
export function mutate<Input, Output>(
  history: readonly Operation<Input, Output>[],
  chance: Chance,
  mayDonate: (from: Input, to: Input) => boolean = () => true,
): Operation<Input, Output>[] {
  const victim = chance.below(history.length);
  const donor = history[chance.below(history.length)];
  const shift = chance.below(7) - 3;
  const swapOutput = chance.next() < 0.7;
  return history.map((operation, index) => {
    if (index !== victim || donor === undefined) {
      return operation;
    }
    const known = operation.return !== Number.POSITIVE_INFINITY && donor.output !== ANY;
    return swapOutput && known && mayDonate(donor.input, operation.input)
      ? { ...operation, output: donor.output }
      : { ...operation, call: operation.call + shift, return: operation.return + shift };
  });
}

function pick<const Item>(items: readonly Item[], chance: Chance): Item {
  const item = items[chance.below(items.length)];
  if (item === undefined) {
    throw new RangeError("nothing to pick from");
  }
  return item;
}

const SMALL: readonly number[] = [1, 2, 3];

export function drawRegisterInput(chance: Chance): RegisterInput {
  switch (pick(["read", "write", "cas"], chance)) {
    case "write":
      return { op: "write", value: pick(SMALL, chance) };
    case "cas":
      return { op: "cas", from: pick([null, 1, 2], chance), to: pick(SMALL, chance) };
    default:
      return { op: "read" };
  }
}

export function drawKeyValueInput(chance: Chance): KeyValueInput {
  const key = pick(["x", "y"], chance);
  const op = pick(["get", "get", "put", "insertNew", "append", "cas", "increment", "delete", "take"], chance);
  switch (op) {
    case "get":
    case "delete":
    case "take":
      return { key, op };
    case "put":
    case "insertNew":
      return { key, op, value: pick([1, 2, "a"], chance) };
    case "append":
      return { key, op, value: pick(["a", "b"], chance) };
    case "cas":
      return { key, op, from: pick([null, 1, "a"], chance), to: pick([null, 2, "b"], chance) };
    default:
      return { key, op: "increment", by: pick([1, 2], chance) };
  }
}

export function drawCounterInput(chance: Chance): CounterInput {
  return chance.next() < 0.4 ? { op: "read" } : { op: "add", by: pick([1, 2, -1], chance) };
}

export function drawQueueInput(chance: Chance): QueueInput {
  const op = pick(["add", "add", "out", "out", "peek", "count", "getAll"], chance);
  return op === "add" ? { op, value: pick(SMALL, chance) } : { op };
}

export function drawStackInput(chance: Chance): StackInput {
  const op = pick(["push", "push", "pop", "pop", "count", "getAll"], chance);
  return op === "push" ? { op, value: pick(SMALL, chance) } : { op };
}

/** Values are unique per call of the function that this makes. */
export function uniqueListInputs(): (chance: Chance) => ListInput {
  let value = 0;
  return (chance) => {
    const key = pick(["x", "y"], chance);
    value += 1;
    return chance.next() < 0.5 ? { key, op: "read" } : { key, op: "append", value };
  };
}
