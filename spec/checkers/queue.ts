/**
 * Queues with unique values: nothing lost, nothing delivered twice, first in first out.
 *
 * Each rule is checked by sorting and one pass, so that it is cheap enough for every run. Proved: what was
 * acknowledged is delivered once or still there; of two values added one after the other the first does not leave
 * after the second; an empty answer is not given while a value is certainly there. Not proved: that all
 * this fits into one order, which is for the linearizability checker.
 */
import { type Findings, FindingsCollector } from "./findings.ts";
import { checkTimes, HistoryError, show } from "./history.ts";
import type { Scalar } from "./models.ts";

/**
 * `add`: the value, by `clientId`; refused ones are left out. `out`: the value that was delivered, null for the
 * answer "empty". Unknown outcome: `return: Infinity`; the value of an unknown `out` does not count.
 */
export type QueueOperation = {
  readonly queue: string;
  readonly clientId: number | string;
  readonly call: number;
  readonly return: number;
} & ({ readonly op: "add"; readonly value: Scalar } | { readonly op: "out"; readonly value: Scalar | null });

export interface QueueOptions {
  /** What each queue holds at rest, first to last; a queue that is not named is empty. Without it, no losses. */
  readonly remaining?: ReadonlyMap<string, readonly Scalar[]>;
  /** "producer": order holds among the values of one client. "queue": among all. Default "producer". */
  readonly fifo?: "producer" | "queue";
}

/** A value on its way: added, then delivered or left over. Left over counts as delivered after all else. */
interface Item {
  readonly value: Scalar;
  readonly producer: number | string;
  readonly added: { readonly call: number; readonly return: number };
  delivered: { readonly call: number; readonly return: number } | undefined;
}

type Out = Extract<QueueOperation, { op: "out" }>;

/** Kinds: `lost`, `duplicate`, `phantom`, `out of order`, `falsely empty`. */
export function checkQueues(history: readonly QueueOperation[], options: QueueOptions = {}): Findings {
  checkTimes(history);
  const findings = new FindingsCollector();
  const queues = new Map<string, QueueOperation[]>();
  for (const operation of history) {
    const operations = queues.get(operation.queue) ?? [];
    operations.push(operation);
    queues.set(operation.queue, operations);
  }
  for (const [name, operations] of queues) {
    checkQueue(name, operations, options, findings);
  }
  for (const [name, values] of options.remaining ?? []) {
    if (!queues.has(name) && values.length > 0) {
      findings.add("phantom", `queue ${show(name)} holds ${show(values)}, and nobody added anything`);
    }
  }
  return findings;
}

function checkQueue(
  name: string,
  operations: readonly QueueOperation[],
  { remaining, fifo = "producer" }: QueueOptions,
  findings: FindingsCollector,
): void {
  const where = `queue ${show(name)}`;
  const items = collectItems(where, operations);
  const outs = operations.filter((operation) => operation.op === "out");
  const answered = outs.filter((out) => out.return !== Number.POSITIVE_INFINITY);
  for (const { value, call, return: returned } of answered) {
    if (value !== null) {
      deliver(where, items, value, { call, return: returned }, findings);
    }
  }
  if (remaining !== undefined) {
    leaveOver(where, items, remaining.get(name) ?? [], operations, findings);
    checkLosses(where, items, outs.length - answered.length, findings);
  }
  checkEmptyAnswers(where, items, answered, findings);
  for (const group of fifo === "queue" ? [[...items.values()]] : byProducer(items)) {
    checkOrder(where, group, findings);
  }
}

function collectItems(where: string, operations: readonly QueueOperation[]): Map<Scalar, Item> {
  const items = new Map<Scalar, Item>();
  for (const { op, value, clientId, call, return: returned } of operations) {
    if (op === "add") {
      if (items.has(value)) {
        throw new HistoryError(`${where}: ${show(value)} is added twice`);
      }
      const added = { call, return: returned };
      items.set(value, { value, producer: clientId, added, delivered: undefined });
    }
  }
  return items;
}

