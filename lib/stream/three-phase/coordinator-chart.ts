/**
 * The way of a coordinator through the three phases, as an xstate chart. Each event is what the log has
 * answered, or that it has not answered in time. The coordinator decides nothing by itself: what it does not
 * know, it asks of the log, and what the log does not tell, it calls unknown.
 */
import { setup } from "xstate";
import { ChartTable } from "../chart-table.ts";

export const COORDINATOR_STATES = [
  "preparing",
  "preCommitting",
  "committing",
  "aborting",
  "committed",
  "aborted",
  "unknown",
] as const;

export type CoordinatorState = (typeof COORDINATOR_STATES)[number];

/** What each event says. */
export const COORDINATOR_EVENTS = {
  prepared: "Every member holds the prepare.",
  preCommitted: "Every member holds the pre-commit; or, asked for an abort, the log says that it is there.",
  committed: "Every member holds the commit.",
  aborted: "The log says that the transaction is aborted.",
  refused: "The log has refused the operation and holds nothing of it.",
  timedOut: "The phase's time is over without an answer.",
} as const;

export type CoordinatorEventType = keyof typeof COORDINATOR_EVENTS;

// xstate reads the type of this object, never its value.
const types: { events?: { readonly type: CoordinatorEventType } } = {};

export const coordinatorChart = setup({ types }).createMachine({
  id: "coordinator",
  description: "The way of a coordinator through a transaction.",
  meta: { events: COORDINATOR_EVENTS },
  initial: "preparing",
  states: {
    preparing: {
      description: "It has asked for the operation to be resolved and its keys to be locked.",
      on: { prepared: "preCommitting", aborted: "aborted", refused: "aborted", timedOut: "aborting" },
    },
    preCommitting: {
      description:
        "It has asked for the pre-commit: the last moment at which the transaction can be aborted.",
      on: {
        preCommitted: "committing",
        committed: "committing",
        aborted: "aborted",
        timedOut: "aborting",
      },
    },
    committing: {
      description: "It has asked for the changes to be applied, and for every member to hold that.",
      on: { committed: "committed", aborted: "aborted", timedOut: "unknown" },
    },
    aborting: {
      description: "It has asked for an abort. The log says whether the pre-commit came first.",
      on: {
        preCommitted: "committing",
        committed: "committing",
        aborted: "aborted",
        timedOut: "unknown",
      },
    },
    committed: {
      description: "The changes are applied, and every member holds them.",
      type: "final",
    },
    aborted: {
      description: "Nothing has happened, and nothing will.",
      type: "final",
    },
    unknown: {
      description: "The coordinator cannot tell. The log decides, by recovery at the latest.",
      type: "final",
    },
  },
});

const table = new ChartTable<CoordinatorState, CoordinatorEventType>(coordinatorChart, isCoordinatorState);

function isCoordinatorState(value: unknown): value is CoordinatorState {
  return COORDINATOR_STATES.some((state) => state === value);
}

/** The state after an event; the same state when the event says nothing in it. A look-up. */
export function coordinatorAfter(state: CoordinatorState, event: CoordinatorEventType): CoordinatorState {
  return table.after(state, event);
}
