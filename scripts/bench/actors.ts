/** `--only actors`: what processes, messages between them and nodes cost. */
import { IDLE_HEAP, IDLE_START } from "./actors/idle.ts";
import { LOCAL_CALL } from "./actors/local-call.ts";
import { LOCAL_CAST } from "./actors/local-cast.ts";
import { QUEUED_HEAP, QUEUED_RATE } from "./actors/queued.ts";
import { RESTART } from "./actors/restart.ts";
import type { Suite } from "./suite.ts";

export const ACTORS: Suite = {
  name: "actors",
  help: "processes, messages between them, on one node and between nodes",
  benches: [LOCAL_CAST, QUEUED_RATE, QUEUED_HEAP, LOCAL_CALL, IDLE_HEAP, IDLE_START, RESTART],
};
