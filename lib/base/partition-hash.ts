/**
 * Which partition a term belongs to, the same on every machine and in every version: MurmurHash3 (x86, 32 bits,
 * seed 0; A. Appleby, public domain) of the term's canonical key in UTF-8, modulo the number of partitions. So
 * 1 and 1n, or the same object with its fields in another order, belong to one partition, and a client in
 * another language can work it out.
 */
import { termKey } from "./term-key.ts";

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;
const ASCII_END = 0x80;

/** From 0 to `partitions` - 1; `partitions` is an integer from 1. Throws as `termKey` does. */
export function partitionOf(term: unknown, partitions: number): number {
  return hashText(termKey(term)) % partitions;
}

/** MurmurHash3 of the UTF-8 bytes of a text, from 0 to 2^32 - 1. */
export function hashText(text: string): number {
  const length = text.length;
  let hash = 0;
  let word = 0;
  for (let at = 0; at < length; at++) {
    const unit = text.charCodeAt(at);
    if (unit >= ASCII_END) {
      return hashBytes(Buffer.from(text, "utf8"));
    }
    word |= unit << ((at & 3) << 3);
    if ((at & 3) === 3) {
      hash = mixed(hash, word);
      word = 0;
    }
  }
  return finished(hash, word, length);
}

function hashBytes(bytes: Uint8Array): number {
  let hash = 0;
  let word = 0;
  for (const [at, byte] of bytes.entries()) {
    word |= byte << ((at & 3) << 3);
    if ((at & 3) === 3) {
      hash = mixed(hash, word);
      word = 0;
    }
  }
  return finished(hash, word, bytes.length);
}

function scrambled(word: number): number {
  const product = Math.imul(word, C1);
  return Math.imul((product << 15) | (product >>> 17), C2);
}

function mixed(hash: number, word: number): number {
  const taken = hash ^ scrambled(word);
  return (Math.imul((taken << 13) | (taken >>> 19), 5) + 0xe6546b64) | 0;
}

/** `word`: the bytes behind the last four; 0, which changes nothing, when there are none. */
function finished(hash: number, word: number, length: number): number {
  let value = hash ^ scrambled(word) ^ length;
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
