/**
 * What the clients of a chaos run did and saw, and the verdict of the checkers on it.
 *
 * Times count calls and returns, shared by everybody. An operation of unknown outcome has no return. A refused
 * one is left out: it certainly did nothing.
 */
import { checkFinalValues, type KeyWrite } from "../../spec/checkers/durability.ts";
import { ANY, type Operation } from "../../spec/checkers/history.ts";
import { checkLinearizability, explain } from "../../spec/checkers/linearizability.ts";
import { type KeyValueInput, keyValueModel, type Scalar } from "../../spec/checkers/models.ts";
import type { Change, Outcome } from "./target.ts";

/** Beyond this the search for an order is given up, which counts as a violation: nothing is proved. */
const SEARCH_MAX_MS = 60_000;
const SHOWN_MAX = 5;

export type Asked =
  | { readonly kind: "write"; readonly changes: readonly Change[] }
  | { readonly kind: "read"; readonly key: string };

export interface Recorded {
  readonly clientId: string;
  readonly partition: number;
  readonly asked: Asked;
  readonly call: number;
  /** Since the run began. */
  readonly calledAtMs: number;
  return: number;
  tookMs: number;
  outcome: "open" | "ok" | "refused" | "unknown";
  /** What an answered read saw. */
  value: string | null;
  /** How many deletions of an answered write found something. */
  deleted: number;
  /** Why there was no answer. */
  why?: string;
}

/** What an answer says: of a read the value, of a write the deletions. */
export interface Seen {
  readonly value: string | null;
  readonly deleted: number;
}

/** Takes down every operation; one for all clients of a run. */
export class Recorder {
  readonly records: Recorded[] = [];
  readonly #startedAt = performance.now();
  #time = 0;

  /** Runs an operation and takes down what it came to. */
  async run(
    clientId: string,
    partition: number,
    asked: Asked,
    operate: () => Promise<Outcome<Seen>>,
  ): Promise<Recorded> {
    this.#time += 1;
    const calledAtMs = performance.now() - this.#startedAt;
    const record: Recorded = {
      clientId,
      partition,
      asked,
      call: this.#time,
      calledAtMs,
      return: Number.POSITIVE_INFINITY,
      tookMs: 0,
      outcome: "open",
      value: null,
      deleted: 0,
    };
    this.records.push(record);
    const outcome = await operate();
    record.outcome = outcome.status;
    record.tookMs = performance.now() - this.#startedAt - calledAtMs;
    this.#time += 1;
    if (outcome.status === "ok") {
      record.return = this.#time;
      record.value = outcome.value.value;
      record.deleted = outcome.value.deleted;
    } else {
      record.why = outcome.why;
    }
    return record;
  }

  /** Every key that anybody wrote or read, with its partition. */
  keys(): ReadonlyMap<string, number> {
    const keys = new Map<string, number>();
    for (const { asked, partition } of this.records) {
      for (const key of keysOf(asked)) {
        keys.set(key, partition);
      }
    }
    return keys;
  }
}

export function keysOf(asked: Asked): readonly string[] {
  return asked.kind === "read" ? [asked.key] : asked.changes.map(({ key }) => key);
}

export interface Verdict {
  /** Keys of which an acknowledged write is gone. */
  readonly lost: number;
  readonly linearizable: boolean;
  /** Steps of the search. */
  readonly steps: number;
  /** What is wrong, for people. */
  readonly violations: readonly string[];
}

/** `final`: the value of each key at the end, read when everything was at rest. */
export function judge(records: readonly Recorded[], final: ReadonlyMap<string, string | null>): Verdict {
  const violations: string[] = [];
  const { lost, shown } = judgeFinal(records, final);
  violations.push(...shown, ...judgePairs(records, final));
  const history = records.flatMap((record) => operationsOf(record));
  const timeLimit = { now: () => performance.now(), limitMs: SEARCH_MAX_MS };
  const verdict = checkLinearizability(keyValueModel(), history, { timeLimit });
  if (verdict.verdict !== "linearizable") {
    violations.push(`linearizability: ${explain(verdict)}`);
  }
  const linearizable = verdict.verdict === "linearizable";
  return { lost, linearizable, steps: verdict.steps, violations };
}

/** Each change of a write is an operation of its own key; a write has at most one deletion. */
function operationsOf(record: Recorded): Operation<KeyValueInput, Scalar | null>[] {
  const { clientId, asked, call, return: returned, outcome, value, deleted } = record;
  if (outcome === "refused") {
    return [];
  }
  if (asked.kind === "read") {
    return outcome === "ok"
      ? [{ clientId, input: { op: "get", key: asked.key }, call, output: value, return: returned }]
      : [];
  }
  return asked.changes.map((change) => {
    const { key } = change;
    const input: KeyValueInput =
      change.op === "put" ? { op: "put", key, value: change.value } : { op: "delete", key };
    const output = outcome === "ok" ? change.op === "put" || deleted > 0 : ANY;
    return { clientId, input, call, output, return: returned };
  });
}

function judgeFinal(
  records: readonly Recorded[],
  final: ReadonlyMap<string, string | null>,
): { lost: number; shown: string[] } {
  const byKey = new Map<string, KeyWrite[]>();
  for (const { asked, outcome, call, return: returned } of records) {
    if (asked.kind === "write" && outcome !== "refused") {
      for (const change of asked.changes) {
        const value = change.op === "put" ? change.value : null;
        const writes = byKey.get(change.key) ?? [];
        byKey.set(change.key, [...writes, { key: change.key, value, call, return: returned }]);
      }
    }
  }
  let lost = 0;
  const wrong: string[] = [];
  for (const [key, writes] of byKey) {
    const { violations } = checkFinalValues(writes, new Map([[key, final.get(key) ?? null]]));
    lost += violations.some(({ kind }) => kind === "lost") ? 1 : 0;
    wrong.push(...violations.map(({ kind, message }) => `${kind}: ${message}`));
  }
  const rest = wrong.length - SHOWN_MAX;
  const more = rest > 0 ? [`and ${rest} more keys that end with what they should not`] : [];
  return { lost, shown: [...wrong.slice(0, SHOWN_MAX), ...more] };
}

/** Keys that are always written together, with one value, end with one value. */
function judgePairs(records: readonly Recorded[], final: ReadonlyMap<string, string | null>): string[] {
  const torn = new Map<string, string>();
  for (const { asked } of records) {
    if (asked.kind === "write" && asked.changes.length > 1) {
      const values = new Set(asked.changes.map(({ key }) => final.get(key) ?? null));
      if (values.size > 1) {
        const keys = keysOf(asked).join(" and ");
        torn.set(keys, `torn: ${keys} are written together and end with ${[...values].join(" and ")}`);
      }
    }
  }
  return [...torn.values()].slice(0, SHOWN_MAX);
}
