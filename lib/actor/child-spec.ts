/** Child specs and supervisor flags: their shapes, defaults and checks (OTP's supervisor:check_childspecs). */
import { SupercastError } from "../base/errors.ts";
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
  readonly restart: Restart;
  readonly shutdown: Shutdown;
  readonly type: "worker" | "supervisor";
  readonly significant: boolean;
  /** The class names behind the child, for people. */
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

/**
 * A child spec for an actor class. Defaults: id from the name or class, `permanent`, 5000 ms to shut
 * down (supervisors: infinity).
 */
export function child<C extends ActorClass>(
  actorClass: C,
  args: ArgsOf<C>,
  options: ChildOptions = {},
): ChildSpec {
  const { id = options.name ?? actorClass.name, restart = "permanent", significant = false } = options;
  const type = actorClass.kind ?? "worker";
  const { name, mailbox, startTimeoutMs, via } = options;
  return {
    id,
    restart,
    significant,
    type,
    shutdown: options.shutdown ?? (type === "supervisor" ? "infinity" : DEFAULT_SHUTDOWN_MS),
    modules: [actorClass.name],
    start: (parent) =>
      parent.system.start(actorClass, args, {
        parent,
        link: true,
        name,
        mailbox,
        via,
        ...(startTimeoutMs === undefined ? {} : { startTimeoutMs }),
      }),
  };
}

const DEFAULT_SHUTDOWN_MS = 5_000;

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

/** Checks one spec under the supervisor's `autoShutdown`; throws naming the field that is wrong. */
export function checkChildSpec(spec: ChildSpec, autoShutdown: AutoShutdown): void {
  if (typeof spec !== "object" || spec === null) {
    throw bad("child spec", spec, "an object, see child()");
  }
  const { id } = spec;
  if (typeof id !== "string" || id === "") {
    throw bad("child id", id, "a non-empty string");
  }
  if (typeof spec.start !== "function") {
    throw bad(`start of child ${id}`, spec.start, "a function that starts the child");
  }
  oneOf(`restart of child ${id}`, spec.restart, ["permanent", "transient", "temporary"]);
  oneOf(`type of child ${id}`, spec.type, ["worker", "supervisor"]);
  const { shutdown } = spec;
  if (
    shutdown !== "brutal_kill" &&
    shutdown !== "infinity" &&
    !(Number.isFinite(shutdown) && shutdown >= 0)
  ) {
    throw bad(`shutdown of child ${id}`, shutdown, "milliseconds from 0, brutal_kill, infinity");
  }
  if (typeof spec.significant !== "boolean") {
    throw bad(`significant of child ${id}`, spec.significant, "true, false");
  }
  if (spec.significant && autoShutdown === "never") {
    throw bad(`significant of child ${id}`, true, "false, because the supervisor's autoShutdown is never");
  }
  if (spec.significant && spec.restart === "permanent") {
    throw bad(`significant of child ${id}`, true, "false, because a permanent child never ends for good");
  }
}

/** Checks all specs and that no id occurs twice. */
export function checkChildSpecs(specs: readonly ChildSpec[], autoShutdown: AutoShutdown): void {
  const ids = new Set<string>();
  for (const spec of specs) {
    checkChildSpec(spec, autoShutdown);
    if (ids.has(spec.id)) {
      throw new SupercastError("config_mismatch", `child id ${JSON.stringify(spec.id)} occurs twice`);
    }
    ids.add(spec.id);
  }
}

/** The restart rule: permanent always, transient after an abnormal end, temporary never. */
export function shouldRestart(restart: Restart, reason: ExitReason): boolean {
  return restart === "permanent" || (restart === "transient" && !isClean(reason));
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
