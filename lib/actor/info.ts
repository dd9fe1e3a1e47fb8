/** What reaches `handleInfo`: everything that is neither a call nor a cast. */
import type { ExitReason } from "../base/reason.ts";
import type { Pid } from "./pid.ts";

/** Identifies one monitor; never used twice within a node. */
export type MonitorRef = number;

/** A monitored process ended, or could not be found or reached. Comes exactly once per monitor. */
export interface Down {
  readonly type: "down";
  readonly ref: MonitorRef;
  /** What was monitored, as it was named: a pid, or the name at its node. */
  readonly target: Pid | { readonly name: string; readonly node: string };
  readonly reason: ExitReason;
}

/** A linked process ended or sent an exit signal, and this process traps exits. */
export interface Exit {
  readonly type: "exit";
  readonly from: Pid;
  readonly reason: ExitReason;
}

/** No message came within the idle timeout that a callback returned. */
export interface IdleTimeout {
  readonly type: "timeout";
}

export interface NodeUp {
  readonly type: "nodeUp";
  readonly node: string;
  readonly incarnation: string;
}

export interface NodeDown {
  readonly type: "nodeDown";
  readonly node: string;
  readonly incarnation: string;
  readonly reason: string;
}

/** A message sent with `send`: neither call nor cast, from anyone. */
export interface Plain {
  readonly type: "message";
  readonly body: unknown;
}

export type Info = Down | Exit | IdleTimeout | NodeUp | NodeDown | Plain;
