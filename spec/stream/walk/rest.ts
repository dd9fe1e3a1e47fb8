/** How a walk may end once its faults have ended. */
import { hasQuorum } from "../../../lib/stream/configuration.ts";
import type { ReplicaId } from "../../../lib/stream/replica-id.ts";
import type { Host } from "./host.ts";

/** One open writer, everything committed, and every member knows it. */
export function isAtRest(hosts: readonly Host[]): boolean {
  const writers = hosts.filter(({ state }) => state.role === "open");
  const writer = writers[0]?.state;
  if (writer === undefined || writers.length > 1 || writer.commitSeq < writer.log.lastSeq) {
    return false;
  }
  const members = writer.writer?.configuration.members ?? [];
  return hosts.every(({ id, state }) => !members.includes(id) || state.commitSeq === writer.commitSeq);
}

/**
 * Whether a proposal is open whose seal quorum is dead: its members died between the question and the seal.
 * Nobody can know that it committed nothing, so the stream stands still, as it must.
 */
export function isStranded(hosts: readonly Host[]): boolean {
  const lives = (member: ReplicaId): boolean => hosts.some(({ id }) => id === member);
  const open = hosts.flatMap(({ state }) => state.hard.successors);
  return open.some(({ configuration }) => !hasQuorum(configuration, configuration.sealQuorum, lives));
}
