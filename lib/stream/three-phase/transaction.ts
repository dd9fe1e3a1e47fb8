/**
 * What a stream with transactions understands beyond its own operations, and what it answers: the shapes,
 * with their schemas.
 *
 *     { transaction: "prepare", txnId, operation }        resolves the operation and locks what it touches
 *     { transaction: "preCommit", txnId }                 for a prepared transaction only
 *     { transaction: "decide", txnId, outcome }           commit: for a pre-committed one; abort: before that
 *     { transaction: "recover", txnId }                   commits a pre-committed one, aborts a prepared one
 *
 * Each is answered with the state of the transaction after it. What was decided stays: whatever comes later
 * changes nothing and is answered with the decision.
 */
import { z } from "zod";
import { SupercastError } from "../../base/errors.ts";
import { PARTICIPANT_STATES } from "./participant-chart.ts";

export const TXN_ID_MAX = 128;

export const txnIdField: z.ZodString = z.string().min(1).max(TXN_ID_MAX);

const operationSchema = z.discriminatedUnion("transaction", [
  z.strictObject({ transaction: z.literal("prepare"), txnId: txnIdField, operation: z.unknown() }),
  z.strictObject({ transaction: z.literal("preCommit"), txnId: txnIdField }),
  z.strictObject({
    transaction: z.literal("decide"),
    txnId: txnIdField,
    outcome: z.enum(["commit", "abort"]),
  }),
  z.strictObject({ transaction: z.literal("recover"), txnId: txnIdField }),
]);
export type TransactionOperation = z.output<typeof operationSchema>;

const querySchema = z.discriminatedUnion("transaction", [
  /** A `TransactionView`, or null for one that is not known. */
  z.strictObject({ transaction: z.literal("get"), txnId: txnIdField }),
  /** The undecided ones, a list of `TransactionView`, in the order in which they were prepared. */
  z.strictObject({ transaction: z.literal("undecided") }),
]);
export type TransactionQuery = z.output<typeof querySchema>;

/** A transaction that the log knows. */
export const transactionStateSchema = z.enum(PARTICIPANT_STATES).exclude(["unknown"]);
export type TransactionState = z.output<typeof transactionStateSchema>;

export const transactionAnswerSchema = z.object({
  state: transactionStateSchema,
  /** Of a prepare, unless it is decided: what the operation answers if it is committed. */
  value: z.unknown().optional(),
});
export type TransactionAnswer = z.output<typeof transactionAnswerSchema>;

export const transactionViewSchema = z.object({
  txnId: z.string(),
  state: transactionStateSchema,
  /** The entry that prepared it, or that remembered the abort of one that never was prepared. */
  seq: z.int(),
  /** Locked for it; none once it is decided. */
  keys: z.array(z.string()).readonly(),
});
export type TransactionView = z.output<typeof transactionViewSchema>;

/** Whether an operation or query is about transactions, and not one of the stream's own. */
export function isAboutTransactions(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.hasOwn(value, "transaction");
}

/** Throws `invalid_message`, naming the field. */
export function checkTransactionOperation(operation: unknown): TransactionOperation {
  return checked(operationSchema, operation, "operation");
}

/** Throws `invalid_message`, naming the field. */
export function checkTransactionQuery(query: unknown): TransactionQuery {
  return checked(querySchema, query, "query");
}

function checked<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    const path = [what, ...(issue?.path ?? [])].map(String).join(".");
    throw new SupercastError("invalid_message", `${path}: ${issue?.message ?? "malformed"}`);
  }
  return result.data;
}
