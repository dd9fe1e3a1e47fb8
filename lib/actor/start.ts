/** Starting a process: running its init and telling how it went. */
import { SupercastError } from "../base/errors.ts";
import { nameProblem } from "../base/names.ts";
import { abnormal, type ExitReason, isClean, reasonOfThrown } from "../base/reason.ts";
import { reportCrash } from "./crash-report.ts";
import type { Pid } from "./pid.ts";
import type { Process, ProcessOptions } from "./process.ts";
import type { ViaAddress } from "./ref.ts";
import { Ignore, isPromise, NoReply, Refuse, Reply, Started, Stop } from "./result.ts";

export interface StartOptions extends ProcessOptions {
  readonly parent?: Process | null;
  /** Links the new process with its parent. */
  readonly link?: boolean;
  /** Milliseconds for an async init; default `limits.startTimeoutMs`, for supervisors Infinity. */
  readonly startTimeoutMs?: number | undefined;
  /** A name in a registry of one's own; held from before init until the process has ended. */
  readonly via?: ViaAddress | undefined;
}

/** How a start went. The process of a failed start is gone and its name free when this is returned. */
export type StartOutcome =
  | { readonly status: "started"; readonly process: Process }
  | { readonly status: "ignored" }
  | { readonly status: "already_started"; readonly pid: Pid }
  | { readonly status: "failed"; readonly reason: ExitReason };

/** Throws `config_mismatch` naming the option that is wrong. */
export function checkStartOptions({ name, mailbox, startTimeoutMs }: StartOptions): void {
  const problem = name === undefined ? undefined : nameProblem("actor", name);
  if (problem !== undefined) {
    throw new SupercastError("config_mismatch", problem);
  }
  if (mailbox !== undefined && !(mailbox >= 1)) {
    throw new SupercastError(
      "config_mismatch",
      `mailbox is ${mailbox}; allowed: a number of messages from 1`,
    );
  }
  if (startTimeoutMs !== undefined && !(startTimeoutMs >= 0)) {
    throw new SupercastError(
      "config_mismatch",
      `startTimeoutMs is ${startTimeoutMs}; allowed: milliseconds from 0, Infinity`,
    );
  }
}

/**
 * Registers a process that is about to initialise, until it ends. Returns the outcome of a start that
 * ends here, because another process got the name between question and answer.
 */
export function registerVia(process: Process, { via, name }: ViaAddress): StartOutcome | undefined {
  try {
    const registered = via.register(name, process.pid);
    if (!registered.ok) {
      process.finish("normal");
      return { status: "already_started", pid: registered.owner };
    }
  } catch (thrown) {
    return startFailed(process, reasonOfThrown(thrown));
  }
  process.onEnd(() => via.unregister(name, process.pid));
  return undefined;
}

/** Runs init; the outcome comes at once where init is synchronous. */
export function initialise(
  process: Process,
  args: unknown,
  timeoutMs: number,
): StartOutcome | Promise<StartOutcome> {
  let result: unknown;
  try {
    result = process.system.runAs(process, () => process.behaviour.init(args));
  } catch (thrown) {
    return startFailed(process, reasonOfThrown(thrown));
  }
  return isPromise(result) ? awaitInit(process, result, timeoutMs) : conclude(process, result);
}

async function awaitInit(
  process: Process,
  result: Promise<unknown>,
  timeoutMs: number,
): Promise<StartOutcome> {
  const { clock } = process.system;
  process.beginAsync();
  let withdraw: (() => void) | undefined;
  const ended = new Promise<undefined>((resolve) => {
    withdraw = process.onEnd(() => resolve(undefined));
  });
  const timer = Number.isFinite(timeoutMs)
    ? clock.setTimer(
        () => startFailed(process, abnormal("timeout", `init took longer than ${timeoutMs} ms`)),
        timeoutMs,
      )
    : undefined;
  try {
    const settled = await Promise.race([result.then((value) => ({ value })), ended]);
    return conclude(process, settled?.value);
  } catch (thrown) {
    return startFailed(process, reasonOfThrown(thrown));
  } finally {
    withdraw?.();
    if (timer !== undefined) {
      clock.clearTimer(timer);
    }
  }
}

function conclude(process: Process, result: unknown): StartOutcome {
  if (!process.alive) {
    return { status: "failed", reason: process.exitReason ?? "killed" };
  }
  if (result instanceof Ignore) {
    process.finish("normal");
    return { status: "ignored" };
  }
  if (result instanceof Refuse) {
    process.finish("normal");
    return { status: "failed", reason: result.reason };
  }
  if (result instanceof Stop) {
    return startFailed(process, result.reason);
  }
  if (result instanceof Reply || result instanceof NoReply) {
    return startFailed(process, abnormal("bad_return_value", `init returned a ${result.constructor.name}`));
  }
  if (result instanceof Started) {
    process.begin(result.state, result);
  } else {
    process.begin(result, undefined);
  }
  return { status: "started", process };
}

function startFailed(process: Process, reason: ExitReason): StartOutcome {
  if (process.alive) {
    if (!isClean(reason)) {
      reportCrash(process, reason);
    }
    process.finish(reason);
  }
  return { status: "failed", reason: process.exitReason ?? reason };
}

const START_STATUSES: readonly unknown[] = ["started", "ignored", "already_started", "failed"];

/** User code may start children, so what it returns is checked. */
export function isStartOutcome(value: unknown): value is StartOutcome {
  return (
    typeof value === "object" && value !== null && "status" in value && START_STATUSES.includes(value.status)
  );
}
