/**
 * How a stream gets the members that the cluster map wants: pure, asked at the stream's open writer, one step
 * at a time.
 *
 * A node gets in only with a learner on it that holds all that is committed; one epoch change then swaps it in
 * for the older replica of the same node, or for a member that is not wanted, or adds it. What is not wanted
 * goes when all that is wanted is in. In the end the preferred node gets the writer's role. No step leaves
 * fewer live members than the new configuration's write quorum, and when all is as wanted there is none.
 */
import { majorityOf } from "../stream/configuration.ts";
import { nodeOf, type ReplicaId } from "../stream/replica-id.ts";
import { ROOT_MEMBERS_MAX } from "./bootstrap-messages.ts";
import type { ClusterMap } from "./cluster-map-schema.ts";

export interface ReconcileView {
  /** The activated one. */
  readonly configuration: { readonly members: readonly ReplicaId[] };
  /** The open writer, one of the members. */
  readonly self: ReplicaId;
  /** Who is fed without being a member. */
  readonly learners: readonly { readonly replica: ReplicaId; readonly caughtUp: boolean }[];
  /** The nodes that should hold the stream, the preferred writer first. */
  readonly wanted: readonly string[];
  /** Nodes that are up, this one included. */
  readonly up: ReadonlySet<string>;
  /** Members that lack too much to become the writer at once. */
  readonly behind?: ReadonlySet<ReplicaId>;
}

export type ReconcileStep =
  /** The new members, in order of preference; `self` is among them. */
  { readonly reconfigure: readonly ReplicaId[] } | { readonly handOver: ReplicaId };

/** The next step towards what is wanted, or null when nothing is to be done, or can be done now. */
export function reconcile(view: ReconcileView): ReconcileStep | null {
  if (view.wanted.length === 0) {
    return null; // nobody knows yet who should hold it
  }
  const next = withNewcomer(view) ?? withoutUnwanted(view);
  return next === null ? handOver(view) : { reconfigure: inOrder(next, view.wanted) };
}

/** The first wanted node that is not in yet and could be. */
function withNewcomer(view: ReconcileView): readonly ReplicaId[] | null {
  const { configuration, wanted } = view;
  for (const node of wanted) {
    const learner = newcomerOn(node, view);
    if (learner === null) {
      continue;
    }
    const replaced = replaceableBy(learner, view);
    const kept = configuration.members.filter((member) => member !== replaced);
    const next = [...kept, learner];
    if (isSafe(next, view)) {
      return next;
    }
  }
  return null;
}

/** The replica of a node that should be a member and is none: the youngest, caught up, on a node that is up. */
function newcomerOn(node: string, view: ReconcileView): ReplicaId | null {
  const { configuration, learners, up, self } = view;
  const youngest = youngestOn(node, knownReplicas(view));
  const learner = learners.find(({ replica }) => replica === youngest);
  const isReady = learner?.caughtUp === true && up.has(node) && nodeOf(self) !== node;
  return isReady && youngest !== null && !configuration.members.includes(youngest) ? youngest : null;
}

/** Whose place it takes: an older replica of its node, else one that is not wanted, a dead one first. */
function replaceableBy(learner: ReplicaId, view: ReconcileView): ReplicaId | null {
  const older = view.configuration.members.find((member) => nodeOf(member) === nodeOf(learner));
  return older ?? unwantedMembers(view)[0] ?? null;
}

/**
 * All that is not wanted goes at once when all that is wanted is in: one of them left behind may be dead
 * without anybody knowing, and would be missing in the quorum. Before that a dead one goes when it only makes
 * the quorum larger.
 */
function withoutUnwanted(view: ReconcileView): readonly ReplicaId[] | null {
  const { members } = view.configuration;
  const unwanted = unwantedMembers(view);
  const [first] = unwanted;
  if (first === undefined) {
    return null;
  }
  const isWhole = isComplete(view);
  const next = members.filter((member) => (isWhole ? !unwanted.includes(member) : member !== first));
  const isSmaller = majorityOf(next).writeQuorum < majorityOf(members).writeQuorum;
  const mayLeave = isWhole || (isSmaller && !isLive(first, view));
  return mayLeave && isSafe(next, view) ? next : null;
}

/** Members on nodes that are not wanted, and replicas whose node has a younger one among the members; the writer never. */
function unwantedMembers(view: ReconcileView): readonly ReplicaId[] {
  const { configuration, wanted, self } = view;
  const unwanted = configuration.members.filter((member) => {
    const isDouble = youngestOn(nodeOf(member), configuration.members) !== member;
    return member !== self && (isDouble || !wanted.includes(nodeOf(member)));
  });
  return [
    ...unwanted.filter((member) => !isLive(member, view)),
    ...unwanted.filter((member) => isLive(member, view)).reverse(),
  ];
}

