/**
 * The verdict over the first place of the last segment that holds no valid record: a pure decision table.
 *
 * A crash leaves any subset of the unsynced sectors; a sector that is missing holds zeros there, because
 * segments are filled with zeros before use and cut tails are filled again. Damage changes bytes that had
 * been synced. The table tells the two apart where they can be told apart, and says so where not.
 */

/** What was found at the place and after it. */
export interface TailFacts {
  /** The LSN of the place. */
  readonly lsn: number;
  /** How far the state file says that the log was durable. */
  readonly stateSyncedLsn: number;
  /** The greatest synced LSN that a valid record further on tells, or 0. */
  readonly laterSyncedLsn: number;
  /** Whether the place where a header would be holds zeros. */
  readonly headerBlank: boolean;
  /** Whether there is a valid header, so that it is the payload that is wrong. */
  readonly headerValid: boolean;
  /** Whether a sector of the payload holds zeros although the record says it has no such sector. */
  readonly sectorMissing: boolean;
  /** Whether the file holds nothing but zeros from the place on. */
  readonly restBlank: boolean;
}

/**
 * `clean`: the log ends here. `torn`: a write that was never acknowledged was cut short; it may go.
 * `uncertain`: either that or damage to the last batch; it goes too, but nobody may count on the tail.
 * `damaged`: what stood here had been synced; nothing may be changed.
 */
export type TailVerdict = "clean" | "torn" | "uncertain" | "damaged";

interface Row {
  readonly when: (facts: TailFacts) => boolean;
  readonly verdict: TailVerdict;
  readonly why: string;
}

/** The first row that applies decides. */
export const TAIL_TABLE: readonly Row[] = [
  {
    when: (facts) => facts.lsn < facts.stateSyncedLsn,
    verdict: "damaged",
    why: "the state file says that the log was synced beyond this place",
  },
  {
    when: (facts) => facts.laterSyncedLsn > facts.lsn,
    verdict: "damaged",
    why: "a later record proves that this place had been synced",
  },
  {
    when: (facts) => facts.headerBlank && facts.restBlank,
    verdict: "clean",
    why: "only zeros follow",
  },
  {
    when: (facts) => facts.headerBlank,
    verdict: "torn",
    why: "the sector with the header was never written, sectors after it were",
  },
  {
    when: (facts) => facts.headerValid && facts.sectorMissing,
    verdict: "torn",
    why: "a sector of the payload was never written",
  },
  {
    when: () => true,
    verdict: "uncertain",
    why: "every sector was written and the checksum is wrong: a torn write and damage look alike here",
  },
];

export function judgeTail(facts: TailFacts): { readonly verdict: TailVerdict; readonly why: string } {
  const row = TAIL_TABLE.find(({ when }) => when(facts));
  return row ?? { verdict: "uncertain", why: "no rule applies" };
}
