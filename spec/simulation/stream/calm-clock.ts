/**
 * Virtual time that does not stand still for ever: a cluster whose messages answer each other without end
 * within one instant would otherwise never let the run go on.
 */
import { VirtualClock } from "../../../lib/base/virtual-clock.ts";

/** Immediates within one instant beyond which it is a storm; the busiest true instants have a few hundred. */
const STORM = 20_000;

export class CalmClock extends VirtualClock {
  /** When a storm began; from then on nothing runs at once any more, so that the run comes to its end. */
  stormAt: number | null = null;
  #instant = -1;
  #count = 0;

  override immediate(callback: () => void): void {
    const now = this.now();
    if (now !== this.#instant) {
      this.#instant = now;
      this.#count = 0;
    }
    this.#count += 1;
    if (this.#count > STORM) {
      this.stormAt ??= now;
    }
    if (this.stormAt === null) {
      super.immediate(callback);
    }
  }
}
