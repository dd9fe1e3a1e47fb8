/** Commits answered before they are replicated, against strong ones of the same cluster. */
import { atLeast, atMost } from "../statistics.ts";
import type { Bench } from "../suite.ts";
import { callersUntilHeld, interleaveHeld, interleaveOne, OURS, oneWriter, withRig } from "./rig.ts";

const STRONG = "strong";
const ASYNC = OURS.replace("replicationMode strong", "replicationMode async");
const STRONG_SETTINGS = "the same cluster, mode strong with each commit";

export const ASYNC_ONE: Bench = {
  name: "async-one",
  measure: "async, one writer, p50",
  unit: "µs",
  settings: ASYNC,
  needsNats: true,
  baselines: [{ name: STRONG, settings: STRONG_SETTINGS, target: atMost(0.1) }],
  run: (context) =>
    withRig(context, { replicationMode: "async" }, (rig) =>
      interleaveOne(context, oneWriter("ours", rig, "async"), [oneWriter(STRONG, rig, "strong")]),
    ),
};

export const ASYNC_64: Bench = {
  name: "async-64",
  measure: "async, 64 callers, counted until every replica holds the last write",
  unit: "commits/s",
  settings: ASYNC,
  needsNats: true,
  baselines: [
    {
      name: STRONG,
      settings: `${STRONG_SETTINGS}, counted in the same way`,
      target: atLeast(1.3),
    },
  ],
  run: (context) =>
    withRig(context, { replicationMode: "async" }, (rig) =>
      interleaveHeld(context, callersUntilHeld("ours", rig, "async", 64), [
        callersUntilHeld(STRONG, rig, "strong", 64),
      ]),
    ),
};
