/** `--only journal`: what durable and other appends, replay and a free event loop cost. */
import { APPEND_MANY, APPEND_ONE, APPEND_UNSYNCED } from "./journal/append.ts";
import { REPLAY_MEMORY, REPLAY_TIME } from "./journal/replay.ts";
import { STALL } from "./journal/stall.ts";
import type { Suite } from "./suite.ts";

export const JOURNAL: Suite = {
  name: "journal",
  help: "the write-ahead log: durable appends, appends without a sync, replay, event loop",
  benches: [APPEND_ONE, APPEND_MANY, APPEND_UNSYNCED, REPLAY_TIME, REPLAY_MEMORY, STALL],
};
