/**
 * Whether reads show what the committed log has at their position. A read that may show what its writer has not
 * committed shows either that, or at least nothing that nobody asked for.
 */
import { show } from "../../checkers/history.ts";
import { checkReadsAgainstLog, type LogWrite } from "../../checkers/sessions.ts";
import type { Finding, Recorded } from "./history.ts";
import { isScalar } from "./workload.ts";

export function idOf(clientId: string, requestSeq: number): string {
  return `${clientId} ${requestSeq}`;
}

/** `writes`: the committed log; values as `show` has them. */
export function judgeReads(
  records: readonly Recorded[],
  writes: readonly LogWrite[],
  showsUncommitted: boolean,
): Finding[] {
  const asked = askedValues(records);
  return records.flatMap((record): Finding[] => {
    const { asked: read, outcome, value, seq, keyKind } = record;
    if (read.kind === "request" || outcome !== "ok") {
      return [];
    }
    const shown = value === null ? null : show(value);
    const { violations } = checkReadsAgainstLog(writesOf(writes, read.key), [
      { key: read.key, position: seq, value: shown },
    ]);
    if (violations.length === 0) {
      return [];
    }
    const what = `${read.mode} read by ${record.clientId}: ${violations[0]?.message}`;
    if (!showsUncommitted || read.mode === "quorum") {
      return [{ rule: "reads", message: what }];
    }
    const invented = keyKind === "counter" ? [] : inventedIn(value, asked.get(read.key) ?? new Set());
    return invented.length === 0
      ? []
      : [{ rule: "reads", message: `${what}; nobody asked for ${show(invented)}` }];
  });
}

function writesOf(writes: readonly LogWrite[], key: string): LogWrite[] {
  return writes.filter((write) => write.key === key);
}

/** By key: every value that anybody wanted there, unless told that nothing was done. */
function askedValues(records: readonly Recorded[]): Map<string, Set<unknown>> {
  const found = new Map<string, Set<unknown>>();
  for (const { asked, outcome } of records) {
    if (asked.kind === "request" && outcome !== "refused") {
      const { operation } = asked;
      const wanted = "value" in operation ? operation.value : "to" in operation ? operation.to : null;
      found.set(operation.key, (found.get(operation.key) ?? new Set()).add(wanted));
    }
  }
  return found;
}

/** Values that nobody wanted, and those that stand twice. */
function inventedIn(value: unknown, asked: ReadonlySet<unknown>): unknown[] {
  const parts: readonly unknown[] = Array.isArray(value) ? value : [value];
  return parts.filter((part, index) => isScalar(part) && (!asked.has(part) || parts.indexOf(part) < index));
}
