/**
 * Logs that answer before they commit (`async`; `sync` on disk): acknowledged = survived + reported lost.
 *
 * Such a log may lose what it has acknowledged, and must say so, entry by entry. What survives keeps the order
 * in which the writer of its epoch has answered: the lost part of an epoch is its end, and among the answers of
 * one epoch a later one stands further on. Proved: nothing is lost in silence, nothing is called lost that is
 * there, nothing stands twice. Not proved: that anything survives, for which the log must have been fit to.
 *
 * `fates` tells what became of each answer. A history without those that are lost is to be as good as one of a
 * log that loses nothing: they certainly did nothing.
 */
import { type Findings, FindingsCollector } from "./findings.ts";
import { checkTimes } from "./history.ts";

/** An acknowledged request: the entry that carries it, by what the answer said. */
export interface EarlyAnswer {
  /** Unique. */
  readonly id: string;
  /** Of the entry; epochs are names, their order has no meaning here. */
  readonly epoch: string;
  readonly position: number;
  readonly call: number;
  readonly return: number;
}

/** A committed entry and the requests in it. */
export interface StandingEntry {
  readonly position: number;
  readonly epoch: string;
  readonly ids: readonly string[];
}

/** An entry that its writer has reported as lost, with so many acknowledged requests. */
export interface LossReport {
  readonly epoch: string;
  readonly position: number;
  readonly answered: number;
}

export interface EarlyOutcome {
  readonly answers: readonly EarlyAnswer[];
  /** The committed log at rest, whole. */
  readonly log: readonly StandingEntry[];
  readonly reports: readonly LossReport[];
  /** Epochs whose writer died, perhaps with what it had to report. */
  readonly silent: ReadonlySet<string>;
}

/** "again": lost, but a late copy of the request took effect after all, at another place. */
export type Fate = "survived" | "lost" | "again";

/**
 * Kinds: `repeated` (a request stands twice), `unreported` (an acknowledged request is gone and nobody says so),
 * `denied` (an entry reported lost stands in the log), `hole` (an answer is lost though a later one of its epoch
 * survived), `reordered` (an answer stands at or before one of its epoch that returned before its call).
 */
export function checkEarlyAnswers(outcome: EarlyOutcome): {
  readonly findings: Findings;
  readonly fates: ReadonlyMap<string, Fate>;
} {
  const { answers, log, reports, silent } = outcome;
  checkTimes(answers);
  const findings = new FindingsCollector();
  const places = placesOf(log, findings);
  const epochs = new Map(log.map(({ position, epoch }) => [position, epoch]));
  const reported = new Map<string, number>();
  for (const { epoch, position, answered } of reports) {
    reported.set(entryKey(epoch, position), answered);
    if (epochs.get(position) === epoch) {
      findings.add("denied", `entry ${position} of epoch ${epoch} was reported lost and stands in the log`);
    }
  }
  const fates = new Map<string, Fate>();
  const gone = new Map<string, EarlyAnswer[]>();
  for (const answer of answers) {
    const { id, epoch, position } = answer;
    const there = places.get(id);
    const survived = there?.position === position && there.epoch === epoch;
    fates.set(id, survived ? "survived" : there === undefined ? "lost" : "again");
    if (!survived) {
      const key = entryKey(epoch, position);
      gone.set(key, [...(gone.get(key) ?? []), answer]);
    }
  }
  for (const [key, lost] of gone) {
    const told = reported.get(key) ?? 0;
    const [first] = lost;
    if (first !== undefined && lost.length > told && !silent.has(first.epoch)) {
      const where = `entry ${first.position} of epoch ${first.epoch}`;
      const what = `${lost.length} acknowledged requests are gone, ${first.id} among them`;
      findings.add("unreported", `${where}: ${what}; ${told} were reported`);
    }
  }
  for (const own of byEpoch(answers).values()) {
    checkOrder(own, fates, findings);
  }
  return { findings, fates };
}

function placesOf(log: readonly StandingEntry[], findings: FindingsCollector): Map<string, StandingEntry> {
  const places = new Map<string, StandingEntry>();
  for (const entry of log) {
    for (const id of entry.ids) {
      const first = places.get(id);
      if (first === undefined) {
        places.set(id, entry);
      } else {
        findings.add("repeated", `the request ${id} stands at ${first.position} and at ${entry.position}`);
      }
    }
  }
  return places;
}

function byEpoch(answers: readonly EarlyAnswer[]): Map<string, EarlyAnswer[]> {
  const epochs = new Map<string, EarlyAnswer[]>();
  for (const answer of answers) {
    const own = epochs.get(answer.epoch);
    if (own === undefined) {
      epochs.set(answer.epoch, [answer]);
    } else {
      own.push(answer);
    }
  }
  return epochs;
}

/** The order of the writer of one epoch. */
function checkOrder(
  answers: readonly EarlyAnswer[],
  fates: ReadonlyMap<string, Fate>,
  findings: FindingsCollector,
): void {
  const survivors = answers.filter(({ id }) => fates.get(id) === "survived");
  const lastKept = survivors.reduce((last, { position }) => Math.max(last, position), -1);
  const hole = answers.find(({ id, position }) => fates.get(id) !== "survived" && position <= lastKept);
  if (hole !== undefined) {
    const { id, epoch, position } = hole;
    findings.add("hole", `${id}, acknowledged at ${position} of ${epoch}, is gone; ${lastKept} of it stands`);
  }
  const steps = answers.flatMap((answer) => [
    { answer, time: answer.call, returns: false },
    { answer, time: answer.return, returns: true },
  ]);
  steps.sort((left, right) => left.time - right.time || Number(left.returns) - Number(right.returns));
  let furthest: EarlyAnswer | null = null;
  for (const { answer, returns } of steps) {
    if (returns) {
      furthest = furthest === null || answer.position > furthest.position ? answer : furthest;
    } else if (furthest !== null && answer.position <= furthest.position) {
      const { id, position, epoch } = answer;
      const before = `${furthest.id}, which had returned before it was called, at ${furthest.position}`;
      findings.add("reordered", `epoch ${epoch}: ${id} is at ${position}, ${before}`);
    }
  }
}

function entryKey(epoch: string, position: number): string {
  return `${position} ${epoch}`;
}
