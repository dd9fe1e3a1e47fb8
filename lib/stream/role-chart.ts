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

export type RoleEventType =
  /** A writer feeds this replica, which is no member. */
  | "fed"
  /** An activated configuration names this replica as a member. */
  | "admitted"
  /** It follows an epoch whose barrier it does not hold yet. */
  | "behind"
  /** It follows an epoch and holds its barrier. */
  | "following"
  /** It has promised an epoch to another replica. */
  | "sealed"
  /** It has begun a claim of its own. */
  | "claim"
  /** Its claim has every seal quorum that it needs. */
  | "sealComplete"
  /** Its log is the one to go on with. */
  | "adopted"
  /** A write quorum holds its barrier. */
  | "opened"
  /** Its claim was given up. */
  | "abandoned"
  /** As a writer it has not heard a write quorum for too long. */
  | "silenced"
  /** An activated configuration does not name it any more. */
  | "retired"
  /** Its storage failed. */
  | "damaged";

const claimant = { following: "follower", behind: "syncing", sealed: "sealed", abandoned: "sealed" } as const;

export const roleChart = setup({ types: { events: {} as { readonly type: RoleEventType } } }).createMachine({
  id: "replica",
  initial: "empty",
  on: { retired: ".gone", damaged: ".damaged" },
  states: {
    empty: { on: { fed: "learner", admitted: "syncing" } },
    learner: { on: { admitted: "syncing" } },
    syncing: { on: { following: "follower", sealed: "sealed", claim: "sealing" } },
    follower: { on: { behind: "syncing", sealed: "sealed", claim: "sealing" } },
    sealed: { on: { following: "follower", behind: "syncing", claim: "sealing" } },
    sealing: { on: { ...claimant, sealComplete: "adopting" } },
    adopting: { on: { ...claimant, adopted: "opening" } },
    opening: { on: { ...claimant, opened: "open" } },
    open: {
      on: {
        following: "follower",
        behind: "syncing",
        sealed: "fenced",
        silenced: "fenced",
        claim: "sealing",
      },
    },
    fenced: { on: { following: "follower", behind: "syncing", claim: "sealing" } },
    damaged: { on: { damaged: undefined, retired: undefined } },
    gone: { on: { damaged: undefined } },
  },
});

const table = new ChartTable<Role, RoleEventType>(roleChart, isRole);

function isRole(value: unknown): value is Role {
  return ROLES.some((role) => role === value);
}

export function roleAfter(role: Role, event: RoleEventType): Role {
  return table.after(role, event);
}
