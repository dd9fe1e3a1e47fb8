/**
 * What a god who has read the committed log says about the run: it is one run of the operations, one after the
 * other; what was answered stands there as it was answered, or was reported lost where that is allowed; nothing
 * stands there that nobody asked for, that stood there before, or that somebody was told had not happened; reads
 * show what it has at their position; the final state is what it makes of an empty one (I11, I18, I21, I23).
 */
import { decodeBatch } from "../../../lib/stream/batch-codec.ts";
import { KIND_BATCH } from "../../../lib/stream/entry.ts";
import { checkEarlyAnswers, type LossReport, type StandingEntry } from "../../checkers/early-answers.ts";
import { show } from "../../checkers/history.ts";
import type { LogWrite } from "../../checkers/sessions.ts";
import { idOf, judgeReads } from "./committed-reads.ts";
import type { Finding, Recorded } from "./history.ts";
import { resolve } from "./workload.ts";
import { type Committed, epochKey } from "./world.ts";

interface Standing {
  readonly seq: number;
  readonly answer: unknown;
}

export interface LogOutcome {
  readonly committed: readonly Committed[];
  readonly records: readonly Recorded[];
  /** Whether nothing that was acknowledged may be missing. */
  readonly lasting: boolean;
  /** Whether a writer shows what it has not committed to reads that are not linearizable. */
  readonly showsUncommitted: boolean;
  readonly reports: readonly LossReport[];
  /** Epochs whose writer died with what it may have had to report, or has not yet learned what to report. */
  readonly silent: ReadonlySet<string>;
  /** Why an acknowledged request at this place may not be lost; null when it may. */
  mayNotLose(seq: number, epoch: string): string | null;
  /** The value of each key at rest. */
  readonly final: ReadonlyMap<string, unknown>;
}

export interface LogVerdict {
  readonly findings: readonly Finding[];
  /** What clients did and saw, without what was lost in an allowed way. */
  readonly survived: readonly Recorded[];
  /** What the log makes of an empty state. */
  readonly table: ReadonlyMap<string, unknown>;
  /** Acknowledged operations that were lost, each in an allowed way or with a finding. */
  readonly lost: number;
}

export function judgeCommitted(outcome: LogOutcome): LogVerdict {
  const requests = new Map<string, Recorded>();
  for (const record of outcome.records) {
    if (record.asked.kind === "request") {
      requests.set(idOf(record.clientId, record.asked.requestSeq), record);
    }
  }
  const findings: Finding[] = [];
  const { standing, table, writes, log } = replay(outcome.committed, requests, findings);
  for (const id of standing.keys()) {
    const record = requests.get(id);
    if (record === undefined || record.outcome === "refused") {
      const why = record === undefined ? "which nobody made" : "whose client was told that nothing was done";
      findings.push({ rule: "log", message: `the log holds the request ${id}, ${why}` });
    }
  }
  for (const [id, record] of requests) {
    if (record.outcome === "ok") {
      checkAnswered(id, record, standing.get(id), outcome.lasting, findings);
    }
  }
  const survived = outcome.lasting ? outcome.records : survivors(outcome, requests, standing, log, findings);
  for (const [key, value] of outcome.final) {
    const expected = table.get(key) ?? null;
    if (show(expected) !== show(value)) {
      const text = `key ${key} ends as ${show(value)}, the log makes it ${show(expected)}`;
      findings.push({ rule: "I21", message: text });
    }
  }
  findings.push(...judgeReads(outcome.records, writes, outcome.showsUncommitted));
  const acknowledged = (records: readonly Recorded[]): number =>
    records.filter(({ asked, outcome: how }) => asked.kind === "request" && how === "ok").length;
  return { findings, survived, table, lost: acknowledged(outcome.records) - acknowledged(survived) };
}

function checkAnswered(
  id: string,
  { seq, value }: Recorded,
  stands: Standing | undefined,
  lasting: boolean,
  findings: Finding[],
): void {
  if (stands === undefined && lasting) {
    findings.push({ rule: "I11", message: `the request ${id}, answered at ${seq}, is not in the log` });
  } else if (stands !== undefined && stands.seq !== seq && lasting) {
    findings.push({ rule: "I11", message: `the request ${id}, answered at ${seq}, stands at ${stands.seq}` });
  } else if (stands?.seq === seq && show(stands.answer) !== show(value)) {
    const text = `the request ${id} was answered ${show(value)}, the log has ${show(stands.answer)}`;
    findings.push({ rule: "I18", message: text });
  }
}

