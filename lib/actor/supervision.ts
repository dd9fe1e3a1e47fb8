/**
 * Supervision, the deciding half: a pure state machine `(state, event) -> effects`.
 *
 * Nothing here starts or stops a process. `supervisor.ts` performs the effects one by one and reports
 * what came of them as events. What must happen in sequence (start in order, stop in reverse order) is
 * a *plan*: a list of steps of which one is under way; events that cannot be served meanwhile wait, in
 * order, except `shutdown`, which replaces any plan. So an init that takes long never freezes the
 * supervisor, and a retry loop can always be ended (otp 9, 32, 44).
 *
 * The state is updated in place; equal states and events give equal effects.
 */
import { abnormal, type ExitReason, isClean } from "../base/reason.ts";
import { type ChildSpec, countRestart, shouldRestart } from "./child-spec.ts";
import { isPid, type Pid } from "./pid.ts";
import type {
  Child,
  ChildCount,
  ChildKey,
  ChildRow,
  Effect,
  Event,
  ReportEvent,
  Request,
  RequestId,
  SupervisionFlags,
} from "./supervision-types.ts";

type Step =
  | { readonly do: "start"; readonly key: ChildKey }
  | { readonly do: "stop"; readonly keys: readonly ChildKey[] };

/** What a plan is for: decides what a failed start means and what follows its last step. */
type Purpose =
  | { readonly for: "init" }
  | { readonly for: "restart"; readonly key: ChildKey }
  | {
      readonly for: "startChild" | "restartChild" | "terminateChild";
      readonly key: ChildKey;
      readonly id: RequestId;
    }
  | { readonly for: "exit"; readonly reason: ExitReason };

interface Plan {
  readonly purpose: Purpose;
  readonly steps: Step[];
  /** Children whose stop is under way in the present step. */
  readonly stopping: Set<ChildKey>;
}

export class Supervision {
  readonly flags: SupervisionFlags;
  readonly #children = new Map<ChildKey, Child>();
  readonly #byPid = new Map<Pid, Child>();
  readonly #byId = new Map<string, Child>();
  #waiting: Event[] = [];
  #plan: Plan | null = null;
  #restarts: readonly number[] = [];
  #lastKey = 0;
  #effects: Effect[] = [];

  constructor(flags: SupervisionFlags) {
    this.flags = flags;
  }

  /** The children in start order. */
  children(): IterableIterator<Child> {
    return this.#children.values();
  }

