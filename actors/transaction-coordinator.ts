/** One transaction's way through its phases: asks the partition's log what the chart says, and hears it out. */

import { SupercastError } from "../lib/base/errors.ts";
import { invariant } from "../lib/base/invariant.ts";
import type { Done } from "../lib/stream/stream-client.ts";
import {
  askedIn,
  eventOfAnswer,
  eventOfError,
  isPhase,
  type Phase,
  stateIn,
} from "../lib/stream/three-phase/coordinator.ts";
import {
  type CoordinatorEventType,
  type CoordinatorState,
  coordinatorAfter,
} from "../lib/stream/three-phase/coordinator-chart.ts";
import { transactionAnswerSchema } from "../lib/stream/three-phase/transaction.ts";
import type { TransactionClient } from "./transaction-streams.ts";

/** What became of a commit. */
export type CommitOutcome =
  /** Every member holds it. `value`: what the operations answer; `seq`: of the entry that applied them. */
  | { readonly outcome: "committed"; readonly txnId: string; readonly value: unknown; readonly seq: number }
  /** Nothing has happened, and nothing will. */
  | { readonly outcome: "aborted"; readonly txnId: string; readonly reason: string };

/** Whoever wants to see how a transaction goes on. */
export interface Registry {
  begun(): void;
  preCommitted(): void;
  ended(): void;
}

export interface CoordinatorParts {
  readonly txnId: string;
  readonly operation: unknown;
  readonly client: TransactionClient;
  readonly registry: Registry;
  /** False when the process that coordinates has ended: then it asks nothing more, and recovery decides. */
  active(): boolean;
}

interface Heard {
  readonly event: CoordinatorEventType;
  readonly done: Done | null;
  readonly error: SupercastError | null;
}

/**
 * Resolves when the log has decided and, for a commit, every member holds it. Rejects with `unknown_outcome`
 * (details: `{ txnId, state }`, the last state of the coordinator), or with what the log refused the operation
 * with: then nothing was done.
 */
export async function coordinate(parts: CoordinatorParts): Promise<CommitOutcome> {
  parts.registry.begun();
  try {
    return await walk(parts);
  } finally {
    parts.registry.ended();
  }
}

async function walk(parts: CoordinatorParts): Promise<CommitOutcome> {
  const { txnId, registry } = parts;
  let state: CoordinatorState = "preparing";
  let phase: Phase = "preparing";
  let value: unknown;
  let heard: Heard = { event: "timedOut", done: null, error: null };
  while (isPhase(state)) {
    phase = state;
    heard = await ask(parts, phase);
    if (heard.event === "prepared") {
      value = transactionAnswerSchema.parse(heard.done?.value).value;
    } else if (phase === "preCommitting" && heard.event === "preCommitted") {
      registry.preCommitted();
    }
    state = coordinatorAfter(phase, heard.event);
    invariant(state !== phase, "every answer leads out of its phase");
  }
  if (state === "committed") {
    return { outcome: "committed", txnId, value, seq: heard.done?.seq ?? 0 };
  }
  if (state === "aborted" && heard.event === "refused" && heard.error !== null) {
    throw heard.error;
  }
  if (state === "aborted") {
    return { outcome: "aborted", txnId, reason: reasonOf(phase) };
  }
  throw new SupercastError("unknown_outcome", `transaction ${txnId} is ${phase}; its log decides it`, {
    cause: heard.error,
    details: { txnId, state: phase },
  });
}

async function ask({ txnId, operation, client, active }: CoordinatorParts, phase: Phase): Promise<Heard> {
  if (!active()) {
    throw new SupercastError("unknown_outcome", `the coordinator of transaction ${txnId} has ended`, {
      details: { txnId, state: phase },
    });
  }
  const asked = askedIn(phase, txnId, operation);
  try {
    const done = await client.request(asked.operation, { mode: asked.mode, timeoutMs: asked.timeoutMs });
    return { event: eventOfAnswer(phase, stateIn(done.value)), done, error: null };
  } catch (thrown) {
    if (!(thrown instanceof SupercastError)) {
      throw thrown;
    }
    return { event: eventOfError(phase, thrown), done: null, error: thrown };
  }
}

function reasonOf(phase: Phase): string {
  return phase === "aborting"
    ? "not every member answered in time, and the pre-commit was not in the log"
    : "it was aborted in the log before its pre-commit";
}
