/**
 * Lists to which clients append unique values and which they read whole: is everything in its place?
 *
 * Since the values are unique, the longest read of a key tells the order of its appends, and each rule can
 * be checked in one pass over the events in time order. With all reads fresh the rules together are exactly
 * linearizability of each list; the search that this needs elsewhere is not needed here. What is proved: no
 * acknowledged append is lost while somebody reads, none is there twice or in another order than real time or
 * another read has it, none appears from nowhere. What is not: anything about a value that nobody read.
 */

import { type Findings, FindingsCollector } from "./findings.ts";
import { ANY, checkTimes, HistoryError, type Operation, show } from "./history.ts";
import type { ListInput, Scalar } from "./models.ts";

/** Appends answer true, or false when they certainly did nothing; reads answer the list. */
export type ListOperation = Operation<ListInput, boolean | readonly Scalar[]> & {
  /** A read that may lag behind (`local`) is checked for its content only. Default false. */
  readonly stale?: boolean;
};

interface Append {
  readonly value: Scalar;
  readonly call: number;
  readonly return: number;
  readonly acknowledged: boolean;
  readonly refused: boolean;
}

interface Read {
  readonly list: readonly Scalar[];
  readonly call: number;
  readonly return: number;
  readonly stale: boolean;
}

/** Everything about one key. */
interface KeyHistory {
  readonly appends: Map<Scalar, Append>;
  readonly reads: Read[];
}

/**
 * Kinds: `phantom` (read, never appended, refused, or appended only later), `repeated` (twice in one read),
 * `incompatible` (two reads of which neither is the beginning of the other), `lost` (acknowledged, then not in
 * a later read or overtaken for good), `reordered` (appended after, placed before), `went back` (a read
 * that is shorter than an earlier one).
 */
export function checkAppendLists(history: readonly ListOperation[]): Findings {
  checkTimes(history);
  const findings = new FindingsCollector();
  for (const [key, keyHistory] of byKey(history)) {
    checkKey(key, keyHistory, findings);
  }
  return findings;
}

function byKey(history: readonly ListOperation[]): Map<string, KeyHistory> {
  const keys = new Map<string, KeyHistory>();
  for (const operation of history) {
    const { input, output, call, return: returned } = operation;
    const entry = keys.get(input.key) ?? { appends: new Map<Scalar, Append>(), reads: [] };
    keys.set(input.key, entry);
    if (input.op === "append") {
      if (entry.appends.has(input.value)) {
        throw new HistoryError(`key ${show(input.key)}: ${show(input.value)} is appended twice`);
      }
      const known = returned !== Number.POSITIVE_INFINITY;
      const refused = output === false && known;
      entry.appends.set(input.value, {
        value: input.value,
        call,
        return: returned,
        acknowledged: known && !refused,
        refused,
      });
    } else if (typeof output === "object" && returned !== Number.POSITIVE_INFINITY) {
      entry.reads.push({ list: output, call, return: returned, stale: operation.stale === true });
    } else if (output !== ANY && returned !== Number.POSITIVE_INFINITY) {
      throw new HistoryError(`key ${show(input.key)}: a read answered ${show(output)}, not a list`);
    }
  }
  return keys;
}

function checkKey(key: string, { appends, reads }: KeyHistory, findings: FindingsCollector): void {
  const longest = reads.reduce<readonly Scalar[]>(
    (best, { list }) => (list.length > best.length ? list : best),
    [],
  );
  const places = new Map(longest.map((value, place): [Scalar, number] => [value, place]));
  for (const read of reads) {
    checkContent(key, read, longest, appends, findings);
  }
  checkOrder(key, places, { appends, reads }, findings);
}

