/**
 * What the clients of a run did and saw, and the verdicts of the checkers on it.
 *
 * Times are counts of events, shared by everybody. An operation without an answer has no return. An operation
 * that was refused (overload, no writer known) is kept out of the histories: it certainly did nothing.
 */
import type { ReadMode } from "../../../lib/stream/requests.ts";
import { checkAppendLists, type ListOperation } from "../../checkers/append-list.ts";
import { type CounterOperation, checkCounters } from "../../checkers/counter.ts";
import { checkFinalValues, type KeyWrite } from "../../checkers/durability.ts";
import type { Findings } from "../../checkers/findings.ts";
import { ANY, type Operation } from "../../checkers/history.ts";
import { checkLinearizability, explain } from "../../checkers/linearizability.ts";
import { type KeyValueInput, keyValueModel, type Scalar } from "../../checkers/models.ts";
import { checkQueues, type QueueOperation } from "../../checkers/queue.ts";
import { checkSessions, type SessionOperation } from "../../checkers/sessions.ts";
import type { KeyKind } from "./plan.ts";
import { isScalar, type WorkOperation } from "./workload.ts";

/** What a client asked: an operation for the log, or the whole value of a key. */
export type Asked =
  | { readonly kind: "request"; readonly operation: WorkOperation; readonly requestSeq: number }
  | { readonly kind: "read"; readonly key: string; readonly mode: ReadMode };

export interface Recorded {
  readonly clientId: string;
  readonly asked: Asked;
  /** Of the key. */
  readonly keyKind: KeyKind;
  readonly call: number;
  readonly calledAtMs: number;
  /** The highest position committed by anybody when it was called. */
  readonly committedAtCall: number;
  return: number;
  returnedAtMs: number;
  outcome: "open" | "ok" | "unknown" | "refused";
  value: unknown;
  seq: number;
  /** Of the entry that carries it: the key of its epoch. */
  epoch: string;
}

export interface Finding {
  readonly rule: string;
  readonly message: string;
}

export interface Promises {
  /** `primary` reads are linearizable only with leases. */
  readonly leases: boolean;
  /** A writer's own reads may show what it has not committed and, alone, will never commit. */
  readonly showsUncommitted: boolean;
}

export interface Verdicts {
  readonly findings: readonly Finding[];
  readonly histories: number;
  readonly steps: number;
}

/**
 * Runs every checker. `records`: without what was lost where that is allowed; what is left is to be as good as
 * if nothing could be. `final`: the value of each key at rest.
 */
export function judge(
  records: readonly Recorded[],
  promises: Promises,
  final: ReadonlyMap<string, unknown>,
): Verdicts {
  const findings: Finding[] = [];
  const add = (rule: string, found: Findings): void => {
    for (const { kind, message } of found.violations) {
      findings.push({ rule, message: `${kind}: ${message}` });
    }
  };
  add("append-list", checkAppendLists(listHistory(records, promises)));
  add("counter", checkCounters(counterHistory(records, promises)));
  add("queue", checkQueues(queueHistory(records), { remaining: finalLists(records, final), fifo: "queue" }));
  add("durability", checkFinalValues(registerWrites(records), finalScalars(records, final)));
  add("sessions", checkSessions(sessionHistory(records)));
  const verdict = checkLinearizability(keyValueModel(), linearHistory(records, promises));
  if (verdict.verdict !== "linearizable") {
    findings.push({ rule: "linearizability", message: explain(verdict) });
  }
  return { findings, histories: 6, steps: verdict.steps };
}

function isFresh(asked: Asked, { leases }: Promises): boolean {
  return asked.kind === "request" || asked.mode === "quorum" || (asked.mode === "primary" && leases);
}

/** Whether it may have happened. A read without an answer says nothing. */
function counts({ outcome, asked }: Recorded): boolean {
  return outcome === "ok" || (asked.kind === "request" && outcome !== "refused");
}

// --- one history for each checker -------------------------------------------------------------------

function linearHistory(
  records: readonly Recorded[],
  promises: Promises,
): Operation<KeyValueInput, Scalar | null>[] {
  return records
    .filter((record) => record.keyKind === "register" || record.keyKind === "counter")
    .filter((record) => counts(record) && isFresh(record.asked, promises))
    .map((record) => {
      const { clientId, asked, call, return: returned, outcome, value } = record;
      const output = outcome === "ok" ? (isScalar(value) ? value : null) : ANY;
      return { clientId, input: inputOf(asked), call, return: returned, output };
    });
}

