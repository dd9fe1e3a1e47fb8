/**
 * What a coordinator asks in each state of its chart, and what an answer of the log means to it. Pure: who
 * asks, and by which client, is the actor's part.
 *
 * No time that runs out decides anything: before the pre-commit is known to stand, the coordinator asks for an
 * abort, and the log says whether it came in time.
 */
import type { SupercastError } from "../../base/errors.ts";
import type { RequestMode } from "../requests.ts";
import type { CoordinatorEventType, CoordinatorState } from "./coordinator-chart.ts";
import { type TransactionOperation, type TransactionState, transactionAnswerSchema } from "./transaction.ts";

/** How long each phase may take (the seed's figures), and an abort. */
export const PHASE_TIMEOUTS_MS = {
  preparing: 3_000,
  preCommitting: 2_000,
  committing: 3_000,
  aborting: 3_000,
} as const satisfies Partial<Record<CoordinatorState, number>>;

export type Phase = keyof typeof PHASE_TIMEOUTS_MS;

/**
 * Longer than any coordinator takes that is alive: a transaction that stands undecided for so long may be
 * decided in its place.
 */
export const TRANSACTION_DEADLINE_MS = 12_000;

export interface Asked {
  readonly operation: TransactionOperation;
  readonly mode: RequestMode;
  readonly timeoutMs: number;
}

export function isPhase(state: CoordinatorState): state is Phase {
  return Object.hasOwn(PHASE_TIMEOUTS_MS, state);
}

/** What is asked of the log in a phase. An abort needs no more than a majority: it is a decision like any other. */
export function askedIn(phase: Phase, txnId: string, operation: unknown): Asked {
  const timeoutMs = PHASE_TIMEOUTS_MS[phase];
  switch (phase) {
    case "preparing":
      return { operation: { transaction: "prepare", txnId, operation }, mode: "all", timeoutMs };
    case "preCommitting":
      return { operation: { transaction: "preCommit", txnId }, mode: "all", timeoutMs };
    case "committing":
      return { operation: { transaction: "decide", txnId, outcome: "commit" }, mode: "all", timeoutMs };
    case "aborting":
      return { operation: { transaction: "decide", txnId, outcome: "abort" }, mode: "strong", timeoutMs };
  }
}

/** The state that an answer of the log tells; null when it tells none. */
export function stateIn(answer: unknown): TransactionState | null {
  const result = transactionAnswerSchema.safeParse(answer);
  return result.success ? result.data.state : null;
}

/** What the log's answer means in a phase. Every event leads out of the phase. */
export function eventOfAnswer(phase: Phase, state: TransactionState | null): CoordinatorEventType {
  const meant = state === null ? undefined : MEANT[phase][state];
  return meant ?? "timedOut";
}

const MEANT: Readonly<Record<Phase, Partial<Record<TransactionState, CoordinatorEventType>>>> = {
  preparing: { prepared: "prepared", aborted: "aborted" },
  preCommitting: { preCommitted: "preCommitted", committed: "committed", aborted: "aborted" },
  committing: { committed: "committed", aborted: "aborted" },
  aborting: { preCommitted: "preCommitted", committed: "committed", aborted: "aborted" },
};

/**
 * What a rejected request means in a phase: a prepare that certainly had no effect is over; in any other case
 * the log has to be asked.
 */
export function eventOfError(phase: Phase, { code }: SupercastError): CoordinatorEventType {
  return phase === "preparing" && code !== "unknown_outcome" ? "refused" : "timedOut";
}
