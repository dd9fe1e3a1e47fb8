/** The end of a process in good order: terminate runs, then the reply goes out, then it is gone. */
import { type ExitReason, isClean, reasonOfThrown } from "../base/reason.ts";
import { reportCrash } from "./crash-report.ts";
import type { OpenCall } from "./from.ts";
import type { Process } from "./process.ts";
import { isPromise, type Reply } from "./result.ts";

/** What the process was doing when it came to its end, for the report and for the caller. */
export interface LastWork {
  readonly message?: object | undefined;
  readonly call?: OpenCall | undefined;
  readonly reply?: Reply | undefined;
}

/** Does nothing unless `ending` is running; an end that is under way goes on with its own reason. */
export function endInOrder(ending: Process, reason: ExitReason, last: LastWork): void {
  if (ending.status !== "running") {
    return;
  }
  ending.status = "ending";
  let result: unknown;
  try {
    result = ending.system.runAs(ending, () => ending.behaviour.terminate(reason));
  } catch (thrown) {
    close(ending, reasonOfThrown(thrown), last);
    return;
  }
  if (isPromise(result)) {
    result.then(
      () => close(ending, reason, last),
      (thrown: unknown) => close(ending, reasonOfThrown(thrown), last),
    );
  } else {
    close(ending, reason, last);
  }
}

/** After terminate; unless the process was killed meanwhile. */
function close(ending: Process, reason: ExitReason, { message, call, reply }: LastWork): void {
  if (ending.status !== "ending") {
    return;
  }
  if (reply !== undefined) {
    call?.settle(reply.value);
  }
  if (!isClean(reason)) {
    reportCrash(ending, reason, message, call?.caller);
  }
  ending.finish(reason);
}
