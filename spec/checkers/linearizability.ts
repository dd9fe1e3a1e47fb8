/**
 * Is a history linearizable? Did every operation take effect at one instant between its call and its
 * return, so that the whole is a legal run of one sequential object?
 *
 * The search is Wing and Gong's with Lowe's improvements (Gavin Lowe, "Testing for linearizability", 2017):
 * calls and returns stand in time order in a doubly linked list; an operation called before the first return is
 * tried on the model, lifted out of the list and put on a stack; when none is left to try, the last one
 * is taken back; a configuration met before is not searched again. Histories split by the
 * model's partition (a key, the name of a queue), since each part stands alone. Three more rules make the
 * search smaller and none of them changes the verdict:
 *
 * - An operation that only reads and is legal now is linearized now: no later place is better.
 * - An operation without known outcome may have happened at any time after its call or not at all. It needs no
 *   place, so a history is through when all that returned have one, and it takes none where it changes nothing.
 * - Of several such operations with the same input, the one called first goes first.
 *
 * It promises the same verdict and the same number of steps for the same history. A search that reaches a
 * bound answers "unknown", which a test must count as failed: it has proved nothing.
 */
import { ConfigurationSet, mix } from "./configurations.ts";
import { EntryList } from "./entry-list.ts";
import { ANY, type Any, checkTimes, type Operation, show, showOperation } from "./history.ts";

/** What `step` answers when the output cannot be. */
export const ILLEGAL: unique symbol = Symbol("illegal");
export type Illegal = typeof ILLEGAL;

/**
 * A sequential object. Equal states must be the same key of a Map: primitives, or objects that are interned
 * (`interned-sequence.ts`). Nothing may change a state.
 */
export interface Model<State, Input, Output> {
  readonly name: string;
  /** The state before the first operation; made anew for each partition. */
  initial(): State;
  /** The state after an operation, or ILLEGAL when it cannot have this output. ANY is always legal. */
  step(state: State, input: Input, output: Output | Any): State | Illegal;
  /** Whether this operation changes no state whatever, given its output. */
  readsOnly(input: Input, output: Output | Any): boolean;
  /** What stands alone. Without it, everything is one partition. */
  partitionOf?(input: Input): string;
  /** Equal texts mean equal inputs; lets the search treat unknown outcomes that are equal as one kind. */
  inputKey?(input: Input): string;
  /** A state for people. */
  showState?(state: State): string;
}

export interface CheckOptions {
  /** Tries of the model per partition. Default `STEPS_MAX`. */
  readonly stepsMax?: number;
  /** What the configurations of one partition may take. Default `CACHE_BYTES_MAX`. */
  readonly cacheBytesMax?: number;
  /** A bound in real time, for all partitions together; makes the verdict depend on the machine. */
  readonly timeLimit?: { now(): number; readonly limitMs: number };
}

export const STEPS_MAX = 20_000_000;
export const CACHE_BYTES_MAX = 512 * 1024 * 1024;
/** The time is read once in so many steps. */
const STEPS_PER_LOOK_AT_TIME = 1024;

/** How far the search got in a partition. */
export interface Progress<Input, Output> {
  readonly partition: string;
  /** The longest legal beginning that was found, in its order. */
  readonly linearized: readonly Operation<Input, Output>[];
  /** The state that it leads to, as text. */
  readonly state: string;
  /** What could have come next by time, and did not fit or led nowhere. */
  readonly stuck: readonly Operation<Input, Output>[];
}

export type Verdict<Input, Output> = { readonly steps: number; readonly partitions: number } & (
  | { readonly verdict: "linearizable" }
  | { readonly verdict: "not linearizable"; readonly progress: Progress<Input, Output> }
  | {
      readonly verdict: "unknown";
      /** Which bound was reached. */
      readonly bound: Bound;
      readonly progress: Progress<Input, Output>;
    }
);

export type Bound = "steps" | "memory" | "time";

