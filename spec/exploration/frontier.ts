/** Worlds that wait to be expanded, packed into blocks of words: each as its number, its length, its words. */
const BLOCK = 1 << 18;
const HEAD = 2;

export class Frontier {
  #blocks: Int32Array[] = [];
  #readBlock = 0;
  #readAt = 0;
  #writeAt = 0;
  count = 0;

  get bytes(): number {
    return this.#blocks.length * BLOCK * Int32Array.BYTES_PER_ELEMENT;
  }

  push(number: number, words: Int32Array): void {
    let block = this.#blocks.at(-1);
    if (block === undefined || this.#writeAt + HEAD + words.length + 1 > BLOCK) {
      block = new Int32Array(BLOCK);
      this.#blocks.push(block);
      this.#writeAt = 0;
    }
    block[this.#writeAt] = number;
    block[this.#writeAt + 1] = words.length;
    block.set(words, this.#writeAt + HEAD);
    this.#writeAt += HEAD + words.length;
    this.count += 1;
  }

  /** The one that has waited longest; its words stand until the next `push`. */
  shift(): { readonly number: number; readonly words: Int32Array } | null {
    if (this.count === 0) {
      return null;
    }
    let block = this.#blocks[this.#readBlock];
    let length = block?.[this.#readAt + 1] ?? 0;
    if (length === 0) {
      // The rest of this block was too short for a world.
      this.#blocks[this.#readBlock] = new Int32Array(0);
      this.#readBlock += 1;
      this.#readAt = 0;
      block = this.#blocks[this.#readBlock];
      length = block?.[1] ?? 0;
    }
    if (block === undefined) {
      throw new Error("a frontier holds as many worlds as it counts");
    }
    const at = this.#readAt;
    this.#readAt += HEAD + length;
    this.count -= 1;
    return { number: block[at] ?? 0, words: block.subarray(at + HEAD, at + HEAD + length) };
  }
}
