/**
 * What a god knows of a simulated stream: every replica's newest state, all that was ever committed, every
 * epoch that was ever proposed or opened. The observers write it, and report what must never be.
 */
import type { Epoch } from "../../../lib/journal/epoch.ts";
import type { Configuration, Proposed } from "../../../lib/stream/configuration.ts";
import type { ReplicaId } from "../../../lib/stream/replica-id.ts";
import type { ReplicaState } from "../../../lib/stream/replica-state.ts";
import type { Holders } from "./holders.ts";
import type { Trace } from "./trace.ts";

/** Violations kept; all are counted. */
const KEPT_MAX = 20;

export interface Violation {
  /** An invariant of the protocol ("I6"), or the name of a checker. */
  readonly rule: string;
  readonly message: string;
  readonly atMs: number;
}

export interface Committed {
  readonly chain: string;
  /** The epoch of the writer that committed it first. */
  readonly by: Epoch;
  /** Of the entry itself. */
  readonly epoch: Epoch;
  readonly payload: Uint8Array;
  readonly kind: number;
}

/** One replica as the world sees it. */
export interface Observed {
  readonly self: ReplicaId;
  state: ReplicaState;
  /** Times it began: 1 for the first, more after restarts with a disk. */
  lives: number;
  /** Its memory is gone for good, or its disk: this identity must not speak again. */
  lost: boolean;
  /** The process is down. */
  down: boolean;
  /** The promise as far as it is durable; in memory the promise itself. */
  durablePromise: Epoch;
  /** What it has told others that it holds; null when it was told to drop that since. */
  vouched: { readonly seq: number; readonly chain: string } | null;
  vouchedPromise: Epoch;
  /** What it promised when its process last ended; zero while it never did. */
  endedIn: Epoch;
}

export interface Coverage {
  /** Effects performed, by kind. */
  readonly effects: Record<string, number>;
  /** Steps that came to no effect because the process ended, by the kind of effect it ended at. */
  readonly crashesAt: Record<string, number>;
  epochsOpened: number;
  reconfigurations: number;
  snapshots: number;
  truncations: number;
  claimsFailed: number;
  commits: number;
}

export class World {
  readonly trace: Trace;
  readonly replicas = new Map<ReplicaId, Observed>();
  /** By seq; seq 0 is empty. */
  readonly committed: Committed[] = [];
  /** Every epoch ever proposed: its owner and configuration. */
  readonly proposed = new Map<string, { readonly owner: ReplicaId | null; readonly key: string }>();
  readonly opened: Proposed[] = [];
  readonly violations: Violation[] = [];
  violationCount = 0;
  /** Kept where a memory may be lost that answers relied on: `sync` on disk. */
  holders: Holders | null = null;
  readonly coverage: Coverage = {
    effects: {},
    crashesAt: {},
    epochsOpened: 0,
    reconfigurations: 0,
    snapshots: 0,
    truncations: 0,
    claimsFailed: 0,
    commits: 0,
  };
  /** The own clock of a replica. */
  readonly clockOf: (replica: ReplicaId) => number;
  readonly #now: () => number;

  constructor(trace: Trace, now: () => number, clockOf: (replica: ReplicaId) => number) {
    this.trace = trace;
    this.clockOf = clockOf;
    this.#now = now;
  }

  get committedSeq(): number {
    return Math.max(0, this.committed.length - 1);
  }

  /** The newest configuration that ever opened; null before the first. */
  get newest(): Proposed | null {
    return this.opened.at(-1) ?? null;
  }

  violate(rule: string, message: string): void {
    this.violationCount += 1;
    this.trace.note("world", `VIOLATION of ${rule}: ${message}`);
    if (this.violations.length < KEPT_MAX) {
      this.violations.push({ rule, message, atMs: this.#now() });
    }
  }

  expect(holds: boolean, rule: string, otherwise: () => string): void {
    if (!holds) {
      this.violate(rule, otherwise());
    }
  }
}

export function epochText({ counter, owner }: Epoch): string {
  return `${counter}/${owner.slice(0, 6)}`;
}

/** Unique per epoch. */
export function epochKey({ counter, owner }: Epoch): string {
  return `${counter}/${owner}`;
}

export function membersText({ members, writeQuorum, sealQuorum }: Configuration): string {
  return `${members.map(shortId).join(",")} W${writeQuorum} S${sealQuorum}`;
}

/** Short forms in use: the observers ask for one at every step of every replica. */
const shortIds = new Map<ReplicaId, string>();
const SHORT_IDS_MAX = 1_000;

/** A replica for people: its node and the end of its incarnation. */
export function shortId(replica: ReplicaId): string {
  const known = shortIds.get(replica);
  if (known !== undefined) {
    return known;
  }
  const slash = replica.lastIndexOf("/");
  const short = `${replica.slice(0, slash)}/${replica.slice(slash + 1).slice(-4)}`;
  if (shortIds.size === SHORT_IDS_MAX) {
    shortIds.clear();
  }
  shortIds.set(replica, short);
  return short;
}