function inputOf(asked: Asked): KeyValueInput {
  if (asked.kind === "read") {
    return { op: "get", key: asked.key };
  }
  const { operation } = asked;
  switch (operation.op) {
    case "put":
      return { op: "put", key: operation.key, value: operation.value };
    case "delete":
      return { op: "delete", key: operation.key };
    case "cas":
      return { op: "cas", key: operation.key, from: operation.from, to: operation.to };
    case "increment":
      return { op: "increment", key: operation.key, by: operation.by };
    default:
      throw new Error(`${operation.op} belongs to no register`);
  }
}

function listHistory(records: readonly Recorded[], promises: Promises): ListOperation[] {
  return records
    .filter((record) => record.keyKind === "list" && counts(record))
    .flatMap((record): ListOperation[] => {
      const { clientId, asked, call, return: returned, outcome, value } = record;
      if (asked.kind === "read") {
        const input = { op: "read", key: asked.key } as const;
        const stale = !isFresh(asked, promises);
        if (stale && promises.showsUncommitted) {
          return []; // seed 2017: what was appended by a writer cut off, read there and lost with its epoch
        }
        return [{ clientId, input, call, return: returned, output: scalars(value), stale }];
      }
      const { operation } = asked;
      if (operation.op !== "append") {
        return [];
      }
      const input = { op: "append", key: operation.key, value: operation.value } as const;
      return [{ clientId, input, call, return: returned, output: outcome === "ok" ? true : ANY }];
    });
}

function counterHistory(records: readonly Recorded[], promises: Promises): CounterOperation[] {
  return records
    .filter((record) => record.keyKind === "counter" && counts(record))
    .flatMap((record): CounterOperation[] => {
      const { asked, call, return: returned, outcome, value } = record;
      if (asked.kind === "read") {
        const sum = typeof value === "number" ? value : 0;
        const read = { op: "read", counter: asked.key, call, return: returned, value: sum } as const;
        return isFresh(asked, promises) ? [read] : [];
      }
      const { operation } = asked;
      if (operation.op !== "increment") {
        return [];
      }
      const { key: counter, by } = operation;
      const sum = outcome === "ok" && typeof value === "number" ? { sum: value } : {};
      return [{ op: "add", counter, by, call, return: returned, ...sum }];
    });
}

function queueHistory(records: readonly Recorded[]): QueueOperation[] {
  return records
    .filter((record) => record.keyKind === "queue" && counts(record))
    .flatMap((record): QueueOperation[] => {
      const { clientId, asked, call, return: returned, outcome, value } = record;
      if (asked.kind === "read") {
        return [];
      }
      const { operation } = asked;
      const base = { queue: operation.key, clientId, call, return: returned };
      if (operation.op === "add") {
        return [{ ...base, op: "add", value: operation.value }];
      }
      return [{ ...base, op: "out", value: outcome === "ok" && isScalar(value) ? value : null }];
    });
}

function registerWrites(records: readonly Recorded[]): KeyWrite[] {
  return records
    .filter((record) => record.keyKind === "register" && counts(record))
    .flatMap((record): KeyWrite[] => {
      const { asked, call, return: returned, outcome, value } = record;
      if (asked.kind === "read" || (outcome === "ok" && value === false)) {
        return []; // It has changed nothing.
      }
      const { operation } = asked;
      const base = { key: operation.key, call, return: returned };
      switch (operation.op) {
        case "put":
          return [{ ...base, value: operation.value }];
        case "delete":
          return [{ ...base, value: null }];
        case "cas":
          return [{ ...base, value: operation.to }];
        default:
          return [];
      }
    });
}

function sessionHistory(records: readonly Recorded[]): SessionOperation[] {
  return records
    .filter(({ outcome }) => outcome === "ok")
    .map(({ clientId, asked, call, return: returned, seq }) => ({
      session: clientId,
      log: "stream",
      kind: asked.kind === "request" ? ("write" as const) : ("read" as const),
      position: seq,
      call,
      return: returned,
    }));
}

// --- what is left -----------------------------------------------------------------------------------

function scalars(value: unknown): readonly Scalar[] {
  return Array.isArray(value) ? value.filter(isScalar) : [];
}

function keysOf(records: readonly Recorded[], kind: KeyKind): Set<string> {
  const own = records.filter((record) => record.keyKind === kind);
  return new Set(own.map(({ asked }) => (asked.kind === "read" ? asked.key : asked.operation.key)));
}

function finalScalars(
  records: readonly Recorded[],
  final: ReadonlyMap<string, unknown>,
): Map<string, Scalar | null> {
  const keys = [...keysOf(records, "register")];
  return new Map(
    keys.map((key) => {
      const value = final.get(key);
      return [key, isScalar(value) ? value : null];
    }),
  );
}

function finalLists(
  records: readonly Recorded[],
  final: ReadonlyMap<string, unknown>,
): Map<string, readonly Scalar[]> {
  return new Map([...keysOf(records, "queue")].map((key) => [key, scalars(final.get(key))]));
}
