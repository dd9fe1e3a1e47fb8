/**
 * The life of a batch of operations in the log of its writer, as an xstate chart: one batch is one entry, and
 * one run of this chart, however many keys and callers it has.
 *
 * A batch ends in one of two ways and never in both: its entry is committed, or another history has taken its
 * place. Time does neither: when it runs out, callers are told that the outcome is unknown, and the batch
 * goes on.
 */
import { setup } from "xstate";
import { ChartTable } from "./chart-table.ts";

export const BATCH_STATES = ["appended", "replicating", "committed", "superseded"] as const;

export type BatchState = (typeof BATCH_STATES)[number];

/** What each event says. */
export const BATCH_EVENTS = {
  sent: "The entry has left for the other members, or for the disk.",
  held: "A write quorum holds the entry in memory: callers in `sync` mode are answered.",
  timedOut: "Callers that still wait are told that the outcome is unknown. The batch goes on.",
  committed: "The entry at the batch's seq is committed, and it is of the batch's epoch.",
  superseded: "Another entry is committed at its seq, or a snapshot without its requests was installed.",
} as const;

export type BatchEventType = keyof typeof BATCH_EVENTS;

// xstate reads the type of this object, never its value.
const types: { events?: { readonly type: BatchEventType } } = {};

export const batchChart = setup({ types }).createMachine({
  id: "batch",
  description: "The life of a batch: one entry of the log, with all operations and callers in it.",
  meta: { events: BATCH_EVENTS },
  initial: "appended",
  states: {
    appended: {
      description: "In the log of the open writer. Callers in `async` mode are answered.",
      on: { sent: "replicating", held: {}, timedOut: {}, committed: "committed", superseded: "superseded" },
    },
    replicating: {
      description:
        "On its way to the members. Also after the writer's epoch has ended, until its fate is known.",
      on: { held: {}, timedOut: {}, committed: "committed", superseded: "superseded" },
    },
    committed: {
      description: "Committed for good. Callers in `strong` mode are answered.",
      type: "final",
    },
    superseded: {
      description: "Known to have no effect. The range is reported, and callers that still wait are told.",
      type: "final",
    },
  },
});

const table = new ChartTable<BatchState, BatchEventType>(batchChart, isBatchState);

function isBatchState(value: unknown): value is BatchState {
  return BATCH_STATES.some((state) => state === value);
}

/** The state after an event; the same state when the event says nothing in it. A look-up. */
export function batchAfter(state: BatchState, event: BatchEventType): BatchState {
  return table.after(state, event);
}
