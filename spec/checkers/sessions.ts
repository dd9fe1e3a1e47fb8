/**
 * What a session may expect of reads that are not linearizable, checked by position in the log.
 *
 * A session is one client, or one node handle. Every write is answered with the position at which it
 * stands, every read with the position up to which the answering replica had applied. Proved: within a
 * session, what came before in real time is never missing. Not proved: anything between sessions, and that the
 * replica did apply what it claims, for which `checkReadsAgainstLog` looks at the values.
 */
import { type Findings, FindingsCollector } from "./findings.ts";
import { checkTimes, show } from "./history.ts";
import type { Scalar } from "./models.ts";

/** An answered operation; operations without known outcome are left out. */
export interface SessionOperation {
  readonly session: number | string;
  /** Positions are comparable within one log only. */
  readonly log: string;
  readonly kind: "read" | "write";
  readonly position: number;
  readonly call: number;
  readonly return: number;
}

/**
 * Kinds: `read your writes`, `monotonic reads`, `monotonic writes` (a later write stands before an
 * earlier one), `writes follow reads` (a write stands at or before what the session had read). Operations that
 * overlap are not compared.
 */
export function checkSessions(history: readonly SessionOperation[]): Findings {
  checkTimes(history);
  const findings = new FindingsCollector();
  for (const operations of bySessionAndLog(history)) {
    checkSession(operations, findings);
  }
  return findings;
}

function bySessionAndLog(history: readonly SessionOperation[]): SessionOperation[][] {
  const sessions = new Map<SessionOperation["session"], Map<string, SessionOperation[]>>();
  for (const operation of history) {
    const logs = sessions.get(operation.session) ?? new Map<string, SessionOperation[]>();
    const operations = logs.get(operation.log) ?? [];
    operations.push(operation);
    sessions.set(operation.session, logs.set(operation.log, operations));
  }
  return [...sessions.values()].flatMap((logs) => [...logs.values()]);
}

/** One pass in time order: a return adds to the past, a call is compared with it. */
function checkSession(operations: readonly SessionOperation[], findings: FindingsCollector): void {
  const steps = operations.flatMap((operation) => [
    { operation, time: operation.call, order: 0 },
    { operation, time: operation.return, order: 1 },
  ]);
  steps.sort((a, b) => a.time - b.time || a.order - b.order);
  const furthest: { read?: SessionOperation; write?: SessionOperation } = {};
  for (const { operation, order } of steps) {
    if (order === 1) {
      if (operation.position > (furthest[operation.kind]?.position ?? Number.NEGATIVE_INFINITY)) {
        furthest[operation.kind] = operation;
      }
    } else if (operation.kind === "read") {
      compare("read your writes", furthest.write, operation, (before, now) => now >= before, findings);
      compare("monotonic reads", furthest.read, operation, (before, now) => now >= before, findings);
    } else {
      compare("monotonic writes", furthest.write, operation, (before, now) => now > before, findings);
      compare("writes follow reads", furthest.read, operation, (before, now) => now > before, findings);
    }
  }
}

function compare(
  kind: string,
  before: SessionOperation | undefined,
  now: SessionOperation,
  holds: (before: number, now: number) => boolean,
  findings: FindingsCollector,
): void {
  if (before !== undefined && !holds(before.position, now.position)) {
    const where = `session ${now.session}, log ${show(now.log)}`;
    const first = `${before.kind} at [${before.call}, ${before.return}] had position ${before.position}`;
    const second = `${now.kind} at [${now.call}, ${now.return}] has ${now.position}`;
    findings.add(kind, `${where}: ${first}, ${second}`);
  }
}

/** One committed effect on a key; null deletes. */
export interface LogWrite {
  readonly position: number;
  readonly key: string;
  readonly value: Scalar | null;
}

/** A read and the position that it claims to show. */
export interface PositionedRead {
  readonly key: string;
  readonly position: number;
  readonly value: Scalar | null;
}

/**
 * Each read shows exactly what the log up to its position says: nothing that is gone, nothing that was never
 * committed, no value come back after its deletion. `log` may be in any order. Kind: `wrong value`.
 */
export function checkReadsAgainstLog(log: readonly LogWrite[], reads: readonly PositionedRead[]): Findings {
  const findings = new FindingsCollector();
  const values = new Map<string, LogWrite>();
  const writes = log.toSorted((a, b) => a.position - b.position);
  let applied = 0;
  for (const read of reads.toSorted((a, b) => a.position - b.position)) {
    for (
      let next = writes[applied];
      next !== undefined && next.position <= read.position;
      next = writes[applied]
    ) {
      values.set(next.key, next);
      applied += 1;
    }
    const written = values.get(read.key);
    if ((written?.value ?? null) !== read.value) {
      const expected = written === undefined ? "nothing" : `${show(written.value)} of ${written.position}`;
      const claim = `read at position ${read.position} shows ${show(read.value)}`;
      findings.add("wrong value", `key ${show(read.key)}: ${claim}, the log has ${expected}`);
    }
  }
  return findings;
}
