/**
 * Supervision, the deciding half: a pure state machine `(state, event) -> effects`.
 *
 * Nothing here starts or stops a process. `supervisor.ts` performs the effects one by one and reports
 * what came of them as events. What must happen in sequence (start in order, stop in reverse order) is
 * a *plan*: a list of steps of which one is under way; events that cannot be served meanwhile wait, in
 * order, except `shutdown`, which replaces any plan. So an init that takes long never freezes the
 * supervisor, and a retry loop can always be ended (otp 9, 32, 44).
 *
 * The state is updated in place. Equal states and events give equal effects.
 */
import { Fifo } from "../base/fifo.ts";
import { abnormal, type ExitReason, isClean } from "../base/reason.ts";
import { type CompleteSpec, countRestart, isExpectedEnd, shouldRestart } from "./child-spec.ts";
import { Children } from "./children.ts";
import { isPid, type Pid } from "./pid.ts";
import { exitSteps, type Plan, type Purpose, restartSteps, type Step } from "./supervision-plan.ts";
import { answer, refusal } from "./supervision-queries.ts";
import type {
  Child,
  ChildKey,
  Effect,
  Event,
  ReportEvent,
  Request,
  RequestId,
  SupervisionFlags,
} from "./supervision-types.ts";

/** Served only between plans. */
const PATIENT: ReadonlySet<Event["type"]> = new Set(["init", "exited", "retry", "request"]);

export class Supervision {
  readonly flags: SupervisionFlags;
  readonly #children: Children;
  /** Events that wait for the plan under way. */
  readonly #waiting = new Fifo<Event>();
  #plan: Plan | null = null;
  #restarts: readonly number[] = [];
  /** The supervisor has been told to exit: nothing counts any more. */
  #done = false;
  #effects: Effect[] = [];

  constructor(flags: SupervisionFlags) {
    this.flags = flags;
    this.#children = new Children(flags.dynamic);
  }

  /** In start order. */
  children(): IterableIterator<Child> {
    return this.#children[Symbol.iterator]();
  }

