/**
 * The random port. Production draws from the operating system's source; tests and the simulator use
 * `seededRandom`, which repeats itself exactly for the same seed.
 */

export interface Random {
  /** A float in [0, 1). */
  next(): number;
  /** An integer in [0, bound). */
  below(bound: number): number;
  /** `length` lower-case letters and digits. */
  token(length: number): string;
  /** An independent source: drawing from one does not shift the other. */
  fork(label: string): Random;
}

const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";

/** What every source shares once it can draw 32 bits. */
export abstract class RandomSource implements Random {
  abstract uint32(): number;
  abstract fork(label: string): Random;

  next(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  token(length: number): string {
    let text = "";
    for (let index = 0; index < length; index++) {
      text += ALPHABET[this.below(ALPHABET.length)];
    }
    return text;
  }
}

/** sfc32 (Chris Doty-Humphrey's small fast counter): 128 bits of state, passes PractRand. */
class SeededRandom extends RandomSource {
  readonly #seed: string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: string) {
    super();
    this.#seed = seed;
    [this.#a, this.#b, this.#c] = hashSeed(seed);
    for (let round = 0; round < 12; round++) {
      this.uint32();
    }
  }

  uint32(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + result;
    this.#c |= 0;
    return result >>> 0;
  }

  fork(label: string): Random {
    return new SeededRandom(`${this.#seed}/${label}`);
  }
}

/** Three well-mixed words from a seed text (FNV-1a with a final avalanche per word). */
function hashSeed(seed: string): [number, number, number] {
  const word = (salt: number): number => {
    let hash = 0x811c9dc5 ^ salt;
    for (let index = 0; index < seed.length; index++) {
      hash = Math.imul(hash ^ seed.charCodeAt(index), 0x01000193);
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) | 0;
  };
  return [word(0x9e3779b9), word(0x243f6a88), word(0xb7e15162)];
}

export function seededRandom(seed: number | string): Random {
  return new SeededRandom(String(seed));
}
