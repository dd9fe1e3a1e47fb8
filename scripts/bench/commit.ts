/** `--only commit`: what a replicated write costs, against Redis, etcd, JetStream and the bare client. */
import { ASYNC_64, ASYNC_ONE } from "./commit/async.ts";
import { CATCH_UP, CATCH_UP_DISK } from "./commit/catch-up.ts";
import { DISK_64, DISK_ONE } from "./commit/disk.ts";
import { FAILOVER } from "./commit/failover.ts";
import { HEAP } from "./commit/heap.ts";
import { STRONG_64, STRONG_256, STRONG_ONE, THREE_PHASES, WAL_3PC_64, WAL_3PC_ONE } from "./commit/memory.ts";
import type { Suite } from "./suite.ts";

export const COMMIT: Suite = {
  name: "commit",
  help: "commits to a partition with three copies: in memory, on disk, failover, catch-up, memory",
  benches: [
    STRONG_ONE,
    STRONG_64,
    STRONG_256,
    THREE_PHASES,
    WAL_3PC_ONE,
    WAL_3PC_64,
    DISK_ONE,
    DISK_64,
    ASYNC_ONE,
    ASYNC_64,
    FAILOVER,
    CATCH_UP,
    CATCH_UP_DISK,
    HEAP,
  ],
};
