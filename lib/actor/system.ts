/**
 * An actor system: the processes of one node, their names, and how messages find them.
 *
 * Everything it needs of the world comes in by its options, so that many systems run side by side in
 * one program, on real or on virtual time.
 */
import type { Clock } from "../base/clock.ts";
import { SupercastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { checkLimits, type Limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import { reasonOfThrown } from "../base/reason.ts";
import { publishEvent } from "../telemetry/events.ts";
import type { Logger } from "../telemetry/log.ts";
import type { BehaviourClass } from "./behaviour.ts";
import { Deadlines } from "./deadlines.ts";
import { type DropReason, noDrops } from "./drops.ts";
import type { Down, MonitorRef } from "./info.ts";
import { LocalCall } from "./local-call.ts";
import { isPid, type Pid } from "./pid.ts";
import { Process } from "./process.ts";
import { type Address, type CallOptions, formatAddress } from "./ref.ts";
import { asInvalidMessage, badTimeout, callingSelf, mailboxFull, noproc } from "./refusals.ts";
import { noRemote, type Remote, type RemoteTarget } from "./remote.ts";
import { Scheduler } from "./scheduler.ts";
import { Signals } from "./signals.ts";
import { checkStartOptions, initialise, registerVia, type StartOptions, type StartOutcome } from "./start.ts";
import { type StopOptions, stopProcess } from "./stop.ts";
import type { Watcher } from "./ties.ts";

export interface SystemOptions {
  readonly node: string;
  readonly incarnation: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly limits?: Limits;
  /**
   * Passes what travels between local processes through the codec, so that what cannot travel fails
   * on the first local try. Left out in production.
   */
  readonly copy?: (value: unknown) => unknown;
}

/** Where a message goes: a process here, one elsewhere, or nobody. */
type Destination = Process | { readonly remote: RemoteTarget } | undefined;

export class ActorSystem {
  readonly node: string;
  readonly incarnation: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly limits: Limits;
  readonly scheduler: Scheduler;
  readonly deadlines: Deadlines;
  readonly signals: Signals;
  remote: Remote;
  /** The process whose synchronous callback runs at present. */
  current: Process | null = null;
  readonly drops: Record<DropReason, number>;
  /** How many processes ended abnormally, each with a report; see `crash-report.ts`. */
  crashes = 0;
  readonly copy: ((value: unknown) => unknown) | undefined;
  /** What the pids of all processes here begin with: one string that they share. */
  readonly pidPrefix: `${string}/${string}/`;

  readonly #processes = new Map<number, Process>();
  readonly #names = new Map<string, Process>();
  #lastSerial = 0;
  #closed = false;

  constructor(options: SystemOptions) {
    this.node = options.node;
    this.incarnation = options.incarnation;
    this.clock = options.clock;
    this.random = options.random;
    this.log = options.log;
    this.limits = options.limits ?? checkLimits();
    this.copy = options.copy;
    this.scheduler = new Scheduler(this.clock, this.limits);
    this.deadlines = new Deadlines(this.clock);
    this.signals = new Signals(this);
    this.drops = noDrops();
    this.pidPrefix = `${this.node}/${this.incarnation}/`;
    this.remote = noRemote({
      countDrop: (why, target) => this.drop(why, formatAddress(target)),
      breakLink: (pid, peer) => {
        const process = this.processAt(pid);
        if (process !== undefined) {
          this.signals.linkBroken(process, peer, "noconnection");
        }
      },
    });
  }

  // --- processes --------------------------------------------------------------------------------

  /**
   * Starts a process. The outcome comes at once where init is synchronous. Throws `config_mismatch`
   * for options that are wrong; all else that fails is an outcome.
   */
  start(
    actorClass: BehaviourClass,
    args: unknown,
    options: StartOptions = {},
  ): StartOutcome | Promise<StartOutcome> {
    const { name, parent = null, via } = options;
    checkStartOptions(options);
    if (this.#closed) {
      return { status: "failed", reason: "shutdown" };
    }
    if (parent !== null && !parent.alive) {
      return { status: "failed", reason: "noproc" };
    }
    const owner = name === undefined ? undefined : this.#names.get(name);
    if (owner !== undefined) {
      return { status: "already_started", pid: owner.pid };
    }
    const viaOwner = via?.via.whereis(via.name);
    if (viaOwner !== undefined) {
      return { status: "already_started", pid: viaOwner };
    }
    let process: Process;
    try {
      process = new Process(this, this.#lastSerial + 1, actorClass, parent, options);
    } catch (thrown) {
      return { status: "failed", reason: reasonOfThrown(thrown) };
    }
    this.#lastSerial += 1;
    this.#processes.set(process.serial, process);
    if (name !== undefined) {
      this.#names.set(name, process);
    }
    const taken = via === undefined ? undefined : registerVia(process, via);
    if (taken !== undefined) {
      return taken;
    }
    if (options.link === true && parent !== null) {
      this.signals.link(process, parent.pid);
    }
    const bound = actorClass.kind === "supervisor" ? Number.POSITIVE_INFINITY : this.limits.startTimeoutMs;
    return initialise(process, args, options.startTimeoutMs ?? bound);
  }

  get processCount(): number {
    return this.#processes.size;
  }

  processes(): IterableIterator<Process> {
    return this.#processes.values();
  }

  whereis(name: string): Process | undefined {
    return this.#names.get(name);
  }

  names(): string[] {
    return [...this.#names.keys()];
  }

  isLocal(pid: Pid): boolean {
    return pid.startsWith(this.pidPrefix);
  }

  /** The living process with this pid on this node. */
  processAt(pid: Pid): Process | undefined {
    return this.isLocal(pid) ? this.#processes.get(Number(pid.slice(this.pidPrefix.length))) : undefined;
  }

  processWithSerial(serial: number): Process | undefined {
    return this.#processes.get(serial);
  }

  /** Takes an ended process out of the tables. Part of its end. */
  release(process: Process): void {
    this.#processes.delete(process.serial);
    if (process.name !== undefined && this.#names.get(process.name) === process) {
      this.#names.delete(process.name);
    }
  }

  /** Runs `callback` as `process`, so that a call to itself is noticed. */
  runAs(process: Process, callback: () => unknown): unknown {
    const outer = this.current;
    this.current = process;
    try {
      return callback();
    } finally {
      this.current = outer;
    }
  }

  // --- messages ---------------------------------------------------------------------------------

  cast(target: Address, message: object): void {
    const destination = this.resolve(target);
    if (destination instanceof Process) {
      this.castProcess(destination, message);
    } else if (destination === undefined) {
      this.drop("noproc", formatTarget(target));
    } else {
      this.remote.cast(destination.remote, message);
    }
  }

  castProcess(process: Process, message: object): void {
    if (typeof message !== "object" || message === null) {
      this.drop("invalid_message", process.label);
      return;
    }
    const sent =
      this.copy === undefined || process.actorClass.passByReference === true
        ? message
        : this.#copied(message, (error) => this.#dropUntravelled(error));
    if (sent !== undefined && !process.pushCast(sent)) {
      this.drop(process.alive ? "mailbox_full" : "noproc", process.label);
    }
  }

  /** Sends a plain message, for handleInfo. */
  send(target: Address, body: unknown): void {
    const destination = this.resolve(target);
    if (destination instanceof Process) {
      if (!destination.pushPlain(body)) {
        this.drop(destination.alive ? "mailbox_full" : "noproc", destination.label);
      }
    } else if (destination === undefined) {
      this.drop("noproc", formatTarget(target));
    } else {
      this.remote.send(destination.remote, body);
    }
  }

  call(target: Address, message: object, options?: CallOptions, caller?: Process): Promise<unknown> {
    const destination = this.resolve(target);
    if (destination instanceof Process) {
      return this.callProcess(destination, message, options, caller);
    }
    if (destination === undefined) {
      return Promise.reject(noproc(formatTarget(target)));
    }
    const timeoutMs = options?.timeoutMs ?? this.limits.callTimeoutMs;
    if (!(timeoutMs >= 0)) {
      return Promise.reject(badTimeout(timeoutMs));
    }
    return this.remote.call(destination.remote, message, timeoutMs, (caller ?? this.current)?.pid);
  }

  callProcess(process: Process, message: object, options?: CallOptions, caller?: Process): Promise<unknown> {
    const from = caller ?? this.current;
    if (process === from) {
      return Promise.reject(callingSelf(process.label));
    }
    const timeoutMs = options?.timeoutMs ?? this.limits.callTimeoutMs;
    if (!(timeoutMs >= 0)) {
      return Promise.reject(badTimeout(timeoutMs));
    }
    if (typeof message !== "object" || message === null) {
      return Promise.reject(new SupercastError("invalid_message", "a message is an object with a type"));
    }
    return new Promise((resolve, reject) => {
      const call = new LocalCall(this, process, from?.pid, resolve, reject);
      const sent = call.copies ? this.#copied(message, (error) => call.fail(error)) : message;
      if (sent === undefined) {
        return;
      }
      if (process.pushCall(sent, call)) {
        this.deadlines.add(call, timeoutMs);
      } else {
        call.fail(process.alive ? mailboxFull(process.label) : noproc(process.label));
      }
    });
  }

  /**
   * Stops a process in good order: terminate runs, then the promise resolves. It goes through the
   * system lane, ahead of messages that wait. Rejects with `noproc`, `calling_self`, `timeout` (the
   * process is left to end), or `exit` when the process ended with another reason; for a process on
   * another node also with `nodedown` and `noconnection`.
   */
  stop(target: Address, options: StopOptions = {}): Promise<void> {
    return stopProcess(this, target, options);
  }

  /** Finds where `target` is now. */
  resolve(target: Address): Destination {
    if (typeof target === "string") {
      return this.#resolvePid(target);
    }
    if ("pid" in target) {
      return this.#resolvePid(target.pid);
    }
    if ("via" in target) {
      const pid = target.via.whereis(target.name);
      return pid === undefined ? undefined : this.#resolvePid(pid);
    }
    if (target.node === undefined || target.node === this.node) {
      return this.#names.get(target.name);
    }
    return { remote: { name: target.name, node: target.node } };
  }

  #resolvePid(pid: Pid): Destination {
    if (this.isLocal(pid)) {
      return this.processAt(pid);
    }
    return isPid(pid) ? { remote: pid } : undefined;
  }

  #dropUntravelled(error: SupercastError): void {
    this.log.warn("a message cannot travel and was dropped", { error });
    this.drop("invalid_message", "local");
  }

  #copied(message: object, refused: (error: SupercastError) => void): object | undefined {
    try {
      const copy = this.copy?.(message);
      invariant(typeof copy === "object" && copy !== null, "a copied message is an object");
      return copy;
    } catch (thrown) {
      refused(asInvalidMessage(thrown));
      return undefined;
    }
  }

  // --- monitors ---------------------------------------------------------------------------------

  /** Monitors on behalf of `watcher`. Returns the ref and what takes the monitor back. */
  monitor(watcher: Watcher, target: Address): { readonly ref: MonitorRef; readonly demonitor: () => void } {
    const ref = this.signals.nextRef();
    const destination = this.resolve(target);
    if (destination === undefined || destination instanceof Process) {
      const label = this.#downTarget(target, destination);
      return { ref, demonitor: this.signals.watchLocal(destination, watcher, ref, label) };
    }
    return { ref, demonitor: this.remote.monitor(watcher, ref, destination.remote) };
  }

  #downTarget(target: Address, process: Process | undefined): Down["target"] {
    if (typeof target === "string") {
      return target;
    }
    if ("pid" in target) {
      return target.pid;
    }
    return "via" in target && process !== undefined ? process.pid : { name: target.name, node: this.node };
  }

  // --- what is dropped, what crashed ---------------------------------------------------------------

  /** The one place through which every undeliverable message goes. */
  drop(why: DropReason, target: string, count = 1): void {
    this.drops[why] += count;
    publishEvent("supercast:actor:deadLetter", () => ({ node: this.node, why, target, count }));
  }

  /** Counts what an ended process left in its mailbox. */
  discardMailbox(process: Process, count: number): void {
    if (count > 0) {
      this.drop("ended", process.label, count);
    }
  }

  /** Whether it has been closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Ends all processes without ceremony and stops all timers. Graceful stops go through supervisors. */
  close(): void {
    this.#closed = true;
    for (const process of [...this.#processes.values()].reverse()) {
      process.finish("shutdown");
    }
    this.deadlines.close();
  }
}

function formatTarget(target: Address): string {
  return typeof target === "object" && "via" in target ? target.name : formatAddress(target);
}