// --- the log as one run of the operations -------------------------------------------------------------

function replay(
  committed: readonly Committed[],
  requests: ReadonlyMap<string, Recorded>,
  findings: Finding[],
): {
  readonly standing: Map<string, Standing>;
  readonly table: Map<string, unknown>;
  readonly writes: LogWrite[];
  readonly log: StandingEntry[];
} {
  const standing = new Map<string, Standing>();
  const table = new Map<string, unknown>();
  const writes: LogWrite[] = [];
  const log: StandingEntry[] = [];
  for (const [seq, { kind, payload, epoch }] of committed.entries()) {
    const ids: string[] = [];
    for (const row of seq > 0 && kind === KIND_BATCH ? decodeBatch(payload) : []) {
      if (row.kind !== "request") {
        continue;
      }
      const id = idOf(row.clientId, row.requestSeq);
      ids.push(id);
      if (standing.has(id)) {
        findings.push({ rule: "I18", message: `the request ${id} takes effect at ${seq} once more` });
        continue;
      }
      standing.set(id, { seq, answer: row.answer });
      checkResolved(id, seq, row, requests.get(id), table, findings);
      for (const change of row.changes) {
        const value = "deleted" in change ? undefined : change.value;
        table.set(change.key, value);
        writes.push({ position: seq, key: change.key, value: value === undefined ? null : show(value) });
      }
    }
    log.push({ position: seq, epoch: epochKey(epoch), ids });
  }
  return { standing, table, writes, log };
}

/** The writer resolved the request against exactly what stands before it in the log. */
function checkResolved(
  id: string,
  seq: number,
  row: { readonly answer: unknown; readonly changes: readonly unknown[] },
  record: Recorded | undefined,
  table: ReadonlyMap<string, unknown>,
  findings: Finding[],
): void {
  if (record?.asked.kind === "request") {
    const { answer, changes } = resolve({ get: (key) => table.get(key) }, record.asked.operation);
    const expected = `${show(answer)} by ${show(changes)}`;
    const found = `${show(row.answer)} by ${show(row.changes)}`;
    if (expected !== found) {
      const text = `the request ${id} at ${seq} is ${found}, behind what stands before it it is ${expected}`;
      findings.push({ rule: "order", message: text });
    }
  }
}

// --- what may be lost ---------------------------------------------------------------------------------

/** Takes what was lost, as far as that is allowed, out of what clients did and saw. */
function survivors(
  { records, reports, silent, mayNotLose }: LogOutcome,
  requests: ReadonlyMap<string, Recorded>,
  standing: ReadonlyMap<string, Standing>,
  log: readonly StandingEntry[],
  findings: Finding[],
): Recorded[] {
  const answers = [...requests].flatMap(([id, { outcome, epoch, seq, call, return: returned }]) =>
    outcome === "ok" ? [{ id, epoch, position: seq, call, return: returned }] : [],
  );
  const early = checkEarlyAnswers({ answers, log, reports, silent });
  for (const { kind, message } of early.findings.violations) {
    findings.push({ rule: "I23", message: `${kind}: ${message}` });
  }
  for (const { id, position, epoch } of answers) {
    const why = early.fates.get(id) === "survived" ? null : mayNotLose(position, epoch);
    if (why !== null) {
      findings.push({ rule: "loss", message: `${id}, acknowledged at ${position}, is lost: ${why}` });
    }
  }
  return records.flatMap((record): Recorded[] => {
    const { asked, clientId, outcome } = record;
    if (asked.kind === "read") {
      // Others may show what was lost since.
      return asked.mode === "quorum" ? [record] : [];
    }
    const id = idOf(clientId, asked.requestSeq);
    const fate = outcome === "ok" ? early.fates.get(id) : standing.has(id) ? "survived" : "lost";
    if (fate === "again") {
      return [{ ...record, outcome: "unknown", return: Number.POSITIVE_INFINITY, value: null }];
    }
    return fate === "lost" ? [] : [record];
  });
}
