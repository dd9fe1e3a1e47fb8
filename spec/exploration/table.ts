/** A set of 64-bit hashes in typed arrays: open addressing, a fixed size, no removal. */
export class HashTable {
  readonly #high: Uint32Array;
  readonly #low: Uint32Array;
  readonly #mask: number;
  count = 0;

  /** Room for `most` hashes at no more than three quarters full. */
  constructor(most: number) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(16, (most * 4) / 3)));
    this.#high = new Uint32Array(size);
    this.#low = new Uint32Array(size);
    this.#mask = size - 1;
  }

  get bytes(): number {
    return this.#high.byteLength + this.#low.byteLength;
  }

  /** Whether it was not there before. The words are unsigned; 0, 0 counts as 0, 1. */
  add(high: number, low: number): boolean {
    const second = high === 0 && low === 0 ? 1 : low;
    let at = second & this.#mask;
    while (this.#high[at] !== 0 || this.#low[at] !== 0) {
      if (this.#high[at] === high && this.#low[at] === second) {
        return false;
      }
      at = (at + 1) & this.#mask;
    }
    this.#high[at] = high;
    this.#low[at] = second;
    this.count += 1;
    return true;
  }
}
