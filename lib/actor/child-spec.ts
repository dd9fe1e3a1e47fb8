/** Child specs and supervisor flags: their shapes, defaults and checks (OTP's supervisor:check_childspecs). */
import { SupercastError } from "../base/errors.ts";
import type { Limits } from "../base/limits.ts";
import { type ExitReason, isClean } from "../base/reason.ts";
import type { ActorClass, ArgsOf } from "./actor.ts";
import type { Process, ProcessOptions } from "./process.ts";
import type { ViaAddress } from "./ref.ts";
import type { StartOutcome } from "./start.ts";

/** permanent: always restarted; transient: only after an abnormal end; temporary: never. */
export type Restart = "permanent" | "transient" | "temporary";

/** How a child is stopped: milliseconds to end after being asked, at once, or as long as it takes. */
export type Shutdown = number | "brutal_kill" | "infinity";

export type Strategy = "one_for_one" | "one_for_all" | "rest_for_one";

export type AutoShutdown = "never" | "any_significant" | "all_significant";

/** Starts one child of `parent`, linked to it. */
export type ChildStart = (parent: Process) => StartOutcome | Promise<StartOutcome>;

export interface ChildSpec {
  /** Unique within its supervisor. Dynamic supervisors address children by pid instead. */
  readonly id: string;
  readonly start: ChildStart;
  /** Default "permanent". */
  readonly restart?: Restart | undefined;
  /** Default `limits.shutdownMs`, for supervisors "infinity": a finite one can orphan grandchildren. */
  readonly shutdown?: Shutdown | undefined;
  /** Default "worker". */
  readonly type?: "worker" | "supervisor" | undefined;
  /** Default false. */
  readonly significant?: boolean | undefined;
  /** Milliseconds for `start` to settle; default `limits.startTimeoutMs`, for supervisors Infinity. */
  readonly startTimeoutMs?: number | undefined;
  /** The class names behind the child, for people. */
  readonly modules?: readonly string[] | undefined;
}

/** A checked spec, its defaults filled in. */
export interface CompleteSpec {
  readonly id: string;
  readonly start: ChildStart;
  readonly restart: Restart;
  readonly shutdown: Shutdown;
  readonly type: "worker" | "supervisor";
  readonly significant: boolean;
  readonly startTimeoutMs: number;
  readonly modules: readonly string[];
}

export interface ChildOptions extends ProcessOptions {
  readonly id?: string;
  readonly restart?: Restart;
  readonly shutdown?: Shutdown;
  readonly significant?: boolean;
  readonly startTimeoutMs?: number;
  /** A name in a registry of one's own; see StartOptions. */
  readonly via?: ViaAddress;
}

/** A child spec for an actor class. Its id is the name or the class unless `options` say otherwise. */
export function child<C extends ActorClass>(
  actorClass: C,
  args: ArgsOf<C>,
  options: ChildOptions = {},
): ChildSpec {
  const { name, mailbox, startTimeoutMs, via, restart, shutdown, significant } = options;
  return {
    id: options.id ?? name ?? actorClass.name,
    restart,
    shutdown,
    significant,
    startTimeoutMs,
    type: actorClass.kind,
    modules: [actorClass.name],
    start: (parent) =>
      parent.system.start(actorClass, args, { parent, link: true, name, mailbox, via, startTimeoutMs }),
  };
}

export interface SupervisorFlags {
  readonly strategy: Strategy;
  /** Restarts allowed within `periodMs`; one more and the supervisor gives up. */
  readonly intensity: number;
  readonly periodMs: number;
  readonly autoShutdown: AutoShutdown;
}

/** What a supervisor is made of. Everything but `children` has a default. */
export interface SupervisorInit extends Partial<SupervisorFlags> {
  readonly children?: readonly ChildSpec[];
}

function bad(what: string, value: unknown, allowed: string): SupercastError {
  const shown = typeof value === "function" ? "a function" : JSON.stringify(value);
  return new SupercastError("config_mismatch", `${what} is ${shown}; allowed: ${allowed}`);
}

function oneOf<T extends string>(what: string, value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value);
  if (found === undefined) {
    throw bad(what, value, allowed.join(", "));
  }
  return found;
}

