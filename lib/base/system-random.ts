/** The operating system's source of randomness, drawn in blocks. */
import { randomFillSync } from "node:crypto";
import { type Random, RandomSource } from "./random.ts";

class SystemRandom extends RandomSource {
  readonly #block = new Uint32Array(256);
  #used: number = this.#block.length;

  uint32(): number {
    if (this.#used === this.#block.length) {
      randomFillSync(this.#block);
      this.#used = 0;
    }
    const value = this.#block[this.#used] ?? 0;
    this.#used += 1;
    return value;
  }

  fork(): Random {
    return this;
  }
}

export const systemRandom: Random = new SystemRandom();