  /** Takes one event; `nowMs` is monotonic. Returns the effects to perform, in order. */
  step(event: Event, nowMs: number): readonly Effect[] {
    this.#effects = [];
    if (this.#done) {
      return this.#effects;
    }
    this.#take(event, nowMs);
    while (this.#plan === null && this.#waiting.length > 0) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        this.#take(next, nowMs);
      }
    }
    return this.#effects;
  }

  #take(event: Event, nowMs: number): void {
    if (this.#plan !== null && PATIENT.has(event.type)) {
      this.#waiting.push(event);
      return;
    }
    switch (event.type) {
      case "started":
      case "startIgnored":
      case "startFailed":
        this.#startEnded(event);
        break;
      case "stopped":
        this.#stopEnded(event.key, event.reason);
        break;
      case "shutdown":
        this.#beginExit(event.reason);
        break;
      case "init":
        this.#init(event.children);
        break;
      case "exited":
        this.#exited(event.pid, event.reason, nowMs);
        break;
      case "retry":
        this.#retry(event.key, nowMs);
        break;
      case "request":
        this.#request(event.id, event.request);
        break;
    }
  }

  // --- plans ------------------------------------------------------------------------------------

  #begin(purpose: Purpose, steps: Step[]): void {
    this.#plan = { purpose, steps, stopping: new Set() };
    this.#advance();
  }

  /** Takes the next step, or concludes the plan when there is none. */
  #advance(): void {
    for (let plan = this.#plan; plan !== null; plan = this.#plan) {
      const step = plan.steps[0];
      if (step === undefined) {
        this.#plan = null;
        this.#conclude(plan.purpose);
        return;
      }
      if (step.do === "start" ? this.#takeStart(step.key) : this.#takeStop(plan, step.keys)) {
        return;
      }
      plan.steps.shift();
    }
  }

  #takeStart(key: ChildKey): boolean {
    const child = this.#children.get(key);
    if (child === undefined) {
      return false;
    }
    child.status = "starting";
    this.#effects.push({ type: "start", key, spec: child.spec });
    return true;
  }

  #takeStop(plan: Plan, keys: readonly ChildKey[]): boolean {
    for (const key of keys) {
      const child = this.#children.get(key);
      if (child !== undefined && (child.pid !== undefined || child.status === "starting")) {
        plan.stopping.add(key);
        child.status = "stopping";
        this.#effects.push({ type: "stop", key, spec: child.spec, pid: child.pid });
      } else if (child !== undefined) {
        this.#children.stopped(child);
      }
    }
    return plan.stopping.size > 0;
  }

  #conclude(purpose: Purpose): void {
    switch (purpose.for) {
      case "init":
        this.#effects.push({ type: "ready" });
        break;
      case "restart": {
        const child = this.#children.get(purpose.key);
        if (child?.status === "running") {
          this.#report("restarted", child, "normal");
        }
        break;
      }
      case "startChild":
      case "restartChild":
        break; // replied to when the start ended
      case "terminateChild":
        this.#reply(purpose.id, { status: "ok" });
        break;
      case "exit":
        this.#done = true;
        this.#waiting.clear();
        this.#effects.push({ type: "exit", reason: purpose.reason });
        break;
    }
  }

  // --- what came of a start -----------------------------------------------------------------------

  #startEnded(event: Extract<Event, { type: "started" | "startIgnored" | "startFailed" }>): void {
    const child = this.#children.get(event.key);
    if (child?.status !== "starting" || this.#plan === null) {
      return; // a start that was given up on
    }
    const { purpose, steps } = this.#plan;
    if (event.type === "startFailed") {
      this.#startFailed(child, purpose, event.reason, event.owner);
      return;
    }
    if (event.type === "started") {
      this.#children.started(child, event.pid);
    } else {
      this.#children.stopped(child);
    }
    if (purpose.for === "startChild" || purpose.for === "restartChild") {
      const started = event.type === "started" ? { status: "started", pid: event.pid } : undefined;
      this.#reply(purpose.id, started ?? { status: "ignored" });
    }
    steps.shift();
    this.#advance();
  }

  #startFailed(child: Child, purpose: Purpose, reason: ExitReason, owner: Pid | undefined): void {
    const failed = { status: "failed", reason, id: child.spec.id };
    switch (purpose.for) {
      case "init":
        this.#children.forget(child);
        this.#report("start_error", child, reason);
        this.#beginExit({ shutdown: { failed_to_start_child: child.spec.id, reason } });
        return;
      case "startChild":
      case "restartChild":
        child.status = "stopped";
        if (purpose.for === "startChild") {
          this.#children.forget(child);
        }
        this.#reply(purpose.id, owner === undefined ? failed : { status: "already_started", pid: owner });
        this.#plan = null;
        return;
      case "restart":
        this.#putDown(purpose.key);
        child.status = "restarting";
        this.#report("start_error", child, reason);
        this.#plan = null;
        this.#effects.push({ type: "retry", key: child.key });
        return;
      case "terminateChild":
      case "exit":
        return; // these plans start nobody
    }
  }

  /** The retry begins at the child that failed to start; the one that had died waits like the others. */
  #putDown(died: ChildKey): void {
    const child = this.#children.get(died);
    if (child?.status === "restarting") {
      child.status = "stopped";
    }
  }

  // --- what came of a stop ------------------------------------------------------------------------

  #stopEnded(key: ChildKey, reason: ExitReason): void {
    const plan = this.#plan;
    const child = this.#children.get(key);
    if (child === undefined || plan === null || !plan.stopping.delete(key)) {
      return;
    }
    if (!isExpectedEnd(child.spec, reason)) {
      this.#report("shutdown_error", child, reason);
    }
    this.#children.detach(child);
    this.#children.stopped(child);
    if (plan.stopping.size === 0) {
      plan.steps.shift();
      this.#advance();
    }
  }

  // --- start and end of the supervisor --------------------------------------------------------------

  #init(specs: readonly CompleteSpec[]): void {
    const steps = specs.map((spec): Step => ({ do: "start", key: this.#children.add(spec).key }));
    this.#begin({ for: "init" }, steps);
  }

  #beginExit(reason: ExitReason): void {
    if (this.#plan?.purpose.for === "exit") {
      return;
    }
    const underWay = this.#plan?.stopping ?? new Set<ChildKey>();
    const steps = exitSteps(this.#children, this.flags.dynamic);
    this.#waiting.clear();
    if (underWay.size === 0) {
      this.#begin({ for: "exit", reason }, steps);
      return;
    }
    // A stop is under way: finish it as the first step, then go on with the rest.
    this.#plan = {
      purpose: { for: "exit", reason },
      steps: [{ do: "stop", keys: [...underWay] }, ...steps],
      stopping: underWay,
    };
  }

  // --- restarts -----------------------------------------------------------------------------------

  #exited(pid: Pid, reason: ExitReason, nowMs: number): void {
    const child = this.#children.withPid(pid);
    if (child === undefined) {
      return; // a stranger, or a child that was stopped meanwhile
    }
    this.#children.detach(child);
    if (!isClean(reason) || child.spec.restart === "permanent") {
      this.#report("child_terminated", child, reason);
    }
    if (shouldRestart(child.spec.restart, reason)) {
      this.#restart(child, nowMs);
      return;
    }
    this.#children.stopped(child);
    this.#checkAutoShutdown(child.spec);
  }

  #retry(key: ChildKey, nowMs: number): void {
    const child = this.#children.get(key);
    if (child?.status === "restarting") {
      this.#restart(child, nowMs);
    }
  }

  #restart(child: Child, nowMs: number): void {
    const counted = countRestart(this.#restarts, nowMs, this.flags);
    this.#restarts = counted.restarts;
    child.status = "restarting";
    if (!counted.allowed) {
      this.#report("gave_up", child, abnormal("reached_max_restart_intensity"));
      child.status = "stopped";
      this.#beginExit("shutdown");
      return;
    }
    child.restarts += 1;
    this.#begin({ for: "restart", key: child.key }, restartSteps(child, this.#children, this.flags.strategy));
  }

  /** A significant child ended by itself and is not restarted (otp 34 to 36). */
  #checkAutoShutdown(spec: CompleteSpec): void {
    const { autoShutdown } = this.flags;
    if (!spec.significant || autoShutdown === "never") {
      return;
    }
    const others = [...this.#children].some((each) => each.spec.significant && each.status !== "stopped");
    if (autoShutdown === "any_significant" || !others) {
      this.#beginExit("shutdown");
    }
  }

  // --- the API --------------------------------------------------------------------------------------

  #request(id: RequestId, request: Request): void {
    switch (request.type) {
      case "startChild":
        this.#startChild(id, request.spec);
        break;
      case "terminateChild":
        this.#terminateChild(id, request.child);
        break;
      case "restartChild":
      case "deleteChild":
        this.#changeStopped(id, request);
        break;
      case "whichChildren":
      case "whichChild":
      case "countChildren":
      case "getChildSpec":
        this.#reply(id, answer(request, this.#children));
        break;
    }
  }

  #startChild(id: RequestId, spec: CompleteSpec): void {
    const existing = this.flags.dynamic ? undefined : this.#children.withId(spec.id);
    if (existing !== undefined) {
      const { pid } = existing;
      this.#reply(id, pid === undefined ? { status: "already_present" } : { status: "already_started", pid });
    } else if (this.#children.size >= this.flags.maxChildren) {
      this.#reply(id, { status: "max_children" });
    } else {
      const { key } = this.#children.add(spec);
      this.#begin({ for: "startChild", key, id }, [{ do: "start", key }]);
    }
  }

  #terminateChild(id: RequestId, name: string): void {
    const found = this.#children.find(name);
    if (found === undefined) {
      this.#reply(id, { status: this.flags.dynamic && !isPid(name) ? "simple_one_for_one" : "not_found" });
      return;
    }
    this.#begin({ for: "terminateChild", key: found.key, id }, [{ do: "stop", keys: [found.key] }]);
  }

  #changeStopped(id: RequestId, request: Extract<Request, { type: "restartChild" | "deleteChild" }>): void {
    const refused = refusal(request.id, this.#children, this.flags.dynamic);
    const found = this.#children.withId(request.id);
    if (refused !== undefined || found === undefined) {
      this.#reply(id, { status: refused ?? "not_found" });
    } else if (request.type === "deleteChild") {
      this.#children.forget(found);
      this.#reply(id, { status: "ok" });
    } else {
      this.#begin({ for: "restartChild", key: found.key, id }, [{ do: "start", key: found.key }]);
    }
  }

  #reply(id: RequestId, value: unknown): void {
    this.#effects.push({ type: "reply", id, value });
  }

  #report(event: ReportEvent, child: Child, reason: ExitReason): void {
    this.#effects.push({ type: "report", event, child: child.spec.id, reason });
  }
}
