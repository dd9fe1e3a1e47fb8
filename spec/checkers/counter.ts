/**
 * Counters: is what is read within what the additions allow?
 *
 * A read must be at least the sum of what was certainly added before it and of all that may have been taken away,
 * and at most the reverse. One pass in time order. It proves that no acknowledged addition is missing and
 * none counts twice as far as the bounds are tight, which they are when nothing overlaps and no outcome is
 * unknown; it is weaker than linearizability and costs nothing.
 */
import { type Findings, FindingsCollector } from "./findings.ts";
import { checkTimes, HistoryError, show } from "./history.ts";

/** `by` added, or `value` read. Unknown outcome: `return: Infinity`. Refused additions are left out. */
export type CounterOperation = {
  readonly counter: string;
  readonly call: number;
  readonly return: number;
} & (
  | {
      readonly op: "add";
      readonly by: number /** The new sum, where the answer has it. */;
      readonly sum?: number;
    }
  | { readonly op: "read"; readonly value: number }
);

/**
 * Kinds: `too low`, `too high`, and `answered twice` for two additions that got the same new sum on a
 * counter that only grows.
 */
export function checkCounters(history: readonly CounterOperation[], initial = 0): Findings {
  checkTimes(history);
  const findings = new FindingsCollector();
  const counters = new Map<string, CounterOperation[]>();
  for (const operation of history) {
    const operations = counters.get(operation.counter) ?? [];
    operations.push(operation);
    counters.set(operation.counter, operations);
  }
  for (const [name, operations] of counters) {
    checkCounter(name, operations, initial, findings);
    checkAnswers(name, operations, findings);
  }
  return findings;
}

/** Sums of the positive and of the negative additions: those that returned, and those that were called. */
interface Sums {
  sureUp: number;
  sureDown: number;
  maybeUp: number;
  maybeDown: number;
}

function checkCounter(
  name: string,
  operations: readonly CounterOperation[],
  initial: number,
  findings: FindingsCollector,
): void {
  const steps = operations.flatMap((operation) => {
    const call = { operation, time: operation.call, order: 0 };
    const back = { operation, time: operation.return, order: 1 };
    return operation.return === Number.POSITIVE_INFINITY ? [call] : [call, back];
  });
  steps.sort((a, b) => a.time - b.time || a.order - b.order);
  const sums: Sums = { sureUp: 0, sureDown: 0, maybeUp: 0, maybeDown: 0 };
  const atCall = new Map<CounterOperation, Sums>();
  for (const { operation, order } of steps) {
    if (order === 0) {
      atCall.set(operation, { ...sums });
      if (operation.op === "add") {
        addTo(sums, "maybe", operation.by);
      }
    } else {
      judge(name, operation, initial, atCall.get(operation) ?? sums, sums, findings);
      atCall.delete(operation);
      if (operation.op === "add") {
        addTo(sums, "sure", operation.by);
      }
    }
  }
}

function addTo(sums: Sums, certainty: "sure" | "maybe", by: number): void {
  if (!Number.isSafeInteger(by)) {
    throw new HistoryError(`by must be an integer, so that sums are exact, not ${by}`);
  }
  const up = Math.max(by, 0);
  const down = Math.min(by, 0);
  if (certainty === "sure") {
    sums.sureUp += up;
    sums.sureDown += down;
  } else {
    sums.maybeUp += up;
    sums.maybeDown += down;
  }
}

/** What was sure at the call counts; so does what may have happened by the return. */
function judge(
  name: string,
  operation: CounterOperation,
  initial: number,
  atCall: Sums,
  atReturn: Sums,
  findings: FindingsCollector,
): void {
  const seen = operation.op === "read" ? operation.value : operation.sum;
  if (seen === undefined) {
    return;
  }
  // An addition has itself among what may have happened, and for certain in its own answer.
  const own = operation.op === "add" ? operation.by : 0;
  const low = initial + atCall.sureUp + atReturn.maybeDown + Math.max(own, 0);
  const high = initial + atCall.sureDown + atReturn.maybeUp + Math.min(own, 0);
  if (seen < low || seen > high) {
    const what = `counter ${show(name)}, ${operation.op} at [${operation.call}, ${operation.return}]`;
    const bounds = `not within ${low} and ${high}`;
    findings.add(seen < low ? "too low" : "too high", `${what}: ${seen} is ${bounds}`);
  }
}

function checkAnswers(
  name: string,
  operations: readonly CounterOperation[],
  findings: FindingsCollector,
): void {
  const additions = operations.flatMap((operation) => (operation.op === "add" ? [operation] : []));
  if (additions.some(({ by }) => by <= 0)) {
    return;
  }
  const answered = new Map<number, CounterOperation>();
  for (const addition of additions) {
    const { sum } = addition;
    const other = sum === undefined ? undefined : answered.get(sum);
    if (other !== undefined) {
      const both = `additions at ${other.call} and at ${addition.call}`;
      findings.add("answered twice", `counter ${show(name)}: ${both} both got ${sum}`);
    } else if (sum !== undefined) {
      answered.set(sum, addition);
    }
  }
}
