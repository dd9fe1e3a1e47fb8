/** The network of `core-run.ts`: each message by itself is lost, repeated, late, or arrives in good time. */
import type { Random } from "../../../lib/base/random.ts";
import { chance, spread } from "./draw.ts";

const LATE_MS_MAX = 20_000;

export class CoreNetwork {
  /** Directions in which nothing arrives, as `from>to`. */
  readonly cut = new Set<string>();
  readonly #random: Random;
  #loss: number;
  #repeat: number;
  #late: number;

  constructor(random: Random) {
    this.#random = random;
    this.#loss = chance(random, 0.5) ? 0.3 * random.next() : 0;
    this.#repeat = chance(random, 0.5) ? 0.5 * random.next() : 0;
    this.#late = chance(random, 0.5) ? 0.1 * random.next() : 0;
  }

  /** No more faults. */
  heal(): void {
    this.cut.clear();
    this.#loss = 0;
    this.#repeat = 0;
    this.#late = 0;
  }

  /** A delay for each copy of a message that arrives. */
  delays(from: string, to: string): number[] {
    const random = this.#random;
    const copies = chance(random, this.#repeat) ? 2 : 1;
    const found: number[] = [];
    for (let copy = 0; copy < copies; copy++) {
      if (!this.cut.has(`${from}>${to}`) && !chance(random, this.#loss)) {
        found.push(chance(random, this.#late) ? spread(random, 10, LATE_MS_MAX) : 0.2 + random.next() * 2);
      }
    }
    return found;
  }
}
