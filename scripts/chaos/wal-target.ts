/**
 * The `wal` actor as the target of a chaos run, spoken to by a foreign client.
 *
 * An attempt without a clear answer is repeated under the same `requestId`, at whatever node takes it, until the
 * deadline; only then the outcome is unknown. What is refused for certain at every attempt is refused.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Answer } from "./foreign.ts";
import type { Change, Outcome, Patience, Target, Written } from "./target.ts";

const RETRY_WAIT_MS = 25;

/** Where messages go; a ForeignClient in a run. */
export interface Caller {
  call(
    node: string,
    actor: string,
    message: Readonly<Record<string, unknown>>,
    timeoutMs: number,
  ): Promise<Answer>;
  close(): Promise<void>;
}

/** Errors that say that this attempt did nothing, and that another one may succeed. */
const NOT_DONE: ReadonlySet<string> = new Set(["overload", "mailbox_full"]);
/** Errors that no repetition mends: the message itself is wrong. */
const NEVER: ReadonlySet<string> = new Set(["invalid_message", "forbidden", "payload_too_large"]);

export class WalTarget implements Target {
  readonly #caller: Caller;
  #closed = false;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  async write(
    requestId: string,
    partition: number,
    changes: readonly Change[],
    patience: Patience,
  ): Promise<Outcome<Written>> {
    const ops = changes.map((change) =>
      change.op === "put"
        ? { op: "put", record: [change.key, change.value] }
        : { op: "delete", key: change.key },
    );
    const message = { type: "commit", requestId, partition, ops, mode: "strong" };
    const outcome = await this.#persist(message, patience);
    return outcome.status === "ok" ? { status: "ok", value: writtenIn(outcome.value) } : outcome;
  }

  async read(partition: number, key: string, patience: Patience): Promise<Outcome<string | null>> {
    const message = { type: "read", partition, query: { type: "get", key }, mode: "quorum" };
    const outcome = await this.#persist(message, patience);
    return outcome.status === "ok" ? { status: "ok", value: valueIn(outcome.value) } : outcome;
  }

  /** What is open ends with an unknown outcome. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#caller.close();
  }

  async #persist(message: Readonly<Record<string, unknown>>, patience: Patience): Promise<Outcome<unknown>> {
    const deadline = performance.now() + patience.deadlineMs;
    let certain = true;
    for (;;) {
      const leftMs = Math.max(1, deadline - performance.now());
      const answer = await this.#caller.call("any", "wal", message, Math.min(patience.attemptMs, leftMs));
      if (answer.status === "ok") {
        return answer;
      }
      const why = describeAnswer(answer);
      if (answer.status === "error" && NEVER.has(answer.code)) {
        return { status: certain ? "refused" : "unknown", why };
      }
      certain &&= answer.status === "nobody" || (answer.status === "error" && NOT_DONE.has(answer.code));
      if (this.#closed || performance.now() + RETRY_WAIT_MS >= deadline) {
        return { status: certain ? "refused" : "unknown", why };
      }
      await sleep(RETRY_WAIT_MS);
    }
  }
}

function describeAnswer(answer: Exclude<Answer, { status: "ok" }>): string {
  switch (answer.status) {
    case "error":
      return `${answer.code}: ${answer.message}`;
    case "nobody":
      return "no node took it";
    case "silence":
      return answer.why;
  }
}

const writtenSchema = z.object({ value: z.object({ put: z.int(), deleted: z.int() }) });

/** The answer to a commit: `{ seq, value: { put, deleted } }`. */
function writtenIn(answer: unknown): Written {
  const { deleted } = writtenSchema.parse(answer).value;
  return { deleted };
}

/** The value in the answer to a read: `{ seq, value: record | null }`, with a record of key and value. */
function valueIn(answer: unknown): string | null {
  const record =
    typeof answer === "object" && answer !== null && "value" in answer ? answer.value : undefined;
  if (record === null) {
    return null;
  }
  const value: unknown = Array.isArray(record) ? record[1] : undefined;
  if (typeof value !== "string") {
    throw new Error(`a read answered ${JSON.stringify(answer)}, which is no record of key and value`);
  }
  return value;
}
