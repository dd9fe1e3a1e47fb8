/**
 * Requests that wait at the writer for a locked key, in the order in which they came. They are in no log and
 * have had no effect: whoever leaves from here without having been carried out can be told so.
 */

/** What is parked. */
export interface Parked {
  /** When its wait is over. */
  readonly lockDeadlineAt: number;
  /** Counts the requests of this writer in the order in which they came. */
  readonly order: number;
}

export class ParkedRequests<T extends Parked> {
  readonly #byKey = new Map<string, T[]>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** `request` waits for `key`, behind those that came before it and before those that came after it. */
  park(key: string, request: T): void {
    const line = this.#byKey.get(key) ?? [];
    let place = line.length;
    for (let before = line[place - 1]; before !== undefined && before.order > request.order; ) {
      place -= 1;
      before = line[place - 1];
    }
    line.splice(place, 0, request);
    this.#byKey.set(key, line);
    this.#count += 1;
  }

  /** Takes out those whose key is free now, in their order. */
  released(isLocked: (key: string) => boolean): T[] {
    const free = [...this.#byKey.keys()].filter((key) => !isLocked(key));
    const requests = free.flatMap((key) => this.#byKey.get(key) ?? []);
    for (const key of free) {
      this.#byKey.delete(key);
    }
    this.#count -= requests.length;
    return requests.sort((left, right) => left.order - right.order);
  }

  /** Takes out those whose wait is over. */
  expired(nowMs: number): T[] {
    const over: T[] = [];
    for (const [key, line] of this.#byKey) {
      const rest = line.filter((request) => request.lockDeadlineAt > nowMs);
      if (rest.length < line.length) {
        over.push(...line.filter((request) => request.lockDeadlineAt <= nowMs));
        this.#keep(key, rest);
      }
    }
    this.#count -= over.length;
    return over;
  }

  /** Takes all of them out. */
  clear(): T[] {
    return this.released(() => false);
  }

  #keep(key: string, line: T[]): void {
    if (line.length === 0) {
      this.#byKey.delete(key);
    } else {
      this.#byKey.set(key, line);
    }
  }
}
