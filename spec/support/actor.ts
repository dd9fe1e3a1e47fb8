/**
 * What specs of the actor floor need: a system on virtual time, and a puppet, an actor whose every
 * callback the spec writes in place.
 */
import { Actor, type ActorClass, type ArgsOf, type ProtocolOfActor } from "../../lib/actor/actor.ts";
import { type ChildOptions, type ChildSpec, child, type SupervisorInit } from "../../lib/actor/child-spec.ts";
import type { From } from "../../lib/actor/from.ts";
import type { Down, Info, MonitorRef } from "../../lib/actor/info.ts";
import { LocalRef } from "../../lib/actor/local-ref.ts";
import type { Pid } from "../../lib/actor/pid.ts";
import type { Process } from "../../lib/actor/process.ts";
import type { Call, CallMessage, Cast, CastMessage } from "../../lib/actor/protocol.ts";
import type { Address, CallOptions } from "../../lib/actor/ref.ts";
import type { Awaitable, CallResult, CastResult, InitResultOf } from "../../lib/actor/result.ts";
import { Ignore, NoReply, Refuse, Reply, Started, Stop } from "../../lib/actor/result.ts";
import type { StartOptions, StartOutcome } from "../../lib/actor/start.ts";
import { Supervisor, type SupervisorProtocol } from "../../lib/actor/supervisor.ts";
import { ActorSystem } from "../../lib/actor/system.ts";
import type { Timer } from "../../lib/base/clock.ts";
import { SupercastError } from "../../lib/base/errors.ts";
import { checkLimits, type Limits } from "../../lib/base/limits.ts";
import { seededRandom } from "../../lib/base/random.ts";
import type { ExitReason } from "../../lib/base/reason.ts";
import { VirtualClock } from "../../lib/base/virtual-clock.ts";
import { collectLog, type LogLine } from "../../lib/telemetry/log.ts";

export interface Stage {
  readonly clock: VirtualClock;
  readonly system: ActorSystem;
  readonly lines: LogLine[];
}

/** An actor system on virtual time, and what it logs. */
export function makeStage(limits: Partial<Limits> = {}): Stage {
  const clock = new VirtualClock();
  const { log, lines } = collectLog();
  const options = { node: "a", incarnation: "i1", random: seededRandom(1), limits: checkLimits(limits) };
  return { clock, lines, system: new ActorSystem({ ...options, clock, log }) };
}

export interface Running<P> {
  readonly process: Process;
  readonly ref: LocalRef<P>;
}

export async function start<C extends ActorClass>(
  system: ActorSystem,
  actorClass: C,
  args: ArgsOf<C>,
  options: StartOptions = {},
): Promise<Running<ProtocolOfActor<C>>> {
  const outcome: StartOutcome = await system.start(actorClass, args, options);
  if (outcome.status !== "started") {
    throw new Error(`${actorClass.name} did not start: ${JSON.stringify(outcome)}`);
  }
  return { process: outcome.process, ref: new LocalRef<ProtocolOfActor<C>>(outcome.process) };
}

/** What a puppet does in each callback. What is left out behaves like the least an actor can do. */
export interface Script {
  readonly trapExit?: boolean;
  readonly init?: (self: Puppet) => Awaitable<InitResultOf<unknown>>;
  readonly info?: (self: Puppet, info: Info) => Awaitable<CastResult | undefined> | Awaitable<void>;
  readonly continue?: (self: Puppet, term: unknown) => Awaitable<CastResult | undefined> | Awaitable<void>;
  readonly terminate?: (self: Puppet, reason: ExitReason) => Awaitable<void>;
}

export interface PuppetProtocol {
  /** Runs `run` as handleCall; without it answers the state. */
  ask: Call<{ run?: (self: Puppet, from: From<PuppetProtocol>) => Awaitable<CallResult> }, unknown>;
  /** Runs `run` as handleCast. */
  tell: Cast<{ run: (self: Puppet) => Awaitable<CastResult | undefined> | Awaitable<void> }>;
}

/**
 * An actor that does what the spec says. The protected half of Actor is public here, so that a script
 * can use it; infos are recorded unless the script handles them.
 */
export class Puppet extends Actor<PuppetProtocol, unknown, Script> {
  readonly infos: Info[] = [];
  #script: Script = {};

  init(script: Script): Awaitable<InitResultOf<unknown>> {
    this.#script = script;
    if (script.trapExit === true) {
      this.trapExit();
    }
    return script.init?.(this);
  }

  override handleCall(
    message: CallMessage<PuppetProtocol>,
    from: From<PuppetProtocol>,
  ): Awaitable<CallResult> {
    return message.run === undefined ? new Reply(this.state) : message.run(this, from);
  }

  override handleCast(
    message: CastMessage<PuppetProtocol>,
  ): Awaitable<CastResult | undefined> | Awaitable<void> {
    return message.run(this);
  }

  override handleInfo(info: Info): Awaitable<CastResult | undefined> | Awaitable<void> {
    this.infos.push(info);
    return this.#script.info?.(this, info);
  }

  override handleContinue(term: unknown): Awaitable<CastResult | undefined> | Awaitable<void> {
    return this.#script.continue?.(this, term);
  }

