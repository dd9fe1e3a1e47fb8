/** Virtual time without promises, for what is all plain functions: a run costs what its steps cost. */

/** What is due at a time; those of one time in the order in which they came. */
export class Agenda {
  now = 0;
  readonly #items: { readonly at: number; readonly run: () => void }[] = [];

  at(at: number, run: () => void): void {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const item = this.#items[middle];
      // Latest first, so that the next one is popped from the end.
      if (item !== undefined && item.at > at) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    this.#items.splice(low, 0, { at, run });
  }

  runUntil(end: number): void {
    for (let item = this.#items.at(-1); item !== undefined && item.at <= end; item = this.#items.at(-1)) {
      this.#items.pop();
      this.now = item.at;
      item.run();
    }
    this.now = end;
  }
}
