/** One entry of a stream, as readers and state machines get it. */
import { formatWord64 } from "./chain.ts";
import type { Epoch } from "./epoch.ts";

export class LogEntry {
  readonly seq: number;
  readonly epoch: Epoch;
  /** The byte its writer gave it: 0 unless told otherwise. */
  readonly kind: number;
  /** A view into memory that is shared with the entries read beside it, and never written to. */
  readonly payload: Uint8Array;
  readonly #chainHigh: number;
  readonly #chainLow: number;

  constructor(
    seq: number,
    epoch: Epoch,
    kind: number,
    payload: Uint8Array,
    chainHigh: number,
    chainLow: number,
  ) {
    this.seq = seq;
    this.epoch = epoch;
    this.kind = kind;
    this.payload = payload;
    // As signed integers, which need no memory of their own; the text is made from their bits.
    this.#chainHigh = chainHigh | 0;
    this.#chainLow = chainLow | 0;
  }

  /** The chain after this entry, as sixteen hexadecimal digits. */
  get chain(): string {
    return formatWord64({ high: this.#chainHigh, low: this.#chainLow });
  }
}