  override terminate(reason: ExitReason): Awaitable<void> {
    return this.#script.terminate?.(this, reason);
  }

  get host(): Process {
    return this.process;
  }

  override get signal(): AbortSignal {
    return super.signal;
  }

  override trapExit(): void {
    super.trapExit();
  }

  callTo(target: Address, message: { readonly type: string }, options?: CallOptions): Promise<unknown> {
    return super.call(target, message, options);
  }

  castTo(target: Address, message: { readonly type: string }): void {
    super.cast(target, message);
  }

  override send(target: Address, body: unknown): void {
    super.send(target, body);
  }

  override after(delayMs: number, callback: () => void): Timer {
    return super.after(delayMs, callback);
  }

  override castAfter(delayMs: number, message: CastMessage<PuppetProtocol>): Timer {
    return super.castAfter(delayMs, message);
  }

  override monitor(target: Address): MonitorRef {
    return super.monitor(target);
  }

  override demonitor(ref: MonitorRef): void {
    super.demonitor(ref);
  }

  override link(pid: Pid): void {
    super.link(pid);
  }

  override unlink(pid: Pid): void {
    super.unlink(pid);
  }

  override exit(pid: Pid, reason: ExitReason): void {
    super.exit(pid, reason);
  }
}

export type PuppetRun = Running<PuppetProtocol> & { readonly self: Puppet };

export async function startPuppet(
  system: ActorSystem,
  script: Script = {},
  options: StartOptions = {},
): Promise<PuppetRun> {
  const running = await start(system, Puppet, script, options);
  return { ...running, self: puppetOf(running.process) };
}

export function puppetOf(process: Process | undefined): Puppet {
  if (process?.behaviour instanceof Puppet) {
    return process.behaviour;
  }
  throw new Error(`no puppet: ${process?.label ?? "no process"}`);
}

/** The results, for scripts. */
export const reply = (value: unknown): Reply => new Reply(value);
export const noReply = (): NoReply => new NoReply();
export const started = (state: unknown): Started => new Started(state);
export const stop = (reason: ExitReason, answer?: Reply): Stop => new Stop(reason, answer);
export const ignore = (): Ignore => new Ignore();
export const refuse = (reason: ExitReason): Refuse => new Refuse(reason);

/** The DOWNs of a process as they come. */
export function watch(system: ActorSystem, target: Address): Down[] {
  const downs: Down[] = [];
  system.monitor({ deliverDown: (down) => downs.push(down) }, target);
  return downs;
}

/** The error with which `promise` rejects; fails when it does not, or with another kind. */
export async function failureOf(promise: Promise<unknown>): Promise<SupercastError> {
  let value: unknown;
  try {
    value = await promise;
  } catch (thrown) {
    if (thrown instanceof SupercastError) {
      return thrown;
    }
    throw thrown;
  }
  throw new Error(`expected a rejection, but it resolved with ${String(value)}`);
}

/** Keeps the rejection of a promise for later, so that none goes unhandled meanwhile. */
export function failing(promise: Promise<unknown>): Promise<SupercastError> {
  const failure = failureOf(promise);
  failure.catch(() => undefined);
  return failure;
}

/** Something that settles when the spec says so. */
export interface Gate {
  readonly promise: Promise<void>;
  readonly open: () => void;
}

export function gate(): Gate {
  let open = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, open: () => open() };
}

/** A promise that never settles. */
export function never(): Promise<never> {
  return new Promise(() => undefined);
}

/** What happened to supervised puppets, in order: `+a` started, `-a` terminated, `!a` failed to start. */
export class Tree {
  readonly stage: Stage;
  readonly did: string[] = [];
  /** Names whose next starts fail, with how often. */
  readonly failing: Map<string, number> = new Map();

  constructor(stage: Stage) {
    this.stage = stage;
  }

  /** A named puppet as a child; it traps exits, so that its end shows in `did`. */
  child(name: string, options: Omit<ChildOptions, "name"> = {}, script: Script = {}): ChildSpec {
    const tracked: Script = {
      trapExit: true,
      ...script,
      init: (self) => {
        const left = this.failing.get(name) ?? 0;
        if (left > 0) {
          this.failing.set(name, left - 1);
          this.did.push(`!${name}`);
          throw new Error(`${name} fails to start`);
        }
        this.did.push(`+${name}`);
        return script.init?.(self);
      },
      terminate: (self, reason) => {
        this.did.push(`-${name}`);
        return script.terminate?.(self, reason);
      },
    };
    return child(Puppet, tracked, { ...options, name });
  }

  supervise(init: SupervisorInit, options: StartOptions = {}): Promise<Running<SupervisorProtocol>> {
    return start(this.stage.system, Supervisor, init, options);
  }

  pid(name: string): Pid | undefined {
    return this.stage.system.whereis(name)?.pid;
  }

  /** Ends a child by itself, with `reason`, and lets what follows happen. */
  async end(name: string, reason: ExitReason = CRASH): Promise<void> {
    this.stage.system.cast({ name }, { type: "tell", run: () => new Stop(reason) });
    await this.stage.clock.settle();
  }

  take(): string[] {
    return this.did.splice(0);
  }
}

/** An abnormal reason. */
export const CRASH: ExitReason = { error: { name: "Crash", message: "crash" } };
