/**
 * Every bound, interval and timeout of the product, with its default and its reason, and the
 * relations between them that must hold. Options of `startNode` override single entries; whatever
 * comes out is checked by `checkLimits` before anything starts.
 */
import { SupercastError } from "./errors.ts";

export const DEFAULT_LIMITS = {
  /** Messages that may wait in a process's user lane; one more is refused with `mailbox_full`. */
  mailboxMessages: 10_000,
  /** Messages one process handles before the next ready process gets its turn. */
  quantumMessages: 64,
  /** Messages handled in one turn of the event loop before input and timers get theirs. */
  turnMessages: 8_192,
  /** The same bound in time, for handlers that are slow. */
  turnMs: 8,
  /** A call without a timeout of its own (gen_server's default). */
  callTimeoutMs: 5_000,
  /** How long a process may take to initialise. */
  startTimeoutMs: 30_000,
  /** How long a worker may take to end when its supervisor asks. */
  shutdownMs: 5_000,
  /** Restarts a supervisor allows within `restartPeriodMs` before it gives up. */
  restartIntensity: 3,
  restartPeriodMs: 5_000,
  /** Between two heartbeats of a node. */
  heartbeatMs: 100,
  /** Silence after which a node is suspected and asked on its own subject. */
  suspectAfterMs: 300,
  /** Silence after which a node that does not answer is down. */
  failureTimeoutMs: 2_000,
  /** Between two questions to a suspect; "no responders" counts when seen twice this far apart. */
  probeIntervalMs: 100,
  /** How long one's own connection must have been up before "no responders" is believed. */
  reconnectGraceMs: 5_000,
  /** Largest batch between two nodes; the server's max_payload lowers it further. */
  batchBytes: 512 * 1024,
  /** Bytes handed to the NATS client and not yet known to have left, before sends are refused. */
  outboundBytes: 32 * 1024 * 1024,
  /** Remote calls one node may have open at a time. */
  openCalls: 100_000,
  /** Foreign messages: bytes, nesting, and how many may be in hand at a time. */
  foreignBytes: 1024 * 1024,
  foreignDepth: 32,
  foreignInFlight: 10_000,
  /** How long a foreign call may stay open; its caller usually waits far shorter. */
  foreignTimeoutMs: 30_000,
  /** Answers kept for repeated foreign requests with a `requestId`: how many, their bytes, how long. */
  requestIds: 10_000,
  requestIdBytes: 64 * 1024 * 1024,
  requestIdMs: 60_000,
  /** NATS: ping interval, unanswered pings before the connection counts as stale, wait between dials. */
  natsPingMs: 5_000,
  natsMaxPingOut: 2,
  natsReconnectWaitMs: 250,
  natsConnectTimeoutMs: 5_000,
  /** HealthMonitor's round, and how long it waits for one node's answer. */
  healthIntervalMs: 5_000,
  healthTimeoutMs: 1_000,
  /** NodeMonitor's discovery: between two runs, and how long one may take. */
  discoveryRefreshMs: 5_000,
  discoveryTimeoutMs: 5_000,
  /** Graceful stop: for mailboxes to empty, then for the tree to end. */
  drainMs: 5_000,
} as const satisfies Record<string, number>;

export type Limits = { readonly [Name in keyof typeof DEFAULT_LIMITS]: number };

const ZERO_ALLOWED: ReadonlySet<string> = new Set(["restartIntensity", "reconnectGraceMs"]);

type Rule = readonly [description: string, holds: (limits: Limits) => boolean];

const RULES: readonly Rule[] = [
  ["suspectAfterMs must be at least 2 x heartbeatMs", (l) => l.suspectAfterMs >= 2 * l.heartbeatMs],
  [
    "failureTimeoutMs must exceed suspectAfterMs + 2 x probeIntervalMs",
    (l) => l.failureTimeoutMs > l.suspectAfterMs + 2 * l.probeIntervalMs,
  ],
  ["probeIntervalMs must be at least heartbeatMs", (l) => l.probeIntervalMs >= l.heartbeatMs],
  ["outboundBytes must be at least 4 x batchBytes", (l) => l.outboundBytes >= 4 * l.batchBytes],
  ["quantumMessages must not exceed turnMessages", (l) => l.quantumMessages <= l.turnMessages],
  ["requestIdMs must be at least foreignTimeoutMs", (l) => l.requestIdMs >= l.foreignTimeoutMs],
  ["healthTimeoutMs must not exceed healthIntervalMs", (l) => l.healthTimeoutMs <= l.healthIntervalMs],
];

/** Merges `overrides` into the defaults; throws `config_mismatch` naming the first entry that cannot be. */
export function checkLimits(overrides: Partial<Limits> = {}): Limits {
  const limits: Limits = { ...DEFAULT_LIMITS, ...overrides };
  for (const [name, value] of Object.entries(limits)) {
    if (!Object.hasOwn(DEFAULT_LIMITS, name)) {
      const known = Object.keys(DEFAULT_LIMITS).join(", ");
      throw new SupercastError("config_mismatch", `limits.${name} is not known; known: ${known}`);
    }
    const least = ZERO_ALLOWED.has(name) ? 0 : 1;
    if (!Number.isFinite(value) || value < least) {
      throw new SupercastError(
        "config_mismatch",
        `limits.${name} is ${value}; allowed: a finite number from ${least}`,
      );
    }
  }
  for (const [description, holds] of RULES) {
    if (!holds(limits)) {
      const named = Object.keys(limits).filter((name) => new RegExp(`\\b${name}\\b`).test(description));
      const values = Object.entries(limits).filter(([name]) => named.includes(name));
      const shown = values.map(([name, value]) => `${name} is ${value}`).join(", ");
      throw new SupercastError("config_mismatch", `limits: ${description}; ${shown}`);
    }
  }
  return limits;
}
