/**
 * The acting half of supervision, shared by Supervisor and DynamicSupervisor.
 *
 * The decisions are made in `supervision.ts`; this starts and stops children, answers the API's
 * callers, and feeds what happens back into the machine. It never trusts a child: a stop waits on a
 * monitor, a start that hangs is cut off, and what comes out of either too late has no effect.
 */
import type { Timer } from "../base/clock.ts";
import { messageOf, SupercastError } from "../base/errors.ts";
import { Fifo } from "../base/fifo.ts";
import { type ExitReason, formatReason } from "../base/reason.ts";
import { publishEvent } from "../telemetry/events.ts";
import { Actor } from "./actor.ts";
import { type ChildSpec, type CompleteSpec, completeSpec, completeSpecs } from "./child-spec.ts";
import { ChildStart } from "./child-start.ts";
import type { From } from "./from.ts";
import type { Down, Info } from "./info.ts";
import type { Pid } from "./pid.ts";
import type { CallMessage } from "./protocol.ts";
import { type Awaitable, type CallResult, type InitResultOf, Stop } from "./result.ts";
import { Supervision } from "./supervision.ts";
import type { ChildKey, Effect, Event, Request, SupervisionFlags } from "./supervision-types.ts";
import type { SupervisorProtocol } from "./supervisor.ts";

/** What a supervisor is made from. */
export interface SupervisorPlan {
  readonly flags: SupervisionFlags;
  readonly children: readonly ChildSpec[];
  readonly template?: ((args: unknown) => ChildSpec) | undefined;
}

/** Posted to oneself between two attempts of a restart, so that waiting requests are served in between. */
class Retry {
  readonly key: ChildKey;

  constructor(key: ChildKey) {
    this.key = key;
  }
}

/** How the start of the supervisor itself ended: ready, or the reason why not. */
type Settled = "ready" | ExitReason;

export abstract class BaseSupervisor<Args> extends Actor<SupervisorProtocol, Supervision, Args> {
  static override readonly kind = "supervisor";
  static override readonly passByReference = true;

  #supervision: Supervision | null = null;
  #template: ((args: unknown) => ChildSpec) | undefined;
  readonly #inbox = new Fifo<Event>();
  #feeding = false;
  #childStart: ChildStart | null = null;
  readonly #requests = new Map<number, From<SupervisorProtocol>>();
  #lastRequest = 0;
  #started: ((outcome: Settled) => void) | null = null;
  #exited = false;
  #ended: (() => void) | null = null;

  /** What `init` of the subclass amounts to; undefined means ignore. */
  protected abstract plan(args: Args): Awaitable<SupervisorPlan | undefined>;

  init(args: Args): Awaitable<InitResultOf<Supervision>> {
    this.trapExit();
    const planned = this.plan(args);
    return planned instanceof Promise
      ? this.#inTime(planned).then((plan) => this.#begin(plan))
      : this.#begin(planned);
  }

