/**
 * What one seed does: its cluster, its settings, its clients and its faults, all drawn before anything runs.
 *
 * Each seed draws its own mix of faults and their intensities ("swarm testing"): a seed that does only a few
 * things does them often, and so reaches what an even mix would not. Times and kinds are fixed here; who is
 * hit follows from `draw` and from who is there when the time comes.
 */
import { type Random, seededRandom } from "../../../lib/base/random.ts";
import type { ReadMode, StreamMode } from "../../../lib/stream/requests.ts";
import { checkStreamSettings, type ReplicaSettings } from "../../../lib/stream/settings.ts";
import { between, chance, pick, shuffled, spread, weighted } from "./draw.ts";

/** Faults happen up to here, then everything is healed. */
export const SAFETY_MS = 44_000;
/** The length of a run in virtual time. */
export const RUN_MS = 60_000;
/** The cluster gets so long to begin before the first fault. */
const FIRST_FAULT_MS = 2_000;
const LAST_FAULT_MS = 42_500;
/** Seeds in which the stream is lost. */
const LOSS_SHARE = 0.04;
const NAMES = ["a", "b", "c", "d", "e", "f", "g"] as const;

export const FAULT_KINDS = {
  loss: "network",
  duplication: "network",
  delay: "network",
  pairCut: "network",
  isolation: "network",
  halves: "network",
  ring: "network",
  bridge: "network",
  flapping: "network",
  connectionCut: "network",
  serverRestart: "network",
  oldLetters: "network",
  kill: "process",
  powerLoss: "process",
  pause: "process",
  crashLoop: "process",
  actorCrash: "process",
  restartOfAll: "process",
  strike: "process",
  blackout: "process",
  syncError: "disk",
  writeError: "disk",
  noSpace: "disk",
  bitFlip: "disk",
  wallJump: "clock",
  add: "membership",
  remove: "membership",
  replace: "membership",
  race: "membership",
  handOver: "membership",
  claim: "membership",
  faultPoint: "code",
  faultEverywhere: "code",
  faultStorm: "code",
} as const;

export type FaultKind = keyof typeof FAULT_KINDS;
export type FaultClass = (typeof FAULT_KINDS)[FaultKind];

/** One act against the cluster. */
export interface Fault {
  readonly atMs: number;
  readonly kind: FaultKind;
  /** Whom it seeks first. */
  readonly aim: "writer" | "follower" | "any";
  /** Two numbers in [0, 1) that choose among those who are there. */
  readonly draw: number;
  readonly draw2: number;
  readonly durationMs: number;
  /** A probability, from 0 to 1, where the kind has one. */
  readonly amount: number;
  readonly oneWay: boolean;
  readonly late: boolean;
}

export type Durability = "memory" | "disk";
export type KeyKind = "register" | "counter" | "list" | "queue";

export interface Plan {
  readonly seed: number;
  readonly nodes: readonly string[];
  /** The nodes of the first configuration; the others are spare. */
  readonly founders: readonly string[];
  readonly mode: StreamMode;
  readonly durability: Durability;
  readonly settings: ReplicaSettings;
  /** Rate of each node's clock, by place in `nodes`; 1 is true. */
  readonly clockRates: readonly number[];
  readonly limits: Readonly<Record<string, number>>;
  /** How long one disk operation may take at most; memory mode has no disk. */
  readonly diskLatencyMs: number;
  readonly clients: readonly string[];
  readonly keys: readonly { readonly key: string; readonly kind: KeyKind }[];
  readonly operations: number;
  readonly timeoutMs: number;
  readonly readShare: number;
  readonly readModes: readonly ReadMode[];
  readonly faults: readonly Fault[];
  /** The stream loses more than it can: all it has, or a majority of its members. Null in most seeds. */
  readonly loss: { readonly atMs: number; readonly all: boolean } | null;
  /** Links that are slow throughout the safety phase, each in one direction, so that somebody always lags. */
  readonly slowLinks: readonly { readonly from: string; readonly to: string; readonly delayMs: number }[];
}

