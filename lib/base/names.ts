/** Names of nodes, clusters and actors: what may stand as one token of a NATS subject. */
import { SupercastError } from "./errors.ts";

const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** Reserved as a node's name: on call and cast subjects it means "whichever node answers". */
export const ANY_NODE = "any";

/** Why `name` cannot be the name of a `kind` ("node", "cluster", "actor"), or undefined. */
export function nameProblem(kind: string, name: unknown): string | undefined {
  if (typeof name !== "string" || !NAME.test(name)) {
    return `${kind} name ${JSON.stringify(name)} is not allowed: use 1 to 64 letters, digits, "_" or "-"`;
  }
  if (kind === "node" && name === ANY_NODE) {
    return `node name "any" is reserved: on call and cast subjects it stands for whichever node answers`;
  }
  return undefined;
}

/** Throws `config_mismatch` unless `name` may be used. */
export function checkName(kind: string, name: string): void {
  const problem = nameProblem(kind, name);
  if (problem !== undefined) {
    throw new SupercastError("config_mismatch", problem);
  }
}
