/**
 * `sys`: looking into a running process, and holding it, without its cooperation.
 *
 * Every request goes through the system lane: it is answered between two messages, ahead of all that
 * waits, also while the process is suspended.
 */
import { messageOf, SupercastError } from "../base/errors.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Process } from "./process.ts";
import { noproc } from "./system.ts";

export interface ProcessStatistics {
  readonly startedAtMs: number;
  readonly messagesIn: number;
}

/** What a process counts and shows while debugging is on. Absent otherwise, and then it costs nothing. */
export class ProcessDebug {
  readonly startedAtMs: number;
  messagesIn = 0;
  statistics = false;
  /** The last messages, newest last, while the event log is on. */
  readonly events: object[] = [];
  eventBound = 0;
  readonly traces: Set<(message: object) => void> = new Set();

  readonly #log: Logger;

  constructor(nowMs: number, log: Logger) {
    this.startedAtMs = nowMs;
    this.#log = log;
  }

  received(message: object): void {
    this.messagesIn += 1;
    if (this.eventBound > 0) {
      if (this.events.length === this.eventBound) {
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

/** Runs `look` between two messages of `process`. Rejects `noproc` when the process ends first. */
function between<T>(process: Process, look: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    if (!process.alive) {
      reject(noproc(process.label));
      return;
    }
    const withdraw = process.onEnd(() => reject(noproc(process.label)));
    process.pushSystem(() => {
      withdraw();
      try {
        resolve(look());
      } catch (thrown) {
        reject(thrown instanceof Error ? thrown : new SupercastError("invalid_message", messageOf(thrown)));
      }
    });
  });
}

export function getState(process: Process): Promise<unknown> {
  return between(process, () => process.behaviour.state);
}

/** What introspection may show: the state through the behaviour's `formatState`. */
export function getStatus(process: Process): Promise<unknown> {
  return between(process, () => process.behaviour.formatState(process.behaviour.state));
}

/** Replaces the state by `change(state)`. When `change` throws, the state stays and the process lives. */
export function replaceState(process: Process, change: (state: unknown) => unknown): Promise<unknown> {
  return between(process, () => {
    const next = change(process.behaviour.state);
    process.behaviour.state = next;
    return next;
  });
}

/** Holds back user messages; calls to it time out. Idempotent. */
export function suspend(process: Process): Promise<void> {
  return between(process, () => process.suspend());
}

/** Goes on with what has queued up. Idempotent. */
export function resume(process: Process): Promise<void> {
  return between(process, () => process.resume());
}

function debugOf(process: Process): ProcessDebug {
  process.debug ??= new ProcessDebug(process.system.clock.now(), process.system.log);
  return process.debug;
}

function dropIdleDebug(process: Process): void {
  const { debug } = process;
  if (debug !== null && !debug.statistics && debug.eventBound === 0 && debug.traces.size === 0) {
    process.debug = null;
  }
}

/** Switches counting on or off. */
export function setStatistics(process: Process, on: boolean): void {
  const debug = debugOf(process);
  debug.statistics = on;
  dropIdleDebug(process);
}

/** The counts since statistics were switched on, or undefined while they are off. */
export function statistics(process: Process): ProcessStatistics | undefined {
  const { debug } = process;
  return debug?.statistics === true
    ? { startedAtMs: debug.startedAtMs, messagesIn: debug.messagesIn }
    : undefined;
}

/** Keeps the last `bound` messages; 0 switches the event log off. */
export function setEventLog(process: Process, bound: number): void {
  const debug = debugOf(process);
  debug.eventBound = bound;
  debug.events.splice(0, Math.max(0, debug.events.length - bound));
  dropIdleDebug(process);
}

export function eventLog(process: Process): readonly object[] {
  return process.debug === null ? [] : [...process.debug.events];
}

/** Shows every message to `hook` before it is handled. Returns what takes the hook out. */
export function trace(process: Process, hook: (message: object) => void): () => void {
  debugOf(process).traces.add(hook);
  return () => {
    process.debug?.traces.delete(hook);
    dropIdleDebug(process);
  };
}
