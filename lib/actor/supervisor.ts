/**
 * Supervisor and DynamicSupervisor: processes that start, watch and restart others.
 *
 * The decisions are made in `supervision.ts`; this is the half that acts: it starts and stops children,
 * answers the API's callers, and feeds what happens back into the machine.
 */
import type { Timer } from "../base/clock.ts";
import { messageOf, SupercastError } from "../base/errors.ts";
import { abnormal, type ExitReason, formatReason, reasonOfThrown } from "../base/reason.ts";
import { publishEvent } from "../telemetry/events.ts";
import { Actor } from "./actor.ts";
import {
  type ChildSpec,
  checkChildSpec,
  checkChildSpecs,
  checkFlags,
  type SupervisorInit,
} from "./child-spec.ts";
import type { From } from "./from.ts";
import type { Info } from "./info.ts";
import type { Pid } from "./pid.ts";
import type { Call, CallMessage } from "./protocol.ts";
import { type Awaitable, type CallResult, type InitResultOf, Stop } from "./result.ts";
import type { StartOutcome } from "./start.ts";
import { Supervision } from "./supervision.ts";
import type {
  ChildCount,
  ChildKey,
  ChildRow,
  Effect,
  Event,
  Request,
  SupervisionFlags,
} from "./supervision-types.ts";

export type StartChildResult =
  | { readonly status: "started"; readonly pid: Pid }
  | { readonly status: "ignored" }
  | { readonly status: "already_started"; readonly pid: Pid }
  | { readonly status: "already_present" }
  | { readonly status: "max_children" }
  | { readonly status: "failed"; readonly reason: ExitReason; readonly id: string };

export type ChildAnswer = {
  readonly status: "ok" | "not_found" | "running" | "restarting" | "simple_one_for_one";
};

/** The supervisor API. These calls have no timeout of their own: pass `{ timeoutMs: Infinity }`. */
export interface SupervisorProtocol {
  startChild: Call<{ spec: ChildSpec }, StartChildResult>;
  /** Dynamic supervisors with a template: starts one more child of it. */
  startFromTemplate: Call<{ args: unknown }, StartChildResult>;
  /** `child` is an id, or for dynamic supervisors a pid. */
  terminateChild: Call<{ child: string }, ChildAnswer>;
  restartChild: Call<{ id: string }, StartChildResult | ChildAnswer>;
  deleteChild: Call<{ id: string }, ChildAnswer>;
  /** Newest started first. */
  whichChildren: Call<object, readonly ChildRow[]>;
  whichChild: Call<{ child: string }, { status: "not_found" } | { status: "ok"; child: ChildRow }>;
  countChildren: Call<object, ChildCount>;
  getChildSpec: Call<{ child: string }, { status: "not_found" } | { status: "ok"; spec: ChildSpec }>;
}

/** Posted to oneself between two attempts of a restart, so that waiting requests are served in between. */
class Retry {
  readonly key: ChildKey;

  constructor(key: ChildKey) {
    this.key = key;
  }
}

abstract class BaseSupervisor<Args> extends Actor<SupervisorProtocol, Supervision, Args> {
  static override readonly kind = "supervisor";
  static override readonly passByReference = true;

  #supervision: Supervision | null = null;
  readonly #inbox: Event[] = [];
  #feeding = false;
  readonly #requests = new Map<number, From<SupervisorProtocol>>();
  #lastRequest = 0;
  /** Settles the start of this supervisor. */
  #started: ((outcome: "ready" | ExitReason) => void) | null = null;
  #exited: ExitReason | undefined;
  #ended: (() => void) | null = null;

  /** What `init` of the subclass amounts to: flags, first children, template. */
  protected abstract plan(args: Args): Awaitable<SupervisorPlan | undefined>;
  #template: ((args: unknown) => ChildSpec) | undefined;