  /** Starting children may take as long as they are allowed to; finding out which may not. */
  #inTime<T>(planned: Promise<T>): Promise<T> {
    const { startTimeoutMs } = this.process.system.limits;
    let timer: Timer | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const error = new SupercastError("timeout", `supervise() took longer than ${startTimeoutMs} ms`);
      timer = this.process.setTimer(() => reject(error), startTimeoutMs);
    });
    return Promise.race([planned, late]).finally(() => {
      if (timer !== undefined) {
        this.process.clearTimer(timer);
      }
    });
  }

  #begin(plan: SupervisorPlan | undefined): Awaitable<InitResultOf<Supervision>> {
    if (plan === undefined || !this.process.alive) {
      return this.ignore();
    }
    const supervision = new Supervision(plan.flags);
    const children = completeSpecs(plan.children, plan.flags.autoShutdown, this.process.system.limits);
    this.#supervision = supervision;
    this.#template = plan.template;
    let outcome: Settled | undefined;
    this.#started = (settled) => {
      outcome = settled;
    };
    this.#feed({ type: "init", children });
    if (outcome !== undefined) {
      return this.#initResult(supervision, outcome);
    }
    return new Promise((resolve) => {
      this.#started = (settled) => resolve(this.#initResult(supervision, settled));
    });
  }

  #initResult(supervision: Supervision, outcome: Settled): Supervision | Stop {
    this.#started = null;
    return outcome === "ready" ? supervision : new Stop(outcome);
  }

  /** Asked to end while its children start: those that run are stopped in order, then init fails. */
  abortStart(reason: ExitReason): void {
    if (this.#supervision === null) {
      this.process.finish(reason);
    } else {
      this.#feed({ type: "shutdown", reason });
    }
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
    switch (message.type) {
      case "startChild":
        return { type: "startChild", spec: this.#complete(message.spec) };
      case "startFromTemplate":
        if (this.#template === undefined) {
          throw new SupercastError(
            "invalid_message",
            "this supervisor has no template; send startChild with a spec",
          );
        }
        return { type: "startChild", spec: this.#complete(this.#template(message.args)) };
      case "terminateChild":
      case "restartChild":
      case "deleteChild":
      case "whichChildren":
      case "whichChild":
      case "countChildren":
      case "getChildSpec":
        return message;
      default:
        throw new SupercastError("invalid_message", "a supervisor does not know that message");
    }
  }

  #complete(spec: ChildSpec): CompleteSpec {
    return completeSpec(spec, this.state.flags.autoShutdown, this.process.system.limits);
  }

  /** Stray traffic must not hurt a tree (otp 30). */
  override handleCast(): void {
    this.log.warn("a supervisor got a stray cast and dropped it", { supervisor: this.process.label });
  }

  override handleInfo(info: Info): void {
    if (info.type === "exit" && this.process.system.processAt(info.from) === undefined) {
      this.#feed({ type: "exited", pid: info.from, reason: info.reason });
    } else if (info.type === "message" && info.body instanceof Retry) {
      this.#feed({ type: "retry", key: info.body.key });
    } else {
      // Also the exit signal of a process that lives on: believing it would start its successor beside it.
      this.log.warn("a supervisor got a stray message and dropped it", { supervisor: this.process.label });
    }
  }

  override terminate(reason: ExitReason): Awaitable<void> {
    if (this.#exited) {
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
    if (!this.process.alive) {
      return; // fenced
    }
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
        this.#starts().begin(effect.key, effect.spec);
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

  #starts(): ChildStart {
    this.#childStart ??= new ChildStart(this.process, (event) => this.#feed(event));
    return this.#childStart;
  }

  /** Asks the child to end and waits on a monitor, never on the child's good will (otp 25 to 28). */
  #stop(key: ChildKey, spec: CompleteSpec, running: Pid | undefined): void {
    const pid = running ?? this.#starts().giveUp()?.pid;
    const { system } = this.process;
    const gone = pid === undefined ? "noproc" : this.process.existingTies?.waitingReason(pid);
    if (pid !== undefined) {
      system.signals.unlink(this.process, pid); // takes back an exit that waits; its reason is known
    }
    if (pid === undefined || gone !== undefined) {
      this.#feed({ type: "stopped", key, reason: gone ?? "noproc" });
      return;
    }
    let timer: Timer | undefined;
    const deliverDown = (down: Down): void => {
      if (timer !== undefined) {
        this.process.clearTimer(timer);
      }
      this.#feed({ type: "stopped", key, reason: down.reason });
    };
    system.monitor({ deliverDown }, pid);
    if (spec.shutdown === "brutal_kill") {
      system.signals.exit(this.pid, pid, "kill");
      return;
    }
    system.signals.exit(this.pid, pid, "shutdown");
    if (spec.shutdown !== "infinity" && system.processAt(pid) !== undefined) {
      timer = this.process.setTimer(() => system.signals.exit(this.pid, pid, "kill"), spec.shutdown);
    }
  }

  #reply(id: number, value: unknown): void {
    const from = this.#requests.get(id);
    this.#requests.delete(id);
    from?.settle(value);
  }

  #exit(reason: ExitReason): void {
    this.#exited = true;
    if (this.#started !== null) {
      this.#started(reason);
    } else if (this.#ended !== null) {
      this.#ended();
    } else {
      this.process.pushSystem(() => this.process.end(reason));
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
