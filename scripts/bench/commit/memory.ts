/** Strong commits in memory: one writer, 64 and 256 callers; and against three-phase commit. */
import { atLeast, atMost } from "../statistics.ts";
import type { Bench } from "../suite.ts";
import { BARE_SETTINGS } from "./bare.ts";
import { JETSTREAM_MEMORY, JETSTREAM_MEMORY_SETTINGS, startJetStream } from "./jetstream.ts";
import { REDIS, REDIS_SETTINGS, startRedis } from "./redis.ts";
import {
  againstRivals,
  callers,
  interleaveMany,
  interleaveOne,
  OURS,
  oneCaller,
  oneWriter,
  withRig,
} from "./rig.ts";

const NC_REQUEST = "nc.request";
const THREE_ROUNDS = "three request rounds to two replicas";
const OWN_3PC = "own 3PC";
const OURS_3PC = "the actor three_phase_commit of the writer's node, called there, everything else the same";

export const STRONG_ONE: Bench = {
  name: "strong-one",
  measure: "strong, memory, one writer, p50",
  unit: "µs",
  settings: OURS,
  needsNats: true,
  baselines: [{ name: NC_REQUEST, settings: BARE_SETTINGS, target: atMost(0.95) }],
  run: (context) =>
    withRig(context, {}, (rig) =>
      interleaveOne(context, oneWriter("ours", rig, "strong"), [oneCaller(NC_REQUEST, rig.bare.roundTrip)]),
    ),
};

export const STRONG_64: Bench = {
  name: "strong-64",
  measure: "strong, memory, 64 callers on the writer's node",
  unit: "commits/s",
  settings: OURS,
  needsNats: true,
  servers: ["redis-server"],
  baselines: [
    { name: REDIS, settings: REDIS_SETTINGS, target: atLeast(2.5) },
    { name: JETSTREAM_MEMORY, settings: JETSTREAM_MEMORY_SETTINGS, target: atLeast(4) },
  ],
  run: (context) =>
    withRig(context, {}, (rig) =>
      againstRivals(context, rig, 64, [
        { name: REDIS, start: startRedis },
        { name: JETSTREAM_MEMORY, start: (folder) => startJetStream(folder, "memory") },
      ]),
    ),
};

export const STRONG_256: Bench = {
  name: "strong-256",
  measure: "strong, memory, 256 callers",
  unit: "commits/s",
  settings: OURS,
  needsNats: true,
  servers: ["redis-server"],
  baselines: [{ name: REDIS, settings: REDIS_SETTINGS, target: atLeast(3.5) }],
  run: (context) =>
    withRig(context, {}, (rig) => againstRivals(context, rig, 256, [{ name: REDIS, start: startRedis }])),
};

export const THREE_PHASES: Bench = {
  name: "3pc-one",
  measure: "our 3PC, one writer, p50",
  unit: "µs",
  settings: `${OURS}, but through ${OURS_3PC}`,
  needsNats: true,
  baselines: [
    {
      name: THREE_ROUNDS,
      settings: `${BARE_SETTINGS}; three rounds one after the other, each to two processes at once`,
      target: atMost(1.3),
    },
  ],
  run: (context) =>
    withRig(context, {}, (rig) =>
      interleaveOne(context, oneWriter("ours", rig, "3pc"), [oneCaller(THREE_ROUNDS, rig.bare.threeRounds)]),
    ),
};

export const WAL_3PC_ONE: Bench = {
  name: "wal-3pc-one",
  measure: "WAL against our own 3PC, one writer, p50",
  unit: "µs",
  settings: OURS,
  needsNats: true,
  baselines: [{ name: OWN_3PC, settings: OURS_3PC, target: atMost(0.5) }],
  run: (context) =>
    withRig(context, {}, (rig) =>
      interleaveOne(context, oneWriter("ours", rig, "strong"), [oneWriter(OWN_3PC, rig, "3pc")]),
    ),
};

export const WAL_3PC_64: Bench = {
  name: "wal-3pc-64",
  measure: "WAL against our own 3PC, rate at 64 writers",
  unit: "commits/s",
  settings: OURS,
  needsNats: true,
  baselines: [{ name: OWN_3PC, settings: OURS_3PC }],
  run: (context) =>
    withRig(context, {}, (rig) =>
      interleaveMany(context, callers("ours", rig, "strong", 64), [callers(OWN_3PC, rig, "3pc", 64)]),
    ),
};