/** The rules for one read: made of known values, each once, a beginning of the longest. */
function checkContent(
  key: string,
  read: Read,
  longest: readonly Scalar[],
  appends: ReadonlyMap<Scalar, Append>,
  findings: FindingsCollector,
): void {
  const where = `key ${show(key)}, read at [${read.call}, ${read.return}]`;
  const seen = new Set<Scalar>();
  let compatible = true;
  for (const [place, value] of read.list.entries()) {
    const append = appends.get(value);
    if (seen.has(value)) {
      findings.add("repeated", `${where}: ${show(value)} is there twice`);
    }
    seen.add(value);
    if (append === undefined || append.refused) {
      findings.add("phantom", `${where}: ${show(value)} was ${append ? "refused" : "never appended"}`);
    } else if (append.call > read.return) {
      findings.add("phantom", `${where}: ${show(value)} was appended only at ${append.call}`);
    }
    if (compatible && longest[place] !== value) {
      compatible = false;
      const other = show(longest[place]);
      findings.add("incompatible", `${where}: place ${place} has ${show(value)}, in a longer read ${other}`);
    }
  }
}

/** What has happened for certain by some instant: the furthest place taken, by whom, and the longest read. */
interface Past {
  place: number;
  append: Append | undefined;
  read: Read | undefined;
}

/** The rules about real time, in one pass: every return adds to the past, every call is compared with it. */
function checkOrder(
  key: string,
  places: ReadonlyMap<Scalar, number>,
  { appends, reads }: KeyHistory,
  findings: FindingsCollector,
): void {
  const past: Past = { place: -1, append: undefined, read: undefined };
  const where = `key ${show(key)}`;
  for (const step of inTimeOrder([...appends.values()], reads)) {
    if (step.at === "append called") {
      checkAppendCalled(where, step.append, places, past, findings);
    } else if (step.at === "read called") {
      checkReadCalled(where, step.read, past, findings);
    } else if (step.at === "append returned") {
      const place = places.get(step.append.value) ?? Number.POSITIVE_INFINITY;
      if (place > past.place) {
        past.place = place;
        past.append = step.append;
      }
    } else if (step.at === "read returned") {
      past.read = step.read.list.length > (past.read?.list.length ?? -1) ? step.read : past.read;
    }
  }
}

function checkAppendCalled(
  where: string,
  append: Append,
  places: ReadonlyMap<Scalar, number>,
  past: Past,
  findings: FindingsCollector,
): void {
  const place = places.get(append.value);
  if (past.append === undefined || place === undefined || place > past.place) {
    return;
  }
  const before = `${show(past.append.value)}, acknowledged at ${past.append.return}`;
  const after = `${show(append.value)}, appended at ${append.call}`;
  if (past.place === Number.POSITIVE_INFINITY) {
    findings.add("lost", `${where}: ${before}, is in no read; ${after}, is`);
  } else {
    findings.add("reordered", `${where}: ${before}, stands behind ${after}`);
  }
}

function checkReadCalled(where: string, read: Read, past: Past, findings: FindingsCollector): void {
  const { length } = read.list;
  const reading = `${where}, read at [${read.call}, ${read.return}]`;
  if (past.append !== undefined && past.place >= length) {
    const { value, return: at } = past.append;
    findings.add("lost", `${reading}: lacks ${show(value)}, acknowledged at ${at}`);
  }
  if (past.read !== undefined && past.read.list.length > length) {
    const before = `${past.read.list.length} values were there at ${past.read.return}`;
    findings.add("went back", `${reading}: ${length} values, ${before}`);
  }
}

type Step =
  | { readonly at: "append called"; readonly append: Append; readonly time: number }
  | { readonly at: "append returned"; readonly append: Append; readonly time: number }
  | { readonly at: "read called"; readonly read: Read; readonly time: number }
  | { readonly at: "read returned"; readonly read: Read; readonly time: number };

/** Calls of all appends that may have happened, returns of acknowledged ones, fresh reads; calls first. */
function inTimeOrder(appends: readonly Append[], reads: readonly Read[]): Step[] {
  const steps: Step[] = [];
  for (const append of appends) {
    if (!append.refused) {
      steps.push({ at: "append called", append, time: append.call });
    }
    if (append.acknowledged) {
      steps.push({ at: "append returned", append, time: append.return });
    }
  }
  for (const read of reads.filter(({ stale }) => !stale)) {
    steps.push({ at: "read called", read, time: read.call });
    steps.push({ at: "read returned", read, time: read.return });
  }
  const order = (step: Step): number => (step.at.endsWith("called") ? 0 : 1);
  return steps.sort((a, b) => a.time - b.time || order(a) - order(b));
}