/** The plan of a seed; the same for the same seed. */
export function drawPlan(seed: number): Plan {
  const random = seededRandom(`plan ${seed}`);
  const shape = random.fork("shape");
  const nodes = NAMES.slice(
    0,
    weighted(shape, [
      [3, 5],
      [4, 3],
      [5, 4],
      [6, 1],
      [7, 1],
    ]),
  );
  const founders = shuffled(shape, nodes).slice(0, nodes.length >= 5 && chance(shape, 0.5) ? 5 : 3);
  const durability: Durability = chance(shape, 0.4) ? "disk" : "memory";
  const mode = weighted<StreamMode>(shape, [
    ["strong", 7],
    ["sync", 1.5],
    ["async", 1.5],
  ]);
  const settings = drawSettings(random.fork("settings"));
  const work = random.fork("work");
  return {
    seed,
    nodes,
    founders,
    mode,
    durability,
    settings,
    clockRates: drawRates(random.fork("clocks"), nodes.length, settings.clockDrift),
    limits: drawLimits(random.fork("limits")),
    diskLatencyMs: chance(shape, 0.3) ? between(shape, 5, 40) : between(shape, 0, 2),
    clients: Array.from({ length: between(work, 3, 8) }, (_, index) => `client${index + 1}`),
    keys: drawKeys(work),
    operations: between(work, 560, 760),
    timeoutMs: between(work, 200, 500),
    readShare: 0.2 + 0.3 * work.next(),
    readModes: drawReadModes(work),
    faults: drawFaults(random.fork("faults"), durability),
    loss: drawLoss(random.fork("loss")),
    slowLinks: drawSlowLinks(random.fork("links"), founders),
  };
}

/** Windows and limits far below the defaults in many seeds, so that each is reached. */
export function drawSettings(random: Random): ReplicaSettings {
  // Most of what a quiet stream costs are its beats; that they come less often leaves all times as they are.
  const heartbeatMs = between(random, 10, 20) * 10;
  const ticks = (leastMs: number, mostMs: number): number =>
    Math.round(between(random, leastMs, mostMs) / heartbeatMs);
  const failureTicks = ticks(800, 1_400);
  const windowEntries = spread(random, 1, 64);
  const appendBytes = spread(random, 400, 65_536);
  const leases = chance(random, 0.3);
  return checkStreamSettings({
    heartbeatMs,
    failureTicks,
    stepDownTicks: between(random, Math.min(failureTicks, Math.ceil(600 / heartbeatMs)), failureTicks),
    claimTicks: ticks(1_500, 4_000),
    retryTicks: Math.max(1, ticks(100, 400)),
    joinTicks: Math.max(1, ticks(200, 600)),
    pendingMax: spread(random, 4, 256),
    windowEntries,
    appendEntries: Math.min(windowEntries, spread(random, 1, 64)),
    appendBytes,
    batchRequests: spread(random, 1, 64),
    batchBytes: Math.min(appendBytes, spread(random, 200, 65_536)),
    keptEntries: chance(random, 0.5) ? between(random, 3, 30) : between(random, 100, 2_000),
    learnersMax: between(random, 1, 3),
    leaseMs: leases ? between(random, 3 * heartbeatMs, 900) : 0,
    commitDelayMs: between(random, 0, 20),
    majorityTimeoutMs: between(random, 200, 1_000),
    readTimeoutMs: between(random, 300, 1_000),
    orderTimeoutMs: between(random, 2_000, 5_000),
  });
}

/** Half the seeds have true clocks, the others drift within what the settings say. */
function drawRates(random: Random, nodes: number, drift: number): number[] {
  const wild = chance(random, 0.5) ? 0 : drift * random.next();
  // A share of `drift` between any two clocks: each may be off by half of it.
  return Array.from({ length: nodes }, () => 1 + (random.next() - 0.5) * wild);
}

/** Nodes beat half as often as by default, which is most of what a quiet cluster costs; some have tiny batches. */
function drawLimits(random: Random): Record<string, number> {
  const pace = { heartbeatMs: 200, suspectAfterMs: 500, probeIntervalMs: 200, failureTimeoutMs: 2_000 };
  return chance(random, 0.3)
    ? { ...pace, batchBytes: between(random, 2_000, 16_000), quantumMessages: between(random, 1, 8) }
    : pace;
}

/** Late, so that there is something to lose. */
function drawLoss(random: Random): Plan["loss"] {
  return chance(random, LOSS_SHARE)
    ? { atMs: between(random, 28_000, LAST_FAULT_MS), all: chance(random, 0.4) }
    : null;
}

function drawSlowLinks(random: Random, founders: readonly string[]): Plan["slowLinks"] {
  const count = chance(random, 0.5) ? between(random, 1, 2) : 0;
  return Array.from({ length: count }, () => {
    const [from = "a", to = "b"] = shuffled(random, founders);
    return { from, to, delayMs: spread(random, 2, 300) };
  });
}