  init(args: Args): Awaitable<InitResultOf<Supervision>> {
    this.trapExit();
    const planned = this.plan(args);
    return planned instanceof Promise ? planned.then((plan) => this.#begin(plan)) : this.#begin(planned);
  }

  #begin(plan: SupervisorPlan | undefined): Awaitable<InitResultOf<Supervision>> {
    if (plan === undefined) {
      return this.ignore();
    }
    checkChildSpecs(plan.children, plan.flags.autoShutdown);
    this.#template = plan.template;
    const supervision = new Supervision(plan.flags);
    this.#supervision = supervision;
    let outcome: "ready" | ExitReason | undefined;
    this.#started = (settled) => {
      outcome = settled;
    };
    this.#feed({ type: "init", children: plan.children });
    if (outcome !== undefined) {
      return this.#initResult(supervision, outcome);
    }
    return new Promise((resolve) => {
      this.#started = (settled) => resolve(this.#initResult(supervision, settled));
    });
  }

  #initResult(supervision: Supervision, outcome: "ready" | ExitReason): Supervision | Stop {
    this.#started = null;
    return outcome === "ready" ? supervision : new Stop(outcome);
  }

  // --- events in --------------------------------------------------------------------------------

  override handleCall(message: CallMessage<SupervisorProtocol>, from: From<SupervisorProtocol>): CallResult {
    let request: Request;
    try {
      request = this.#toRequest(message);
    } catch (thrown) {
      from.fail(
        thrown instanceof SupercastError ? thrown : new SupercastError("config_mismatch", messageOf(thrown)),
      );
      return this.noReply();
    }
    this.#lastRequest += 1;
    this.#requests.set(this.#lastRequest, from);
    this.#feed({ type: "request", id: this.#lastRequest, request });
    return this.noReply();
  }

  #toRequest(message: CallMessage<SupervisorProtocol>): Request {
    if (message.type === "startChild") {
      checkChildSpec(message.spec, this.state.flags.autoShutdown);
      return message;
    }
    if (message.type !== "startFromTemplate") {
      return message;
    }
    if (this.#template === undefined) {
      throw new SupercastError(
        "invalid_message",
        "this supervisor has no template; send startChild with a spec",
      );
    }
    const spec = this.#template(message.args);
    checkChildSpec(spec, this.state.flags.autoShutdown);
    return { type: "startChild", spec };
  }

  override handleInfo(info: Info): void {
    if (info.type === "exit") {
      this.#feed({ type: "exited", pid: info.from, reason: info.reason });
    } else if (info.type === "message" && info.body instanceof Retry) {
      this.#feed({ type: "retry", key: info.body.key });
    } else {
      this.log.warn("a supervisor got a stray message and dropped it", { supervisor: this.process.label });
    }
  }

  override terminate(reason: ExitReason): Awaitable<void> {
    if (this.#exited !== undefined) {
      return;
    }
    return new Promise((resolve) => {
      this.#ended = resolve;
      this.#feed({ type: "shutdown", reason });
    });
  }

  override formatState(state: Supervision): unknown {
    return {
      flags: state.flags,
      children: [...state.children()].map(({ spec, status, pid }) => ({ id: spec.id, status, pid })),
    };
  }

  /** Feeds one event; those that its effects cause at once are taken in turn, not recursively. */
  #feed(event: Event): void {
    this.#inbox.push(event);
    if (this.#feeding) {
      return;
    }
    this.#feeding = true;
    try {
      for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift()) {
        for (const effect of this.#supervision?.step(next, this.now()) ?? []) {
          this.#perform(effect);
        }
      }
    } finally {
      this.#feeding = false;
    }
  }

  // --- effects out ------------------------------------------------------------------------------

  #perform(effect: Effect): void {
    switch (effect.type) {
      case "start":
        this.#start(effect.key, effect.spec);
        break;
      case "stop":
        this.#stop(effect.key, effect.spec, effect.pid);
        break;
      case "retry":
        this.process.pushInfo({ type: "message", body: new Retry(effect.key) });
        break;
      case "reply":
        this.#reply(effect.id, effect.value);
        break;
      case "ready":
        this.#started?.("ready");
        break;
      case "exit":
        this.#exit(effect.reason);
        break;
      case "report":
        this.#report(effect);
        break;
    }
  }

  #start(key: ChildKey, spec: ChildSpec): void {
    let outcome: StartOutcome | Promise<StartOutcome>;
    try {
      outcome = spec.start(this.process);
    } catch (thrown) {
      this.#feed({ type: "startFailed", key, reason: reasonOfThrown(thrown) });
      return;
    }
    if (outcome instanceof Promise) {
      outcome.then(
        (settled) => this.#feed(startEvent(key, settled)),
        (thrown: unknown) => this.#feed({ type: "startFailed", key, reason: reasonOfThrown(thrown) }),
      );
    } else {
      this.#feed(startEvent(key, outcome));
    }
  }

  /** Asks the child to end and waits on a monitor, never on the child's good will (otp 25 to 28). */
  #stop(key: ChildKey, spec: ChildSpec, pid: Pid | undefined): void {
    const { process } = this;
    const { system } = process;
    if (pid === undefined) {
      this.#killStarting();
      this.#feed({ type: "stopped", key, reason: "killed" });
      return;
    }
    let timer: Timer | undefined;
    system.signals.unlink(process, pid);
    const watcher = {
      deliverDown: (down: { readonly reason: ExitReason }): void => {
        if (timer !== undefined) {
          process.clearTimer(timer);
        }
        this.#feed({ type: "stopped", key, reason: down.reason });
      },
    };
    system.monitor(watcher, pid);
    if (spec.shutdown === "brutal_kill") {
      system.signals.exit(process.pid, pid, "kill");
      return;
    }
    if (spec.shutdown !== "infinity") {
      timer = process.setTimer(() => system.signals.exit(process.pid, pid, "kill"), spec.shutdown);
    }
    system.signals.exit(process.pid, pid, "shutdown");
  }

  /** Gives up on the child whose init is still running. */
  #killStarting(): void {
    for (const each of this.process.system.processes()) {
      if (each.parent === this.process && each.status === "starting") {
        each.system.signals.untieFromParent(each);
        each.finish("killed");
      }
    }
  }

  #reply(id: number, value: unknown): void {
    const from = this.#requests.get(id);
    this.#requests.delete(id);
    from?.settle(value);
  }

  #exit(reason: ExitReason): void {
    this.#exited = reason;
    const { process } = this;
    if (this.#started !== null) {
      this.#started(reason);
    } else if (this.#ended !== null) {
      this.#ended();
    } else {
      process.pushSystem(() => process.end(reason));
    }
  }

  #report(effect: Extract<Effect, { type: "report" }>): void {
    const { event, child, reason } = effect;
    const { system, label } = this.process;
    const text = `supervisor ${label}: child ${child} ${event.replaceAll("_", " ")}`;
    if (event === "restarted") {
      this.log.info(text);
    } else {
      this.log[event === "gave_up" ? "error" : "warn"](`${text}: ${formatReason(reason)}`);
    }
    publishEvent("supercast:supervisor:report", () => ({
      node: system.node,
      supervisor: label,
      event,
      child,
      reason,
    }));
  }
}

