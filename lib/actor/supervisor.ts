/**
 * Supervisor and DynamicSupervisor: processes that start, watch and restart others, and the messages
 * they answer. How they act is in `supervisor-base.ts`, how they decide in `supervision.ts`.
 */
import { SupercastError } from "../base/errors.ts";
import type { ExitReason } from "../base/reason.ts";
import { type ChildSpec, type CompleteSpec, checkFlags, type SupervisorInit } from "./child-spec.ts";
import type { Pid } from "./pid.ts";
import type { Call } from "./protocol.ts";
import type { Awaitable } from "./result.ts";
import type { ChildCount, ChildRow } from "./supervision-types.ts";
import { BaseSupervisor, type SupervisorPlan } from "./supervisor-base.ts";

/**
 * already_started: the id runs, or the name belongs to a process outside; already_present: the id is
 * listed but down; max_children: a dynamic supervisor is full.
 */
export type StartChildResult =
  | { readonly status: "started"; readonly pid: Pid }
  | { readonly status: "ignored" }
  | { readonly status: "already_started"; readonly pid: Pid }
  | { readonly status: "already_present" }
  | { readonly status: "max_children" }
  | { readonly status: "failed"; readonly reason: ExitReason; readonly id: string };

/** simple_one_for_one: a dynamic supervisor addresses its children by pid only. */
export type ChildAnswer = {
  readonly status: "ok" | "not_found" | "running" | "restarting" | "simple_one_for_one";
};

/**
 * A bad spec rejects the call with `config_mismatch` naming the field. While a child initialises, or is
 * being stopped, requests wait: where that may take long pass `{ timeoutMs: Infinity }`, OTP's default.
 */
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
  /** With its defaults filled in. */
  getChildSpec: Call<{ child: string }, { status: "not_found" } | { status: "ok"; spec: CompleteSpec }>;
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
    if ("autoShutdown" in init || "strategy" in init) {
      throw new SupercastError(
        "config_mismatch",
        "a dynamic supervisor is always one_for_one and never shuts down by itself: leave out strategy and autoShutdown",
      );
    }
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
