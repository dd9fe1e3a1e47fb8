/**
 * This node's view of who belongs to the cluster and is up: pure.
 *
 * A node is *live* when it is up and declared here, by NodeMonitor or by hand (`nodeUp`), and was not
 * taken out by hand (`nodeDown`). What was taken out by hand stays out until it is put back by hand or
 * comes up as a new incarnation. A node is always live to itself. This is a view, no agreement: the
 * cluster map decides what the cluster as a whole believes.
 */

/** What was done by hand: all of a membership that nobody else could tell again. */
export interface ByHand {
  /** Put in by hand. */
  readonly added: ReadonlySet<string>;
  /** Taken out by hand, with the incarnation that was meant (undefined: it was not up). */
  readonly removed: ReadonlyMap<string, string | undefined>;
}

export interface Membership extends ByHand {
  readonly self: string;
  /** What NodeMonitor declares; "all" declares every node that is up. */
  readonly declared: readonly string[] | "all";
  /** Nodes that are up, with their incarnations. */
  readonly up: ReadonlyMap<string, string>;
}

export const NOTHING_BY_HAND: ByHand = { added: new Set(), removed: new Map() };

export type MembershipEvent =
  | { readonly type: "declared"; readonly nodes: readonly string[] | "all" }
  | { readonly type: "nodeUp"; readonly node: string; readonly incarnation: string }
  | { readonly type: "nodeDown"; readonly node: string }
  /** The cluster map says who was taken out by hand. It has the last word: a manager may have missed one. */
  | {
      readonly type: "agreed";
      readonly left: readonly { readonly node: string; readonly incarnation: string }[];
    }
  | { readonly type: "added"; readonly node: string }
  | { readonly type: "removed"; readonly node: string };

export function newMembership(self: string, { added, removed }: ByHand = NOTHING_BY_HAND): Membership {
  return { self, declared: [], up: new Map(), added, removed };
}

export function stepMembership(state: Membership, event: MembershipEvent): Membership {
  switch (event.type) {
    case "declared":
      return { ...state, declared: event.nodes };
    case "nodeUp": {
      const up = new Map(state.up).set(event.node, event.incarnation);
      const removedAs = state.removed.get(event.node);
      const isNew = state.removed.has(event.node) && removedAs !== event.incarnation;
      return { ...state, up, removed: isNew ? without(state.removed, event.node) : state.removed };
    }
    case "nodeDown":
      return { ...state, up: without(state.up, event.node) };
    case "agreed": {
      const { up } = state;
      const out = event.left.filter(({ node, incarnation }) => (up.get(node) ?? incarnation) <= incarnation);
      const nodes = new Set(out.map(({ node }) => node));
      return {
        ...state,
        added: new Set([...state.added].filter((node) => !nodes.has(node))),
        removed: new Map(out.map(({ node, incarnation }) => [node, up.has(node) ? incarnation : undefined])),
      };
    }
    case "added":
      return {
        ...state,
        added: new Set(state.added).add(event.node),
        removed: without(state.removed, event.node),
      };
    case "removed": {
      const added = new Set(state.added);
      added.delete(event.node);
      return { ...state, added, removed: new Map(state.removed).set(event.node, state.up.get(event.node)) };
    }
  }
}

/** The live nodes, sorted. */
export function liveNodes(state: Membership): readonly string[] {
  const { self, declared, added, removed } = state;
  const live = new Set([self]);
  for (const node of state.up.keys()) {
    const wanted = declared === "all" || declared.includes(node) || added.has(node);
    if (wanted && !removed.has(node)) {
      live.add(node);
    }
  }
  return [...live].sort();
}

/** The nodes that should be there, sorted: declared or put in by hand, not taken out by hand. */
export function wantedNodes(state: Membership): readonly string[] {
  const { self, declared, added, removed, up } = state;
  const named = declared === "all" ? [...up.keys()] : declared;
  return [...new Set([self, ...named, ...added])].filter((node) => !removed.has(node)).sort();
}

function without<Value>(map: ReadonlyMap<string, Value>, key: string): ReadonlyMap<string, Value> {
  const copy = new Map(map);
  copy.delete(key);
  return copy;
}