/** Checks a whole history. Throws HistoryError when times are malformed. */
export function checkLinearizability<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  options: CheckOptions = {},
): Verdict<Input, Output> {
  checkTimes(history);
  const partitions = partition(model, history);
  const bounds = startBounds(options);
  let steps = 0;
  let undecided: Verdict<Input, Output> | undefined;
  for (const [name, operations] of partitions) {
    const search = new Search(model, name, operations, bounds);
    const outcome = search.run();
    steps += search.steps;
    const counts = { steps, partitions: partitions.size };
    if (outcome === "not linearizable") {
      return { verdict: outcome, progress: search.progress(), ...counts };
    }
    if (outcome !== "linearizable") {
      undecided ??= { verdict: "unknown", bound: outcome, progress: search.progress(), ...counts };
    }
  }
  return { ...(undecided ?? { verdict: "linearizable" }), steps, partitions: partitions.size };
}

/** A report that a person can read; `tail`: how many of the last operations that fitted are shown. */
export function explain(result: Verdict<unknown, unknown>, tail = 12): string {
  const work = `${result.steps} steps, ${result.partitions} partitions`;
  if (result.verdict === "linearizable") {
    return `linearizable (${work})`;
  }
  const { partition: name, linearized, state, stuck } = result.progress;
  const why = result.verdict === "unknown" ? `unknown: bound of ${result.bound} reached` : result.verdict;
  const shown = linearized.slice(-tail);
  return [
    `${why} (${work})${name === "" ? "" : `, partition ${show(name)}`}`,
    `longest legal order: ${linearized.length} operations, the last ${shown.length} of them:`,
    ...shown.map((operation) => `  ${showOperation(operation)}`),
    `state then: ${state}`,
    "next by time, none of which leads on:",
    ...stuck.map((operation) => `  ${showOperation(operation)}`),
  ].join("\n");
}

/** By partition, in order of first appearance, without reads that nobody saw the answer of. */
function partition<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
): Map<string, Operation<Input, Output>[]> {
  const partitions = new Map<string, Operation<Input, Output>[]>();
  for (const operation of history) {
    const unseen = operation.return === Number.POSITIVE_INFINITY;
    if (unseen && model.readsOnly(operation.input, ANY)) {
      continue;
    }
    const name = model.partitionOf?.(operation.input) ?? "";
    const operations = partitions.get(name);
    if (operations === undefined) {
      partitions.set(name, [operation]);
    } else {
      operations.push(operation);
    }
  }
  return partitions;
}

interface Bounds {
  readonly stepsMax: number;
  readonly cacheBytesMax: number;
  outOfTime(): boolean;
}

function startBounds(options: CheckOptions): Bounds {
  const { stepsMax = STEPS_MAX, cacheBytesMax = CACHE_BYTES_MAX, timeLimit } = options;
  const end = timeLimit === undefined ? 0 : timeLimit.now() + timeLimit.limitMs;
  return {
    stepsMax,
    cacheBytesMax,
    outOfTime: () => timeLimit !== undefined && timeLimit.now() >= end,
  };
}

/** The search through one partition. */
class Search<State, Input, Output> {
  steps = 0;
  readonly #model: Model<State, Input, Output>;
  readonly #name: string;
  readonly #operations: readonly Operation<Input, Output>[];
  readonly #bounds: Bounds;
  readonly #list: EntryList;
  readonly #configurations: ConfigurationSet;
  /** Per operation without outcome: the one with the same input called just before, or -1. */
  readonly #twins: Int32Array;
  /** States get small numbers, so that a configuration is numbers only. */
  readonly #stateNumbers = new Map<State, number>();
  /** The operations linearized: as bits, as a hash of them, and in order. */
  readonly #bits: Uint32Array;
  #bitsHash = 0;
  readonly #stack: { readonly operation: number; readonly before: State; readonly forced: boolean }[] = [];
  #state: State;
  #best: { readonly order: number[]; readonly state: State; readonly stuck: number[] };

  constructor(
    model: Model<State, Input, Output>,
    name: string,
    operations: readonly Operation<Input, Output>[],
    bounds: Bounds,
  ) {
    this.#model = model;
    this.#name = name;
    this.#operations = operations;
    this.#bounds = bounds;
    this.#list = new EntryList(operations);
    const words = Math.ceil(operations.length / 32);
    this.#bits = new Uint32Array(words);
    this.#configurations = new ConfigurationSet(words, bounds.cacheBytesMax);
    this.#twins = findTwins(model, operations, this.#list);
    this.#state = model.initial();
    this.#best = { order: [], state: this.#state, stuck: this.#list.candidates() };
  }