/** A checked plan of a supervisor: what its machine is made from. */
interface SupervisorPlan {
  readonly flags: SupervisionFlags;
  readonly children: readonly ChildSpec[];
  readonly template?: (args: unknown) => ChildSpec;
}

function startEvent(key: ChildKey, outcome: unknown): Event {
  if (!isStartOutcome(outcome)) {
    const reason = abnormal("bad_return_value", "a child's start function did not return a start outcome");
    return { type: "startFailed", key, reason };
  }
  switch (outcome.status) {
    case "started":
      return { type: "started", key, pid: outcome.process.pid };
    case "ignored":
      return { type: "startIgnored", key };
    case "already_started":
      return {
        type: "startFailed",
        key,
        reason: abnormal("already_started", outcome.pid),
        owner: outcome.pid,
      };
    case "failed":
      return { type: "startFailed", key, reason: outcome.reason };
  }
}

const START_STATUSES: readonly unknown[] = ["started", "ignored", "already_started", "failed"];

/** User code starts children, so what it returns is checked. */
function isStartOutcome(value: unknown): value is StartOutcome {
  return (
    typeof value === "object" && value !== null && "status" in value && START_STATUSES.includes(value.status)
  );
}

/**
 * A supervisor with a fixed list of children, started in order and stopped in reverse.
 *
 * Used directly, its args are a SupervisorInit. A subclass overrides `supervise` to make one from args
 * of its own; returning undefined there means `ignore`. Children added at run time are lost when the
 * supervisor itself is restarted (otp 8).
 */
export class Supervisor<Args = SupervisorInit> extends BaseSupervisor<Args> {
  supervise(args: Args): Awaitable<unknown> {
    return args;
  }

  protected plan(args: Args): Awaitable<SupervisorPlan | undefined> {
    const supervised = this.supervise(args);
    return supervised instanceof Promise
      ? supervised.then((init) => this.#check(init))
      : this.#check(supervised);
  }

  #check(init: unknown): SupervisorPlan | undefined {
    if (init === undefined || init === null) {
      return undefined;
    }
    if (!isSupervisorInit(init)) {
      throw new SupercastError(
        "config_mismatch",
        `supervise() must return an object like { strategy, children }`,
      );
    }
    const flags = checkFlags(init, this.process.system.limits);
    return {
      flags: { ...flags, dynamic: false, maxChildren: Number.POSITIVE_INFINITY },
      children: init.children ?? [],
    };
  }
}

function isSupervisorInit(value: unknown): value is SupervisorInit {
  return (
    typeof value === "object" && value !== null && (!("children" in value) || Array.isArray(value.children))
  );
}

export interface DynamicSupervisorInit {
  readonly intensity?: number;
  readonly periodMs?: number;
  /** Children beyond this are refused with `max_children`; those being restarted count. */
  readonly maxChildren?: number;
  /** Makes the spec of one more child from its args (simple_one_for_one). */
  readonly template?: (args: unknown) => ChildSpec;
}

/** A supervisor for any number of children started at run time, addressed by pid, stopped in parallel. */
export class DynamicSupervisor extends BaseSupervisor<DynamicSupervisorInit> {
  protected plan(init: DynamicSupervisorInit): SupervisorPlan {
    const { maxChildren = Number.POSITIVE_INFINITY, template } = init;
    if (!(maxChildren >= 0)) {
      throw new SupercastError("config_mismatch", `maxChildren is ${maxChildren}; allowed: a number from 0`);
    }
    const flags = checkFlags({ ...init, strategy: "one_for_one" }, this.process.system.limits);
    return {
      flags: { ...flags, dynamic: true, maxChildren },
      children: [],
      ...(template === undefined ? {} : { template }),
    };
  }
}
