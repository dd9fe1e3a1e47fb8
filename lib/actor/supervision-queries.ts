/** The supervisor API's questions, answered from the table of children; none of them changes it. */
import type { Children } from "./children.ts";
import type { Request } from "./supervision-types.ts";

export type Query = Extract<
  Request,
  { readonly type: "whichChildren" | "whichChild" | "countChildren" | "getChildSpec" }
>;

export function answer(query: Query, children: Children): unknown {
  switch (query.type) {
    case "whichChildren":
      return children.newestFirst().map((child) => children.row(child));
    case "whichChild": {
      const found = children.find(query.child);
      return found === undefined ? { status: "not_found" } : { status: "ok", child: children.row(found) };
    }
    case "countChildren":
      return children.count();
    case "getChildSpec": {
      const found = children.find(query.child);
      return found === undefined ? { status: "not_found" } : { status: "ok", spec: found.spec };
    }
  }
}

/** Why a child cannot be restarted or deleted by hand: only stopped static ones can (otp 47). */
export function refusal(
  id: string,
  children: Children,
  dynamic: boolean,
): "simple_one_for_one" | "not_found" | "running" | "restarting" | undefined {
  if (dynamic) {
    return "simple_one_for_one";
  }
  const found = children.withId(id);
  if (found === undefined) {
    return "not_found";
  }
  if (found.status === "stopped") {
    return undefined;
  }
  return found.status === "restarting" ? "restarting" : "running";
}
