/** Bugs of the claim: what is promised, who is sealed, which log is adopted. */
import type { Bug } from "../bug.ts";

const CLAIM = "lib/stream/claim.ts";
const VOTER = "lib/stream/voter.ts";
const TURN = "lib/stream/turn.ts";
const FOLLOWER = "lib/stream/follower.ts";

export const CLAIM_BUGS: readonly Bug[] = [
  {
    id: 8,
    title: "names only the highest successor",
    why: "a claimant does not seal the members of a proposal in between, which may have committed",
    patches: [
      {
        file: VOTER,
        find: "  const { activated, successors } = turn.state.hard;\n",
        replace:
          "  const { activated } = turn.state.hard;\n  const successors = turn.state.hard.successors.slice(-1);\n",
      },
    ],
    detector: { kind: "walk", setup: "four in memory, cut apart, members changing" },
    seeds: 6_000,
    quick: false,
  },
  {
    id: 9,
    title: "names no successors",
    why: "a claimant with an old configuration never hears of the one that replaces it",
    patches: [
      {
        file: VOTER,
        find: "  const { activated, successors } = turn.state.hard;\n",
        replace: "  const { activated } = turn.state.hard;\n  const successors: never[] = [];\n",
      },
    ],
    detector: { kind: "walk", setup: "four in memory, cut apart, members changing" },
    seeds: 6_000,
    quick: false,
  },
  {
    id: 10,
    title: "ignores a newer activated configuration in an answer",
    why: "the members that count are others by now, and those asked have forgotten the proposals in between",
    patches: [
      {
        file: CLAIM,
        find: `  learnActivated(turn, message.activated);
  if (turn.state.claim === null) {
    return;
  }
`,
        replace: "",
      },
    ],
    detector: { kind: "walk", setup: "four in memory, cut apart, members changing" },
    seeds: 6_000,
    quick: false,
  },
  {
    id: 11,
    title: "asks a seal quorum that is one too small",
    why: "it meets neither every write quorum nor every other seal",
    patches: [
      {
        file: CLAIM,
        find: "    return all || hasQuorum(configuration, configuration.sealQuorum, certain);\n",
        replace: "    return all || hasQuorum(configuration, configuration.sealQuorum - 1, certain);\n",
      },
    ],
    detector: { kind: "walk", setup: "three in memory" },
    seeds: 200,
    quick: true,
  },
  {
    id: 12,
    title: "does not store its promise",
    why: "after a restart it takes appends of an epoch that it had sealed",
    patches: [
      {
        file: TURN,
        find: "      hard: hardChanged ? hard : null,\n",
        replace: "      hard: hardChanged && !promised ? hard : null,\n",
      },
    ],
    detector: { kind: "walk", setup: "three on disk" },
    seeds: 200,
    quick: true,
  },
  {
    id: 13,
    title: "lets a promise decrease",
    why: "a late seal of an older epoch takes back a newer promise",
    patches: [
      {
        file: VOTER,
        find: "  if (isHigher(hard.promise, epoch) || waitMs > 0 ||",
        replace: "  if (waitMs > 0 ||",
      },
      {
        file: VOTER,
        find: "  if (isHigher(epoch, hard.promise)) {\n    loseEpoch(turn);\n",
        replace: "  if (!isSame(epoch, hard.promise)) {\n    loseEpoch(turn);\n",
      },
    ],
    detector: { kind: "walk", setup: "three in memory" },
    seeds: 200,
    quick: true,
  },
  {
    id: 14,
    title: "takes appends of an epoch below its promise",
    why: "a writer that was sealed goes on committing beside the new one",
    patches: [
      {
        file: FOLLOWER,
        find: `  if (isHigher(state.hard.promise, epoch)) {
    refuseStale(turn, from, epoch, round);
    return false;
  }
`,
        replace: "",
      },
      {
        file: FOLLOWER,
        find: "    heard: { round, sentAt },\n",
        replace: "    heard: { round, sentAt, epoch },\n",
      },
      {
        file: FOLLOWER,
        find: '    type: "ack",\n    epoch: hard.promise,\n',
        replace: '    type: "ack",\n    epoch: heard.epoch ?? hard.promise,\n',
      },
    ],
    detector: { kind: "walk", setup: "three in memory" },
    seeds: 200,
    quick: true,
  },
  {
    id: 15,
    title: "adopts the longest log",
    why: "a long log of an old epoch goes before a shorter one that was committed since",
    patches: [
      {
        file: CLAIM,
        find: "  return isHigher(left.epoch, right.epoch) || (isSame(left.epoch, right.epoch) && left.seq > right.seq);\n",
        replace: "  return left.seq > right.seq;\n",
      },
    ],
    detector: { kind: "walk", setup: "three in memory, cut apart, one entry at a time" },
    seeds: 2_000,
    quick: false,
  },
  {
    id: 16,
    title: "adopts its own log",
    why: "the claimant may have missed what was committed",
    patches: [
      {
        file: CLAIM,
        find: "    if (isBetter(last, target)) {\n",
        replace: "    if (replica === self && isBetter(last, target)) {\n",
      },
    ],
    detector: { kind: "walk", setup: "three in memory" },
    seeds: 200,
    quick: true,
  },
  {
    id: 17,
    title: "keeps its identity without its memory",
    why: "a restarted replica answers a seal with an empty log, and is believed",
    patches: [
      {
        file: "lib/stream/replica-id.ts",
        find: "export function replicaId(node: string, incarnation: string): ReplicaId {\n",
        replace:
          'export function replicaId(node: string, _incarnation: string): ReplicaId {\n  const incarnation = "0";\n',
      },
    ],
    detector: { kind: "walk", setup: "three in memory" },
    seeds: 500,
    quick: true,
  },
  {
    id: 37,
    title: "remembers one proposal for each configuration",
    why: "a claim that repeats its seal finds its own entry in place of the one it must hear of",
    patches: [
      {
        file: "lib/stream/successors.ts",
        find: "const KEPT_PER_CONFIGURATION = 2;\n",
        replace: "const KEPT_PER_CONFIGURATION = 1;\n",
      },
    ],
    detector: { kind: "spec", file: "spec/stream/core/successors.spec.ts", grep: "very configuration" },
    seeds: 1,
    quick: true,
  },
  {
    id: 38,
    title: "does not remember a proposal equal to the active configuration",
    why: "nobody hears of its epoch, which may have committed with members that the next one leaves out",
    patches: [
      {
        file: TURN,
        find: "    const { hard } = this.state;\n    if (hard.activated !== null && compareEpochs(proposed.epoch, hard.activated.epoch) <= 0) {\n      return;\n    }\n",
        replace: `    const { hard } = this.state;
    if (hard.activated !== null && compareEpochs(proposed.epoch, hard.activated.epoch) <= 0) {
      return;
    }
    const key = ({ configuration }: Proposed): string => [...configuration.members].sort().join(" ");
    if (hard.activated !== null && key(hard.activated) === key(proposed)) {
      return;
    }
`,
      },
    ],
    detector: {
      kind: "spec",
      file: "spec/stream/core/successors.spec.ts",
      grep: "behind a change of members",
    },
    seeds: 1,
    quick: true,
  },
];
