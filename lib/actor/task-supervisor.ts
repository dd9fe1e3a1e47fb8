/**
 * TaskSupervisor: tasks that live under a supervisor (Elixir's Task.Supervisor), and `Tasks`, through
 * which actors and plain programs start them.
 *
 *     child(TaskSupervisor, { maxChildren: 100 }, { name: "tasks" })
 *
 *     const tasks = new Tasks(this.process, { name: "tasks" }); // in an actor, which then owns its tasks
 *     const tasks = new Tasks(system, { name: "tasks" });       // elsewhere
 *     const task = await tasks.async(({ signal }) => fetchPage(url, signal));
 *     const page = await task.await();
 */
import { SupercastError } from "../base/errors.ts";
import { formatReason } from "../base/reason.ts";
import type { ChildSpec, Restart, Shutdown } from "./child-spec.ts";
import { LocalRef } from "./local-ref.ts";
import type { Pid } from "./pid.ts";
import { Process } from "./process.ts";
import { type Address, type CallOptions, formatAddress } from "./ref.ts";
import type { Awaitable } from "./result.ts";
import { DynamicSupervisor, type StartChildResult, type SupervisorProtocol } from "./supervisor.ts";
import { type ActorSystem, noproc } from "./system.ts";
import {
  callersOf,
  mustLive,
  Task,
  type TaskContext,
  type TaskFunction,
  type TaskOutcome,
  taskChild,
} from "./task.ts";
import { checkStreamOptions, type StreamOptions, streamTasks } from "./task-stream.ts";

/** Supervises tasks; its options are those of DynamicSupervisor, `maxChildren` above all. */
export class TaskSupervisor extends DynamicSupervisor {}

export interface TaskOptions {
  /** How the supervisor stops the task: milliseconds (5000), "brutal_kill" or "infinity". */
  readonly shutdown?: Shutdown;
}

export interface StartTaskOptions extends TaskOptions {
  /** When the function runs again after its end; default "temporary", never. */
  readonly restart?: Restart;
}

/** What a stream runs for each item. */
export type ItemFunction<Item, T> = (item: Item, context: TaskContext) => Awaitable<T>;

/** Supervisor calls wait as long as it takes, as in OTP. */
const NO_TIMEOUT: CallOptions = { timeoutMs: Number.POSITIVE_INFINITY };

/**
 * Starts tasks under a TaskSupervisor of this node. Every method rejects with `noproc` when there is no
 * such supervisor and with `overload` when it has `maxChildren` tasks already.
 */
export class Tasks {
  readonly #system: ActorSystem;
  readonly #owner: Process | null;
  readonly #supervisor: Address;

  /** `from`: the process that owns the tasks, or the system for programs outside any process. */
  constructor(from: Process | ActorSystem, supervisor: Address) {
    this.#system = from instanceof Process ? from.system : from;
    this.#owner = from instanceof Process ? from : null;
    this.#supervisor = supervisor;
  }

  /** A task linked to the owner: when it fails the owner fails, and the other way round. */
  async<T>(run: TaskFunction<T>, options: TaskOptions = {}): Promise<Task<T>> {
    return this.#launch(run, options, true);
  }

  /** A task whose failure its owner learns of only by asking. */
  asyncNolink<T>(run: TaskFunction<T>, options: TaskOptions = {}): Promise<Task<T>> {
    return this.#launch(run, options, false);
  }

  /** A task that nobody waits for; the pid is that of its first run. */
  async startChild(run: TaskFunction<unknown>, options: StartTaskOptions = {}): Promise<Pid> {
    return this.#start(taskChild(run, { ...options, callers: callersOf(this.#owner) }));
  }

  /**
   * Runs `run` once per item, `maxConcurrency` at a time, and yields how each task ended. The tasks are
   * linked to the owner. Leaving the loop early kills those that still run.
   */
  asyncStream<Item, T>(
    items: Iterable<Item> | AsyncIterable<Item>,
    run: ItemFunction<Item, T>,
    options: StreamOptions & TaskOptions,
  ): AsyncGenerator<TaskOutcome<T>, void, undefined> {
    return this.#stream(items, run, options, true);
  }

  /** As asyncStream, with tasks whose failure is theirs alone. */
  asyncStreamNolink<Item, T>(
    items: Iterable<Item> | AsyncIterable<Item>,
    run: ItemFunction<Item, T>,
    options: StreamOptions & TaskOptions,
  ): AsyncGenerator<TaskOutcome<T>, void, undefined> {
    return this.#stream(items, run, options, false);
  }

  /** The tasks that run at present, newest first. */
  async children(): Promise<readonly Pid[]> {
    const rows = await this.#ref().call({ type: "whichChildren" }, NO_TIMEOUT);
    return rows.flatMap(({ child }) => (child === undefined || child === "restarting" ? [] : [child]));
  }

  /** Stops one task by its supervisor; false when it has no such task. */
  async terminateChild(pid: Pid): Promise<boolean> {
    const { status } = await this.#ref().call({ type: "terminateChild", child: pid }, NO_TIMEOUT);
    return status === "ok";
  }

  #stream<Item, T>(
    items: Iterable<Item> | AsyncIterable<Item>,
    run: ItemFunction<Item, T>,
    options: StreamOptions & TaskOptions,
    link: boolean,
  ): AsyncGenerator<TaskOutcome<T>, void, undefined> {
    checkStreamOptions(options);
    return streamTasks<Item, T>({
      items,
      options,
      timeoutMs: options.timeoutMs ?? this.#system.limits.callTimeoutMs,
      launch: (item) => this.#launch((context) => run(item, context), options, link),
    });
  }

  async #launch<T>(run: TaskFunction<T>, { shutdown }: TaskOptions, link: boolean): Promise<Task<T>> {
    const task = new Task<T>(this.#system, this.#owner, run);
    const spec = taskChild(run, shutdown === undefined ? {} : { shutdown });
    await this.#start({ ...spec, start: (parent) => task.launch(parent, link) });
    return task;
  }

  async #start(spec: ChildSpec): Promise<Pid> {
    mustLive(this.#owner);
    const started = await this.#ref().call({ type: "startChild", spec }, NO_TIMEOUT);
    if (started.status !== "started") {
      throw refused(started, formatAddress(this.#supervisor));
    }
    return started.pid;
  }

  /** The supervisor, wherever it is now. A function cannot travel, so it must be on this node. */
  #ref(): LocalRef<SupervisorProtocol> {
    const found = this.#system.resolve(this.#supervisor);
    const name = formatAddress(this.#supervisor);
    if (found === undefined) {
      throw noproc(name);
    }
    if (!(found instanceof Process && found.behaviour instanceof TaskSupervisor)) {
      throw new SupercastError(
        "invalid_message",
        `${name} is not a TaskSupervisor of this node; tasks cannot travel`,
      );
    }
    return new LocalRef<SupervisorProtocol>(found);
  }
}

function refused(started: StartChildResult, supervisor: string): SupercastError {
  if (started.status === "max_children") {
    return new SupercastError("overload", `${supervisor} has maxChildren tasks already`);
  }
  const why = started.status === "failed" ? formatReason(started.reason) : started.status;
  return new SupercastError("start_failed", `${supervisor} did not start the task: ${why}`);
}
