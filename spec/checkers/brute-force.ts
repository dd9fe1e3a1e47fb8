/**
 * The definition of linearizability, tried out: every order of every selection of operations. It shares nothing
 * with the checker but the model's `step`, and is meant for histories of a few operations.
 */
import { ANY, HistoryError, type Operation } from "./history.ts";
import { ILLEGAL, type Model } from "./linearizability.ts";

/**
 * Whether some order of all operations that returned, and of any of those that did not, is a legal run in which
 * no operation stands before one that returned before it was called. Partitions are not split: their states
 * are carried side by side.
 */
export function isLinearizableByForce<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
): boolean {
  const names = history.map(({ input }) => model.partitionOf?.(input) ?? "");
  const states = new Map(names.map((name): [string, State] => [name, model.initial()]));
  return extend(model, states, history);
}

function extend<State, Input, Output>(
  model: Model<State, Input, Output>,
  states: ReadonlyMap<string, State>,
  left: readonly Operation<Input, Output>[],
): boolean {
  if (left.every((operation) => operation.return === Number.POSITIVE_INFINITY)) {
    return true;
  }
  return left.some((operation) => {
    const others = left.filter((other) => other !== operation);
    if (others.some((other) => other.return < operation.call)) {
      return false;
    }
    const name = model.partitionOf?.(operation.input) ?? "";
    const before = states.get(name);
    if (before === undefined) {
      throw new HistoryError(`the partition ${name} has no state`);
    }
    const output = operation.return === Number.POSITIVE_INFINITY ? ANY : operation.output;
    const after = model.step(before, operation.input, output);
    return after !== ILLEGAL && extend(model, new Map(states).set(name, after), others);
  });
}