function deliver(
  where: string,
  items: ReadonlyMap<Scalar, Item>,
  value: Scalar,
  delivered: { readonly call: number; readonly return: number },
  findings: FindingsCollector,
): void {
  const item = items.get(value);
  const when = `${show(value)}, delivered by ${delivered.return},`;
  if (item === undefined) {
    findings.add("phantom", `${where}: ${when} was never added`);
  } else if (item.delivered !== undefined) {
    findings.add("duplicate", `${where}: ${when} had been delivered by ${item.delivered.return}`);
  } else {
    item.delivered = delivered;
    if (item.added.call > delivered.return) {
      findings.add("phantom", `${where}: ${when} was added only at ${item.added.call}`);
    }
  }
}

/** What is left counts as delivered in its order, after everything that happened. */
function leaveOver(
  where: string,
  items: ReadonlyMap<Scalar, Item>,
  values: readonly Scalar[],
  operations: readonly QueueOperation[],
  findings: FindingsCollector,
): void {
  const end = operations.reduce((latest, { call, return: returned }) => {
    return Math.max(latest, call, returned === Number.POSITIVE_INFINITY ? call : returned);
  }, 0);
  for (const [index, value] of values.entries()) {
    const time = end + 1 + index;
    deliver(where, items, value, { call: time, return: time }, findings);
  }
}

/** Each `out` of unknown outcome may have taken one value with it. */
function checkLosses(
  where: string,
  items: ReadonlyMap<Scalar, Item>,
  unknownOuts: number,
  findings: FindingsCollector,
): void {
  const missing = [...items.values()].filter((item) => {
    return item.delivered === undefined && item.added.return !== Number.POSITIVE_INFINITY;
  });
  if (missing.length > unknownOuts) {
    const some = show(missing.slice(0, 5).map(({ value }) => value));
    const excuse = `${unknownOuts} deliveries have no known outcome`;
    findings.add(
      "lost",
      `${where}: ${missing.length} acknowledged values are gone, ${some} first; ${excuse}`,
    );
  }
}

function checkEmptyAnswers(
  where: string,
  items: ReadonlyMap<Scalar, Item>,
  answered: readonly Out[],
  findings: FindingsCollector,
): void {
  const byReturn = [...items.values()].sort((a, b) => a.added.return - b.added.return);
  const empty = answered.filter(({ value }) => value === null).sort((a, b) => a.call - b.call);
  let next = 0;
  let latest: Item | undefined;
  for (const out of empty) {
    for (
      let item = byReturn[next];
      item !== undefined && item.added.return < out.call;
      item = byReturn[next]
    ) {
      if ((item.delivered?.call ?? -1) > (latest?.delivered?.call ?? -1)) {
        latest = item;
      }
      next += 1;
    }
    if (latest?.delivered !== undefined && latest.delivered.call > out.return) {
      const there = `${show(latest.value)} was there from ${latest.added.return} to ${latest.delivered.call}`;
      findings.add("falsely empty", `${where}: empty at [${out.call}, ${out.return}], but ${there}`);
    }
  }
}

function byProducer(items: ReadonlyMap<Scalar, Item>): Item[][] {
  const producers = new Map<Item["producer"], Item[]>();
  for (const item of items.values()) {
    const group = producers.get(item.producer) ?? [];
    group.push(item);
    producers.set(item.producer, group);
  }
  return [...producers.values()];
}

/** Of those added after an item, the one that was delivered first must not be through before it. */
function checkOrder(where: string, group: readonly Item[], findings: FindingsCollector): void {
  const delivered = group.filter((item) => item.delivered !== undefined);
  const followers = delivered.toSorted((a, b) => b.added.call - a.added.call);
  let next = 0;
  let earliest: Item | undefined;
  for (const item of delivered.toSorted((a, b) => b.added.return - a.added.return)) {
    for (
      let follower = followers[next];
      follower !== undefined && follower.added.call > item.added.return;
      follower = followers[next]
    ) {
      earliest = returnOf(follower) < returnOf(earliest) ? follower : earliest;
      next += 1;
    }
    if (earliest !== undefined && returnOf(earliest) < (item.delivered?.call ?? 0)) {
      const first = `${show(item.value)} was added by ${item.added.return}`;
      const second = `${show(earliest.value)} after it and left before it`;
      findings.add("out of order", `${where}: ${first}, ${second}`);
    }
  }
}

function returnOf(item: Item | undefined): number {
  return item?.delivered?.return ?? Number.POSITIVE_INFINITY;
}
