/** Bugs of counting: who holds an entry, and how many must. */
import type { Bug } from "../bug.ts";

const WRITER = "lib/stream/writer.ts";
const FOLLOWER = "lib/stream/follower.ts";

export const QUORUM_BUGS: readonly Bug[] = [
  {
    id: 1,
    title: "acknowledges before it appends",
    why: "an append that does not fit the log is refused after it has been acknowledged: it counts and is nowhere",
    patches: [
      {
        file: FOLLOWER,
        find: "  const refusal = merge(turn, message.prev, message.entries);\n",
        replace: `  const claimed = message.prev.seq + message.entries.length;
  turn.send(from, {
    type: "ack",
    epoch: message.epoch,
    seq: claimed,
    heldSeq: claimed,
    round: message.round,
    sentAt: message.sentAt,
    activated: turn.state.hard.activated?.epoch ?? EPOCH_ZERO,
  });
  const refusal = merge(turn, message.prev, message.entries);
`,
      },
    ],
    detector: { kind: "walk", setup: "three in memory" },
    seeds: 200,
    quick: true,
  },
  {
    id: 2,
    title: "acknowledges before the disk has it",
    why: "a crash takes entries that were counted as durable",
    patches: [
      {
        file: FOLLOWER,
        find: "    seq: Math.min(matchSeq, durableSeq),\n",
        replace: "    seq: matchSeq,\n",
      },
    ],
    detector: { kind: "walk", setup: "three on disk" },
    seeds: 200,
    quick: true,
  },
  {
    id: 3,
    title: "counts a quorum without looking whether the primary has it",
    why: "the primary's own copy is taken for granted before its disk has it: one copy less than a quorum",
    patches: [
      {
        file: WRITER,
        find: "number =>\n    member === self ? durableSeq :",
        replace: "number =>\n    member === self ? log.lastSeq :",
      },
    ],
    detector: { kind: "walk", setup: "three on disk" },
    seeds: 200,
    quick: true,
  },
  {
    id: 4,
    title: "counts a repeated acknowledgement twice",
    why: "one member that answers twice stands for two",
    patches: [
      {
        file: WRITER,
        find: "    matchSeq,\n    heldSeq,\n    nextSeq: progress.mode",
        replace:
          "    copies: matchSeq === progress.matchSeq ? (progress.copies ?? 1) + 1 : 1,\n    matchSeq,\n    heldSeq,\n    nextSeq: progress.mode",
      },
      {
        file: WRITER,
        find: "  const seq = quorumValue(configuration, quorum, durable);\n",
        replace: `  const votes = configuration.members
    .flatMap((member) => Array.from({ length: progress.get(member)?.copies ?? 1 }, () => durable(member)))
    .sort((left, right) => right - left);
  const seq = votes[quorum - 1] ?? 0;
`,
      },
      {
        file: WRITER,
        find: '  invariant(hasQuorum(configuration, configuration.writeQuorum, holds), "a write quorum holds the barrier");\n',
        replace: "",
      },
    ],
    detector: { kind: "walk", setup: "five of seven in memory, members changing" },
    seeds: 200,
    quick: true,
  },
  {
    id: 5,
    title: "counts an acknowledgement by its node, whatever the incarnation",
    why: "a member's diskless successor on the same node counts for what the member held",
    patches: [
      {
        file: WRITER,
        find: `export function onAck(turn: Turn, from: ReplicaId, message: Ack): void {
  const { writer, log } = turn.state;
`,
        replace: `export function onAck(turn: Turn, sender: ReplicaId, message: Ack): void {
  const { writer, log } = turn.state;
  const node = sender.split("/")[0];
  const members = writer?.configuration.members ?? [];
  const from = members.find((member) => member.split("/")[0] === node) ?? sender;
`,
      },
    ],
    detector: { kind: "walk", setup: "three in memory" },
    seeds: 500,
    quick: true,
  },
  {
    id: 6,
    title: "commits entries of older epochs by counting their copies",
    why: "a log with a higher epoch at its end, held by one member only, still replaces them (Raft's figure 8)",
    patches: [
      {
        file: WRITER,
        find: "  if (seq >= barrierSeq && seq > commitSeq) {\n",
        replace: "  if (seq > commitSeq) {\n",
      },
      {
        file: WRITER,
        find: '  if (role !== "opening" || claim === null || writer === null) {\n',
        replace:
          '  if (role !== "opening" || claim === null || writer === null || commitSeq < writer.barrierSeq) {\n',
      },
    ],
    detector: { kind: "walk", setup: "three in memory, cut apart, one entry at a time" },
    seeds: 5_000,
    quick: false,
  },
  {
    id: 7,
    title: "has no barrier",
    why: "an epoch opens on entries of older ones, which a log with a higher epoch at its end still replaces",
    patches: [
      {
        file: WRITER,
        find: "  const barrierSeq = log.lastSeq + 1;\n",
        replace: "  const barrierSeq = log.lastSeq;\n",
      },
      {
        file: WRITER,
        find: "newProgress(true, barrierSeq)",
        replace: "newProgress(true, barrierSeq + 1)",
      },
      {
        file: WRITER,
        find: "  appendOwn(turn, [encoder.encode(JSON.stringify(configuration))], KIND_BARRIER);\n  ownStored(turn);\n",
        replace: "  broadcastHeartbeat(turn);\n  replicate(turn);\n  ownStored(turn);\n",
      },
      {
        file: WRITER,
        find: "    kind === KIND_BARRIER || isSame(log.last.epoch, epoch),\n",
        replace: "    true,\n",
      },
      {
        file: WRITER,
        find: "  if (seq >= barrierSeq && seq > commitSeq) {\n    commitTo(turn, seq);\n",
        replace:
          '  if (seq >= barrierSeq && (seq > commitSeq || turn.state.role === "opening")) {\n    commitTo(turn, seq);\n',
      },
    ],
    detector: { kind: "walk", setup: "three in memory, cut apart, one entry at a time" },
    seeds: 5_000,
    quick: false,
  },
  {
    id: 18,
    title: "counts learners",
    why: "a copy that no seal asks for stands for one that is asked",
    patches: [
      {
        file: WRITER,
        find: "  const seq = quorumValue(configuration, quorum, durable);\n",
        replace: `  const learners = [...progress].filter(([, { member }]) => !member).map(([replica]) => replica);
  const counted = { ...configuration, members: [...configuration.members, ...learners] };
  const seq = quorumValue(counted, quorum, durable);
`,
      },
    ],
    detector: { kind: "walk", setup: "three of five in memory, members changing" },
    seeds: 200,
    quick: true,
  },
  {
    id: 19,
    title: "acknowledges over a gap",
    why: "an append that does not reach down to the end of the log is acknowledged by its last entry",
    patches: [
      {
        file: FOLLOWER,
        find: "  if (refusal !== null) {\n    nack(turn, from, refusal);\n",
        replace: `  if (refusal === "gap") {
    const seq = message.prev.seq + message.entries.length;
    const { epoch, round, sentAt } = message;
    turn.send(from, { type: "ack", epoch, seq, heldSeq: seq, round, sentAt, activated: EPOCH_ZERO });
    return;
  }
  if (refusal !== null) {
    nack(turn, from, refusal);
`,
      },
    ],
    detector: { kind: "walk", setup: "three in memory" },
    seeds: 200,
    quick: true,
  },
];