/** Whether every wanted node has a member, up or not, that is not superseded. */
function isComplete(view: ReconcileView): boolean {
  const { configuration, wanted } = view;
  const known = knownReplicas(view);
  return wanted.every((node) => configuration.members.some((each) => each === youngestOn(node, known)));
}

/** To the preferred node; a writer that is not wanted goes to the first that can take over. */
function handOver(view: ReconcileView): ReconcileStep | null {
  const { configuration, self, wanted, behind } = view;
  const own = nodeOf(self);
  if (!isComplete(view) || wanted[0] === own || unwantedMembers(view).length > 0) {
    return null;
  }
  const candidates = wanted.includes(own) ? wanted.slice(0, 1) : wanted;
  for (const node of candidates) {
    const member = configuration.members.find((each) => nodeOf(each) === node);
    if (member !== undefined && isLive(member, view) && behind?.has(member) !== true) {
      return { handOver: member };
    }
  }
  return null;
}

// --- what is known of replicas --------------------------------------------------------------------

function knownReplicas({ configuration, learners }: ReconcileView): readonly ReplicaId[] {
  return [...configuration.members, ...learners.map(({ replica }) => replica)];
}

/** A member that can acknowledge: its node is up and has begun no younger replica. */
function isLive(member: ReplicaId, view: ReconcileView): boolean {
  const node = nodeOf(member);
  const isYoungest = youngestOn(node, knownReplicas(view)) === member;
  return member === view.self || (view.up.has(node) && isYoungest);
}

function isSafe(next: readonly ReplicaId[], view: ReconcileView): boolean {
  const live = next.filter((member) => isLive(member, view)).length;
  return next.includes(view.self) && live >= majorityOf(next).writeQuorum;
}

function youngestOn(node: string, replicas: readonly ReplicaId[]): ReplicaId | null {
  let youngest: ReplicaId | null = null;
  for (const replica of replicas) {
    if (nodeOf(replica) === node && (youngest === null || isYounger(replica, youngest))) {
      youngest = replica;
    }
  }
  return youngest;
}

/** Incarnations sort by time of birth; further copies of one process are counted behind a hyphen. */
function isYounger(left: ReplicaId, right: ReplicaId): boolean {
  const [leftBirth, leftCopy] = ageOf(left);
  const [rightBirth, rightCopy] = ageOf(right);
  return leftBirth === rightBirth ? leftCopy > rightCopy : leftBirth > rightBirth;
}

function ageOf(replica: ReplicaId): readonly [birth: string, copy: number] {
  const incarnation = replica.slice(nodeOf(replica).length + 1);
  const [birth = "", copy] = incarnation.split("-");
  return [birth, copy === undefined ? 1 : Number(copy)];
}

function inOrder(members: readonly ReplicaId[], wanted: readonly string[]): readonly ReplicaId[] {
  const place = (member: ReplicaId): number => {
    const index = wanted.indexOf(nodeOf(member));
    return index < 0 ? wanted.length : index;
  };
  return [...members].sort((left, right) => place(left) - place(right));
}

// --- the root stream ------------------------------------------------------------------------------

/** As few as can lose one. */
const ROOT_MEMBERS_MIN = 3;

/**
 * The nodes that should be members of the root stream, the preferred writer first: those that are and are
 * up, then others that are up. Who is and is down stays while no other node can take the place, because it
 * may come back with what it had. Of fewer than three nobody can be lost: then one that is down is waited for
 * too, and who has left the map stays meanwhile. An odd number, unless that would send away a live member or leave one of two.
 *
 * @param present nodes of the present members, in their order
 */
export function rootMembers(
  map: Pick<ClusterMap, "members">,
  up: ReadonlySet<string>,
  present: readonly string[],
): readonly string[] {
  const nodes = new Set(map.members.map(({ node }) => node));
  const held = present.filter((node) => nodes.has(node));
  const spare = [...nodes].filter((node) => !held.includes(node)).sort();
  const isUp = (node: string): boolean => up.has(node);
  const isDown = (node: string): boolean => !up.has(node);
  const isHeldAndUp = (node: string): boolean => held.includes(node) && up.has(node);
  const inTurn = [...held.filter(isUp), ...spare.filter(isUp), ...held.filter(isDown)];
  const lacking = Math.max(0, ROOT_MEMBERS_MIN - inTurn.length);
  const chosen = [...inTurn, ...spare.filter(isDown).slice(0, lacking)].slice(0, ROOT_MEMBERS_MAX);
  const last = chosen.at(-1);
  const isOneTooMany =
    chosen.length > 2 && chosen.length % 2 === 0 && last !== undefined && !isHeldAndUp(last);
  return isOneTooMany ? chosen.slice(0, -1) : chosen;
}
