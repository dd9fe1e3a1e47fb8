/**
 * The rolling chain hash: 64 bits over the whole history of a stream up to an entry.
 *
 * Equal chains at equal sequence numbers mean, but for one chance in 2^64, equal history: each value is
 * hashed from the one before it and from the entry's epoch, number, length, kind and payload. Two 32-bit
 * lanes take in the words by turns, each adding the other in, and are mixed at the end (rounds, constants
 * and avalanche are MurmurHash3's); no BigInt, because this runs once per entry. It finds divergence and
 * damage, it does not resist someone who looks for a collision.
 */

/** A chain value or an epoch's owner as two unsigned 32-bit words. */
export interface Word64 {
  high: number;
  low: number;
}

/** The chain before the first entry of a stream. */
export const CHAIN_START: Readonly<Word64> = { high: 0x53757065, low: 0x72636173 };

/** What of an entry enters the chain besides its payload. */
export interface ChainLink {
  readonly epochCounter: number;
  readonly epochOwner: Readonly<Word64>;
  readonly seq: number;
  readonly kind: number;
}

/** Replaces `chain`, the value before the entry, by the value after it; the payload is `view[start, end)`. */
export function extendChain(
  chain: Word64,
  link: ChainLink,
  view: DataView,
  start: number,
  end: number,
): void {
  const length = end - start;
  let high = chain.high | 0;
  let low = chain.low | 0;
  high = mixHigh(high, low, link.epochCounter | 0);
  low = mixLow(low, high, (link.epochCounter / 0x1_0000_0000) | 0);
  high = mixHigh(high, low, link.epochOwner.low | 0);
  low = mixLow(low, high, link.epochOwner.high | 0);
  high = mixHigh(high, low, link.seq | 0);
  low = mixLow(low, high, (link.seq / 0x1_0000_0000) | 0);
  high = mixHigh(high, low, length);
  low = mixLow(low, high, link.kind);
  let at = start | 0;
  for (const blockEnd = (end - 7) | 0; at < blockEnd; at = (at + 8) | 0) {
    // mixHigh and mixLow written out: as calls they cost half as much again, and this is most of a replay.
    let spread = Math.imul(view.getInt32(at, true), 0x239b961b);
    let mixed = high ^ Math.imul((spread << 15) | (spread >>> 17), 0xab0e9789);
    let sum = (((mixed << 19) | (mixed >>> 13)) + low) | 0;
    high = (sum + (sum << 2) + 0x561ccd1b) | 0;
    spread = Math.imul(view.getInt32(at + 4, true), 0x38b34ae5);
    mixed = low ^ Math.imul((spread << 16) | (spread >>> 16), 0xa1e38b93);
    sum = (((mixed << 17) | (mixed >>> 15)) + high) | 0;
    low = (sum + (sum << 2) + 0x0bcaa747) | 0;
  }
  if (at < end) {
    high = mixHigh(high, low, restAt(view, at, end));
    low = mixLow(low, high, restAt(view, at + 4, end));
  }
  high = (high + low) | 0;
  low = (low + high) | 0;
  high = avalanche(high);
  low = avalanche(low);
  high = (high + low) | 0;
  low = (low + high) | 0;
  chain.high = high >>> 0;
  chain.low = low >>> 0;
}

// Times five is written as a shift and an addition, and every step ends as a 32-bit integer: the engine
// then keeps both lanes in registers, which makes the hash about twice as fast.

function mixHigh(high: number, low: number, word: number): number {
  const spread = Math.imul(word, 0x239b961b);
  const mixed = high ^ Math.imul((spread << 15) | (spread >>> 17), 0xab0e9789);
  const sum = (((mixed << 19) | (mixed >>> 13)) + low) | 0;
  return (sum + (sum << 2) + 0x561ccd1b) | 0;
}

function mixLow(low: number, high: number, word: number): number {
  const spread = Math.imul(word, 0x38b34ae5);
  const mixed = low ^ Math.imul((spread << 16) | (spread >>> 16), 0xa1e38b93);
  const sum = (((mixed << 17) | (mixed >>> 15)) + high) | 0;
  return (sum + (sum << 2) + 0x0bcaa747) | 0;
}

/** The word of up to four bytes at `start`, those at and behind `end` zero. */
function restAt(view: DataView, start: number, end: number): number {
  if (start + 4 <= end) {
    return view.getInt32(start, true);
  }
  let rest = 0;
  for (let at = start, shift = 0; at < end; at++, shift += 8) {
    rest |= view.getUint8(at) << shift;
  }
  return rest;
}

function avalanche(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** Sixteen hexadecimal digits. */
export function formatWord64(word: Readonly<Word64>): string {
  return hex32(word.high) + hex32(word.low);
}

/** The inverse of `formatWord64`; null unless `text` is exactly sixteen lower-case hexadecimal digits. */
export function parseWord64(text: string): Word64 | null {
  if (!/^[0-9a-f]{16}$/.test(text)) {
    return null;
  }
  return { high: Number.parseInt(text.slice(0, 8), 16), low: Number.parseInt(text.slice(8), 16) };
}

export function hex32(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}
