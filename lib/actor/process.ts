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
import { type ExitReason, reasonOfThrown } from "../base/reason.ts";
import type { BehaviourClass } from "./behaviour.ts";
import { endInOrder, type LastWork } from "./end.ts";
import { exitError, OpenCall, OpenCalls } from "./from.ts";
import type { Down, Exit, Info } from "./info.ts";
import { Mailbox } from "./mailbox.ts";
import { Owner } from "./owner.ts";
import { badReturn, isPromise, NoReply, Reply, type Result, type Started, Stop } from "./result.ts";
import type { Runnable } from "./scheduler.ts";
import type { ProcessDebug } from "./sys.ts";
import type { ActorSystem } from "./system.ts";
import type { Watcher } from "./ties.ts";

const CAST = 1;
const INFO = 2;
/** How an entry is handled: an OpenCall by handleCall; what can be taken back unless it was. */
type Tag = typeof CAST | typeof INFO | OpenCall | Revocable;
/** Infos that may be taken back while they wait: by demonitor, by unlink, by a message that came first. */
type Revocable = Down | Exit | Idle;

/** One idle timeout, from its setting until it is handled or a message comes first. */
class Idle {
  readonly type = "timeout";
  timer: Timer | null = null;
}

/** Something for the system lane, run between two messages. */
export type SystemMessage = () => void;

export interface ProcessOptions {
  readonly name?: string | undefined;
  /** Messages the user lane may hold; default `limits.mailboxMessages`. */
  readonly mailbox?: number | undefined;
}

export class Process extends Owner implements Runnable, Watcher {
  debug: ProcessDebug | null = null;
  suspended = false;
  readonly #bound: number;
  #mailbox: Mailbox<object, Tag> | null = null;
  #urgent: SystemMessage[] | null = null;
  #scheduled = false;
  /** An async callback is in flight. */
  #busy = false;
  #continuation: { readonly term: unknown } | null = null;
  #idle: Idle | null = null;
  #openCalls: OpenCalls | null = null;

  constructor(
    system: ActorSystem,
    serial: number,
    actorClass: BehaviourClass,
    parent: Process | null,
    options: ProcessOptions,
  ) {
    super(system, serial, actorClass, parent, options.name);
    this.#bound = options.mailbox ?? system.limits.mailboxMessages;
    this.behaviour.attach(this);
  }

  get mailboxLength(): number {
    return this.#mailbox?.length ?? 0;
  }

  /** Whether an async callback is in flight. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Whether the mailbox is full, but has room again after the process's turn. */
  get crowded(): boolean {
    return this.mailboxLength >= this.#bound && this.#scheduled && !this.suspended;
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
    this.ties.holdExit(exit);
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
    this.#scheduleRest();
  }

  beginAsync(): void {
    this.#busy = true;
  }

  suspend(): void {
    this.suspended = true;
  }

  resume(): void {
    this.suspended = false;
    this.#schedule();
  }

  run(quantum: number): number {
    this.#scheduled = false;
    let handled = 0;
    while (handled < quantum) {
      if (this.#urgent !== null) {
        this.#runUrgent();
      }
      if (this.status !== "running" || this.#busy || this.suspended) {
        return handled;
      }
      if (this.#continuation !== null) {
        this.#runContinuation();
      } else if (!this.#handleNext()) {
        return handled;
      }
      handled += 1;
    }
    this.#scheduleRest();
    return handled;
  }

  #scheduleRest(): void {
    if (this.mailboxLength > 0 || this.#urgent !== null || this.#continuation !== null) {
      this.#schedule();
    }
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
      const result = this.system.runAs(this, () => this.behaviour.handleContinue(term));
      this.#settle(result, before, undefined, INFO);
    } catch (thrown) {
      this.#undo(thrown, before, undefined, INFO);
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
    if (tag !== CAST && tag !== INFO && !(tag instanceof OpenCall) && this.#isTakenBack(tag)) {
      return true;
    }
    if (this.#idle !== null) {
      this.#clearIdle();
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
      this.#undo(thrown, before, message, tag);
    } finally {
      system.current = outer;
    }
    return true;
  }

  #dispatch(message: object, tag: Tag): unknown {
    if (tag === CAST) {
      return this.behaviour.handleCast(message);
    }
    return tag instanceof OpenCall
      ? this.behaviour.handleCall(message, tag)
      : this.behaviour.handleInfo(message);
  }

  /** Whether an info was taken back while it waited. An info that was not is handled now. */
  #isTakenBack(info: Revocable): boolean {
    switch (info.type) {
      case "down":
        return !this.ties.watching.delete(info.ref);
      case "exit":
        return !this.ties.takeExit(info);
      case "timeout":
        return info !== this.#idle;
    }
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
        this.#undo(thrown, before, message, tag);
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
      this.end(result.reason, { message, call, reply: result.reply });
    } else if (result !== undefined || call !== undefined) {
      this.behaviour.state = before;
      this.end(badReturn(result), { message, call });
    }
  }

  #after(result: Result): void {
    this.#continuation = result.continuation ?? null;
    const { idleTimeoutMs } = result;
    if (idleTimeoutMs !== undefined && idleTimeoutMs !== Number.POSITIVE_INFINITY) {
      this.#clearIdle();
      const idle = new Idle();
      idle.timer = this.system.clock.setTimer(() => this.#push({ type: "timeout" }, idle), idleTimeoutMs);
      this.#idle = idle;
    }
  }

  #clearIdle(): void {
    const timer = this.#idle?.timer;
    this.#idle = null;
    if (timer !== undefined && timer !== null) {
      this.system.clock.clearTimer(timer);
    }
  }

  // --- the end ----------------------------------------------------------------------------------

  /** Ends the process in good order (`end.ts`), after an async callback that is in flight. */
  end(reason: ExitReason, last: LastWork = {}): void {
    if (this.#busy) {
      this.pushSystem(() => endInOrder(this, reason, last));
    } else {
      endInOrder(this, reason, last);
    }
  }

  crash(thrown: unknown): void {
    this.pushSystem(() => this.end(reasonOfThrown(thrown)));
  }

  /** A callback threw: what it did to the state does not count. */
  #undo(thrown: unknown, before: unknown, message: object | undefined, tag: Tag): void {
    if (this.status === "running") {
      this.behaviour.state = before;
      this.end(reasonOfThrown(thrown), { message, call: tag instanceof OpenCall ? tag : undefined });
    }
  }

  /**
   * Ends the process at once, without terminate: kills, untrapped exit signals, and the last step of
   * a good end. Names and tables are free before callers, monitors and links learn of it.
   */
  finish(reason: ExitReason): void {
    if (!this.alive) {
      return;
    }
    const starting = this.status === "starting";
    this.status = "dead";
    this.exitReason = reason;
    this.#clearIdle();
    if (starting) {
      this.system.signals.untieFromParent(this); // the starter learns from the outcome, not a second time from the link
    }
    this.system.release(this);
    this.releaseBelongings(reason);
    this.#openCalls?.failAll(() => exitError(this.label, reason));
    this.system.discardMailbox(this, this.mailboxLength);
    this.#mailbox = null;
    this.#urgent = null;
    if (this.existingTies !== null) {
      this.system.signals.processEnded(this, this.existingTies, reason);
    }
  }
}
