/** One entry of a stream's log, and the chain that ties it to all before it. */

import { invariant } from "../base/invariant.ts";
import { CHAIN_START, extendChain, formatWord64, parseWord64, type Word64 } from "../journal/chain.ts";
import { EPOCH_ZERO, type Epoch, ownerWord } from "../journal/epoch.ts";

/** What an entry is: a batch of operations, or the first entry of an epoch. */
export const KIND_BATCH = 0;
export const KIND_BARRIER = 1;

/** An entry as it travels: its place in the chain follows from the one before it. */
export interface WireEntry {
  readonly seq: number;
  readonly epoch: Epoch;
  readonly kind: number;
  readonly payload: Uint8Array;
}

export interface Entry extends WireEntry {
  /** The chain after this entry, as sixteen hexadecimal digits: equal chains mean equal history. */
  readonly chain: string;
}

/** A position in a log: a seq, and the epoch and chain of the entry there. */
export interface Position {
  readonly seq: number;
  readonly epoch: Epoch;
  readonly chain: string;
}

/** Before the first entry. */
export const ORIGIN: Position = { seq: 0, epoch: EPOCH_ZERO, chain: formatWord64(CHAIN_START) };

/** `entries`, which follow each other from `prevChain` on, with their chains. */
export function chained(prevChain: string, entries: readonly WireEntry[]): Entry[] {
  const chain: Word64 | null = parseWord64(prevChain);
  invariant(chain !== null, "a chain value is sixteen hexadecimal digits");
  return entries.map(({ seq, epoch, kind, payload }) => {
    const link = { epochCounter: epoch.counter, epochOwner: ownerWord(epoch.owner), seq, kind };
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    extendChain(chain, link, view, 0, payload.byteLength);
    return { seq, epoch, kind, payload, chain: formatWord64(chain) };
  });
}
