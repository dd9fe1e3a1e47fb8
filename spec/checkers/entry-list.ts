/**
 * The calls and returns of a history in time order, as a doubly linked list out of which an operation can be
 * lifted and into which it can be put back, both in constant time, as long as it is done in the order of a stack.
 *
 * Entry 0 is the head and the end at once. Operation i has its call at entry 2i + 1 and its return at 2i + 2;
 * an operation without known outcome has no return entry. At equal times calls stand before returns: then
 * the operations overlap.
 */
export class EntryList {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #returns: Uint8Array;
  readonly #callOrder: readonly number[];
  /** Return entries that are in the list. */
  returnsLeft = 0;

  constructor(operations: readonly { readonly call: number; readonly return: number }[]) {
    const entries: { entry: number; time: number }[] = [];
    this.#returns = new Uint8Array(operations.length);
    for (const [index, { call, return: returned }] of operations.entries()) {
      entries.push({ entry: 2 * index + 1, time: call });
      if (returned !== Number.POSITIVE_INFINITY) {
        entries.push({ entry: 2 * index + 2, time: returned });
        this.#returns[index] = 1;
        this.returnsLeft += 1;
      }
    }
    entries.sort((a, b) => a.time - b.time || (b.entry & 1) - (a.entry & 1) || a.entry - b.entry);
    this.#callOrder = entries.filter(({ entry }) => isCall(entry)).map(({ entry }) => operationOf(entry));
    this.#next = new Int32Array(2 * operations.length + 1);
    this.#previous = new Int32Array(2 * operations.length + 1);
    let last = 0;
    for (const { entry } of entries) {
      this.#join(last, entry);
      last = entry;
    }
    this.#join(last, 0);
  }

  get first(): number {
    return this.after(0);
  }

  after(entry: number): number {
    return this.#next[entry] ?? 0;
  }

  /** The operation whose call this entry is; -1 when it is a return or the end. */
  operationCalledAt(entry: number): number {
    return isCall(entry) ? operationOf(entry) : -1;
  }

  callOf(operation: number): number {
    return 2 * operation + 1;
  }

  lift(operation: number): void {
    const call = this.callOf(operation);
    this.#unlink(call);
    if (this.#returns[operation] === 1) {
      this.#unlink(call + 1);
      this.returnsLeft -= 1;
    }
  }

  /** Puts back the operation that was lifted last of those still out. */
  unlift(operation: number): void {
    const call = this.callOf(operation);
    if (this.#returns[operation] === 1) {
      this.#relink(call + 1);
      this.returnsLeft += 1;
    }
    this.#relink(call);
  }

  /** The operations in the list that may be next: those called before the first return. */
  candidates(): number[] {
    const operations: number[] = [];
    for (let entry = this.first; isCall(entry); entry = this.after(entry)) {
      operations.push(operationOf(entry));
    }
    return operations;
  }

  /** All operations, whether lifted or not, by the time of their call. */
  inOrderOfCall(): readonly number[] {
    return this.#callOrder;
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

function isCall(entry: number): boolean {
  return (entry & 1) === 1;
}

function operationOf(entry: number): number {
  return (entry - 1) >> 1;
}
