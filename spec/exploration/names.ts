/**
 * The names of replicas in an exploration, and how they may be exchanged.
 *
 * Which replica is called what says nothing, except that epochs with equal counters are ordered by their
 * owners. So two worlds are the same when a permutation of the names leads from one to the other and keeps
 * the order of every two owners of epochs with equal counters that can be seen in the world. Any other order
 * has never been asked for, and is left open until a claim asks for it (expansion.ts).
 */
import type { Epoch } from "../../lib/journal/epoch.ts";
import { ownerOf, type ReplicaId, replicaId } from "../../lib/stream/replica-id.ts";

/** Three replicas, and one name for who comes back after a crash. */
export const SLOTS = 4;

/** Higher counters do not fit into a mask of ballots. */
export const EPOCHS_MAX = 7;

/** By slot, in the order of their owners. */
export const IDS: readonly ReplicaId[] = ["a", "b", "c", "d"]
  .map((node) => replicaId(node, "1"))
  .sort((left, right) => (ownerOf(left) < ownerOf(right) ? -1 : 1));

const OWNERS: readonly string[] = IDS.map((id) => ownerOf(id));

export function idOf(slot: number): ReplicaId {
  return found(IDS[slot], "such slot");
}

export function ownerAt(slot: number): string {
  return found(OWNERS[slot], "such slot");
}

export function slotOf(id: ReplicaId): number {
  return index(IDS, id);
}

export function slotOfOwner(owner: string): number {
  return index(OWNERS, owner);
}

/** A number for the epoch `(counter, owner)`: its bit in a mask of ballots. -1 for the epoch before the first. */
export function ballotOf({ counter, owner }: Epoch): number {
  return counter === 0 ? -1 : (counter - 1) * SLOTS + slotOfOwner(owner);
}

/** All permutations of the slots, the identity first: `[slot] -> slot`. */
export const PERMUTATIONS: readonly (readonly number[])[] = permutationsOf([0, 1, 2, 3]);

export const IDENTITY = 0;

function permutationsOf(slots: readonly number[]): number[][] {
  if (slots.length === 0) {
    return [[]];
  }
  return slots.flatMap((slot) =>
    permutationsOf(slots.filter((each) => each !== slot)).map((rest) => [slot, ...rest]),
  );
}

export function permutation(number: number): readonly number[] {
  return found(PERMUTATIONS[number], "such permutation");
}

const allowed = new Map<number, Int32Array>();

/** The permutations that keep the order of owners wherever it can be seen in a world with these ballots. */
export function allowedFor(ballots: number): Int32Array {
  let known = allowed.get(ballots);
  if (known === undefined) {
    const pairs = orderedPairs(ballots);
    const keeps = (map: readonly number[]): boolean =>
      pairs.every(([lower, higher]) => (map[lower] ?? 0) < (map[higher] ?? 0));
    const numbers = PERMUTATIONS.flatMap((map, number) => (keeps(map) ? [number] : []));
    known = Int32Array.from(numbers);
    allowed.set(ballots, known);
  }
  return known;
}

function orderedPairs(ballots: number): [number, number][] {
  const pairs: [number, number][] = [];
  for (let counter = 1; counter <= EPOCHS_MAX; counter++) {
    const owners = ownersOf(ballots, counter);
    for (let lower = 0; lower < SLOTS; lower++) {
      for (let higher = lower + 1; higher < SLOTS; higher++) {
        if ((owners & (1 << lower)) !== 0 && (owners & (1 << higher)) !== 0) {
          pairs.push([lower, higher]);
        }
      }
    }
  }
  return pairs;
}

/** The owners of epochs with this counter, as a mask of slots. */
export function ownersOf(ballots: number, counter: number): number {
  return (ballots >>> ((counter - 1) * SLOTS)) & ((1 << SLOTS) - 1);
}

/** The value, or an error that names what is missing. */
export function found<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) {
    throw new Error(`there is no ${what}`);
  }
  return value;
}

function index(list: readonly string[], name: string): number {
  const at = list.indexOf(name);
  if (at < 0) {
    throw new Error(`there is no replica ${name}`);
  }
  return at;
}