function drawKeys(random: Random): { key: string; kind: KeyKind }[] {
  const kinds: readonly KeyKind[] = [
    "register",
    "register",
    "register",
    "register",
    "register",
    "counter",
    "counter",
    "list",
    "list",
    "queue",
  ];
  const counts = { register: 0, counter: 0, list: 0, queue: 0 };
  const extra = pick(random, kinds) ?? "register";
  return [...kinds, extra].map((kind) => {
    counts[kind] += 1;
    return { key: `${kind}${counts[kind]}`, kind };
  });
}

function drawReadModes(random: Random): Plan["readModes"] {
  const modes = shuffled(random, ["local", "primary", "quorum", "quorum"] as const);
  return modes.slice(0, between(random, 1, 4));
}

// --- faults -----------------------------------------------------------------------------------------

const NEEDS_DISK: ReadonlySet<FaultKind> = new Set<FaultKind>([
  "powerLoss",
  "restartOfAll",
  "blackout",
  "syncError",
  "writeError",
  "noSpace",
  "bitFlip",
]);

/** What each seed has, whatever else it draws: without them there would be too few epochs to learn from. */
const UPHEAVALS: readonly (readonly [FaultKind, number])[] = [
  ["strike", 5],
  ["kill", 3],
  ["pause", 2],
  ["isolation", 2],
  ["handOver", 2],
  ["claim", 2],
];
const CHANGES: readonly (readonly [FaultKind, number])[] = [
  ["add", 2],
  ["remove", 2],
  ["replace", 3],
];

const CODE: readonly (readonly [FaultKind, number])[] = [
  ["faultPoint", 5],
  ["faultEverywhere", 1],
  ["faultStorm", 2],
];

function drawFaults(random: Random, durability: Durability): Fault[] {
  const kinds = drawnKinds(random, durability);
  const faults: Fault[] = [];
  for (let left = between(random, 4, 6); left > 0; left--) {
    faults.push(drawFault(random, weighted(random, UPHEAVALS), "writer"));
  }
  for (let left = between(random, 3, 5); left > 0; left--) {
    faults.push(drawFault(random, weighted(random, CHANGES), "any"));
  }
  for (let left = between(random, 3, 7); left > 0; left--) {
    faults.push(drawFault(random, weighted(random, CODE), chance(random, 0.5) ? "writer" : "any"));
  }
  for (let left = between(random, 24, 48); left > 0; left--) {
    const aim = weighted<Fault["aim"]>(random, [
      ["writer", 2],
      ["follower", 2],
      ["any", 2],
    ]);
    faults.push(drawFault(random, weighted(random, kinds), aim));
  }
  return faults.sort((left, right) => left.atMs - right.atMs);
}

/** Which kinds a seed has beside the upheavals, and how much of each. */
function drawnKinds(random: Random, durability: Durability): (readonly [FaultKind, number])[] {
  const possible = Object.keys(FAULT_KINDS)
    .filter(isFaultKind)
    .filter((kind) => durability === "disk" || !NEEDS_DISK.has(kind));
  const chosen = shuffled(random, possible).slice(0, between(random, 3, possible.length));
  return chosen.map((kind) => [kind, spread(random, 1, 8)] as const);
}

export function isFaultKind(name: string): name is FaultKind {
  return Object.hasOwn(FAULT_KINDS, name);
}

function drawFault(random: Random, kind: FaultKind, aim: Fault["aim"]): Fault {
  const lasting = chance(random, 0.3) ? between(random, 2_000, 8_000) : spread(random, 20, 3_000);
  return {
    atMs: between(random, FIRST_FAULT_MS, LAST_FAULT_MS),
    kind,
    aim,
    draw: random.next(),
    draw2: random.next(),
    durationMs: lasting,
    amount: amountOf(random, kind),
    oneWay: chance(random, 0.4),
    late: chance(random, 0.4),
  };
}

/** Loss up to 30 %, duplicates up to 50 %; delays are shares of a second. */
function amountOf(random: Random, kind: FaultKind): number {
  switch (kind) {
    case "loss":
      return 0.3 * random.next();
    case "duplication":
      return 0.5 * random.next();
    case "delay":
      return chance(random, 0.2) ? random.next() : 0.05 * random.next();
    default:
      return random.next();
  }
}