/** Fills in defaults and checks flags, each problem with an error that names it. */
export function checkFlags(
  init: Partial<SupervisorFlags>,
  defaults: { readonly restartIntensity: number; readonly restartPeriodMs: number },
): SupervisorFlags {
  const { intensity = defaults.restartIntensity, periodMs = defaults.restartPeriodMs } = init;
  if (!Number.isInteger(intensity) || intensity < 0) {
    throw bad("intensity", intensity, "a whole number from 0");
  }
  if (!Number.isFinite(periodMs) || periodMs <= 0) {
    throw bad("periodMs", periodMs, "milliseconds above 0");
  }
  return {
    strategy: oneOf("strategy", init.strategy ?? "one_for_one", [
      "one_for_one",
      "one_for_all",
      "rest_for_one",
    ]),
    intensity,
    periodMs,
    autoShutdown: oneOf("autoShutdown", init.autoShutdown ?? "never", [
      "never",
      "any_significant",
      "all_significant",
    ]),
  };
}

/**
 * Checks one spec under the supervisor's `autoShutdown` and fills in its defaults; throws naming the
 * field that is wrong. Unknown fields are ignored.
 */
export function completeSpec(spec: ChildSpec, autoShutdown: AutoShutdown, limits: Limits): CompleteSpec {
  if (typeof spec !== "object" || spec === null) {
    throw bad("child spec", spec, "an object, see child()");
  }
  const { id, start, restart = "permanent", type = "worker", significant = false, modules = [] } = spec;
  if (typeof id !== "string" || id === "") {
    throw bad("child id", id, "a non-empty string");
  }
  if (typeof start !== "function") {
    throw bad(`start of child ${id}`, start, "a function that starts the child");
  }
  oneOf(`restart of child ${id}`, restart, ["permanent", "transient", "temporary"]);
  oneOf(`type of child ${id}`, type, ["worker", "supervisor"]);
  checkSignificant(id, significant, restart, autoShutdown);
  const supervises = type === "supervisor";
  const shutdown = spec.shutdown ?? (supervises ? "infinity" : limits.shutdownMs);
  if (
    shutdown !== "brutal_kill" &&
    shutdown !== "infinity" &&
    !(Number.isFinite(shutdown) && shutdown >= 0)
  ) {
    throw bad(`shutdown of child ${id}`, shutdown, "milliseconds from 0, brutal_kill, infinity");
  }
  const startTimeoutMs =
    spec.startTimeoutMs ?? (supervises ? Number.POSITIVE_INFINITY : limits.startTimeoutMs);
  if (!(startTimeoutMs >= 0)) {
    throw bad(`startTimeoutMs of child ${id}`, startTimeoutMs, "milliseconds from 0, Infinity");
  }
  return { id, start, restart, type, significant, modules, shutdown, startTimeoutMs };
}

function checkSignificant(
  id: string,
  significant: unknown,
  restart: Restart,
  autoShutdown: AutoShutdown,
): void {
  if (typeof significant !== "boolean") {
    throw bad(`significant of child ${id}`, significant, "true, false");
  }
  if (significant && autoShutdown === "never") {
    throw bad(`significant of child ${id}`, true, "false, because the supervisor's autoShutdown is never");
  }
  if (significant && restart === "permanent") {
    throw bad(`significant of child ${id}`, true, "false, because a permanent child never ends for good");
  }
}

/** Checks and completes all specs; no id may occur twice. */
export function completeSpecs(
  specs: readonly ChildSpec[],
  autoShutdown: AutoShutdown,
  limits: Limits,
): readonly CompleteSpec[] {
  const ids = new Set<string>();
  return specs.map((each) => {
    const spec = completeSpec(each, autoShutdown, limits);
    if (ids.has(spec.id)) {
      throw new SupercastError("config_mismatch", `child id ${JSON.stringify(spec.id)} occurs twice`);
    }
    ids.add(spec.id);
    return spec;
  });
}

/** The restart rule: permanent always, transient after an abnormal end, temporary never. */
export function shouldRestart(restart: Restart, reason: ExitReason): boolean {
  return restart === "permanent" || (restart === "transient" && !isClean(reason));
}

/** Ends at shutdown that need no report (otp 29): as asked, or gone, or cleanly unless permanent. */
export function isExpectedEnd(spec: CompleteSpec, reason: ExitReason): boolean {
  const asked = spec.shutdown === "brutal_kill" ? "killed" : "shutdown";
  return reason === asked || reason === "noproc" || (isClean(reason) && spec.restart !== "permanent");
}

/**
 * Counts one restart at `nowMs`: forgets those older than the period (one exactly as old as the period
 * still counts) and adds this one. `allowed` is false when there are now more than `intensity`.
 */
export function countRestart(
  restarts: readonly number[],
  nowMs: number,
  flags: Pick<SupervisorFlags, "intensity" | "periodMs">,
): { readonly allowed: boolean; readonly restarts: readonly number[] } {
  const recent = [...restarts.filter((at) => nowMs - at <= flags.periodMs), nowMs];
  return { allowed: recent.length <= flags.intensity, restarts: recent };
}
