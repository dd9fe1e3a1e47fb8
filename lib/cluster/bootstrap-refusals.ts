/** Why a node must not be part of a cluster, in words for the person who has to change something. */
import { SupercastError } from "../base/errors.ts";
import type { Difference } from "./bootstrap-messages.ts";

/** Names every key with both values, and where the other value was found. */
export function configMismatch(peer: string, differences: readonly Difference[]): SupercastError {
  const listed = differences.map(({ key, here, there }) => `${key} is ${here} here and ${there} there`);
  return new SupercastError(
    "config_mismatch",
    `this node's configuration differs from that of ${peer}: ${listed.join("; ")}`,
    { details: { peer, differences } },
  );
}

export function lineageMismatch(own: string, peer: string, theirs: string): SupercastError {
  return new SupercastError(
    "config_mismatch",
    `this node holds lineage ${own}, and ${peer} belongs to a running cluster of lineage ${theirs}; ` +
      "give it another cluster name, or let it begin without its data to join that cluster",
    { details: { peer, own, theirs } },
  );
}

/** Majority lost before this node had begun. */
export function haltedText(lineage: string, gone: readonly string[], needed: number, left: number): string {
  return (
    `lineage ${lineage} may have been begun and lost: ${gone.join(", ")} came back without it; ` +
    `of its first root replicas ${left} are left, ${needed} are needed. ` +
    "Start those nodes with the data they had, or restart all nodes of this record without data to begin anew"
  );
}

/** The cluster map has no writer, and did have one. */
export function lostText(lineage: string, silentMs: number): string {
  return (
    `the cluster map of lineage ${lineage} has had no writer for ${silentMs / 1_000} s: ` +
    "a majority of its members cannot be reached. Bring them back with what they held. " +
    "If that is gone for good, as after a restart in memory, stop ALL nodes of the cluster, and only then start " +
    "them again: they begin a new cluster, which is empty"
  );
}
