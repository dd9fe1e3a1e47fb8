/**
 * The bug bank: bugs that protocols like this one have had, planted one at a time into a copy of the sources,
 * so that the proofs show what they are worth. Production code knows nothing of it. A spec sees to it that
 * every patch still fits the code.
 */
import { CLAIM_BUGS } from "./bank/claims.ts";
import { LOG_BUGS } from "./bank/logs-and-reads.ts";
import { QUORUM_BUGS } from "./bank/quorums.ts";
import { STATE_BUGS } from "./bank/state-and-disk.ts";
import type { Bug } from "./bug.ts";

export const BANK: readonly Bug[] = [...QUORUM_BUGS, ...CLAIM_BUGS, ...LOG_BUGS, ...STATE_BUGS].sort(
  (left, right) => left.id - right.id,
);

export interface LeftOut {
  readonly id: number;
  readonly title: string;
  readonly why: string;
}

/** Bugs of the list that cannot be planted here, and why. */
export const LEFT_OUT: readonly LeftOut[] = [
  {
    id: 36,
    title: "overwrites the register's chain of configurations",
    why: "there is no register: each replica remembers the successors it was sealed for, and 8, 9, 37 and 38 are the bugs of that",
  },
];
