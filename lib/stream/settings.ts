/**
 * The bounds, intervals and timeouts of a stream, each with its default and its reason, and the relations
 * between them that must hold. All replicas of a stream should have the same.
 */
import { SupercastError } from "../base/errors.ts";
import type { StreamSettings } from "./replica-state.ts";
import type { StreamMode } from "./requests.ts";

export const DEFAULT_STREAM_SETTINGS = {
  /** A tick: between two heartbeats of the writer. All times in ticks are multiples of it. */
  heartbeatMs: 100,
  /** Silence of the writer after which members ask for a new epoch, drawn from one to two times this. */
  failureTicks: 10,
  /** A writer that hears no write quorum for so long gives up: no later than others may replace it. */
  stepDownTicks: 10,
  /** A claim that has not opened by then is given up, so that another may try. */
  claimTicks: 20,
  /** Between two sendings of the same question: two round trips of a slow network. */
  retryTicks: 2,
  /** Between two attempts of an empty replica to find the writer. */
  joinTicks: 5,
  /** Entries in flight at the writer; one more is refused with `overload`. */
  pendingMax: 10_000,
  /** Entries on their way to one member; more would only wait in its connection. */
  windowEntries: 1_024,
  /** Entries and bytes of one append: well below a batch between nodes, so that heartbeats get through. */
  appendEntries: 256,
  appendBytes: 256 * 1024,
  /** Committed entries kept in memory for members that lag; who lacks older ones gets a snapshot. */
  keptEntries: 4_096,
  /** Learners that are brought up at a time, so that copying does not starve the members. */
  learnersMax: 2,
  /** Read leases; 0 is off, because they rest on a bound of the clocks that only the operator can declare. */
  leaseMs: 0,
  /** How far two clocks may run apart, as a share. */
  clockDrift: 0.25,
  /** The commit position leaves at the latest this long after a commit, should no entry carry it. */
  commitDelayMs: 5,
  /** Callers of a batch that is not decided by then are told `unknown` (the seed's majority_timeout). */
  majorityTimeoutMs: 2_000,
  /** A read that waits for a majority or a position longer than this is `unavailable`. */
  readTimeoutMs: 5_000,
  /** An order (claim, reconfigure, handOver) that is not decided by then is `unknown`: half a dozen claims. */
  orderTimeoutMs: 10_000,
  /** Requests and their bytes, estimated, in one entry. */
  batchRequests: 512,
  batchBytes: 192 * 1024,
  /** Answers of a client that has sent nothing for so long are dropped; longer than any client repeats a request. */
  clientIdleMs: 600_000,
  /** Between two looks for such clients. */
  expiryIntervalMs: 100,
  /** Callers that wait for answers to requests, and to reads; one more is refused with `overload`. */
  waitingRequests: 50_000,
  waitingReads: 10_000,
  /** A request that meets a locked key waits for it no longer than this; shorter than a client's attempt. */
  lockWaitMs: 2_000,
  /** Requests that wait for locked keys; one more is refused with `overload`. */
  parkedRequests: 10_000,
} as const satisfies Record<string, number>;

export type ReplicaSettings = { readonly [Name in keyof typeof DEFAULT_STREAM_SETTINGS]: number };

const ZERO_ALLOWED: ReadonlySet<string> = new Set(["leaseMs", "clockDrift", "commitDelayMs"]);
const FRACTIONS: ReadonlySet<string> = new Set(["clockDrift"]);

type Rule = readonly [description: string, holds: (settings: ReplicaSettings) => boolean];

const RULES: readonly Rule[] = [
  ["stepDownTicks must not exceed failureTicks", (s) => s.stepDownTicks <= s.failureTicks],
  ["retryTicks must be less than claimTicks", (s) => s.retryTicks < s.claimTicks],
  ["failureTicks must be at least 3", (s) => s.failureTicks >= 3],
  ["appendEntries must not exceed windowEntries", (s) => s.appendEntries <= s.windowEntries],
  ["batchBytes must not exceed appendBytes", (s) => s.batchBytes <= s.appendBytes],
  ["majorityTimeoutMs must be at least heartbeatMs", (s) => s.majorityTimeoutMs >= s.heartbeatMs],
  ["commitDelayMs must be less than heartbeatMs", (s) => s.commitDelayMs < s.heartbeatMs],
  ["clockDrift must be less than 1", (s) => s.clockDrift < 1],
  [
    "leaseMs x (1 - clockDrift) must be 0 or exceed 2 x heartbeatMs",
    (s) => s.leaseMs === 0 || s.leaseMs * (1 - s.clockDrift) > 2 * s.heartbeatMs,
  ],
  [
    // Otherwise a claim that meets a fresh lease is always given up before those who granted it are free.
    "claimTicks x heartbeatMs must exceed leaseMs x (1 + clockDrift)",
    (s) => s.claimTicks * s.heartbeatMs > s.leaseMs * (1 + s.clockDrift),
  ],
];

/** Merges `overrides` into the defaults; throws `config_mismatch` naming the first setting that cannot be. */
export function checkStreamSettings(overrides: Partial<ReplicaSettings> = {}): ReplicaSettings {
  const settings: ReplicaSettings = { ...DEFAULT_STREAM_SETTINGS, ...overrides };
  for (const [name, value] of Object.entries(settings)) {
    if (!Object.hasOwn(DEFAULT_STREAM_SETTINGS, name)) {
      const known = Object.keys(DEFAULT_STREAM_SETTINGS).join(", ");
      throw mismatch(`${name} is not known; known: ${known}`);
    }
    const least = ZERO_ALLOWED.has(name) ? 0 : 1;
    const whole = FRACTIONS.has(name) ? Number.isFinite(value) : Number.isSafeInteger(value);
    if (!whole || value < least) {
      const kind = FRACTIONS.has(name) ? "a finite number" : "an integer";
      throw mismatch(`${name} is ${value}; allowed: ${kind} from ${least}`);
    }
  }
  for (const [description, holds] of RULES) {
    if (!holds(settings)) {
      const named = Object.entries(settings).filter(([name]) =>
        new RegExp(`\\b${name}\\b`).test(description),
      );
      throw mismatch(`${description}; ${named.map(([name, value]) => `${name} is ${value}`).join(", ")}`);
    }
  }
  return settings;
}

/** The settings of the pure replica. */
export function coreSettings(
  settings: ReplicaSettings,
  durability: StreamSettings["durability"],
  mode: StreamMode,
): StreamSettings {
  const { failureTicks, stepDownTicks, claimTicks, retryTicks, pendingMax, windowEntries } = settings;
  const { appendEntries, appendBytes, keptEntries, learnersMax, leaseMs, clockDrift } = settings;
  return {
    durability,
    failureTicks,
    stepDownTicks,
    claimTicks,
    retryTicks,
    pendingMax,
    windowEntries,
    appendEntries,
    appendBytes,
    keptEntries,
    learnersMax,
    acknowledgeHeld: durability === "disk" && mode === "sync",
    leaseMs,
    clockDrift,
  };
}

function mismatch(problem: string): SupercastError {
  return new SupercastError("config_mismatch", `stream settings: ${problem}`);
}
