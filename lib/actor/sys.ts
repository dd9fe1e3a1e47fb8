/**
 * `sys`: looking into a running process, and holding it, without its cooperation.
 *
 * Every request goes through the system lane: it is answered between two messages, ahead of all that
 * waits, also while the process is suspended. It waits for an async callback that is in flight, up to
 * `timeoutMs` (default `limits.callTimeoutMs`), and rejects with `timeout`, `noproc` or `calling_self`.
 */
import { messageOf, SupercastError } from "../base/errors.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Process } from "./process.ts";
import { callingSelf, noproc } from "./system.ts";

export interface ProcessStatistics {
  readonly startedAtMs: number;
  readonly messagesIn: number;
}

/** What a process counts and shows while debugging is on. Absent otherwise, and then it costs nothing. */
export class ProcessDebug {
  /** The last messages, newest last, while the event log is on. */
  readonly events: object[] = [];
  readonly traces: Set<(message: object) => void> = new Set();
  #statistics: { readonly startedAtMs: number; messagesIn: number } | null = null;
  #eventBound = 0;
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  get counted(): ProcessStatistics | undefined {
    return this.#statistics === null ? undefined : { ...this.#statistics };
  }

  /** Whether nothing is switched on. */
  get idle(): boolean {
    return this.#statistics === null && this.#eventBound === 0 && this.traces.size === 0;
  }

  count(on: boolean, nowMs: number): void {
    if (!on) {
      this.#statistics = null;
    } else if (this.#statistics === null) {
      this.#statistics = { startedAtMs: nowMs, messagesIn: 0 };
    }
  }

  keep(bound: number): void {
    if (!Number.isInteger(bound) || bound < 0) {
      throw new SupercastError("invalid_message", `bound is ${bound}; allowed: a whole number from 0`);
    }
    this.#eventBound = bound;
    this.events.splice(0, Math.max(0, this.events.length - bound));
  }

  received(message: object): void {
    if (this.#statistics !== null) {
      this.#statistics.messagesIn += 1;
    }
    if (this.#eventBound > 0) {
      if (this.events.length === this.#eventBound) {
        this.events.shift();
      }
      this.events.push(message);
    }
    for (const trace of this.traces) {
      this.#show(trace, message);
    }
  }

  /** A hook that throws is taken out and reported; it must not hurt the process it looks at. */
  #show(trace: (message: object) => void, message: object): void {
    try {
      trace(message);
    } catch (thrown) {
      this.traces.delete(trace);
      this.#log.warn("a trace hook threw and was taken out", { error: thrown });
    }
  }
}

/** Runs `look` between two messages of `target`; not any more once the wait is over. */
function between<T>(target: Process, timeoutMs: number | undefined, look: () => T): Promise<T> {
  const { clock, limits, current } = target.system;
  const waitMs = timeoutMs ?? limits.callTimeoutMs;
  if (target === current) {
    return Promise.reject(callingSelf(target.label));
  }
  return new Promise((resolve, reject) => {
    let waiting = true;
    const settle = (how: () => void): void => {
      if (waiting) {
        waiting = false;
        withdraw();
        if (timer !== undefined) {
          clock.clearTimer(timer);
        }
        how();
      }
    };
    const timer = Number.isFinite(waitMs)
      ? clock.setTimer(() => settle(() => reject(busy(target, waitMs))), waitMs)
      : undefined;
    let withdraw = (): void => undefined;
    withdraw = target.onEnd(() => settle(() => reject(noproc(target.label))));
    target.pushSystem(() =>
      settle(() => {
        try {
          resolve(look());
        } catch (thrown) {
          reject(thrown instanceof Error ? thrown : new SupercastError("invalid_message", messageOf(thrown)));
        }
      }),
    );
  });
}

function busy(target: Process, waitMs: number): SupercastError {
  return new SupercastError(
    "timeout",
    `${target.label} did not come between two messages within ${waitMs} ms`,
  );
}

export function getState(target: Process, timeoutMs?: number): Promise<unknown> {
  return between(target, timeoutMs, () => target.behaviour.state);
}

/** What introspection may show: the state through the behaviour's `formatState`. */
export function getStatus(target: Process, timeoutMs?: number): Promise<unknown> {
  return between(target, timeoutMs, () => target.behaviour.formatState(target.behaviour.state));
}

/** Replaces the state by `change(state)`. When `change` throws, the state stays and the process lives. */
export function replaceState(
  target: Process,
  change: (state: unknown) => unknown,
  timeoutMs?: number,
): Promise<unknown> {
  return between(target, timeoutMs, () => {
    const next = change(target.behaviour.state);
    target.behaviour.state = next;
    return next;
  });
}

/** Holds back user messages; calls to it time out. Idempotent. */
export function suspend(target: Process, timeoutMs?: number): Promise<void> {
  return between(target, timeoutMs, () => target.suspend());
}

/** Goes on with what has queued up. Idempotent. */
export function resume(target: Process, timeoutMs?: number): Promise<void> {
  return between(target, timeoutMs, () => target.resume());
}

function debugOf(target: Process): ProcessDebug {
  target.debug ??= new ProcessDebug(target.system.log);
  return target.debug;
}

function dropIdleDebug(target: Process): void {
  if (target.debug?.idle === true) {
    target.debug = null;
  }
}

/** Switches counting on, from zero, or off. */
export function setStatistics(target: Process, on: boolean): void {
  debugOf(target).count(on, target.system.clock.now());
  dropIdleDebug(target);
}

/** The counts since statistics were switched on, or undefined while they are off. */
export function statistics(target: Process): ProcessStatistics | undefined {
  return target.debug?.counted;
}

/** Keeps the last `bound` messages; 0 switches the event log off. */
export function setEventLog(target: Process, bound: number): void {
  debugOf(target).keep(bound);
  dropIdleDebug(target);
}

export function eventLog(target: Process): readonly object[] {
  return target.debug === null ? [] : [...target.debug.events];
}

/** Shows every message to `hook` before it is handled. Returns what takes the hook out. */
export function trace(target: Process, hook: (message: object) => void): () => void {
  const { traces } = debugOf(target);
  traces.add(hook);
  return () => {
    traces.delete(hook);
    dropIdleDebug(target);
  };
}
