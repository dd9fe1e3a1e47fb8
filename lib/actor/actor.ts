/**
 * Actor: the base class of everything that runs as a process (OTP's gen_server).
 *
 * A subclass overrides the callbacks it needs. `init` returns the first state; the other callbacks
 * read and replace `this.state`. Replace it rather than change it in place: when a callback throws, the
 * state from before that callback is what `terminate` sees.
 *
 * Which ends run `terminate`: a returned `stop`, a callback that threw, `stop()` from outside, and an
 * exit of the parent when the process traps exits (`this.trapExit()`). A kill and an untrapped exit
 * signal do not.
 */
import type { Timer } from "../base/clock.ts";
import { SupercastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import type { ExitReason } from "../base/reason.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Behaviour, BehaviourClass } from "./behaviour.ts";
import type { From } from "./from.ts";
import type { Info, MonitorRef } from "./info.ts";
import { LocalRef } from "./local-ref.ts";
import type { Pid } from "./pid.ts";
import type { Process } from "./process.ts";
import type {
  CallMessage,
  CastMessage,
  ProtocolAt,
  ProtocolShape,
  ProtocolTable,
  ReplyTo,
} from "./protocol.ts";
import type { Address, CallOptions } from "./ref.ts";
import {
  type Awaitable,
  type CallResult,
  type CastResult,
  Ignore,
  type InitResultOf,
  NoReply,
  Refuse,
  Reply,
  Started,
  Stop,
} from "./result.ts";

/** Carries an actor's types for inference; no value has it. */
export declare const TYPES: unique symbol;

export interface ActorTypes<P, Args> {
  readonly protocol: P;
  readonly args: Args;
}

export abstract class Actor<P extends ProtocolShape<P> = NoMessages, State = undefined, Args = undefined>
  implements Behaviour
{
  /** Present in subclasses that foreign clients may reach; see `defineProtocol`. */
  static readonly protocol?: ProtocolTable | undefined;
  static readonly passByReference?: boolean | undefined;
  static readonly kind?: "worker" | "supervisor" | undefined;

  declare readonly [TYPES]?: ActorTypes<P, Args>;
  /** Set by the runtime from what `init` returns; replace it in callbacks. */
  declare state: State;
  #process: Process | null = null;

  // --- callbacks --------------------------------------------------------------------------------

  /** Makes the first state. May be async: the starter waits, up to the start timeout. */
  abstract init(args: Args): Awaitable<InitResultOf<State>>;

  /** Answers a call: returns `this.reply(...)`, `this.noReply()` or `this.stop(...)`. */
  handleCall(message: CallMessage<P>, _from: From<P>): Awaitable<CallResult> {
    throw new SupercastError("invalid_message", `no handleCall for ${describe(message)}`);
  }

  handleCast(message: CastMessage<P>): Awaitable<CastResult | undefined> | Awaitable<void> {
    throw new SupercastError("invalid_message", `no handleCast for ${describe(message)}`);
  }

  /** DOWN, trapped exits, timeouts, node events, plain messages. By default logged and dropped. */
  handleInfo(info: Info): Awaitable<CastResult | undefined> | Awaitable<void> {
    this.log.warn("an info was not handled and is dropped", { info: info.type });
  }

  handleContinue(_term: unknown): Awaitable<CastResult | undefined> | Awaitable<void> {
    throw new SupercastError("invalid_message", "a result asked to continue, but there is no handleContinue");
  }

  /** The last callback. `reason` is why the process ends. */
  terminate(_reason: ExitReason): Awaitable<void> {
    return undefined;
  }

  /** What introspection and crash reports show of `state`; override it to leave out secrets. */
  formatState(state: State): unknown {
    return state;
  }

  // --- results ----------------------------------------------------------------------------------

  /** Answers the call being handled. `message` fixes the type of `value`. */
  protected reply<M extends CallMessage<P>>(_message: M, value: ReplyTo<P, M>): Reply {
    return new Reply(value);
  }

  /** No answer now; keep `from` and answer later. For casts: go on, perhaps with `.continue()` or `.timeout()`. */
  protected noReply(): NoReply {
    return new NoReply();
  }

  /** Ends the process with `reason`. With `reply`, the caller is answered after `terminate`. */
  protected stop(reason: ExitReason, reply?: Reply): Stop {
    return new Stop(reason, reply);
  }

  /** From init, with a continue or an idle timeout: `return this.started(state).continue("load")`. */
  protected started(state: State): Started {
    return new Started(state);
  }

  /** From init: do not start, and that is no error. */
  protected ignore(): Ignore {
    return new Ignore();
  }

  /** From init: the start fails with `reason`, quietly. */
  protected refuse(reason: ExitReason): Refuse {
    return new Refuse(reason);
  }

  // --- the process ------------------------------------------------------------------------------

  attach(process: Process): void {
    invariant(this.#process === null, "an actor instance lives in one process");
    this.#process = process;
  }

  /** The process that hosts this actor. */
  protected get process(): Process {
    invariant(this.#process !== null, "the actor has been started");
    return this.#process;
  }

  protected get pid(): Pid {
    return this.process.pid;
  }

  protected get self(): LocalRef<P> {
    return new LocalRef<P>(this.process);
  }

  /** Fires when the process ends, so that work in flight can stop. */
  protected get signal(): AbortSignal {
    return this.process.signal;
  }

  protected get log(): Logger {
    return this.process.system.log;
  }

  /** Milliseconds on the monotonic clock. */
  protected now(): number {
    return this.process.system.clock.now();
  }

  /** From now on exit signals arrive as `{ type: "exit" }` infos, and the parent's run `terminate`. */
  protected trapExit(): void {
    this.process.trapExit = true;
  }

  // --- messages ---------------------------------------------------------------------------------

  protected call<const T extends Address, const M extends CallMessage<ProtocolAt<T>>>(
    target: T,
    message: M,
    options?: CallOptions,
  ): Promise<ReplyTo<ProtocolAt<T>, M>>;
  protected call(target: Address, message: object, options?: CallOptions): Promise<unknown> {
    if (!this.process.alive) {
      return Promise.reject(fenced());
    }
    return this.process.system.call(target, message, options, this.process);
  }

  protected cast<const T extends Address, const M extends CastMessage<ProtocolAt<T>>>(
    target: T,
    message: M,
  ): void;
  protected cast(target: Address, message: object): void {
    const { process } = this;
    if (process.alive) {
      process.system.cast(target, message);
    } else {
      process.system.drop("fenced", process.label);
    }
  }

  /** A plain message: it reaches the other's handleInfo as `{ type: "message", body }`. */
  protected send(target: Address, body: unknown): void {
    const { process } = this;
    if (process.alive) {
      process.system.send(target, body);
    } else {
      process.system.drop("fenced", process.label);
    }
  }

  /** Casts `message` to itself in `delayMs`. The timer dies with the process. */
  protected castAfter(delayMs: number, message: CastMessage<P>): Timer {
    const { process } = this;
    return process.setTimer(() => process.system.castProcess(process, message), delayMs);
  }

  /** Runs `callback` in `delayMs` unless the process has ended. It runs outside the mailbox: keep it to sending. */
  protected after(delayMs: number, callback: () => void): Timer {
    return this.process.setTimer(callback, delayMs);
  }

  protected cancelTimer(timer: Timer): void {
    this.process.clearTimer(timer);
  }

  // --- links and monitors -----------------------------------------------------------------------

  /** Asks for one DOWN info when `target` ends, is not there, or cannot be reached. */
  protected monitor(target: Address): MonitorRef {
    const { process } = this;
    if (!process.alive) {
      return process.system.signals.nextRef();
    }
    const { ref, demonitor } = process.system.monitor(process, target);
    process.ties.watching.set(ref, demonitor);
    return ref;
  }

  /** After this no DOWN of `ref` arrives, not even one that waits. Harmless when repeated. */
  protected demonitor(ref: MonitorRef): void {
    const watching = this.process.existingTies?.watching;
    watching?.get(ref)?.();
    watching?.delete(ref);
  }

  protected link(pid: Pid): void {
    this.process.system.signals.link(this.process, pid);
  }

  protected unlink(pid: Pid): void {
    this.process.system.signals.unlink(this.process, pid);
  }

  /** Sends an exit signal to another process. */
  protected exit(pid: Pid, reason: ExitReason): void {
    if (this.process.alive) {
      this.process.system.signals.exit(this.pid, pid, reason);
    }
  }
}

/** The protocol of an actor that understands no message. */
export type NoMessages = Record<never, never>;

/** Any actor class whatever its types, as `start` takes it. */
export interface ActorClass extends BehaviourClass {
  new (): Behaviour & { readonly [TYPES]?: ActorTypes<unknown, unknown> };
}

type TypesOf<C> = C extends new () => { readonly [TYPES]?: infer Types } ? NonNullable<Types> : never;
/** What `init` of an actor class takes. */
export type ArgsOf<C> = TypesOf<C> extends { readonly args: infer Args } ? Args : never;
/** The protocol of an actor class. */
export type ProtocolOfActor<C> = TypesOf<C> extends { readonly protocol: infer P } ? P : never;

function fenced(): SupercastError {
  return new SupercastError("exit", "this process has ended; what it sends is dropped", {
    details: { reason: "killed" },
  });
}

function describe(message: unknown): string {
  return typeof message === "object" && message !== null && "type" in message
    ? String(message.type)
    : String(message);
}
