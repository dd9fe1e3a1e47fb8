/** The state of a node on its way into a cluster, what it hears, and what it wants done. */
import type { SupercastError } from "../base/errors.ts";
import type { BootstrapMessage, BootstrapRecord, Expected, Kept } from "./bootstrap-messages.ts";
import type { MapMember, MapSettings } from "./cluster-map-schema.ts";

export interface BootstrapConfig {
  readonly self: MapMember;
  readonly settings: MapSettings;
  readonly expected: Expected;
}

/** What a node has last said of itself. */
export interface Seen {
  readonly incarnation: string;
  /** The question that it has answered. */
  readonly question: number;
  readonly about: string | null;
  readonly kept: Kept;
  readonly settled: boolean;
  readonly settings: MapSettings;
  readonly expected: Expected;
}

export interface BootstrapState {
  readonly config: BootstrapConfig;
  readonly kept: Kept;
  /** It runs, and has heard an open writer of its root stream. */
  readonly settled: boolean;
  /** Questions asked by this incarnation. */
  readonly asked: number;
  /** Records drawn up by this incarnation. */
  readonly attempts: number;
  /** Prepared, and the founder is gone: `asked` at that moment. Answers to earlier questions do not count. */
  readonly orphanedAt: number | null;
  readonly seen: ReadonlyMap<string, Seen>;
  /** Nodes that the node floor sees. */
  readonly up: readonly string[];
  /** Why this node must not go on. It is final. */
  readonly refused: SupercastError | null;
  /** What it lacks that will not come by itself. */
  readonly halted: string | null;
}

export type BootstrapEvent =
  /** Every few hundred milliseconds: questions go out again. */
  | { readonly type: "tick" }
  | { readonly type: "message"; readonly message: BootstrapMessage }
  /** The nodes that are up, this one or not. */
  | { readonly type: "up"; readonly nodes: readonly string[] }
  /** The root replica here has heard an open writer of its stream, in this life of the node. */
  | { readonly type: "settled" };

export type BootstrapEffect =
  | { readonly type: "send"; readonly to: string; readonly message: BootstrapMessage }
  /** To be stored in place of what was kept before; nothing to do when durability is "memory". */
  | { readonly type: "keep"; readonly kept: Kept }
  /** Start the root replica as one of the first, in the incarnation that the record names. */
  | { readonly type: "start"; readonly record: BootstrapRecord; readonly incarnation: string }
  /** Start an empty root replica that is to be fed, or go on with the one on disk. */
  | { readonly type: "join"; readonly lineage: string; readonly settings: MapSettings }
  /** This node must end. */
  | { readonly type: "refuse"; readonly error: SupercastError }
  /** It goes on waiting, but only a person can help. */
  | { readonly type: "halt"; readonly error: SupercastError }
  | { readonly type: "log"; readonly text: string };

export interface BootstrapStep {
  readonly state: BootstrapState;
  readonly effects: readonly BootstrapEffect[];
}

/** The nodes of which it wants to hear, sorted. */
export function askedNodes({
  config,
  kept,
  up,
}: Pick<BootstrapState, "config" | "kept" | "up">): readonly string[] {
  const { expected, self } = config;
  const peers = expected !== null && "peers" in expected ? expected.peers : [];
  const record = kept.phase === "empty" ? null : kept.record;
  const members = record === null ? [] : record.members.map(({ node }) => node);
  return [...new Set([...peers, ...members, ...up])].filter((node) => node !== self.node).sort();
}
