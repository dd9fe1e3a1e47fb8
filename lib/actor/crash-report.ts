/** The report of a process that ends abnormally: one line in the log, one telemetry event. */
import { type ExitReason, formatReason } from "../base/reason.ts";
import { publishEvent } from "../telemetry/events.ts";
import type { Pid } from "./pid.ts";
import type { Process } from "./process.ts";

/** `caller` is set when the last message was a call from a process. */
export function reportCrash(ended: Process, reason: ExitReason, lastMessage?: object, caller?: Pid): void {
  ended.system.crashes += 1;
  ended.system.log.error(`${ended.label} crashed: ${formatReason(reason)}`, {
    pid: ended.pid,
    actor: ended.actorClass.name,
    stack: typeof reason === "object" && "error" in reason ? reason.error.stack : undefined,
  });
  publishEvent("supercast:actor:crash", () => ({
    node: ended.system.node,
    pid: ended.pid,
    name: ended.name,
    actor: ended.actorClass.name,
    reason,
    lastMessage,
    caller,
    state: shownState(ended),
  }));
}

/** The state through `formatState`, which is user code and must not hide the crash. */
function shownState(ended: Process): unknown {
  try {
    return ended.behaviour.formatState(ended.behaviour.state);
  } catch (thrown) {
    return `formatState failed: ${String(thrown)}`;
  }
}