  run(): "linearizable" | "not linearizable" | Bound {
    let candidate = this.#list.firstCandidate();
    while (this.#list.returnsLeft > 0) {
      const outcome = candidate < 0 ? "blocked" : this.#tryNext(candidate);
      if (outcome === "took") {
        candidate = this.#list.firstCandidate();
      } else if (outcome === "no") {
        candidate = this.#list.nextCandidate(candidate);
      } else {
        this.#remember();
        if (outcome !== "blocked") {
          return outcome;
        }
        const last = this.#goBack();
        if (last < 0) {
          return "not linearizable";
        }
        candidate = this.#list.nextCandidate(last);
      }
    }
    return "linearizable";
  }

  progress(): Progress<Input, Output> {
    const { order, state, stuck } = this.#best;
    const pick = (indexes: number[]) => indexes.flatMap((index) => this.#operations[index] ?? []);
    return {
      partition: this.#name,
      linearized: pick(order),
      state: this.#model.showState?.(state) ?? show(state),
      stuck: pick(stuck),
    };
  }

  /** Linearizes an operation here if that is legal and new. "blocked": nothing else needs trying here. */
  #tryNext(index: number): "took" | "no" | "blocked" | Bound {
    this.steps += 1;
    if (this.steps > this.#bounds.stepsMax) {
      return "steps";
    }
    if (this.steps % STEPS_PER_LOOK_AT_TIME === 0 && this.#bounds.outOfTime()) {
      return "time";
    }
    const operation = this.#operations[index];
    if (operation === undefined || !this.#turnOfTwin(index)) {
      return "no";
    }
    const unknown = operation.return === Number.POSITIVE_INFINITY;
    const output = unknown ? ANY : operation.output;
    const after = this.#model.step(this.#state, operation.input, output);
    if (after === ILLEGAL || (unknown && after === this.#state)) {
      return "no";
    }
    const forced = this.#model.readsOnly(operation.input, output);
    this.#flip(index);
    const number = this.#numberOf(after);
    const added = this.#configurations.add(this.#bits, number, (this.#bitsHash ^ mix(~number)) >>> 0);
    if (added !== "added") {
      this.#flip(index);
      return added === "full" ? "memory" : forced ? "blocked" : "no";
    }
    this.#stack.push({ operation: index, before: this.#state, forced });
    this.#state = after;
    this.#list.lift(index);
    return "took";
  }

  /** Takes operations back, up to the last that had an alternative, which is the answer; or -1. */
  #goBack(): number {
    for (let top = this.#stack.pop(); top !== undefined; top = this.#stack.pop()) {
      this.#list.unlift(top.operation);
      this.#flip(top.operation);
      this.#state = top.before;
      if (!top.forced) {
        return top.operation;
      }
    }
    return -1;
  }

  #turnOfTwin(index: number): boolean {
    const twin = this.#twins[index] ?? -1;
    return twin < 0 || ((this.#bits[twin >>> 5] ?? 0) & (1 << (twin & 31))) !== 0;
  }

  #flip(index: number): void {
    const word = index >>> 5;
    this.#bits[word] = (this.#bits[word] ?? 0) ^ (1 << (index & 31));
    this.#bitsHash ^= mix(index);
  }

  #numberOf(state: State): number {
    let number = this.#stateNumbers.get(state);
    if (number === undefined) {
      number = this.#stateNumbers.size;
      this.#stateNumbers.set(state, number);
    }
    return number;
  }

  #remember(): void {
    if (this.#stack.length > this.#best.order.length) {
      const order = this.#stack.map(({ operation }) => operation);
      this.#best = { order, state: this.#state, stuck: this.#list.candidates() };
    }
  }
}

function findTwins<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  list: EntryList,
): Int32Array {
  const twins = new Int32Array(operations.length).fill(-1);
  const latest = new Map<string, number>();
  for (const index of list.inOrderOfCall()) {
    const operation = operations[index];
    if (operation?.return === Number.POSITIVE_INFINITY && model.inputKey !== undefined) {
      const key = model.inputKey(operation.input);
      twins[index] = latest.get(key) ?? -1;
      latest.set(key, index);
    }
  }
  return twins;
}
