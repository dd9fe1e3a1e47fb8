/**
 * The role of a replica as an xstate chart. It sees role events only; appends and acknowledgements never
 * reach it. What a replica may do in a role is decided in `step.ts`, which asks this chart for the next one.
 */
import { setup } from "xstate";
import { ChartTable } from "./chart-table.ts";

export const ROLES = [
  "empty",
  "learner",
  "syncing",
  "follower",
  "sealed",
  "sealing",
  "adopting",
  "opening",
  "open",
  "fenced",
  "damaged",
  "gone",
] as const;

export type Role = (typeof ROLES)[number];

/** What each event says. */
export const ROLE_EVENTS = {
  fed: "A writer feeds this replica, which is no member.",
  admitted: "An activated configuration names this replica as a member.",
  behind: "It follows an epoch whose barrier it does not hold yet.",
  following: "It follows an epoch and holds its barrier.",
  sealed: "It has promised an epoch to another replica.",
  claim: "It has begun a claim of its own.",
  sealComplete: "Its claim has every seal quorum that it needs.",
  adopted: "Its log is the one to go on with.",
  opened: "A write quorum holds its barrier.",
  abandoned: "Its claim was given up.",
  silenced: "As the writer it heard no write quorum for too long, or heard of a newer epoch.",
  retired: "An activated configuration does not name it any more.",
  damaged: "Its storage failed.",
} as const;

export type RoleEventType = keyof typeof ROLE_EVENTS;

// xstate reads the type of this object, never its value.
const types: { events?: { readonly type: RoleEventType } } = {};

const claimant = { following: "follower", behind: "syncing", sealed: "sealed", abandoned: "sealed" } as const;

export const roleChart = setup({ types }).createMachine({
  id: "replica",
  description: "The role of one replica of a stream.",
  meta: { events: ROLE_EVENTS },
  initial: "empty",
  on: { retired: ".gone", damaged: ".damaged" },
  states: {
    empty: {
      description: "Holds nothing and is named nowhere.",
      on: { fed: "learner", admitted: "syncing" },
    },
    learner: {
      description: "Is fed by the writer; counts in no quorum.",
      on: { admitted: "syncing" },
    },
    syncing: {
      description: "A member that does not hold the barrier of the epoch it follows, or follows none yet.",
      on: { following: "follower", sealed: "sealed", claim: "sealing" },
    },
    follower: {
      description:
        "A member that holds the barrier of the epoch it follows, or was here before the first one.",
      on: { behind: "syncing", sealed: "sealed", claim: "sealing" },
    },
    sealed: {
      description:
        "Has promised an epoch and heard no owner since: after a seal, a claim given up, or a restart.",
      on: { following: "follower", behind: "syncing", claim: "sealing" },
    },
    sealing: {
      description: "Claims an epoch: collects promises from the configurations that must be sealed.",
      on: { ...claimant, sealComplete: "adopting" },
    },
    adopting: {
      description: "Brings its log in line with the best one that was sealed.",
      on: { ...claimant, adopted: "opening" },
    },
    opening: {
      description: "Has appended its barrier; members are brought up to it. Takes no writes yet.",
      on: { ...claimant, opened: "open" },
    },
    open: {
      description: "The writer.",
      on: {
        following: "follower",
        behind: "syncing",
        sealed: "fenced",
        silenced: "fenced",
        claim: "sealing",
      },
    },
    fenced: {
      description: "Was the writer; takes no writes and has followed no other owner since.",
      on: { following: "follower", behind: "syncing", claim: "sealing" },
    },
    damaged: {
      description: "Cannot store: takes part in nothing any more.",
      on: { damaged: undefined, retired: undefined },
    },
    gone: {
      description: "No member any more. Still promises and tells what it holds; may be fed again.",
      on: { fed: "learner", admitted: "syncing" },
    },
  },
});

const table = new ChartTable<Role, RoleEventType>(roleChart, isRole);

function isRole(value: unknown): value is Role {
  return ROLES.some((role) => role === value);
}

export function roleAfter(role: Role, event: RoleEventType): Role {
  return table.after(role, event);
}
