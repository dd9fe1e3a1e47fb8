/**
 * Messages that can change nothing any more, and why. A world without them is the same world as with them, so
 * they are taken out; the exploration delivers each of them once all the same, to see that it is so.
 *
 * A replica's promise never decreases, what it knows to be activated never gets older, and no epoch is begun
 * twice. So these stay without effect for ever:
 *
 * - Anything for a replica that has died.
 * - An answer to a claim or to an epoch (sealOk, ack, nack, entries) that is not the receiver's present one and
 *   not above its promise; sealOk also once the claim has chosen its log, entries once it has its barrier.
 * - A `presealOk` for an epoch that is not above the receiver's promise: each later question is.
 * - A `presealNo` whose promise is below what any later question of the receiver asks for, and whose activated
 *   configuration the receiver knows or is beyond.
 * - An `activate` of what the receiver knows or is beyond.
 * - An append, heartbeat or fetch below the receiver's promise, whose only answer is "stale", once its sender
 *   no longer has that epoch: nobody then does anything with the answer.
 * - A seal below the receiver's promise once its claim is over, and the answer to it. All that the answer could
 *   do is tell the claimant which configuration is active; whoever opened that epoch has told it so itself, in
 *   an `activate` that it has had or that is still on its way to it. (Not told is who had been removed by an epoch
 *   before that one. It hears of that epoch, and may not claim either way.)
 */
import { compareEpochs, type Epoch } from "../../lib/journal/epoch.ts";
import type { Proposed } from "../../lib/stream/configuration.ts";
import type { Message } from "../../lib/stream/messages.ts";
import type { ReplicaState } from "../../lib/stream/replica-state.ts";
import type { Thing } from "./things.ts";

export const LIVE = 0;
/** Changes nothing. */
export const IDLE = 1;
/** Tells nothing that is not told otherwise. */
export const TOLD = 3;
/** Changes nothing and is refused. */
export const REFUSED = 2;

export function idleness(receiver: Thing, message: Message): number {
  if (receiver.kind !== "replica") {
    return IDLE;
  }
  const { state } = receiver;
  switch (message.type) {
    case "ack":
    case "nack":
      return ownEpoch(state, message.epoch) ? LIVE : idleWhen(isDone(message.epoch, state));
    case "append":
    case "heartbeat":
    case "fetch":
    case "seal":
      return isBelow(message.epoch, state) ? REFUSED : LIVE;
    case "sealOk":
      return isSame(state.claim?.epoch, message.epoch) && state.claim?.source === null
        ? LIVE
        : idleWhen(isDone(message.epoch, state));
    case "entries":
      return isSame(state.claim?.epoch, message.epoch) && state.writer === null
        ? LIVE
        : idleWhen(isDone(message.epoch, state));
    case "presealOk":
      return idleWhen(isDone(message.epoch, state));
    case "presealNo":
      return idleWhen(isDone(message.promise, state) && knows(state, message.activated));
    case "sealNo":
      if (isSame(state.claim?.epoch, message.epoch) || !isDone(message.epoch, state)) {
        return LIVE;
      }
      return knows(state, message.activated) ? IDLE : TOLD;
    case "activate":
      return idleWhen(knows(state, message.activated));
    default:
      return LIVE;
  }
}

/** Whether nobody waits for an answer in `epoch` at its owner. */
export function isOver(owner: Thing, epoch: Epoch): boolean {
  return owner.kind !== "replica" || (isDone(epoch, owner.state) && !ownEpoch(owner.state, epoch));
}

function idleWhen(idle: boolean): number {
  return idle ? IDLE : LIVE;
}

function ownEpoch({ claim, writer }: ReplicaState, epoch: Epoch): boolean {
  return isSame(claim?.epoch, epoch) || isSame(writer?.epoch, epoch);
}

function isSame(left: Epoch | undefined, right: Epoch): boolean {
  return left !== undefined && compareEpochs(left, right) === 0;
}

function isBelow(epoch: Epoch, { hard }: ReplicaState): boolean {
  return compareEpochs(epoch, hard.promise) < 0;
}

function isDone(epoch: Epoch, { hard }: ReplicaState): boolean {
  return compareEpochs(epoch, hard.promise) <= 0;
}

function knows({ hard }: ReplicaState, activated: Proposed | null): boolean {
  return (
    activated === null ||
    (hard.activated !== null && compareEpochs(activated.epoch, hard.activated.epoch) <= 0)
  );
}
