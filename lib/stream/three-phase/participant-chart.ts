/**
 * The life of a transaction in the replicated state, as an xstate chart. Its events are entries of the log,
 * so that every replica sees the same ones in the same order, and whatever was decided first stays.
 *
 * A transaction is committed if and only if its pre-commit stands in the log before an abort: once it is
 * pre-committed, nothing aborts it any more.
 */
import { setup } from "xstate";
import { ChartTable } from "../chart-table.ts";

export const PARTICIPANT_STATES = ["unknown", "prepared", "preCommitted", "committed", "aborted"] as const;

export type ParticipantState = (typeof PARTICIPANT_STATES)[number];

/** What each event says. */
export const PARTICIPANT_EVENTS = {
  prepare: "The operation has been resolved to changes, and the keys that it touches are locked.",
  preCommit: "Every member holds the prepare.",
  commit: "The coordinator decides to apply the changes.",
  abort: "The coordinator gives up, or its time is over.",
  recover: "The writer decides in place of a coordinator that is gone: by what the log holds.",
} as const;

export type ParticipantEventType = keyof typeof PARTICIPANT_EVENTS;

// xstate reads the type of this object, never its value.
const types: { events?: { readonly type: ParticipantEventType } } = {};

export const participantChart = setup({ types }).createMachine({
  id: "participant",
  description: "The life of a transaction in the log of a partition.",
  meta: { events: PARTICIPANT_EVENTS },
  initial: "unknown",
  states: {
    unknown: {
      description:
        "The log holds nothing of it. An abort is remembered, so that a late prepare locks nothing.",
      on: { prepare: "prepared", abort: "aborted" },
    },
    prepared: {
      description: "Its changes are known and not to be seen. Whoever meets its keys waits.",
      on: { preCommit: "preCommitted", abort: "aborted", recover: "aborted" },
    },
    preCommitted: {
      description: "It will be committed, by its coordinator or by recovery.",
      on: { commit: "committed", recover: "committed" },
    },
    committed: {
      description: "Its changes are applied, its keys are free.",
      type: "final",
    },
    aborted: {
      description: "It has changed nothing and never will; its keys are free.",
      type: "final",
    },
  },
});

const table = new ChartTable<ParticipantState, ParticipantEventType>(participantChart, isParticipantState);

export function isParticipantState(value: unknown): value is ParticipantState {
  return PARTICIPANT_STATES.some((state) => state === value);
}

/** The state after an event; the same state when the event says nothing in it. A look-up. */
export function participantAfter(state: ParticipantState, event: ParticipantEventType): ParticipantState {
  return table.after(state, event);
}
