/**
 * What a supervisor does in sequence: a plan is a list of steps, of which one is under way, and what it
 * is for. The supervision machine (`supervision.ts`) carries plans out; here they are made.
 */
import type { ExitReason } from "../base/reason.ts";
import type { Strategy } from "./child-spec.ts";
import type { Children } from "./children.ts";
import type { Child, ChildKey, RequestId } from "./supervision-types.ts";

export type Step =
  | { readonly do: "start"; readonly key: ChildKey }
  | { readonly do: "stop"; readonly keys: readonly ChildKey[] };

/** Decides what a failed start means and what follows the last step. */
export type Purpose =
  | { readonly for: "init" }
  | { readonly for: "restart"; readonly key: ChildKey }
  | {
      readonly for: "startChild" | "restartChild" | "terminateChild";
      readonly key: ChildKey;
      readonly id: RequestId;
    }
  | { readonly for: "exit"; readonly reason: ExitReason };

export interface Plan {
  readonly purpose: Purpose;
  readonly steps: Step[];
  /** Children whose stop is under way in the present step. */
  readonly stopping: Set<ChildKey>;
}

/**
 * Restarts `child` and whom its strategy takes along: stops in reverse start order, then starts in
 * start order. A temporary sibling is stopped for good (otp 2 to 6).
 */
export function restartSteps(child: Child, children: Children, strategy: Strategy): Step[] {
  if (strategy === "one_for_one") {
    return [{ do: "start", key: child.key }];
  }
  const group = [...children].filter((each) => strategy === "one_for_all" || each.key >= child.key);
  const others = group.filter((each) => each !== child);
  const stops = others.reverse().map((each): Step => ({ do: "stop", keys: [each.key] }));
  const starts = group
    .filter((each) => each === child || each.spec.restart !== "temporary")
    .map((each): Step => ({ do: "start", key: each.key }));
  return [...stops, ...starts];
}

/**
 * Stops all children: first the one whose start is under way, lest it comes up in the middle, then the
 * others, last started first. Dynamic ones are stopped together.
 */
export function exitSteps(children: Children, dynamic: boolean): Step[] {
  const all = children.newestFirst();
  const keys = all.map((each) => each.key);
  if (dynamic) {
    return [{ do: "stop", keys }];
  }
  const starting = all.filter((each) => each.status === "starting").map((each) => each.key);
  return [...starting, ...keys].map((key) => ({ do: "stop", keys: [key] }));
}
