/** Bugs of what is kept and what is shown: logs, commits, reads, leases. */
import type { Bug } from "../bug.ts";

const FOLLOWER = "lib/stream/follower.ts";
const READS = "lib/stream/reads.ts";
const LEASES_SPEC = "spec/stream/core/leases.spec.ts";

export const LOG_BUGS: readonly Bug[] = [
  {
    id: 20,
    title: "cuts its log below what is committed",
    why: "every append cuts the log where it begins, also one that comes late",
    patches: [
      {
        file: FOLLOWER,
        find: "  const incoming = chained(prev.chain, entries);\n",
        replace: "  turn.truncateAfter(prev.seq);\n  const incoming = chained(prev.chain, entries);\n",
      },
    ],
    detector: { kind: "walk", setup: "three in memory" },
    seeds: 200,
    quick: true,
  },
  {
    id: 21,
    title: "applies what is not committed",
    why: "what a follower holds may still be replaced",
    patches: [
      {
        file: FOLLOWER,
        find: "  commitTo(turn, Math.min(message.commitSeq, state.matchSeq));\n",
        replace: "  commitTo(turn, state.matchSeq);\n",
      },
    ],
    detector: { kind: "walk", setup: "five in memory, cut apart" },
    seeds: 500,
    quick: true,
  },
  {
    id: 22,
    title: "answers a linearizable read without asking whether its epoch still holds",
    why: "a writer that was replaced and does not know it answers from the past",
    patches: [
      {
        file: READS,
        find: "  return commitSeq >= read.seq && votes >= configuration.writeQuorum && isMember(configuration, self);\n",
        replace: "  return commitSeq >= read.seq && votes >= 1 && isMember(configuration, self);\n",
      },
    ],
    detector: { kind: "walk", setup: "three in memory, cut apart" },
    seeds: 1_000,
    quick: false,
  },
  {
    id: 23,
    title: "counts a lease from the receipt of its grant",
    why: "the grant was given before it arrived, and ends earlier than the holder thinks",
    patches: [
      {
        file: "lib/stream/writer.ts",
        find: "    echoedAt: Math.max(progress.echoedAt, message.sentAt),\n",
        replace: "    echoedAt: turn.nowMs,\n",
      },
    ],
    detector: { kind: "spec", file: LEASES_SPEC, grep: "stands still" },
    seeds: 1,
    quick: true,
  },
  {
    id: 24,
    title: "leaves no margin for clocks that run apart",
    why: "a slow holder uses a lease that fast grantors have forgotten",
    patches: [
      {
        file: "lib/stream/leases.ts",
        find: "  return nowMs < grantedAt + settings.leaseMs * (1 - settings.clockDrift);\n",
        replace: "  return nowMs < grantedAt + settings.leaseMs;\n",
      },
      {
        file: FOLLOWER,
        find: "  const leaseUntilMs = leaseMs > 0 ? turn.nowMs + leaseMs * (1 + clockDrift) : 0;\n",
        replace: "  const leaseUntilMs = leaseMs > 0 ? turn.nowMs + leaseMs + 0 * clockDrift : 0;\n",
      },
    ],
    detector: { kind: "spec", file: LEASES_SPEC, grep: "however far clocks run apart" },
    seeds: 1,
    quick: true,
  },
  {
    id: 29,
    title: "takes what is pushed to it, whatever its age",
    why: "a snapshot that is older than the log goes over it, and what was deleted is back",
    patches: [
      {
        file: FOLLOWER,
        find: "  if (base.seq <= commitSeq) {\n    return;\n  }\n",
        replace: "",
      },
      {
        file: FOLLOWER,
        find: "  if (log.position(base.seq)?.chain === base.chain) {\n    commitTo(turn, base.seq);\n    return;\n  }\n",
        replace:
          "  if (base.seq > commitSeq && log.position(base.seq)?.chain === base.chain) {\n    commitTo(turn, base.seq);\n    return;\n  }\n",
      },
    ],
    detector: { kind: "walk", setup: "three in memory" },
    seeds: 500,
    quick: false,
  },
  {
    id: 30,
    title: "forgets entries by their number, committed or not",
    why: "entries that nobody else has yet are dropped from the log",
    patches: [
      {
        file: FOLLOWER,
        find: "  const keepFrom = Math.min(seq - settings.keptEntries, commitSeq);\n",
        replace: "  const keepFrom = log.lastSeq - 2;\n",
      },
    ],
    detector: { kind: "walk", setup: "three in memory" },
    seeds: 200,
    quick: true,
  },
  {
    id: 31,
    title: "wakes the wrong waiter",
    why: "as many waiting reads as are ready are answered, but the first ones and not those that are ready",
    patches: [
      {
        file: READS,
        find: "  for (const { id, asker, seq } of ready) {\n",
        replace: "  for (const { id, asker, seq } of writer.reads.slice(0, ready.length)) {\n",
      },
    ],
    detector: { kind: "walk", setup: "three in memory" },
    seeds: 1_000,
    quick: false,
  },
];
