/**
 * What must hold between one state of a replica and the next, whatever happens. Cheap enough to stay on: a
 * replica that breaks one of these has a bug or bad memory, and must not go on under its identity.
 */
import { invariant } from "../base/invariant.ts";
import { compareEpochs } from "../journal/epoch.ts";
import type { ReplicaState, Stepped } from "./replica-state.ts";

export function checkStep(before: ReplicaState, { state }: Stepped): void {
  const { hard, log, commitSeq, matchSeq, durableSeq, writer, role, settings } = state;
  const promised = compareEpochs(hard.promise, before.hard.promise);
  invariant(promised >= 0, "a promise never decreases");
  invariant(compareEpochs(log.last.epoch, hard.promise) <= 0, "nothing is held above the promise");
  invariant(commitSeq >= before.commitSeq, "the commit position never decreases");
  invariant(commitSeq <= log.lastSeq && log.base.seq <= commitSeq, "what is committed is held");
  invariant(matchSeq <= log.lastSeq && durableSeq <= log.lastSeq, "nobody vouches for more than is held");
  const activated = hard.activated?.epoch;
  invariant(
    hard.successors.every(({ epoch }) => activated === undefined || compareEpochs(epoch, activated) > 0),
    "a successor is dropped only for an activated epoch above it",
  );
  if (role === "open") {
    invariant(writer !== null && activated !== undefined, "an open writer owns an activated epoch");
    invariant(compareEpochs(writer.epoch, activated) === 0, "an open writer's epoch is the activated one");
    invariant(compareEpochs(writer.epoch, hard.promise) === 0, "an open writer has promised no newer epoch");
    invariant(commitSeq >= writer.barrierSeq, "an open writer's barrier is committed");
    const appended = log.lastSeq - before.log.lastSeq;
    const pending = log.lastSeq - commitSeq;
    invariant(appended <= 0 || pending <= settings.pendingMax + appended, "entries in flight are bounded");
  }
}
