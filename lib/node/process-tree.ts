/** The supervision tree of a node as data, for people. */
import type { Process } from "../actor/process.ts";
import { Supervision } from "../actor/supervision.ts";
import type { Child } from "../actor/supervision-types.ts";
import type { ActorSystem } from "../actor/system.ts";

export interface TreeNode {
  readonly pid: string;
  readonly name?: string;
  /** Its id among the children of its supervisor. */
  readonly id?: string;
  readonly actor: string;
  readonly kind: "worker" | "supervisor";
  readonly status: string;
  readonly mailbox: number;
  /** How often its supervisor restarted this child. */
  readonly restarts: number;
  readonly children: readonly TreeNode[];
  /** Children left out because there are too many to show. */
  readonly omitted: number;
}

/** Children shown per supervisor. */
const CHILDREN_SHOWN = 100;

/** The processes without a parent and, below each, its children in start order. */
export function processTree(system: ActorSystem): readonly TreeNode[] {
  const byParent = new Map<Process | null, Process[]>();
  for (const process of system.processes()) {
    const siblings = byParent.get(process.parent);
    if (siblings === undefined) {
      byParent.set(process.parent, [process]);
    } else {
      siblings.push(process);
    }
  }
  return (byParent.get(null) ?? []).map((process) => toNode(process, undefined, byParent));
}

function toNode(
  process: Process,
  asChild: Child | undefined,
  byParent: ReadonlyMap<Process | null, Process[]>,
): TreeNode {
  const children = byParent.get(process) ?? [];
  const known = childrenOf(process);
  return {
    pid: process.pid,
    ...(process.name === undefined ? {} : { name: process.name }),
    ...(asChild === undefined ? {} : { id: asChild.spec.id }),
    actor: process.actorClass.name,
    kind: process.actorClass.kind ?? "worker",
    status: process.suspended ? "suspended" : process.status,
    mailbox: process.mailboxLength,
    restarts: asChild?.restarts ?? 0,
    children: children.slice(0, CHILDREN_SHOWN).map((child) => toNode(child, known.get(child.pid), byParent)),
    omitted: Math.max(0, children.length - CHILDREN_SHOWN),
  };
}

/** What a supervisor knows of its children, by pid. */
function childrenOf(process: Process): ReadonlyMap<string, Child> {
  const { state } = process.behaviour;
  const known = new Map<string, Child>();
  for (const child of state instanceof Supervision ? state.children() : []) {
    if (child.pid !== undefined) {
      known.set(child.pid, child);
    }
  }
  return known;
}
