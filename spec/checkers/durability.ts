/**
 * Is everything that was acknowledged still there at the end?
 *
 * Both checkers look at what is left when faults have stopped and the cluster is at rest. They prove that no
 * acknowledged write is gone and that nothing is there that nobody wrote; they prove nothing about
 * what readers saw on the way.
 */
import { type Findings, FindingsCollector } from "./findings.ts";
import { checkTimes, HistoryError, show } from "./history.ts";
import type { Scalar } from "./models.ts";

/** A write of a whole value; null deletes. Unknown outcome: `return: Infinity`. Refused ones are left out. */
export interface KeyWrite {
  readonly key: string;
  readonly value: Scalar | null;
  readonly call: number;
  readonly return: number;
}

/**
 * Each key's final value was written by a write that no acknowledged write of that key follows. Keys absent
 * from `final` are deleted or were never written. Kinds: `lost` and `phantom`.
 */
export function checkFinalValues(
  writes: readonly KeyWrite[],
  final: ReadonlyMap<string, Scalar | null>,
): Findings {
  checkTimes(writes);
  const findings = new FindingsCollector();
  const keys = new Map<string, KeyWrite[]>();
  for (const write of writes) {
    const list = keys.get(write.key);
    if (list === undefined) {
      keys.set(write.key, [write]);
    } else {
      list.push(write);
    }
  }
  for (const key of new Set([...keys.keys(), ...final.keys()])) {
    checkFinalValue(key, keys.get(key) ?? [], final.get(key) ?? null, findings);
  }
  return findings;
}

function checkFinalValue(
  key: string,
  writes: readonly KeyWrite[],
  value: Scalar | null,
  findings: FindingsCollector,
): void {
  const writers = writes.filter((write) => write.value === value);
  if (writers.length === 0 && value !== null) {
    findings.add("phantom", `key ${show(key)}: ends with ${show(value)}, which nobody wrote`);
    return;
  }
  // The absence before the first write counts as written before everything.
  const writtenBy = writers.reduce(
    (latest, write) => Math.max(latest, write.return),
    Number.NEGATIVE_INFINITY,
  );
  const lost = writes.find((write) => write.return !== Number.POSITIVE_INFINITY && write.call > writtenBy);
  if (lost !== undefined) {
    const ends = writers.length === 0 ? "ends without a value" : `ends with ${show(value)} of ${writtenBy}`;
    const gone = `${show(lost.value)}, written at [${lost.call}, ${lost.return}], is gone`;
    findings.add("lost", `key ${show(key)}: ${ends}; ${gone}`);
  }
}

/** An entry that a log acknowledged, and the position that it gave. Ids are unique. */
export interface AcknowledgedEntry {
  readonly id: string;
  readonly position: number;
}

export interface LogOutcome {
  readonly acknowledged: readonly AcknowledgedEntry[];
  /** Ids of all entries that anybody tried to append, acknowledged or not. */
  readonly attempted: ReadonlySet<string>;
  /** Ids that the cluster itself reported as lost (`async`, `sync`). In `strong` there are none. */
  readonly reportedLost?: ReadonlySet<string>;
  /** The committed log at rest: ids from position `firstPosition` on. */
  readonly log: readonly string[];
  readonly firstPosition: number;
}

/**
 * Every acknowledged entry stands once in the log, at its position, or was reported lost. Entries below
 * `firstPosition` (trimmed) are not judged. Kinds: `lost`, `moved`, `repeated`, `phantom`, and `resurrected`
 * for what was reported lost and is there.
 */
export function checkLog(outcome: LogOutcome): Findings {
  const findings = new FindingsCollector();
  const { attempted, firstPosition, log, reportedLost = new Set<string>() } = outcome;
  const positions = new Map<string, number>();
  for (const [index, id] of log.entries()) {
    const position = firstPosition + index;
    const first = positions.get(id);
    if (first === undefined) {
      positions.set(id, position);
    } else {
      findings.add("repeated", `${show(id)} stands at ${first} and at ${position}`);
    }
    if (!attempted.has(id)) {
      findings.add("phantom", `${show(id)} at ${position} was never appended`);
    }
    if (reportedLost.has(id)) {
      findings.add("resurrected", `${show(id)} at ${position} was reported lost`);
    }
  }
  for (const { id, position } of outcome.acknowledged) {
    const found = positions.get(id);
    if (!Number.isSafeInteger(position)) {
      throw new HistoryError(`${show(id)}: position must be an integer, not ${position}`);
    }
    if (position < firstPosition || reportedLost.has(id)) {
      continue;
    }
    if (found === undefined) {
      const there = show(log[position - firstPosition]);
      findings.add("lost", `${show(id)}, acknowledged at ${position}, is gone; there stands ${there}`);
    } else if (found !== position) {
      findings.add("moved", `${show(id)}, acknowledged at ${position}, stands at ${found}`);
    }
  }
  return findings;
}
