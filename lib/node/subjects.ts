/** The subjects of a cluster, declared once. `<n>` on health and event subjects is the publisher. */
import { ANY_NODE, checkName } from "../base/names.ts";

export const DEFAULT_PREFIX = "supercast";

export interface Subjects {
  /** Everything of this cluster begins with it. */
  readonly root: string;
  call(node: string, actor: string): string;
  cast(node: string, actor: string): string;
  healthCheck(node: string): string;
  healthAlert(node: string): string;
  clusterEvent(node: string): string;
  heartbeat(node: string): string;
  /** The one in-bound subject of a node's incarnation. */
  inbound(node: string, incarnation: string): string;
  /** Whoever runs under this name answers with its incarnation. */
  who(node: string): string;
  /** Asked of a suspect: "no responders" means that this incarnation's connection is gone. */
  probe(node: string, incarnation: string): string;
  /** What goes to all replicas of a stream at once. */
  stream(stream: string): string;
}

/** Builds the subjects of `cluster` under `prefix`; throws `config_mismatch` when a token is not allowed. */
export function subjectsOf(cluster: string, prefix: string = DEFAULT_PREFIX): Subjects {
  for (const token of prefix.split(".")) {
    checkName("subjectPrefix", token);
  }
  checkName("cluster", cluster);
  const root = `${prefix}.${cluster}`;
  return {
    root,
    call: (node, actor) => `${root}.call.${node}.${actor}`,
    cast: (node, actor) => `${root}.cast.${node}.${actor}`,
    healthCheck: (node) => `${root}.health.check.${node}`,
    healthAlert: (node) => `${root}.health.alert.${node}`,
    clusterEvent: (node) => `${root}.cluster.event.${node}`,
    heartbeat: (node) => `${root}.heartbeat.${node}`,
    inbound: (node, incarnation) => `${root}.node.${node}.${incarnation}.in`,
    who: (node) => `${root}.node.${node}.who`,
    probe: (node, incarnation) => `${root}.node.${node}.${incarnation}.probe`,
    stream: (stream) => `${root}.stream.${stream}`,
  };
}

/** The queue group in which all nodes answer what is addressed to `any`. */
export const ANY_QUEUE = "supercast";
export { ANY_NODE };
