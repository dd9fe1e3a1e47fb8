/** What a walk is told, and what it tells. */
import type { StreamSettings } from "../../../lib/stream/replica-state.ts";
import type { Violation } from "./violations.ts";

export interface WalkOptions {
  readonly seed: number;
  readonly nodes: number;
  /** How many of the nodes are members at first. */
  readonly members: number;
  readonly durability: "memory" | "disk";
  readonly steps: number;
  readonly reconfigures: boolean;
  /** Steps, on average, between two changes of who hears whom. Absent: all hear all. */
  readonly cutEvery?: number;
  /** Nobody loses what it holds: crashes are restarts from disk, and without disks there are none. */
  readonly immortal?: boolean;
  /** It ends where it is: nothing is proved about its coming to rest, and the time goes into the faults. */
  readonly restless?: boolean;
  /** Read leases, and clocks that run apart as far as is allowed. */
  readonly leases?: boolean;
  /** Disks that may lose an acknowledged end in a crash, and say so. */
  readonly losesTails?: boolean;
  readonly settings?: Partial<StreamSettings>;
}

export interface WalkOutcome {
  readonly violations: readonly Violation[];
  readonly committed: number;
  readonly opened: number;
  readonly reconfigured: number;
  readonly crashes: number;
  readonly snapshots: number;
  /** Linearizable reads that were answered. */
  readonly reads: number;
  /** Steps after which somebody held a lease. */
  readonly leased: number;
  /** Ends of logs that were lost though acknowledged. */
  readonly tailsLost: number;
  /** It could not come to rest, because a proposal lost its members. */
  readonly stranded: boolean;
  readonly trace: readonly string[];
}

/** Small, so that every bound is met. */
export const SETTINGS: Omit<StreamSettings, "durability"> = {
  failureTicks: 6,
  stepDownTicks: 6,
  claimTicks: 12,
  retryTicks: 2,
  pendingMax: 20,
  windowEntries: 6,
  appendEntries: 3,
  appendBytes: 1_000,
  keptEntries: 8,
  learnersMax: 3,
  acknowledgeHeld: false,
  leaseMs: 0,
  clockDrift: 0.25,
};
