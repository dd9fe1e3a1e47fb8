/** The supervision tree of a node as data, for people. */
import type { Process } from "../actor/process.ts";
import { Supervision } from "../actor/supervision.ts";
import type { ActorSystem } from "../actor/system.ts";

export interface TreeNode {
  readonly pid: string;
  readonly name?: string;
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
  return (byParent.get(null) ?? []).map((process) => toNode(process, 0, byParent));
}

function toNode(process: Process, restarts: number, byParent: ReadonlyMap<Process | null, Process[]>): TreeNode {
  const children = byParent.get(process) ?? [];
  const counts = restartCounts(process);
  return {
    pid: process.pid,
    ...(process.name === undefined ? {} : { name: process.name }),
    actor: process.actorClass.name,
    kind: process.actorClass.kind ?? "worker",
    status: process.suspended ? "suspended" : process.status,
    mailbox: process.mailboxLength,
    restarts,
    children: children.slice(0, CHILDREN_SHOWN).map((child) => toNode(child, counts.get(child.pid) ?? 0, byParent)),
    omitted: Math.max(0, children.length - CHILDREN_SHOWN),
  };
}

function restartCounts(process: Process): ReadonlyMap<string, number> {
  const { state } = process.behaviour;
  const counts = new Map<string, number>();
  for (const child of state instanceof Supervision ? state.children() : []) {
    if (child.pid !== undefined) {
      counts.set(child.pid, child.restarts);
    }
  }
  return counts;
}
