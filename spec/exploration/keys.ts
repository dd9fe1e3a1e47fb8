/**
 * A text for each part of a world, equal for equal parts only. Epochs, members and names go in as numbers,
 * histories as the chains they end in. Made by hand, because most of an exploration's time goes here.
 */
import type { Proposed } from "../../lib/stream/configuration.ts";
import { chained, ORIGIN } from "../../lib/stream/entry.ts";
import type { Message } from "../../lib/stream/messages.ts";
import type { ReplicaId } from "../../lib/stream/replica-id.ts";
import type { Claim, PresealRound, ReplicaState, Writer } from "../../lib/stream/replica-state.ts";
import { membersOf } from "./ballots.ts";
import { ballotOf, slotOf } from "./names.ts";
import type { Thing } from "./things.ts";

export function keyOf(thing: Thing): string {
  switch (thing.kind) {
    case "replica":
      return replicaKey(thing.state);
    case "dead":
      return `dead ${slotOf(thing.self)} ${thing.log.last.chain}`;
    case "packet":
      return `${slotOf(thing.from)}>${slotOf(thing.to)} ${messageKey(thing.message)}`;
    case "commit":
      return thing.chain === ORIGIN.chain ? "nothing" : `commit ${thing.chain}`;
  }
}

function replicaKey(state: ReplicaState): string {
  const { self, role, hard, primary, log, commitSeq, matchSeq, preseal, claim, writer, seenCounter } = state;
  return (
    `${slotOf(self)} ${role} ${ballotOf(hard.promise)} ${proposedKey(hard.activated)} ${setKey(hard.successors)} ` +
    `${nameKey(primary)} ${log.last.chain} ${commitSeq} ${matchSeq} ${seenCounter} ` +
    `${presealKey(preseal)} ${claimKey(claim)} ${writerKey(writer)}`
  );
}

function presealKey(preseal: PresealRound | null): string {
  return preseal === null
    ? "-"
    : `${proposedKey(preseal)}${preseal.force}${preseal.yes.map(nameKey).join("")}`;
}

function claimKey(claim: Claim | null): string {
  if (claim === null) {
    return "-";
  }
  let key = `${proposedKey(claim)};${proposedKey(claim.base)};${setKey(claim.chain)};${claim.asking}`;
  key += `;${nameKey(claim.source)};${claim.target?.chain};${claim.matched?.chain}`;
  for (const [replica, { last, tailCertain }] of claim.sealed) {
    key += `;${nameKey(replica)}${last.chain}${tailCertain}`;
  }
  return key;
}

function writerKey(writer: Writer | null): string {
  if (writer === null) {
    return "-";
  }
  let key = `${proposedKey(writer)};${writer.barrierSeq};${writer.toldCommitSeq}`;
  for (const [replica, { member, matchSeq, heldSeq, nextSeq, mode, probing }] of writer.progress) {
    key += `;${nameKey(replica)}${member},${matchSeq},${heldSeq},${nextSeq},${mode},${probing}`;
  }
  return key;
}

function messageKey(message: Message): string {
  switch (message.type) {
    case "preseal":
      return `preseal ${proposedKey(message)} ${ballotOf(message.base)} ${message.force}`;
    case "presealOk":
      return `presealOk ${ballotOf(message.epoch)}`;
    case "presealNo":
    case "sealNo": {
      const { type, epoch, promise, activated } = message;
      return `${type} ${ballotOf(epoch)} ${ballotOf(promise)} ${proposedKey(activated)}`;
    }
    case "seal":
      return `seal ${proposedKey(message)}`;
    case "sealOk": {
      const { epoch, last, activated, successors, tailCertain } = message;
      return `sealOk ${ballotOf(epoch)} ${last.chain} ${proposedKey(activated)} ${setKey(successors)} ${tailCertain}`;
    }
    case "fetch":
      return `fetch ${ballotOf(message.epoch)} ${message.last.chain} ${message.commitSeq}`;
    case "entries":
      return `entries ${ballotOf(message.epoch)} ${rangeKey(message)}`;
    case "append": {
      const { epoch, commitSeq, barrierSeq } = message;
      return `append ${ballotOf(epoch)} ${rangeKey(message)} ${commitSeq} ${barrierSeq}`;
    }
    case "heartbeat": {
      const { epoch, tail, commitSeq, barrierSeq } = message;
      return `heartbeat ${ballotOf(epoch)} ${tail.chain} ${commitSeq} ${barrierSeq}`;
    }
    case "ack":
      return `ack ${ballotOf(message.epoch)} ${message.seq} ${message.heldSeq}`;
    case "nack": {
      const { epoch, reason, hintSeq, promise } = message;
      return `nack ${ballotOf(epoch)} ${reason} ${hintSeq} ${ballotOf(promise)}`;
    }
    case "activate":
      return `activate ${proposedKey(message.activated)}`;
    default:
      throw new Error(`an exploration knows no ${message.type}`);
  }
}

function rangeKey({ prev, entries }: Extract<Message, { type: "append" | "entries" }>): string {
  return `${prev.chain}-${chained(prev.chain, entries).at(-1)?.chain}`;
}

function nameKey(replica: ReplicaId | null): string {
  return replica === null ? "-" : String(slotOf(replica));
}

function proposedKey(proposed: Proposed | null): string {
  return proposed === null ? "-" : `${ballotOf(proposed.epoch)}:${membersOf(proposed.configuration)}`;
}

function setKey(list: readonly Proposed[]): string {
  return list.map(proposedKey).join("+");
}
