/**
 * Why a process ended: a closed set, because restart rules, logs and call errors all read it.
 *
 * `normal`, `shutdown` and `{ shutdown: term }` are clean. Everything else is abnormal. `killed` is
 * what others see of a process that was fenced by an untrappable `kill`; `noproc` and `noconnection`
 * are what a monitor or link reports when there is no process or no connection to ask.
 */
import { SupercastError } from "./errors.ts";

/** A crash as data: the error's class name and message, its stack on the node where it happened. */
export interface CrashData {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly details?: unknown;
}

export type ExitReason =
  | "normal"
  | "shutdown"
  | "kill"
  | "killed"
  | "noproc"
  | "noconnection"
  | { readonly shutdown: unknown }
  | { readonly error: CrashData };

/** True for the reasons after which a transient child is not restarted and nothing is reported. */
export function isClean(reason: ExitReason): boolean {
  return reason === "normal" || reason === "shutdown" || (typeof reason === "object" && "shutdown" in reason);
}

/** An abnormal reason of one's own: `abnormal("disk_full", "no space on /data")`. */
export function abnormal(name: string, message: string = name, details?: unknown): ExitReason {
  return { error: details === undefined ? { name, message } : { name, message, details } };
}

/** Thrown to end with exactly `reason`: what Erlang's `exit(Reason)` is to a process. */
export class ExitError extends SupercastError {
  override readonly name: string = "ExitError";
  readonly reason: ExitReason;

  constructor(message: string, reason: ExitReason) {
    super("exit", message, { details: { reason } });
    this.reason = reason;
  }
}

/** The reason with which a process ends whose callback threw `thrown`. */
export function reasonOfThrown(thrown: unknown): ExitReason {
  if (thrown instanceof ExitError) {
    return thrown.reason;
  }
  if (!(thrown instanceof Error)) {
    return { error: { name: "thrown", message: String(thrown) } };
  }
  const { name, message, stack } = thrown;
  const code = "code" in thrown && typeof thrown.code === "string" ? thrown.code : undefined;
  return {
    error: {
      name,
      message,
      ...(code === undefined ? {} : { code }),
      ...(stack === undefined ? {} : { stack }),
    },
  };
}

/** One line for logs and trees: `normal`, `shutdown(upgrade)`, `TypeError: x is not a function`. */
export function formatReason(reason: ExitReason): string {
  if (typeof reason === "string") {
    return reason;
  }
  if ("shutdown" in reason) {
    return `shutdown(${typeof reason.shutdown === "string" ? reason.shutdown : JSON.stringify(reason.shutdown)})`;
  }
  const { name, message } = reason.error;
  return message === name ? name : `${name}: ${message}`;
}

/** Whether a value from outside has the shape of an exit reason. */
export function isExitReason(value: unknown): value is ExitReason {
  switch (value) {
    case "normal":
    case "shutdown":
    case "kill":
    case "killed":
    case "noproc":
    case "noconnection":
      return true;
    default:
      break;
  }
  if (typeof value !== "object" || value === null) {
    return false;
  }
  if ("shutdown" in value) {
    return true;
  }
  return (
    "error" in value &&
    typeof value.error === "object" &&
    value.error !== null &&
    "name" in value.error &&
    typeof value.error.name === "string" &&
    "message" in value.error &&
    typeof value.error.message === "string"
  );
}