  /** Takes one event; `nowMs` is monotonic. Returns the effects to perform, in order. */
  step(event: Event, nowMs: number): readonly Effect[] {
    this.#effects = [];
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
    switch (event.type) {
      case "started":
      case "startIgnored":
      case "startFailed":
        this.#startEnded(event);
        return;
      case "stopped":
        this.#stopEnded(event.key, event.reason);
        return;
      case "shutdown":
        this.#beginExit(event.reason);
        return;
      default:
        break;
    }
    if (this.#plan !== null) {
      this.#waiting.push(event);
      return;
    }
    switch (event.type) {
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
        this.#settleStopped(child);
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
        if (child !== undefined) {
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
        this.#waiting = [];
        this.#effects.push({ type: "exit", reason: purpose.reason });
        break;
    }
  }

  // --- what came of a start -----------------------------------------------------------------------

  #startEnded(event: Extract<Event, { type: "started" | "startIgnored" | "startFailed" }>): void {
    const child = this.#children.get(event.key);
    if (child === undefined || child.status !== "starting" || this.#plan === null) {
      return; // a start that was given up on
    }
    const { purpose, steps } = this.#plan;
    if (event.type === "startFailed") {
      this.#startFailed(child, purpose, event.reason, event.owner);
      return;
    }
    if (event.type === "started") {
      child.pid = event.pid;
      child.status = "running";
      this.#byPid.set(event.pid, child);
    } else {
      child.status = "stopped";
      if (this.flags.dynamic || child.spec.restart === "temporary") {
        this.#forget(child);
      }
    }
    if (purpose.for === "startChild" || purpose.for === "restartChild") {
      this.#reply(
        purpose.id,
        event.type === "started" ? { status: "started", pid: event.pid } : { status: "ignored" },
      );
    }
    steps.shift();
    this.#advance();
  }

  #startFailed(child: Child, purpose: Purpose, reason: ExitReason, owner: Pid | undefined): void {
    switch (purpose.for) {
      case "init": {
        const { id } = child.spec;
        this.#forget(child);
        this.#report("start_error", child, reason);
        this.#beginExit({ shutdown: { failed_to_start_child: id, reason } });
        return;
      }
      case "startChild":
      case "restartChild":
        if (purpose.for === "startChild") {
          this.#forget(child);
        } else {
          child.status = "stopped";
        }
        this.#reply(
          purpose.id,
          owner === undefined
            ? { status: "failed", reason, id: child.spec.id }
            : { status: "already_started", pid: owner },
        );
        this.#plan = null;
        return;
      case "restart":
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
    this.#detach(child);
    this.#settleStopped(child);
    if (plan.stopping.size === 0) {
      plan.steps.shift();
      this.#advance();
    }
  }

  /** A stopped child keeps its spec, unless it is temporary or dynamic (otp 6, 18). */
  #settleStopped(child: Child): void {
    child.status = "stopped";
    if (child.spec.restart === "temporary" || this.flags.dynamic) {
      this.#forget(child);
    }
  }

  #detach(child: Child): void {
    if (child.pid !== undefined) {
      this.#byPid.delete(child.pid);
      child.pid = undefined;
    }
  }

  #forget(child: Child): void {
    this.#detach(child);
    this.#children.delete(child.key);
    if (this.#byId.get(child.spec.id) === child) {
      this.#byId.delete(child.spec.id);
    }
  }

  #add(spec: ChildSpec): Child {
    this.#lastKey += 1;
    const child: Child = { key: this.#lastKey, spec, status: "stopped", pid: undefined, restarts: 0 };
    this.#children.set(child.key, child);
    if (!this.flags.dynamic) {
      this.#byId.set(spec.id, child);
    }
    return child;
  }

  // --- start and end of the supervisor --------------------------------------------------------------

  #init(specs: readonly ChildSpec[]): void {
    const steps = specs.map((spec): Step => ({ do: "start", key: this.#add(spec).key }));
    this.#begin({ for: "init" }, steps);
  }

  /** Stops all children, last started first (dynamic ones together), then exits with `reason`. */
  #beginExit(reason: ExitReason): void {
    if (this.#plan?.purpose.for === "exit") {
      return;
    }
    const underWay = this.#plan?.stopping ?? new Set<ChildKey>();
    const keys = [...this.#children.keys()].reverse();
    const steps: Step[] = this.flags.dynamic
      ? [{ do: "stop", keys }]
      : keys.map((key) => ({ do: "stop", keys: [key] }));
    this.#waiting = [];
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
    const child = this.#byPid.get(pid);
    if (child === undefined) {
      return; // a stranger, or a child that was stopped meanwhile
    }
    this.#detach(child);
    if (!isClean(reason) || child.spec.restart === "permanent") {
      this.#report("child_terminated", child, reason);
    }
    if (shouldRestart(child.spec.restart, reason)) {
      this.#restart(child, nowMs);
      return;
    }
    this.#settleStopped(child);
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
    this.#begin({ for: "restart", key: child.key }, this.#restartSteps(child));
  }

  #restartSteps(child: Child): Step[] {
    const { strategy } = this.flags;
    if (strategy === "one_for_one") {
      return [{ do: "start", key: child.key }];
    }
    const group = [...this.#children.values()].filter(
      (each) => strategy === "one_for_all" || each.key >= child.key,
    );
    const others = group.filter((each) => each !== child);
    const stops = others.reverse().map((each): Step => ({ do: "stop", keys: [each.key] }));
    const starts = group
      .filter((each) => each === child || each.spec.restart !== "temporary")
      .map((each): Step => ({ do: "start", key: each.key }));
    return [...stops, ...starts];
  }

  /** A significant child ended by itself and is not restarted (otp 34 to 36). */
  #checkAutoShutdown(spec: ChildSpec): void {
    const { autoShutdown } = this.flags;
    if (!spec.significant || autoShutdown === "never") {
      return;
    }
    const others = [...this.#children.values()].some(
      (each) => each.spec.significant && each.status !== "stopped",
    );
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
        this.#restartChild(id, request.id);
        break;
      case "deleteChild":
        this.#reply(id, this.#deleteChild(request.id));
        break;
      case "whichChildren":
        this.#reply(
          id,
          [...this.#children.values()].reverse().map((child) => this.#row(child)),
        );
        break;
      case "whichChild": {
        const found = this.#find(request.child);
        this.#reply(
          id,
          found === undefined ? { status: "not_found" } : { status: "ok", child: this.#row(found) },
        );
        break;
      }
      case "countChildren":
        this.#reply(id, this.#count());
        break;
      case "getChildSpec": {
        const found = this.#find(request.child);
        this.#reply(id, found === undefined ? { status: "not_found" } : { status: "ok", spec: found.spec });
        break;
      }
    }
  }

  #startChild(id: RequestId, spec: ChildSpec): void {
    const existing = this.flags.dynamic ? undefined : this.#byId.get(spec.id);
    if (existing !== undefined) {
      const { pid } = existing;
      this.#reply(id, pid === undefined ? { status: "already_present" } : { status: "already_started", pid });
    } else if (this.#children.size >= this.flags.maxChildren) {
      this.#reply(id, { status: "max_children" });
    } else {
      const { key } = this.#add(spec);
      this.#begin({ for: "startChild", key, id }, [{ do: "start", key }]);
    }
  }

  #terminateChild(id: RequestId, name: string): void {
    const found = this.#find(name);
    if (found === undefined) {
      this.#reply(id, { status: this.flags.dynamic && !isPid(name) ? "simple_one_for_one" : "not_found" });
      return;
    }
    this.#begin({ for: "terminateChild", key: found.key, id }, [{ do: "stop", keys: [found.key] }]);
  }

  #restartChild(id: RequestId, name: string): void {
    const status = this.#refusal(name);
    const found = this.#byId.get(name);
    if (status !== undefined || found === undefined) {
      this.#reply(id, { status: status ?? "not_found" });
      return;
    }
    this.#begin({ for: "restartChild", key: found.key, id }, [{ do: "start", key: found.key }]);
  }

  #deleteChild(name: string): { readonly status: string } {
    const status = this.#refusal(name);
    const found = this.#byId.get(name);
    if (status !== undefined || found === undefined) {
      return { status: status ?? "not_found" };
    }
    this.#forget(found);
    return { status: "ok" };
  }

  /** Why a child cannot be restarted or deleted by hand: only stopped ones can (otp 47). */
  #refusal(name: string): "simple_one_for_one" | "not_found" | "running" | "restarting" | undefined {
    if (this.flags.dynamic) {
      return "simple_one_for_one";
    }
    const found = this.#byId.get(name);
    if (found === undefined) {
      return "not_found";
    }
    if (found.status === "stopped") {
      return undefined;
    }
    return found.status === "restarting" ? "restarting" : "running";
  }

  #find(name: string): Child | undefined {
    if (this.flags.dynamic) {
      return isPid(name) ? this.#byPid.get(name) : undefined;
    }
    return this.#byId.get(name);
  }

  #row(child: Child): ChildRow {
    return {
      id: this.flags.dynamic ? undefined : child.spec.id,
      child: child.pid ?? (child.status === "restarting" ? "restarting" : undefined),
      type: child.spec.type,
      modules: child.spec.modules,
      restarts: child.restarts,
    };
  }

  #count(): ChildCount {
    let active = 0;
    let supervisors = 0;
    for (const child of this.#children.values()) {
      active += child.pid === undefined ? 0 : 1;
      supervisors += child.spec.type === "supervisor" ? 1 : 0;
    }
    const specs = this.#children.size;
    return { specs, active, supervisors, workers: specs - supervisors };
  }

  #reply(id: RequestId, value: unknown): void {
    this.#effects.push({ type: "reply", id, value });
  }

  #report(event: ReportEvent, child: Child, reason: ExitReason): void {
    this.#effects.push({ type: "report", event, child: child.spec.id, reason });
  }
}

/** Ends at shutdown that need no report (otp 29): as asked, cleanly, or killed where that was the order. */
function isExpectedEnd(spec: ChildSpec, reason: ExitReason): boolean {
  if (spec.shutdown === "brutal_kill") {
    return reason === "killed";
  }
  return reason === "noproc" || (isClean(reason) && !(reason === "normal" && spec.restart === "permanent"));
}
