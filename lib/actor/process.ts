/**
 * A process: one incarnation of an actor, with its mailbox, its loop and its end.
 *
 * It handles one message at a time; an async callback holds back the next message until it settles.
 * JavaScript cannot pre-empt, so a killed process is *fenced*: from that moment nothing it still does
 * has an effect on others (its sends, replies and timers are dropped, its AbortSignal fires), and a
 * successor may start at once.
 *
 * Two lanes. User messages, DOWN and trapped exits keep their order of arrival in the mailbox; orders
 * from the parent, `stop` and introspection go through the system lane, which no user traffic bounds
 * or delays.
 */
import type { Timer } from "../base/clock.ts";
import { abnormal, type ExitReason, isClean, reasonOfThrown } from "../base/reason.ts";
import type { Behaviour, BehaviourClass } from "./behaviour.ts";
import { exitError, OpenCall, OpenCalls } from "./from.ts";
import type { Down, Exit, Info } from "./info.ts";
import { Mailbox } from "./mailbox.ts";
import { makePid, type Pid } from "./pid.ts";
import { NoReply, Reply, type Started, Stop } from "./result.ts";
import type { Runnable } from "./scheduler.ts";
import type { ProcessDebug } from "./sys.ts";
import type { ActorSystem } from "./system.ts";
import { Ties, type Watcher } from "./ties.ts";

const CAST = 1;
const INFO = 2;
/** How an entry is handled: an OpenCall by handleCall; a Down or a link's Exit unless taken back. */
type Tag = typeof CAST | typeof INFO | OpenCall | Down | Exit;

/** Something for the system lane, run between two messages. */
export type SystemMessage = () => void;

export type Status = "starting" | "running" | "ending" | "dead";

export interface ProcessOptions {
  readonly name?: string | undefined;
  /** Messages the user lane may hold; default `limits.mailboxMessages`. */
  readonly mailbox?: number | undefined;
}

export class Process implements Runnable, Watcher {
  readonly system: ActorSystem;
  readonly serial: number;
  readonly actorClass: BehaviourClass;
  readonly behaviour: Behaviour;
  /** The process whose exit orders this one obeys even when it traps exits. */
  readonly parent: Process | null;
  /** The registered name, if any. */
  readonly name: string | undefined;
  status: Status = "starting";
  /** Set when the process has ended. */
  exitReason: ExitReason | undefined;
  trapExit = false;
  debug: ProcessDebug | null = null;

  readonly #bound: number;
  #mailbox: Mailbox<object, Tag> | null = null;
  #urgent: SystemMessage[] | null = null;
  #scheduled = false;
  /** An async callback is in flight. */
  #busy = false;
  #suspended = false;
  #continuation: { readonly term: unknown } | null = null;
  #idleTimer: Timer | null = null;
  #openCalls: OpenCalls | null = null;
  #ties: Ties | null = null;
  #timers: Set<Timer> | null = null;
  #cleanups: Set<() => void> | null = null;
  #abort: AbortController | null = null;
  #pid: Pid | null = null;

  constructor(
    system: ActorSystem,
    serial: number,
    actorClass: BehaviourClass,
    parent: Process | null,
    options: ProcessOptions,
  ) {
    this.system = system;
    this.serial = serial;
    this.actorClass = actorClass;
    this.parent = parent;
    this.name = options.name;
    this.#bound = options.mailbox ?? system.limits.mailboxMessages;
    this.behaviour = new actorClass();
    this.behaviour.attach(this);
  }

  get pid(): Pid {
    this.#pid ??= makePid(this.system.node, this.system.incarnation, this.serial);
    return this.#pid;
  }

  get alive(): boolean {
    return this.status !== "dead";
  }

  /** For messages to people: the registered name where there is one, else the class and pid. */
  get label(): string {
    return this.name ?? `${this.actorClass.name} ${this.pid}`;
  }

  get mailboxLength(): number {
    return this.#mailbox?.length ?? 0;
  }

  /** Whether an async callback is in flight. */
  get busy(): boolean {
    return this.#busy;
  }

  get suspended(): boolean {
    return this.#suspended;
  }

