/**
 * What of a replica's state and of a message can make a difference to an exploration; the rest is put to one
 * value, so that worlds that differ in nothing else are one world. Each line here needs its reason:
 *
 * - Time. `silentTicks` is kept at the failure timeout: any silence may have lasted long enough, so a question
 *   before a claim meets "I have heard nothing" at every replica that does not own an epoch itself. With that
 *   `primaryDown` and `patienceTicks` decide nothing. Ticks of claims, questions and receivers count towards
 *   giving up, which an exploration does when it claims again.
 * - Rounds and `sentAt` matter to reads and leases, and there are none.
 * - `seenCounter` decides only which counter the next claim takes. The exploration takes each one that may be
 *   taken, so it is what the promise says, or what an open question has already asked for.
 * - `heldSeq` of the writer, `caughtUp` and `retiring` only lead to reports and to messages that are repeated
 *   with time; `activated` of an acknowledgement only spares such messages.
 * - Once the log to adopt is chosen, of the answers to a seal only their senders are looked at (by the proof);
 *   once the barrier is appended, the choice is not looked at any more.
 * - The order of members only counts for patience, that of other sets for nothing; they are sorted. That of a
 *   claim's answers stays, because of equal logs the first is fetched.
 */
import { EPOCH_ZERO } from "../../lib/journal/epoch.ts";
import type { Proposed } from "../../lib/stream/configuration.ts";
import { ORIGIN } from "../../lib/stream/entry.ts";
import type { Message } from "../../lib/stream/messages.ts";
import type { ReplicaId } from "../../lib/stream/replica-id.ts";
import type { Claim, Progress, ReplicaState, Writer } from "../../lib/stream/replica-state.ts";
import { ballotOf, slotOf } from "./names.ts";

export function normalState(state: ReplicaState): ReplicaState {
  const { preseal, claim, writer, hard, settings } = state;
  const { counter } = hard.promise;
  return {
    ...state,
    primaryDown: false,
    silentTicks: settings.failureTicks,
    patienceTicks: 0,
    heard: { round: 0, sentAt: 0 },
    seenCounter: preseal === null ? counter : Math.max(counter, preseal.epoch.counter - 1),
    preseal: preseal === null ? null : { ...preseal, yes: bySlot(preseal.yes), ticks: 0 },
    claim: claim === null ? null : normalClaim(claim, state.self, writer !== null),
    writer: writer === null ? null : normalWriter(writer),
  };
}

function normalClaim(claim: Claim, self: ReplicaId, begun: boolean): Claim {
  const { source, target, matched } = claim;
  const chosen = source !== null;
  const senders = bySlot([...claim.sealed.keys()]);
  return {
    ...claim,
    chain: byBallot(claim.chain),
    sealed: chosen
      ? new Map(senders.map((sender) => [sender, { last: ORIGIN, tailCertain: true }]))
      : claim.sealed,
    source: begun ? self : source,
    target: begun ? null : target,
    matched: begun ? null : matched,
    ticks: 0,
  };
}

function normalWriter(writer: Writer): Writer {
  const receivers = bySlot([...writer.progress.keys()]);
  const progress = new Map<ReplicaId, Progress>();
  for (const receiver of receivers) {
    const at = writer.progress.get(receiver);
    if (at !== undefined) {
      const { member, matchSeq, heldSeq, nextSeq, mode, probing } = at;
      const rest = { silentTicks: 0, round: 0, echoedAt: 0, activated: EPOCH_ZERO, caughtUp: false };
      progress.set(receiver, { member, matchSeq, heldSeq, nextSeq, mode, probing, ...rest });
    }
  }
  return { ...writer, progress, round: 1, heldSeq: 0, retiring: [], ticks: 0 };
}

/** Null for a message that nobody in an exploration would do anything with. */
export function normalMessage(message: Message): Message | null {
  switch (message.type) {
    case "append":
    case "heartbeat":
      return { ...message, round: 0, sentAt: 0 };
    case "ack":
      return { ...message, round: 0, sentAt: 0, activated: EPOCH_ZERO };
    case "nack":
      return { ...message, round: 0 };
    case "sealOk":
      // Where the sender has committed to is not read by the owner of a claim.
      return { ...message, commitSeq: 0 };
    case "retireOk":
      return null;
    default:
      return message;
  }
}

export function bySlot(ids: readonly ReplicaId[]): ReplicaId[] {
  return [...ids].sort((left, right) => slotOf(left) - slotOf(right));
}

function byBallot(list: readonly Proposed[]): Proposed[] {
  return [...list].sort((left, right) => ballotOf(left.epoch) - ballotOf(right.epoch));
}
