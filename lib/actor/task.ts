/**
 * Tasks: a function that runs in a process of its own (Elixir's Task).
 *
 * `Task.async` is for actors: the task is linked to its owner, so that either's failure ends the other,
 * and the owner awaits the result. Tasks under a supervisor, also for those who are no actors, are in
 * `task-supervisor.ts`.
 *
 * A task ends like any process: when it is told to stop it is fenced at once. Its AbortSignal fires,
 * and what its function still returns or throws has no effect.
 */
import { SupercastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { ExitError, type ExitReason, formatReason } from "../base/reason.ts";
import { Actor, type NoMessages } from "./actor.ts";
import type { ChildOptions, ChildSpec, Shutdown } from "./child-spec.ts";
import { child } from "./child-spec.ts";
import type { Down } from "./info.ts";
import type { Pid } from "./pid.ts";
import type { Process } from "./process.ts";
import type { Awaitable, InitResultOf, Stop } from "./result.ts";
import type { StartOutcome } from "./start.ts";
import type { ActorSystem } from "./system.ts";
import type { Watcher } from "./ties.ts";

/** What a task's function is given. */
export interface TaskContext {
  readonly pid: Pid;
  /** Fires when the task is stopped or killed; its reason is the exit reason. */
  readonly signal: AbortSignal;
  /** The task's own process: owner of further tasks, of registry keys, of timers. */
  readonly process: Process;
  /** Who asked for this task, and on whose behalf, nearest first (Elixir's `$callers`). */
  readonly callers: readonly Pid[];
}

export type TaskFunction<T> = (context: TaskContext) => Awaitable<T>;

/** How a task ended. */
export type TaskOutcome<T> =
  | { readonly status: "ok"; readonly value: T }
  | { readonly status: "exit"; readonly reason: ExitReason };

interface TaskArgs {
  readonly run: TaskFunction<void>;
  readonly callers: readonly Pid[];
}

/** The process of a task: runs one function and ends. */
export class TaskActor extends Actor<NoMessages, undefined, TaskArgs> {
  callers: readonly Pid[] = [];
  #run: TaskFunction<void> | undefined;

  init(args: TaskArgs): InitResultOf<undefined> {
    this.callers = args.callers;
    this.#run = args.run;
    return this.started(undefined).continue("run");
  }

  override async handleContinue(): Promise<Stop> {
    const { pid, signal, process, callers } = this;
    await this.#run?.({ pid, signal, process, callers });
    return this.stop("normal");
  }
}

/** A fenced process starts nothing. Throws an ExitError when `owner` has ended. */
export function mustLive(owner: Process | null): void {
  if (owner?.alive === false) {
    throw new ExitError(`${owner.label} has ended; it starts no task`, owner.exitReason ?? "killed");
  }
}

/** The callers that a task of `owner` has; none when no process asked for it. */
export function callersOf(owner: Process | null): readonly Pid[] {
  if (owner === null) {
    return [];
  }
  const { behaviour } = owner;
  return behaviour instanceof TaskActor ? [owner.pid, ...behaviour.callers] : [owner.pid];
}

/** The spec of a task as a supervisor's child: `temporary` unless told otherwise, run anew at each restart. */
export function taskChild(
  run: TaskFunction<unknown>,
  options: ChildOptions & { readonly callers?: readonly Pid[] } = {},
): ChildSpec {
  const { callers = [], ...rest } = options;
  const discard: TaskFunction<void> = async (context) => {
    await run(context);
  };
  return child(TaskActor, { run: discard, callers }, { id: "task", restart: "temporary", ...rest });
}

/**
 * The owner's handle on a task. Only the owner may use it: another process that is seen to do so gets
 * `forbidden`. Codecs refuse the handle, so it does not travel in messages either.
 */
export class Task<T> implements Watcher {
  readonly #system: ActorSystem;
  readonly #owner: Process | null;
  readonly #run: TaskFunction<T>;
  #process: Process | null = null;
  #outcome: TaskOutcome<T> | undefined;
  /** The result is not wanted any more; what comes is dropped. */
  #givenUp = false;
  readonly #waiters = new Set<() => void>();

  /** For TaskSupervisor: a task yet to be launched. */
  constructor(system: ActorSystem, owner: Process | null, run: TaskFunction<T>) {
    this.#system = system;
    this.#owner = owner;
    this.#run = run;
  }

  /** Runs `run` in a process linked to `owner`; inside an actor `Task.async(this.process, ...)`. */
  static async<T>(owner: Process, run: TaskFunction<T>): Task<T> {
    mustLive(owner);
    const task = new Task<T>(owner.system, owner, run);
    task.launch(owner, true);
    return task;
  }

  /**
   * Starts the task's process as a child of `parent`, for TaskSupervisor; with `link`, linked to the
   * owner too. The outcome is `noproc` when the owner has ended in the meantime.
   */
  launch(parent: Process, link: boolean): StartOutcome {
    const owner = this.#owner;
    if (owner?.alive === false) {
      return { status: "failed", reason: "noproc" };
    }
    const run: TaskFunction<void> = async (context) => {
      // Of a task that was killed the DOWN has come first, and what it still returns does not count.
      this.#settle({ status: "ok", value: await this.#run(context) });
    };
    const args = { run, callers: callersOf(owner) };
    const outcome = this.#system.start(TaskActor, args, { parent, link: true });
    invariant(!(outcome instanceof Promise) && outcome.status === "started", "a task starts at once");
    this.#process = outcome.process;
    if (link && owner !== null) {
      this.#system.signals.link(owner, this.pid);
    }
    this.#system.monitor(this, this.pid);
    return outcome;
  }

  get pid(): Pid {
    invariant(this.#process !== null, "the task has been launched");
    return this.#process.pid;
  }

  /** The process to which the task belongs; undefined for tasks of no process. */
  get owner(): Pid | undefined {
    return this.#owner?.pid;
  }

  /**
   * The task's value. Rejects with an ExitError when the task fails, which ends an owner that does not
   * catch it with the task's own reason; with `timeout` when it takes longer than `timeoutMs` (default:
   * the limit of calls, 5000), after which the task goes on and its result is dropped.
   */
  async await(options: { readonly timeoutMs?: number } = {}): Promise<T> {
    const { timeoutMs = this.#system.limits.callTimeoutMs } = options;
    const outcome = await this.yield(timeoutMs);
    if (outcome === undefined) {
      this.#givenUp = true;
      throw new SupercastError("timeout", `task ${this.pid} took longer than ${timeoutMs} ms`);
    }
    if (outcome.status === "exit") {
      throw new ExitError(`task ${this.pid} failed: ${formatReason(outcome.reason)}`, outcome.reason);
    }
    return outcome.value;
  }

  /** How the task ended; undefined when it has not within `timeoutMs`: it goes on and can be asked again. */
  async yield(timeoutMs: number = this.#system.limits.callTimeoutMs): Promise<TaskOutcome<T> | undefined> {
    this.#mustBeWanted();
    return this.#outcome ?? this.#wait(timeoutMs);
  }

  /**
   * Ends the task and says how it ended: with its value when that is there already, else with the reason
   * `shutdown`, or `killed` when `how` is "brutal_kill" or the time to end is over. A link to the owner is
   * taken back first, so the owner lives.
   */
  async shutdown(how: Shutdown = this.#system.limits.shutdownMs): Promise<TaskOutcome<T>> {
    this.#mustBeWanted();
    this.#unlink();
    const { signals } = this.#system;
    const from = this.#owner?.pid ?? this.pid;
    if (this.#outcome === undefined && how !== "brutal_kill") {
      signals.exit(from, this.pid, "shutdown");
      await this.#wait(how === "infinity" ? Number.POSITIVE_INFINITY : how);
    }
    if (this.#outcome === undefined) {
      signals.exit(from, this.pid, "kill");
      await this.#wait(Number.POSITIVE_INFINITY);
    }
    invariant(this.#outcome !== undefined, "a killed task has ended");
    return this.#outcome;
  }

  /** Lets the task go on, unlinked and unobserved. Returns how it ended if it has ended already. */
  ignore(): TaskOutcome<T> | undefined {
    this.#mustBeWanted();
    this.#unlink();
    this.#givenUp = true;
    return this.#outcome;
  }

  deliverDown(down: Down): void {
    this.#settle({ status: "exit", reason: down.reason });
  }

  #settle(outcome: TaskOutcome<T>): void {
    if (this.#outcome === undefined) {
      this.#outcome = outcome;
      for (const wake of this.#waiters) {
        wake();
      }
    }
  }

  #wait(timeoutMs: number): Promise<TaskOutcome<T> | undefined> {
    if (this.#outcome !== undefined) {
      return Promise.resolve(this.#outcome);
    }
    return new Promise((resolve) => {
      const { clock } = this.#system;
      const wake = (): void => {
        this.#waiters.delete(wake);
        if (timer !== undefined) {
          clock.clearTimer(timer);
        }
        resolve(this.#outcome);
      };
      const timer = Number.isFinite(timeoutMs) ? clock.setTimer(wake, timeoutMs) : undefined;
      this.#waiters.add(wake);
    });
  }

  #unlink(): void {
    if (this.#owner !== null) {
      this.#system.signals.unlink(this.#owner, this.pid);
    }
  }

  #mustBeWanted(): void {
    const { current } = this.#system;
    if (current !== null && current !== this.#owner) {
      throw new SupercastError(
        "forbidden",
        `task ${this.pid} belongs to ${this.owner ?? "no process"}, not to ${current.pid}`,
      );
    }
    if (this.#givenUp) {
      throw new SupercastError("noproc", `task ${this.pid} was given up: its result is gone`);
    }
  }
}
