/**
 * What a history is: operations of many clients, each with the times of its call and its return.
 *
 * The checkers in this folder import nothing from outside it: they judge the product, so they share no
 * code with it. Times come from one counter that everybody shares; it need not be a clock, and a counter of
 * events is better than virtual milliseconds, because at equal times nothing is known about the order.
 * One operation precedes another only when its return is less than the other's call.
 */

/** An output that nobody saw, or that is not to be compared: the model accepts whatever it would be. */
export const ANY: unique symbol = Symbol("any");
export type Any = typeof ANY;

/** One operation of one client. An unknown outcome (a timeout) has `return: Infinity` and `output: ANY`. */
export interface Operation<Input, Output> {
  readonly clientId: number | string;
  readonly input: Input;
  readonly call: number;
  readonly output: Output | Any;
  readonly return: number;
}

/** The history itself is malformed: whoever recorded it is wrong, and no verdict is given. */
export class HistoryError extends Error {
  override readonly name: string = "HistoryError";
}

/** Throws a HistoryError that names the first operation whose times cannot be. */
export function checkTimes(operations: readonly { readonly call: number; readonly return: number }[]): void {
  for (const [index, operation] of operations.entries()) {
    const { call, return: returned } = operation;
    if (!Number.isFinite(call)) {
      throw new HistoryError(`operation ${index}: call must be a finite number, not ${call}`);
    }
    if (!(returned >= call)) {
      throw new HistoryError(`operation ${index}: return (${returned}) must not be less than call (${call})`);
    }
  }
}

/** `client 3 [12, 40]: {op: "put", key: "x", value: 5} -> true`. */
export function showOperation(operation: Operation<unknown, unknown>): string {
  const { clientId, input, output, call, return: returned } = operation;
  return `client ${clientId} [${call}, ${showTime(returned)}]: ${show(input)} -> ${show(output)}`;
}

export function showTime(time: number): string {
  return time === Number.POSITIVE_INFINITY ? "never returned" : String(time);
}

/** Values of histories as text: plain data, written like a literal. */
export function show(value: unknown): string {
  if (value === ANY) {
    return "?";
  }
  if (typeof value === "string") {
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) {
    return `[${value.map(show).join(", ")}]`;
  }
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value)
      .map(([name, field]) => `${name}: ${show(field)}`)
      .join(", ")}}`;
  }
  return String(value);
}
