/**
 * What may never be true of any world, asked at each move of what the move has changed. What a replica can see
 * by itself is asked by the core (its invariants) and by moves.ts.
 */
import { compareEpochs, type Epoch } from "../../lib/journal/epoch.ts";
import type { Entry } from "../../lib/stream/entry.ts";
import type { Outcome } from "./moves.ts";
import { SLOTS } from "./names.ts";
import type { Things } from "./things.ts";
import { COMMIT, PACKETS, UNBORN, type World } from "./world.ts";

/** What is wrong with the move of the replica at `slot`, or null. `world` is the world before. */
export function violationOf(things: Things, world: World, slot: number, outcome: Outcome): string | null {
  return (
    outcome.fault ??
    logsOf(things, world, slot, outcome) ??
    commitOf(things, world, slot, outcome) ??
    openingOf(things, world, outcome) ??
    proposalOf(things, world, outcome)
  );
}

/** Log matching: entries of one epoch at one seq are the same entry, with the same history. */
function logsOf(things: Things, world: World, slot: number, { next }: Outcome): string | null {
  const { path } = things.of(next);
  if (things.of(world.at(slot)).path.at(-1)?.chain === path.at(-1)?.chain) {
    return null;
  }
  for (let other = 0; other < SLOTS; other++) {
    const theirs = other === slot || world.at(other) === UNBORN ? [] : things.of(world.at(other)).path;
    for (let index = 0; index < Math.min(theirs.length, path.length); index++) {
      const [left, right] = [path[index], theirs[index]];
      if (
        left !== undefined &&
        right !== undefined &&
        left.chain !== right.chain &&
        isSameEpoch(left, right)
      ) {
        return `two logs differ at ${index + 1} in one epoch`;
      }
    }
  }
  return null;
}

function isSameEpoch(left: Entry, right: Entry): boolean {
  return compareEpochs(left.epoch, right.epoch) === 0;
}

/** Commit agreement, and who holds what is committed first. */
function commitOf(things: Things, world: World, slot: number, outcome: Outcome): string | null {
  if (outcome.commit < 0) {
    return null;
  }
  const known = things.of(world.at(COMMIT)).path;
  const { path } = things.of(outcome.commit);
  const both = Math.min(known.length, path.length);
  if (both > 0 && known[both - 1]?.chain !== path[both - 1]?.chain) {
    return `another entry is committed at ${firstDifference(known, path)}`;
  }
  if (path.length <= known.length) {
    return null;
  }
  if (outcome.owned === null) {
    return `entry ${path.length} is taken for committed, and no owner has committed it`;
  }
  let holders = 0;
  for (let other = 0; other < SLOTS; other++) {
    const replica = other === slot ? outcome.next : world.at(other);
    const counts = (outcome.owned.members & (1 << other)) !== 0 && replica !== UNBORN;
    const held = counts ? things.of(replica).path[path.length - 1] : undefined;
    holders += held?.chain === path.at(-1)?.chain ? 1 : 0;
  }
  const { quorum } = outcome.owned;
  return holders >= quorum ? null : `entry ${path.length} is committed and held by ${holders} of ${quorum}`;
}

function firstDifference(left: readonly Entry[], right: readonly Entry[]): number {
  return 1 + left.findIndex(({ chain }, index) => right[index]?.chain !== chain);
}

/** Epoch completeness: who opens holds everything that an older epoch has committed. */
function openingOf(things: Things, world: World, { opened, next }: Outcome): string | null {
  if (opened === null) {
    return null;
  }
  const { path } = things.of(next);
  for (const [index, entry] of things.of(world.at(COMMIT)).path.entries()) {
    if (path[index]?.chain !== entry.chain && compareEpochs(entry.epoch, opened) < 0) {
      return `epoch ${nameOf(opened)} opens without the committed entry ${index + 1}`;
    }
  }
  return null;
}

function nameOf({ counter }: Epoch): string {
  return `${counter}`;
}

/** One configuration per epoch. */
function proposalOf(things: Things, world: World, { proposes }: Outcome): string | null {
  if (proposes === null) {
    return null;
  }
  const { ballot, members } = proposes;
  for (let index = 0; index < world.length; index++) {
    const part = index < SLOTS || index >= PACKETS ? world.at(index) : UNBORN;
    const others = part === UNBORN ? [] : things.of(part).proposals;
    if (others.some((other) => other.ballot === ballot && other.members !== members)) {
      return "one epoch is proposed with two configurations";
    }
  }
  return null;
}
