/**
 * From news of nodes to news of replicas: a node whose process is gone takes the replicas on it along; they
 * are up again only when that same process is heard again.
 */
import type { NodeEvent } from "../node/node-floor.ts";
import { nodeOf, type ReplicaId } from "./replica-id.ts";
import type { ReplicaState, StreamEvent } from "./replica-state.ts";

interface Down {
  readonly incarnation: string;
  readonly replicas: readonly ReplicaId[];
}

type NodeNews = Extract<NodeEvent, { readonly type: "nodeUp" | "nodeDown" }>;

export class NodeWatch {
  readonly #down = new Map<string, Down>();

  /** The events that a node's news means for a replica with this state. */
  events(
    { type, node, incarnation }: Pick<NodeNews, "type" | "node" | "incarnation">,
    state: ReplicaState,
  ): StreamEvent[] {
    const down = this.#down.get(node);
    if (type === "nodeDown") {
      const replicas = replicasKnown(state).filter((replica) => nodeOf(replica) === node);
      this.#down.set(node, { incarnation, replicas });
      return replicas.map((replica) => ({ type: "replicaDown", replica }));
    }
    this.#down.delete(node);
    return down?.incarnation === incarnation
      ? down.replicas.map((replica) => ({ type: "replicaUp", replica }))
      : [];
  }
}

/** In an order that follows from the state alone. */
function replicasKnown({ self, primary, hard, writer }: ReplicaState): ReplicaId[] {
  const proposed = [...(hard.activated === null ? [] : [hard.activated]), ...hard.successors];
  const members = proposed.flatMap(({ configuration }) => configuration.members);
  const known = new Set([
    ...(primary === null ? [] : [primary]),
    ...members,
    ...(writer?.progress.keys() ?? []),
  ]);
  known.delete(self);
  return [...known];
}
