/** Which epochs can be seen in a part of a world, and which configurations it says were proposed in them. */
import type { Epoch } from "../../lib/journal/epoch.ts";
import type { Configuration, Proposed } from "../../lib/stream/configuration.ts";
import type { Entry } from "../../lib/stream/entry.ts";
import type { Message } from "../../lib/stream/messages.ts";
import type { ReplicaState } from "../../lib/stream/replica-state.ts";
import { ballotOf, slotOf } from "./names.ts";
import type { Thing } from "./things.ts";

export interface Proposal {
  readonly ballot: number;
  readonly members: number;
}

/** A mask with a bit for each epoch, see `ballotOf`. */
export function ballotsIn(thing: Thing, path: readonly Entry[]): number {
  const epochs: (Epoch | undefined)[] = path.map(({ epoch }) => epoch);
  if (thing.kind === "replica") {
    epochs.push(thing.state.hard.promise, thing.state.preseal?.epoch);
    epochs.push(...[...(thing.state.claim?.sealed.values() ?? [])].map(({ last }) => last.epoch));
    epochs.push(thing.state.claim?.target?.epoch);
  } else if (thing.kind === "packet") {
    epochs.push(...epochsOf(thing.message));
  }
  let mask = 0;
  for (const epoch of [...epochs, ...proposedIn(thing).map((each) => each.epoch)]) {
    const ballot = epoch === undefined ? -1 : ballotOf(epoch);
    mask |= ballot < 0 ? 0 : 1 << ballot;
  }
  return mask;
}

function epochsOf(message: Message): (Epoch | undefined)[] {
  return [
    "epoch" in message ? message.epoch : undefined,
    "base" in message ? message.base : undefined,
    "promise" in message ? message.promise : undefined,
    "prev" in message ? message.prev.epoch : undefined,
    "last" in message ? message.last.epoch : undefined,
    "tail" in message ? message.tail.epoch : undefined,
  ];
}

/** Seals propose; a question before a claim does not, and may be asked again for other members. */
export function proposalsIn(thing: Thing): readonly Proposal[] {
  return proposedIn(thing)
    .map(({ epoch, configuration }) => ({ ballot: ballotOf(epoch), members: membersOf(configuration) }))
    .filter(({ ballot }) => ballot >= 0);
}

function proposedIn(thing: Thing): readonly Proposed[] {
  const found =
    thing.kind === "replica" ? inState(thing.state) : thing.kind === "packet" ? inMessage(thing.message) : [];
  return found.flatMap((each) => (each === null ? [] : [each]));
}

function inState({ hard, claim, writer }: ReplicaState): (Proposed | null)[] {
  const inClaim = claim === null ? [] : [claim, claim.base, ...claim.chain];
  return [hard.activated, ...hard.successors, ...inClaim, writer];
}

function inMessage(message: Message): (Proposed | null)[] {
  switch (message.type) {
    case "seal":
      return [message];
    case "sealOk":
      return [message.activated, ...message.successors];
    case "sealNo":
    case "presealNo":
    case "activate":
      return [message.activated];
    default:
      return [];
  }
}

/** A set of members as a mask of slots. */
export function membersOf(configuration: Configuration): number {
  return configuration.members.reduce((mask, member) => mask | (1 << slotOf(member)), 0);
}
