/**
 * The hash of a replicated state: the sum, lane by lane, of one 64-bit hash for each thing in it. Order does
 * not matter, and a change costs the hash of what changes. A thing is hashed by its bytes in the wire codec,
 * which are the same for all values that have come through it once.
 *
 * Two words instead of a BigInt, because it runs for every change. It finds divergence; it does not resist
 * someone who looks for a collision.
 */
import { CHAIN_START, extendChain, formatWord64, type Word64 } from "../journal/chain.ts";
import { type Epoch, ownerWord } from "../journal/epoch.ts";
import { encode, encodeInto } from "../wire/codec.ts";

/** What is hashed; the same content as a thing of another kind has another hash. */
export const HASH_RECORD = 1;
export const HASH_CLIENT = 2;
export const HASH_ANSWER = 3;

/** The hash of one thing, as signed words. */
export interface ThingHash {
  readonly high: number;
  readonly low: number;
  /** The length of its content in the codec. */
  readonly bytes: number;
}

const NO_OWNER_WORD: Readonly<Word64> = { high: 0, low: 0 };

const SCRATCH_BYTES = 16 * 1024;
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
const scratchView = new DataView(scratch.buffer, scratch.byteOffset, scratch.byteLength);

/** Throws `invalid_message` for content that cannot travel. */
export function hashOf(
  kind: number,
  content: readonly unknown[],
  seq: number,
  epoch: Epoch | null = null,
): ThingHash {
  const length = encodeInto(content, scratch, 0, SCRATCH_BYTES);
  if (length >= 0) {
    return hashOfBytes(kind, scratchView, 0, length, seq, epoch);
  }
  const bytes = encode(content);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return hashOfBytes(kind, view, 0, bytes.length, seq, epoch);
}

/** The same for content whose bytes in the codec stand in `view` from `start` to `end`. */
export function hashOfBytes(
  kind: number,
  view: DataView,
  start: number,
  end: number,
  seq: number,
  epoch: Epoch | null = null,
): ThingHash {
  // Not by way of EPOCH_ZERO: `ownerWord` remembers one owner, and that should be the writer's.
  const epochOwner = epoch === null ? NO_OWNER_WORD : ownerWord(epoch.owner);
  const word: Word64 = { high: CHAIN_START.high, low: CHAIN_START.low };
  extendChain(word, { epochCounter: epoch?.counter ?? 0, epochOwner, seq, kind }, view, start, end);
  return { high: word.high | 0, low: word.low | 0, bytes: end - start };
}

export class StateHash {
  #high = 0;
  #low = 0;

  add(hash: ThingHash): void {
    this.#high = (this.#high + hash.high) | 0;
    this.#low = (this.#low + hash.low) | 0;
  }

  remove(hash: ThingHash): void {
    this.#high = (this.#high - hash.high) | 0;
    this.#low = (this.#low - hash.low) | 0;
  }

  /** Sixteen hexadecimal digits: of all that is in this hash and in `other`. */
  with(other: StateHash): string {
    return formatWord64({
      high: (this.#high + other.#high) >>> 0,
      low: (this.#low + other.#low) >>> 0,
    });
  }
}
