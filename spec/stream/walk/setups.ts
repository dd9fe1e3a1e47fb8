/** The kinds of random walks, by name: what is drawn into them. */
import type { WalkOptions, WalkOutcome } from "./options.ts";
import { Walk } from "./walk.ts";

export type WalkSetup = Omit<WalkOptions, "seed">;

const IMPATIENT = { failureTicks: 3, stepDownTicks: 3, claimTicks: 8 } as const;

export const WALK_SETUPS = {
  "three in memory": { nodes: 3, members: 3, durability: "memory", steps: 800, reconfigures: false },
  "three on disk": { nodes: 3, members: 3, durability: "disk", steps: 1_200, reconfigures: false },
  "three of five in memory, members changing": {
    nodes: 5,
    members: 3,
    durability: "memory",
    steps: 800,
    reconfigures: true,
  },
  "three of five on disk, members changing": {
    nodes: 5,
    members: 3,
    durability: "disk",
    steps: 1_200,
    reconfigures: true,
  },
  "one growing to four in memory": {
    nodes: 4,
    members: 1,
    durability: "memory",
    steps: 800,
    reconfigures: true,
  },
  "five on disk, members changing": {
    nodes: 5,
    members: 5,
    durability: "disk",
    steps: 1_200,
    reconfigures: true,
  },
  "five of seven in memory, members changing": {
    nodes: 7,
    members: 5,
    durability: "memory",
    steps: 1_500,
    reconfigures: true,
  },
  "three in memory, cut apart": {
    nodes: 3,
    members: 3,
    durability: "memory",
    steps: 2_000,
    reconfigures: false,
    cutEvery: 250,
    immortal: true,
    settings: IMPATIENT,
  },
  "five in memory, cut apart": {
    nodes: 5,
    members: 5,
    durability: "memory",
    steps: 1_500,
    reconfigures: false,
    cutEvery: 250,
    immortal: true,
  },
  "three of five in memory, cut apart, members changing": {
    nodes: 5,
    members: 3,
    durability: "memory",
    steps: 1_200,
    reconfigures: true,
    cutEvery: 150,
    immortal: true,
  },
  "three with leases, clocks running apart": {
    nodes: 3,
    members: 3,
    durability: "memory",
    steps: 5_000,
    reconfigures: false,
    leases: true,
    cutEvery: 600,
    immortal: true,
  },
  "three of five with leases, clocks running apart, members changing": {
    nodes: 5,
    members: 3,
    durability: "memory",
    steps: 5_000,
    reconfigures: true,
    leases: true,
    cutEvery: 600,
    immortal: true,
  },
  "three on disk, cut apart": {
    nodes: 3,
    members: 3,
    durability: "disk",
    steps: 1_500,
    reconfigures: false,
    cutEvery: 150,
    immortal: true,
  },
  "three on disks that lose their ends": {
    nodes: 3,
    members: 3,
    durability: "disk",
    steps: 3_000,
    reconfigures: false,
    losesTails: true,
  },
  "three in memory, cut apart, one entry at a time": {
    nodes: 3,
    members: 3,
    durability: "memory",
    steps: 2_000,
    reconfigures: false,
    cutEvery: 80,
    immortal: true,
    settings: { ...IMPATIENT, appendEntries: 1 },
  },
  "four in memory, cut apart, members changing": {
    nodes: 4,
    members: 3,
    durability: "memory",
    steps: 1_500,
    reconfigures: true,
    cutEvery: 100,
    immortal: true,
    restless: true,
    settings: { ...IMPATIENT, appendEntries: 1 },
  },
} as const satisfies Readonly<Record<string, WalkSetup>>;

export type WalkName = keyof typeof WALK_SETUPS;

export const WALK_NAMES: readonly WalkName[] = Object.keys(WALK_SETUPS).filter(isWalkName);

export function isWalkName(name: string): name is WalkName {
  return Object.hasOwn(WALK_SETUPS, name);
}

export function runWalk(name: WalkName, seed: number): WalkOutcome {
  return new Walk({ ...WALK_SETUPS[name], seed }).run();
}
