/**
 * What a god who has read the committed log says about the run: what was answered stands there as it was
 * answered, nothing stands there that nobody asked for or that somebody was told had not happened, each request
 * took effect once, and the final state is what the log makes of an empty one (I11, I18, I21, I23).
 */
import { decodeBatch } from "../../../lib/stream/batch-codec.ts";
import { KIND_BATCH } from "../../../lib/stream/entry.ts";
import { show } from "../../checkers/history.ts";
import type { Finding, Recorded } from "./history.ts";
import type { Committed } from "./world.ts";

interface Standing {
  readonly seq: number;
  readonly answer: unknown;
}

export interface LogOutcome {
  readonly committed: readonly Committed[];
  readonly records: readonly Recorded[];
  /** Whether nothing that was acknowledged may be missing. */
  readonly lasting: boolean;
  /** By owner of an epoch: answered requests that its replica reported lost; null when it could not report. */
  readonly reportedLost: ReadonlyMap<string, number | null>;
  /** The value of each key at rest. */
  readonly final: ReadonlyMap<string, unknown>;
}

export function judgeCommitted(outcome: LogOutcome): Finding[] {
  const { standing, table } = replay(outcome.committed);
  const findings: Finding[] = [];
  const requests = new Map<string, Recorded>();
  for (const record of outcome.records) {
    if (record.asked.kind === "request") {
      requests.set(idOf(record.clientId, record.asked.requestSeq), record);
    }
  }
  for (const id of standing.keys()) {
    const record = requests.get(id);
    if (record === undefined || record.outcome === "refused") {
      const why = record === undefined ? "which nobody made" : "whose client was told that nothing was done";
      findings.push({ rule: "log", message: `the log holds the request ${id}, ${why}` });
    }
  }
  const missing = new Map<string, string[]>();
  for (const [id, record] of requests) {
    if (record.outcome === "ok") {
      checkAnswered(id, record, standing.get(id), outcome.lasting, missing, findings);
    }
  }
  for (const [owner, ids] of missing) {
    const reported = outcome.reportedLost.get(owner);
    if (reported !== null && ids.length > (reported ?? 0)) {
      const text = `${ids.length} answered requests of epochs of ${owner} are gone, ${ids.slice(0, 3).join(", ")}`;
      findings.push({ rule: "I23", message: `${text}; it reported ${reported ?? 0}` });
    }
  }
  for (const [key, value] of outcome.final) {
    const expected = table.get(key) ?? null;
    if (show(expected) !== show(value)) {
      const text = `key ${key} ends as ${show(value)}, the log makes it ${show(expected)}`;
      findings.push({ rule: "I21", message: text });
    }
  }
  return findings;
}

function checkAnswered(
  id: string,
  { seq, value, epoch }: Recorded,
  stands: Standing | undefined,
  lasting: boolean,
  missing: Map<string, string[]>,
  findings: Finding[],
): void {
  if (stands === undefined && !lasting) {
    missing.set(epoch, [...(missing.get(epoch) ?? []), id]);
  } else if (stands === undefined) {
    findings.push({ rule: "I11", message: `the request ${id}, answered at ${seq}, is not in the log` });
  } else if (stands.seq !== seq && lasting) {
    findings.push({ rule: "I11", message: `the request ${id}, answered at ${seq}, stands at ${stands.seq}` });
  } else if (stands.seq === seq && show(stands.answer) !== show(value)) {
    const text = `the request ${id} was answered ${show(value)}, the log has ${show(stands.answer)}`;
    findings.push({ rule: "I18", message: text });
  }
}

/** A request counts where it stands first; standing there again it changes nothing. */
function replay(committed: readonly Committed[]): {
  readonly standing: Map<string, Standing>;
  readonly table: Map<string, unknown>;
} {
  const standing = new Map<string, Standing>();
  const table = new Map<string, unknown>();
  for (const [seq, { kind, payload }] of committed.entries()) {
    for (const row of seq > 0 && kind === KIND_BATCH ? decodeBatch(payload) : []) {
      if (row.kind !== "request" || standing.has(idOf(row.clientId, row.requestSeq))) {
        continue;
      }
      standing.set(idOf(row.clientId, row.requestSeq), { seq, answer: row.answer });
      for (const change of row.changes) {
        if ("deleted" in change) {
          table.delete(change.key);
        } else {
          table.set(change.key, change.value);
        }
      }
    }
  }
  return { standing, table };
}

function idOf(clientId: string, requestSeq: number): string {
  return `${clientId} ${requestSeq}`;
}
