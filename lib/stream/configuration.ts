/**
 * Configurations: who is a member of a stream, and how many of them a write and a seal need.
 *
 * `writeQuorum + sealQuorum > members` lets every seal meet every committed entry;
 * `2 * sealQuorum > members` lets two competing seals meet each other.
 */
import { SupercastError } from "../base/errors.ts";
import type { Epoch } from "../journal/epoch.ts";
import type { ReplicaId } from "./replica-id.ts";

export interface Configuration {
  /** In order of preference for the writer's role. */
  readonly members: readonly ReplicaId[];
  /** Members, the writer included, that must hold an entry before it counts as committed. */
  readonly writeQuorum: number;
  /** Members that must have promised before a new epoch may adopt. */
  readonly sealQuorum: number;
}

/** A configuration with the epoch that proposed it. */
export interface Proposed {
  readonly epoch: Epoch;
  readonly configuration: Configuration;
}

/** Majorities for both quorums. Throws `invalid_message` for no members or a repeated one. */
export function majorityOf(members: readonly ReplicaId[]): Configuration {
  const quorum = Math.floor(members.length / 2) + 1;
  const configuration = { members: [...members], writeQuorum: quorum, sealQuorum: quorum };
  const problem = problemOf(configuration);
  if (problem !== null) {
    throw new SupercastError("invalid_message", problem);
  }
  return configuration;
}

/** What is wrong with a configuration's arithmetic, or null. */
export function problemOf(configuration: Configuration): string | null {
  const { members, writeQuorum, sealQuorum } = configuration;
  const count = members.length;
  if (count === 0) {
    return "members is empty; allowed: at least one replica";
  }
  if (new Set(members).size !== count) {
    return "members names a replica twice";
  }
  if (!isQuorum(writeQuorum, count) || !isQuorum(sealQuorum, count)) {
    return `writeQuorum ${writeQuorum} and sealQuorum ${sealQuorum} must be integers from 1 to ${count}`;
  }
  if (writeQuorum + sealQuorum <= count) {
    return `writeQuorum ${writeQuorum} + sealQuorum ${sealQuorum} must exceed ${count} members`;
  }
  if (2 * sealQuorum <= count) {
    return `sealQuorum ${sealQuorum} must be a majority of ${count} members`;
  }
  return null;
}

function isQuorum(value: number, count: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= count;
}

/** Equal for configurations that mean the same. */
export function configurationKey(configuration: Configuration): string {
  const { members, writeQuorum, sealQuorum } = configuration;
  return `${[...members].sort().join(" ")}|${writeQuorum}|${sealQuorum}`;
}

export function isMember(configuration: Configuration, replica: ReplicaId): boolean {
  return configuration.members.includes(replica);
}

/** Whether `present` holds at least `quorum` of the members. */
export function hasQuorum(
  configuration: Configuration,
  quorum: number,
  present: (member: ReplicaId) => boolean,
): boolean {
  let count = 0;
  for (const member of configuration.members) {
    if (present(member)) {
      count += 1;
    }
  }
  return count >= quorum;
}

/** The greatest value that at least `quorum` members have reached. */
export function quorumValue(
  configuration: Configuration,
  quorum: number,
  reached: (member: ReplicaId) => number,
): number {
  const values = configuration.members.map(reached).sort((left, right) => right - left);
  return values[quorum - 1] ?? 0;
}
