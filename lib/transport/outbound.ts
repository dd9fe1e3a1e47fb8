/**
 * Counts the bytes that were handed to a connection and have not provably left, and bounds them.
 *
 * Proof comes by barriers: a round trip to the server, before whose answer the server has read everything that
 * was handed over earlier. One is made whenever enough has gathered, and for every `flush`.
 */
import { SupercastError } from "../base/errors.ts";

/** Of the bound, so much gathers before a barrier is made. */
const BARRIER_SHARE = 1 / 64;

export class Outbound {
  readonly #max: number;
  readonly #barrierBytes: number;
  readonly #roundTrip: () => Promise<void>;
  /** Totals since the beginning. */
  #handedOver = 0;
  #proved = 0;
  /** The total at which the last barrier was made. */
  #barrierAt = 0;
  #barriers = 0;
  readonly #waiting = new Set<(error: SupercastError) => void>();

  /** `roundTrip` rejects when the connection breaks before the answer. */
  constructor(max: number, roundTrip: () => Promise<void>) {
    this.#max = max;
    this.#barrierBytes = Math.ceil(max * BARRIER_SHARE);
    this.#roundTrip = roundTrip;
  }

  get pendingBytes(): number {
    return this.#handedOver - this.#proved;
  }

  /** Throws `overload` unless `bytes` more are within the bound. */
  admit(bytes: number): void {
    if (this.#handedOver - this.#proved + bytes > this.#max) {
      const pending = this.pendingBytes;
      throw new SupercastError(
        "overload",
        `${pending} of ${this.#max} bytes are on their way; ${bytes} more are too many`,
        {
          details: { bytes, pending, max: this.#max },
        },
      );
    }
  }

  /** Counts what has been handed over. */
  add(bytes: number): void {
    this.#handedOver += bytes;
    if (this.#handedOver - this.#barrierAt >= this.#barrierBytes && this.#barriers === 0) {
      this.flush().catch(() => undefined); // It failed because the connection broke: `reset` tells those concerned.
    }
  }

  /** Resolves when everything handed over before has left; rejects when the connection breaks first. */
  flush(): Promise<void> {
    const target = this.#handedOver;
    this.#barrierAt = target;
    this.#barriers += 1;
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      const done = (): void => {
        this.#barriers -= 1;
        this.#waiting.delete(reject);
      };
      this.#roundTrip().then(
        () => {
          done();
          this.#proved = Math.max(this.#proved, target);
          resolve();
        },
        (error: unknown) => {
          done();
          reject(
            new SupercastError("noconnection", "the connection broke before everything had left", {
              cause: error,
            }),
          );
        },
      );
    });
  }

  /** The connection is gone, and what was on its way with it. */
  reset(error: SupercastError): void {
    this.#proved = this.#handedOver;
    this.#barrierAt = this.#handedOver;
    for (const reject of this.#waiting) {
      reject(error);
    }
    this.#waiting.clear();
  }
}
