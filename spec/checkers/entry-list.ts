/**
 * The calls and returns of a history in time order, as doubly linked lists out of which an operation can be
 * lifted and into which it can be put back, both in constant time, as long as it is done in the order of a stack.
 *
 * Operation i has its call at entry 2i + 1 and its return at 2i + 2; at equal times calls stand before
 * returns, because then the operations overlap. Operations without known outcome have no return and stand in a
 * list of their own: they are the last candidates everywhere, since most of them never took effect.
 */
export class EntryList {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** Place of each entry in time. */
  readonly #rank: Int32Array;
  /** Per operation: 1 when it returned. */
  readonly #known: Uint8Array;
  readonly #callOrder: readonly number[];
  /** Head and end of the second list; that of the first is 0. */
  readonly #unknownHead: number;
  /** Return entries that are in the list. */
  returnsLeft = 0;

  constructor(operations: readonly { readonly call: number; readonly return: number }[]) {
    const entries: { entry: number; time: number }[] = [];
    this.#known = new Uint8Array(operations.length);
    for (const [index, { call, return: returned }] of operations.entries()) {
      entries.push({ entry: callEntry(index), time: call });
      if (returned !== Number.POSITIVE_INFINITY) {
        entries.push({ entry: callEntry(index) + 1, time: returned });
        this.#known[index] = 1;
        this.returnsLeft += 1;
      }
    }
    entries.sort((a, b) => a.time - b.time || (b.entry & 1) - (a.entry & 1) || a.entry - b.entry);
    this.#callOrder = entries.filter(({ entry }) => isCall(entry)).map(({ entry }) => operationOf(entry));
    this.#unknownHead = 2 * operations.length + 1;
    this.#next = new Int32Array(this.#unknownHead + 1);
    this.#previous = new Int32Array(this.#unknownHead + 1);
    this.#rank = new Int32Array(this.#unknownHead + 1);
    this.#linkAll(entries.map(({ entry }) => entry));
  }

  /** The first operation that may be next, or -1. */
  firstCandidate(): number {
    return this.#candidateAfter(0);
  }

  /** The operation that may be next and has not been offered since `firstCandidate`, or -1. */
  nextCandidate(operation: number): number {
    return this.#candidateAfter(callEntry(operation));
  }

  /** All operations that may be next: those called before the first return. */
  candidates(): number[] {
    const operations: number[] = [];
    for (let next = this.firstCandidate(); next >= 0; next = this.nextCandidate(next)) {
      operations.push(next);
    }
    return operations;
  }

  lift(operation: number): void {
    const call = callEntry(operation);
    this.#unlink(call);
    if (this.#known[operation] === 1) {
      this.#unlink(call + 1);
      this.returnsLeft -= 1;
    }
  }

  /** Puts back the operation that was lifted last of those still out. */
  unlift(operation: number): void {
    const call = callEntry(operation);
    if (this.#known[operation] === 1) {
      this.#relink(call + 1);
      this.returnsLeft += 1;
    }
    this.#relink(call);
  }

  /** All operations, whether lifted or not, by the time of their call. */
  inOrderOfCall(): readonly number[] {
    return this.#callOrder;
  }

  #candidateAfter(entry: number): number {
    let next = this.#after(entry);
    if (entry === 0 || this.#known[operationOf(entry)] === 1) {
      if (next !== 0 && isCall(next)) {
        return operationOf(next);
      }
      next = this.#after(this.#unknownHead);
    }
    return next !== this.#unknownHead && this.#isBeforeFirstReturn(next) ? operationOf(next) : -1;
  }

  #isBeforeFirstReturn(entry: number): boolean {
    let first = this.#after(0);
    while (isCall(first)) {
      first = this.#after(first);
    }
    return first === 0 || (this.#rank[entry] ?? 0) < (this.#rank[first] ?? 0);
  }

  #after(entry: number): number {
    return this.#next[entry] ?? 0;
  }

  #linkAll(entries: readonly number[]): void {
    let lastKnown = 0;
    let lastUnknown = this.#unknownHead;
    for (const [rank, entry] of entries.entries()) {
      this.#rank[entry] = rank;
      if (this.#known[operationOf(entry)] === 1) {
        this.#join(lastKnown, entry);
        lastKnown = entry;
      } else {
        this.#join(lastUnknown, entry);
        lastUnknown = entry;
      }
    }
    this.#join(lastKnown, 0);
    this.#join(lastUnknown, this.#unknownHead);
  }

  #unlink(entry: number): void {
    this.#join(this.#previous[entry] ?? 0, this.#next[entry] ?? 0);
  }

  /** Its own links have not changed since it was unlinked. */
  #relink(entry: number): void {
    this.#next[this.#previous[entry] ?? 0] = entry;
    this.#previous[this.#next[entry] ?? 0] = entry;
  }

  #join(before: number, after: number): void {
    this.#next[before] = after;
    this.#previous[after] = before;
  }
}

function callEntry(operation: number): number {
  return 2 * operation + 1;
}

function isCall(entry: number): boolean {
  return (entry & 1) === 1;
}

/** For a call and for a return. */
function operationOf(entry: number): number {
  return (entry - 1) >> 1;
}
