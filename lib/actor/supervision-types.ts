/** What goes in and out of the supervision machine (`supervision.ts`): children, requests, events, effects. */
import type { ExitReason } from "../base/reason.ts";
import type { CompleteSpec, SupervisorFlags } from "./child-spec.ts";
import type { Pid } from "./pid.ts";

/** A child's place in its supervisor; never used twice. */
export type ChildKey = number;
/** Identifies an API request until it is replied to. */
export type RequestId = number;

export type ChildStatus = "starting" | "running" | "stopping" | "restarting" | "stopped";

export interface Child {
  readonly key: ChildKey;
  readonly spec: CompleteSpec;
  status: ChildStatus;
  pid: Pid | undefined;
  restarts: number;
}

export interface SupervisionFlags extends SupervisorFlags {
  /** Children have no ids, are addressed by pid and stopped in parallel (simple_one_for_one). */
  readonly dynamic: boolean;
  readonly maxChildren: number;
}

export type Request =
  | { readonly type: "startChild"; readonly spec: CompleteSpec }
  | { readonly type: "terminateChild"; readonly child: string }
  | { readonly type: "restartChild"; readonly id: string }
  | { readonly type: "deleteChild"; readonly id: string }
  | { readonly type: "whichChildren" }
  | { readonly type: "whichChild"; readonly child: string }
  | { readonly type: "countChildren" }
  | { readonly type: "getChildSpec"; readonly child: string };

export type Event =
  | { readonly type: "init"; readonly children: readonly CompleteSpec[] }
  | { readonly type: "started"; readonly key: ChildKey; readonly pid: Pid }
  | { readonly type: "startIgnored"; readonly key: ChildKey }
  | {
      readonly type: "startFailed";
      readonly key: ChildKey;
      readonly reason: ExitReason;
      readonly owner?: Pid;
    }
  | { readonly type: "stopped"; readonly key: ChildKey; readonly reason: ExitReason }
  | { readonly type: "exited"; readonly pid: Pid; readonly reason: ExitReason }
  | { readonly type: "retry"; readonly key: ChildKey }
  | { readonly type: "request"; readonly id: RequestId; readonly request: Request }
  | { readonly type: "shutdown"; readonly reason: ExitReason };

export type ReportEvent = "child_terminated" | "restarted" | "start_error" | "gave_up" | "shutdown_error";

export type Effect =
  | { readonly type: "start"; readonly key: ChildKey; readonly spec: CompleteSpec }
  /** Stop the child, or give up on one that is still starting; answered by `stopped`. */
  | {
      readonly type: "stop";
      readonly key: ChildKey;
      readonly spec: CompleteSpec;
      readonly pid: Pid | undefined;
    }
  | { readonly type: "retry"; readonly key: ChildKey }
  | { readonly type: "reply"; readonly id: RequestId; readonly value: unknown }
  | { readonly type: "ready" }
  | { readonly type: "exit"; readonly reason: ExitReason }
  | {
      readonly type: "report";
      readonly event: ReportEvent;
      readonly child: string;
      readonly reason: ExitReason;
    };

/** One row of `whichChildren`. `child` is a pid, "restarting", or undefined for a stopped one. */
export interface ChildRow {
  readonly id: string | undefined;
  readonly child: Pid | "restarting" | undefined;
  readonly type: "worker" | "supervisor";
  readonly modules: readonly string[];
  /** How often this child has been restarted. */
  readonly restarts: number;
}

export interface ChildCount {
  readonly specs: number;
  readonly active: number;
  readonly supervisors: number;
  readonly workers: number;
}
