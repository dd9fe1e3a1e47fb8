/**
 * The rolling chain hash: 64 bits over the whole history of a stream up to an entry.
 *
 * Equal chains at equal sequence numbers mean, but for one chance in 2^64, equal history: each value is
 * hashed from the one before it and from the entry's epoch, number, kind and payload. Two 32-bit lanes
 * take in every word with different multipliers and are mixed into each other at the end (the rounds and
 * the avalanche are MurmurHash3's); no BigInt, because this runs once per entry. It finds divergence and
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

/** Replaces `chain`, the value before the entry, by the value after it. */
export function extendChain(
  chain: Word64,
  link: ChainLink,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  let high = chain.high | 0;
  let low = chain.low | 0;
  const absorb = (word: number): void => {
    const mixed = Math.imul(word, 0xcc9e2d51);
    high ^= Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
    high = (Math.imul((high << 13) | (high >>> 19), 5) + 0xe6546b64) | 0;
    const other = Math.imul(word ^ 0x5bd1e995, 0x38b34ae5);
    low ^= Math.imul((other << 18) | (other >>> 14), 0xa1e38b93);
    low = (Math.imul((low << 17) | (low >>> 15), 5) + 0x561ccd1b) | 0;
  };
  absorb(link.epochCounter | 0);
  absorb(link.epochCounter / 0x1_0000_0000);
  absorb(link.epochOwner.low);
  absorb(link.epochOwner.high);
  absorb(link.seq | 0);
  absorb(link.seq / 0x1_0000_0000);
  absorb(link.kind);
  absorb(end - start);
  let at = start;
  for (const wordEnd = end - 3; at < wordEnd; at += 4) {
    absorb(
      (bytes[at] ?? 0) |
        ((bytes[at + 1] ?? 0) << 8) |
        ((bytes[at + 2] ?? 0) << 16) |
        ((bytes[at + 3] ?? 0) << 24),
    );
  }
  if (at < end) {
    let rest = 0;
    for (let shift = 0; at < end; at++, shift += 8) {
      rest |= (bytes[at] ?? 0) << shift;
    }
    absorb(rest);
  }
  low = (low + high) | 0;
  high = (high + low) | 0;
  low = avalanche(low);
  high = avalanche(high);
  low = (low + high) | 0;
  high = (high + low) | 0;
  chain.high = high >>> 0;
  chain.low = low >>> 0;
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
