/**
 * Many tasks, a bounded number at a time: the loop behind `Tasks.asyncStream`.
 *
 * Items are pulled only when there is room. A task takes its room until its result has been handed out,
 * so a slow consumer holds back the source too.
 */
import { SupercastError } from "../base/errors.ts";
import { abnormal } from "../base/reason.ts";
import type { Task, TaskOutcome } from "./task.ts";

export interface StreamOptions {
  /** How many tasks may run, or wait with their result, at a time. */
  readonly maxConcurrency: number;
  /** Results in the order of the items (the default), or as they come. */
  readonly ordered?: boolean;
  /** For each task; default the limit of calls (5000). Infinity waits for ever. */
  readonly timeoutMs?: number;
  /**
   * When a task takes longer: "exit" (the default) ends the whole stream with `timeout`; "kill_task" kills
   * that task and hands out `{ status: "exit" }` with an abnormal reason named "timeout".
   */
  readonly onTimeout?: "exit" | "kill_task";
}

/** Throws `config_mismatch` naming the option that is wrong. */
export function checkStreamOptions(options: StreamOptions): void {
  const { maxConcurrency, timeoutMs = 0, onTimeout = "exit" } = options;
  if (!Number.isInteger(maxConcurrency) || maxConcurrency < 1) {
    throw wrong("maxConcurrency", maxConcurrency, "a whole number from 1");
  }
  if (!(timeoutMs >= 0)) {
    throw wrong("timeoutMs", timeoutMs, "milliseconds from 0, Infinity");
  }
  if (onTimeout !== "exit" && onTimeout !== "kill_task") {
    throw wrong("onTimeout", onTimeout, "exit, kill_task");
  }
}

function wrong(option: string, value: unknown, allowed: string): SupercastError {
  return new SupercastError("config_mismatch", `${option} is ${String(value)}; allowed: ${allowed}`);
}

interface Running<T> {
  readonly task: Task<T>;
  /** Undefined when the task took too long and that ends the stream. */
  readonly settled: Promise<{ readonly running: Running<T>; readonly outcome: TaskOutcome<T> | undefined }>;
}

export interface StreamSource<Item, T> {
  readonly items: Iterable<Item> | AsyncIterable<Item>;
  readonly options: StreamOptions;
  readonly timeoutMs: number;
  /** Starts the task of one item; what it rejects with ends the stream. */
  readonly launch: (item: Item) => Promise<Task<T>>;
}

/** However the stream ends, by its source, its consumer or an error, tasks that still run are killed. */
export async function* streamTasks<Item, T>(
  source: StreamSource<Item, T>,
): AsyncGenerator<TaskOutcome<T>, void, undefined> {
  const { maxConcurrency, ordered = true } = source.options;
  const items = iteratorOf(source.items);
  const window = new Set<Running<T>>();
  let next: Promise<{ readonly item: IteratorResult<Item> }> | undefined;
  let exhausted = false;
  try {
    for (;;) {
      if (!exhausted && window.size < maxConcurrency) {
        next ??= Promise.resolve(items.next()).then((item) => ({ item }));
      }
      const ready = [...window].slice(0, ordered ? 1 : window.size).map(({ settled }) => settled);
      if (next === undefined && ready.length === 0) {
        return;
      }
      const event = await Promise.race(next === undefined ? ready : [next, ...ready]);
      if ("running" in event) {
        const outcome = event.outcome ?? tooLate(source.timeoutMs);
        window.delete(event.running);
        yield outcome;
        continue;
      }
      next = undefined;
      if (event.item.done === true) {
        exhausted = true;
      } else {
        window.add(watch(await source.launch(event.item.value), source));
      }
    }
  } finally {
    await Promise.all([...window].map(({ task }) => task.shutdown("brutal_kill")));
    if (!exhausted) {
      await items.return?.();
    }
  }
}

function watch<Item, T>(task: Task<T>, source: StreamSource<Item, T>): Running<T> {
  const running: Running<T> = {
    task,
    settled: outcomeOf(task, source).then((outcome) => ({ running, outcome })),
  };
  return running;
}

async function outcomeOf<Item, T>(
  task: Task<T>,
  { timeoutMs, options }: StreamSource<Item, T>,
): Promise<TaskOutcome<T> | undefined> {
  const outcome = await task.yield(timeoutMs);
  if (outcome !== undefined || options.onTimeout !== "kill_task") {
    return outcome;
  }
  const ended = await task.shutdown("brutal_kill");
  return ended.status === "ok"
    ? ended
    : { status: "exit", reason: abnormal("timeout", `the task took longer than ${timeoutMs} ms`) };
}

function tooLate(timeoutMs: number): never {
  throw new SupercastError("timeout", `a task of the stream took longer than ${timeoutMs} ms`);
}

function iteratorOf<Item>(items: Iterable<Item> | AsyncIterable<Item>): Iterator<Item> | AsyncIterator<Item> {
  return Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
}
