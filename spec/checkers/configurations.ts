/**
 * The set of configurations that a search has met: (operations linearized, state reached).
 *
 * Lowe's improvement of Wing and Gong's search lives here: a configuration met before is not searched
 * again. Rows lie one behind the other in one typed array, found through an open hash table, so that a row
 * costs four bytes per 32 operations and no object. The set stops growing at a limit of bytes.
 */

const SLOTS_AT_START = 1 << 10;
const ROWS_AT_START = 1 << 8;
const BYTES_PER_WORD = 4;

export class ConfigurationSet {
  readonly #words: number;
  readonly #stride: number;
  readonly #bytesMax: number;
  /** `#stride` words a row: the bits, then the state, then the hash. */
  #rows: Uint32Array;
  /** Number of a row plus 1, 0 for free; its length is a power of two. */
  #slots = new Uint32Array(SLOTS_AT_START);
  #size = 0;

  /** `words`: 32-bit words of a bitset. `bytesMax`: beyond which `add` answers "full". */
  constructor(words: number, bytesMax: number) {
    this.#words = words;
    this.#stride = words + 2;
    this.#bytesMax = bytesMax;
    this.#rows = new Uint32Array(this.#stride * ROWS_AT_START);
  }

  get size(): number {
    return this.#size;
  }

  /** Adds a configuration unless it is there; `hash` (32 bits, unsigned) must depend on both parts only. */
  add(bits: Uint32Array, state: number, hash: number): "added" | "seen" | "full" {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let row = this.#slots[slot] ?? 0; row !== 0; row = this.#slots[slot] ?? 0) {
      if (this.#holds(row - 1, bits, state, hash)) {
        return "seen";
      }
      slot = (slot + 1) & mask;
    }
    if (!this.#makeRoom()) {
      return "full";
    }
    const start = this.#size * this.#stride;
    this.#rows.set(bits, start);
    this.#rows[start + this.#words] = state;
    this.#rows[start + this.#words + 1] = hash;
    this.#size += 1;
    this.#slots[slot] = this.#size;
    if (this.#size * 2 > this.#slots.length) {
      this.#rehash();
    }
    return "added";
  }

  #holds(row: number, bits: Uint32Array, state: number, hash: number): boolean {
    const start = row * this.#stride;
    const rows = this.#rows;
    if (rows[start + this.#words + 1] !== hash || rows[start + this.#words] !== state) {
      return false;
    }
    for (let word = 0; word < this.#words; word++) {
      if (rows[start + word] !== bits[word]) {
        return false;
      }
    }
    return true;
  }

  #makeRoom(): boolean {
    if ((this.#size + 1) * this.#stride <= this.#rows.length) {
      return true;
    }
    // While growing, the old rows and the new ones are there together; slots come to two per row.
    const wanted = this.#rows.length * 2;
    if ((this.#rows.length + wanted + this.#slots.length * 2) * BYTES_PER_WORD > this.#bytesMax) {
      return false;
    }
    const grown = new Uint32Array(wanted);
    grown.set(this.#rows);
    this.#rows = grown;
    return true;
  }

  #rehash(): void {
    const slots = new Uint32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let row = 0; row < this.#size; row++) {
      let slot = (this.#rows[row * this.#stride + this.#words + 1] ?? 0) & mask;
      while (slots[slot] !== 0) {
        slot = (slot + 1) & mask;
      }
      slots[slot] = row + 1;
    }
    this.#slots = slots;
  }
}

/** A well-mixed 32-bit number for a small one (the finalizer of MurmurHash3). */
export function mix(value: number): number {
  let hash = Math.imul(value ^ 0x9e3779b9, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
