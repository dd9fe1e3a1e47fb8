/**
 * Replicas with a mistake each, made by wrapping the product's step function, so that an exploration can show
 * that it finds them.
 */
import { compareEpochs } from "../../lib/journal/epoch.ts";
import { step } from "../../lib/stream/step.ts";
import type { StepFunction } from "./moves.ts";

/** Takes appends of an epoch that it has promised not to, as long as it holds nothing newer. */
export const acceptsOldAppends: StepFunction = (state, event, nowMs) => {
  if (event.type !== "message" || event.message.type !== "append") {
    return step(state, event, nowMs);
  }
  const { epoch } = event.message;
  const { hard, log } = state;
  if (compareEpochs(epoch, hard.promise) >= 0 || compareEpochs(log.last.epoch, epoch) > 0) {
    return step(state, event, nowMs);
  }
  const before = { ...state, hard: { ...hard, promise: epoch }, primary: event.from };
  const { state: after, effects } = step(before, event, nowMs);
  return {
    state: { ...after, hard: { ...after.hard, promise: hard.promise }, primary: state.primary },
    effects,
  };
};

/** Goes on with its own log, whatever the sealed replicas hold. */
export const adoptsOwnLog: StepFunction = (state, event, nowMs) => {
  if (event.type !== "message" || event.message.type !== "sealOk") {
    return step(state, event, nowMs);
  }
  const { seq, epoch, chain } = state.log.last;
  const message = { ...event.message, last: { seq, epoch, chain } };
  return step(state, { ...event, message }, nowMs);
};