  get signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.status === "dead") {
        this.#abort.abort(this.exitReason);
      }
    }
    return this.#abort.signal;
  }

  get ties(): Ties {
    this.#ties ??= new Ties();
    return this.#ties;
  }

  /** The ties if there are any: asking must not make them. */
  get existingTies(): Ties | null {
    return this.#ties;
  }

  // --- delivery ---------------------------------------------------------------------------------

  /** Queues a cast. False when the mailbox is full or the process has ended. */
  pushCast(message: object): boolean {
    if (!this.#accepts()) {
      return false;
    }
    this.#push(message, CAST);
    return true;
  }

  /** Queues a call, which hangs on this process until it is settled. False as for casts. */
  pushCall(message: object, call: OpenCall): boolean {
    if (!this.#accepts()) {
      return false;
    }
    this.#openCalls ??= new OpenCalls();
    this.#openCalls.add(call);
    this.#push(message, call);
    return true;
  }

  /** Queues a plain message for handleInfo; the bound holds as for casts. */
  pushPlain(body: unknown): boolean {
    if (!this.#accepts()) {
      return false;
    }
    this.#push({ type: "message", body }, INFO);
    return true;
  }

  /** Queues what may never be dropped; it keeps its place among the messages. */
  pushInfo(info: Info): void {
    if (this.status !== "dead") {
      this.#push(info, INFO);
    }
  }

  deliverDown(down: Down): void {
    if (this.status !== "dead") {
      this.#push(down, down);
    }
  }

  /** The exit of a link, for a process that traps exits. */
  deliverLinkExit(exit: Exit): void {
    this.ties.waitingExits.add(exit.from);
    this.#push(exit, exit);
  }

  /** Runs `message` between two messages, ahead of all that waits, also while suspended. */
  pushSystem(message: SystemMessage): void {
    this.#urgent ??= [];
    this.#urgent.push(message);
    this.#schedule();
  }

  #accepts(): boolean {
    return this.status !== "dead" && (this.#mailbox === null || this.#mailbox.length < this.#bound);
  }

  #push(message: object, tag: Tag): void {
    this.#mailbox ??= new Mailbox();
    this.#mailbox.push(message, tag);
    if (!this.#scheduled) {
      this.#schedule();
    }
  }

  #schedule(): void {
    if (!this.#scheduled && !this.#busy && this.status === "running") {
      this.#scheduled = true;
      this.system.scheduler.ready(this);
    }
  }

  // --- the loop ---------------------------------------------------------------------------------

  /** Ends the start: `state` is what init made, `started` what it asked for beside. */
  begin(state: unknown, started: Started | undefined): void {
    this.status = "running";
    this.#busy = false;
    this.behaviour.state = state;
    if (started !== undefined) {
      this.#after(started);
    }
    if (this.#hasWork()) {
      this.#schedule();
    }
  }

  /** Marks that init is async and in flight. */
  beginAsync(): void {
    this.#busy = true;
  }

  suspend(): void {
    this.#suspended = true;
  }

  resume(): void {
    this.#suspended = false;
    this.#schedule();
  }

  run(quantum: number): number {
    this.#scheduled = false;
    let handled = 0;
    while (handled < quantum) {
      if (this.#urgent !== null) {
        this.#runUrgent();
      }
      if (this.status !== "running" || this.#busy) {
        return handled;
      }
      if (this.#continuation !== null) {
        this.#runContinuation();
      } else if (this.#suspended || !this.#handleNext()) {
        return handled;
      }
      handled += 1;
    }
    if (this.#hasWork()) {
      this.#schedule();
    }
    return handled;
  }

  #hasWork(): boolean {
    return this.mailboxLength > 0 || this.#urgent !== null || this.#continuation !== null;
  }

  #runUrgent(): void {
    const urgent = this.#urgent ?? [];
    this.#urgent = null;
    for (const message of urgent) {
      if (this.status === "running") {
        message();
      }
    }
  }

  #runContinuation(): void {
    const term = this.#continuation?.term;
    this.#continuation = null;
    const before = this.behaviour.state;
    try {
      this.#settle(
        this.system.runAs(this, () => this.behaviour.handleContinue(term)),
        before,
        undefined,
        INFO,
      );
    } catch (thrown) {
      this.#crash(thrown, before, undefined);
    }
  }

  /** Handles the oldest message; false when there is none. */
  #handleNext(): boolean {
    const mailbox = this.#mailbox;
    const tag = mailbox?.firstTag();
    const message = mailbox?.shift();
    if (tag === undefined || message === undefined) {
      return false;
    }
    if (this.#idleTimer !== null) {
      this.#clearIdleTimer();
    }
    if (this.debug !== null) {
      this.debug.received(message);
    }
    const { behaviour, system } = this;
    const before = behaviour.state;
    const outer = system.current;
    system.current = this;
    try {
      const result = this.#dispatch(message, tag);
      if (result !== undefined || tag instanceof OpenCall) {
        this.#settle(result, before, message, tag);
      }
    } catch (thrown) {
      this.#crash(thrown, before, message);
    } finally {
      system.current = outer;
    }
    return true;
  }

  #dispatch(message: object, tag: Tag): unknown {
    if (tag === CAST) {
      return this.behaviour.handleCast(message);
    }
    if (tag instanceof OpenCall) {
      return this.behaviour.handleCall(message, tag);
    }
    if (tag !== INFO && this.#isTakenBack(tag)) {
      return undefined;
    }
    return this.behaviour.handleInfo(message);
  }

  /** Whether a DOWN or a link's exit was taken back, by demonitor or unlink, while it waited. */
  #isTakenBack(info: Down | Exit): boolean {
    return info.type === "down"
      ? !this.ties.watching.delete(info.ref)
      : !this.ties.waitingExits.delete(info.from);
  }

  #settle(result: unknown, before: unknown, message: object | undefined, tag: Tag): void {
    if (!isPromise(result)) {
      this.#apply(result, before, message, tag);
      return;
    }
    this.#busy = true;
    result.then(
      (value) => {
        this.#busy = false;
        this.#apply(value, before, message, tag);
        this.#schedule();
      },
      (thrown: unknown) => {
        this.#busy = false;
        this.#crash(thrown, before, message);
      },
    );
  }

  /** Acts on what a callback returned. The result of a fenced process counts no more. */
  #apply(result: unknown, before: unknown, message: object | undefined, tag: Tag): void {
    if (this.status !== "running") {
      return;
    }
    const call = tag instanceof OpenCall ? tag : undefined;
    if (result instanceof Reply && call !== undefined) {
      call.settle(result.value);
      this.#after(result);
    } else if (result instanceof NoReply) {
      this.#after(result);
    } else if (result instanceof Stop) {
      const { reply } = result;
      this.end(result.reason, message, reply === undefined ? undefined : () => call?.settle(reply.value));
    } else if (result !== undefined || call !== undefined) {
      this.behaviour.state = before;
      this.end(badReturn(result), message);
    }
  }

  #after(result: { readonly continuation?: unknown; readonly idleTimeoutMs: number | undefined }): void;
  #after(result: NoReply | Reply | Started): void {
    this.#continuation = result.continuation ?? null;
    if (result.idleTimeoutMs !== undefined && Number.isFinite(result.idleTimeoutMs)) {
      this.#idleTimer = this.system.clock.setTimer(() => {
        this.#idleTimer = null;
        this.pushInfo({ type: "timeout" });
      }, result.idleTimeoutMs);
    }
  }

  #clearIdleTimer(): void {
    if (this.#idleTimer !== null) {
      this.system.clock.clearTimer(this.#idleTimer);
      this.#idleTimer = null;
    }
  }

  // --- what belongs to the process --------------------------------------------------------------

  /** A timer that dies with the process. */
  setTimer(callback: () => void, delayMs: number): Timer {
    this.#timers ??= new Set();
    const timers = this.#timers;
    const timer: Timer = this.system.clock.setTimer(() => {
      timers.delete(timer);
      if (this.status !== "dead") {
        callback();
      }
    }, delayMs);
    timers.add(timer);
    return timer;
  }

  clearTimer(timer: Timer): void {
    this.system.clock.clearTimer(timer);
    this.#timers?.delete(timer);
  }

  /** Runs `cleanup` when the process ends, before anyone is told. Returns what takes it back. */
  onEnd(cleanup: () => void): () => void {
    this.#cleanups ??= new Set();
    this.#cleanups.add(cleanup);
    return () => this.#cleanups?.delete(cleanup);
  }

  // --- the end ----------------------------------------------------------------------------------

  /** Ends the process in good order: terminate runs, then `reply` goes out, then it is gone. */
  end(reason: ExitReason, message?: object, reply?: () => void): void {
    if (this.status !== "running") {
      return;
    }
    this.status = "ending";
    const close = (last: ExitReason): void => {
      if (this.status !== "ending") {
        return;
      }
      reply?.();
      if (!isClean(last)) {
        this.system.reportCrash(this, last, message);
      }
      this.finish(last);
    };
    let result: unknown;
    try {
      result = this.system.runAs(this, () => this.behaviour.terminate(reason));
    } catch (thrown) {
      close(reasonOfThrown(thrown));
      return;
    }
    if (isPromise(result)) {
      result.then(
        () => close(reason),
        (thrown: unknown) => close(reasonOfThrown(thrown)),
      );
    } else {
      close(reason);
    }
  }

  #crash(thrown: unknown, before: unknown, message: object | undefined): void {
    if (this.status === "running") {
      this.behaviour.state = before;
      this.end(reasonOfThrown(thrown), message);
    }
  }

  /**
   * Ends the process at once, without terminate: kills, untrapped exit signals, and the last step of
   * a good end. Names and tables are free before callers, monitors and links learn of it.
   */
  finish(reason: ExitReason): void {
    if (this.status === "dead") {
      return;
    }
    this.status = "dead";
    this.exitReason = reason;
    this.#clearIdleTimer();
    for (const timer of this.#timers ?? []) {
      this.system.clock.clearTimer(timer);
    }
    this.system.release(this);
    for (const cleanup of this.#cleanups ?? []) {
      cleanup();
    }
    this.#openCalls?.failAll(() => exitError(this.label, reason));
    this.system.discardMailbox(this, this.mailboxLength);
    this.#mailbox = null;
    this.#urgent = null;
    this.#abort?.abort(reason);
    if (this.#ties !== null) {
      this.system.signals.processEnded(this, this.#ties, reason);
    }
  }
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** OTP's bad_return_value, with what was returned. */
function badReturn(value: unknown): ExitReason {
  return abnormal(
    "bad_return_value",
    `a callback returned ${describeValue(value)}; see the results in result.ts`,
  );
}

function describeValue(value: unknown): string {
  return typeof value === "object" && value !== null
    ? `an instance of ${value.constructor?.name ?? "Object"}`
    : String(value);
}
