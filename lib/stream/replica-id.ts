/**
 * Who holds a copy: a node's name and the incarnation of that copy, as `node/incarnation`.
 *
 * A replica that cannot prove that it still has everything it ever acknowledged starts under a new
 * incarnation and is another replica: nothing said to or by the old one counts for it.
 */
import { CHAIN_START, extendChain, formatWord64, type Word64 } from "../journal/chain.ts";
import { NO_OWNER } from "../journal/epoch.ts";

export type ReplicaId = string;

const NO_LINK = { epochCounter: 0, epochOwner: { high: 0, low: 0 }, seq: 0, kind: 0 };

const encoder = new TextEncoder();

export function replicaId(node: string, incarnation: string): ReplicaId {
  return `${node}/${incarnation}`;
}

/** The node of a replica. */
export function nodeOf(replica: ReplicaId): string {
  const end = replica.lastIndexOf("/");
  return end < 0 ? replica : replica.slice(0, end);
}

/** The owner of a replica's epochs: sixteen hexadecimal digits, equal for equal ids only (up to 2^-64). */
export function ownerOf(replica: ReplicaId): string {
  const bytes = encoder.encode(replica);
  const word: Word64 = { ...CHAIN_START };
  extendChain(word, NO_LINK, new DataView(bytes.buffer), 0, bytes.byteLength);
  const owner = formatWord64(word);
  return owner === NO_OWNER ? "ffffffffffffffff" : owner;
}
