/**
 * Epochs: the ballot `(counter, owner)` under which an entry was written. Ordered by counter, then by
 * owner. The owner is a 64-bit hash of a replica's identity as sixteen hexadecimal digits; a journal used
 * on its own needs no owner and gives the counter alone.
 */
import { formatWord64, parseWord64, type Word64 } from "./chain.ts";
import { invalid } from "./errors.ts";

export interface Epoch {
  readonly counter: number;
  readonly owner: string;
}

export const NO_OWNER = "0000000000000000";

export const EPOCH_ZERO: Epoch = { counter: 0, owner: NO_OWNER };

/** An epoch from what a caller gives; throws `invalid_message` naming `field`. */
export function toEpoch(value: number | Epoch, field: string = "epoch"): Epoch {
  const epoch = typeof value === "number" ? { counter: value, owner: NO_OWNER } : value;
  if (!Number.isSafeInteger(epoch.counter) || epoch.counter < 0) {
    throw invalid(field, `counter is ${epoch.counter}; allowed: an integer from 0 to 2^53 - 1`);
  }
  ownerWord(epoch.owner, field);
  return epoch;
}

/** Negative, zero or positive as `left` is below, equal to or above `right`. */
export function compareEpochs(left: Epoch, right: Epoch): number {
  if (left.counter !== right.counter) {
    return left.counter - right.counter;
  }
  return left.owner < right.owner ? -1 : left.owner > right.owner ? 1 : 0;
}

let lastOwner = NO_OWNER;
let lastWord: Readonly<Word64> = { high: 0, low: 0 };

/** The owner as words. Remembers the last one: a writer appends under one owner for a long time. */
export function ownerWord(owner: string, field: string = "epoch"): Readonly<Word64> {
  if (owner !== lastOwner) {
    const word = parseWord64(owner);
    if (word === null) {
      throw invalid(
        field,
        `owner is ${JSON.stringify(owner)}; allowed: sixteen lower-case hexadecimal digits`,
      );
    }
    lastWord = word;
    lastOwner = owner;
  }
  return lastWord;
}

/** The owner's text; the usual case, no owner, costs nothing. */
export function ownerText(high: number, low: number): string {
  if (high === 0 && low === 0) {
    return NO_OWNER;
  }
  return lastWord.high === high && lastWord.low === low ? lastOwner : formatWord64({ high, low });
}
