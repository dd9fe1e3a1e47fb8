/** How long after the SIGKILL of a node's process the other nodes report nodeDown. */
import { once } from "node:events";
import { connect, type NatsConnection } from "nats";
import { DEFAULT_LIMITS } from "../../../lib/base/limits.ts";
import { startNatsServer } from "../../../lib/transport/nats-server.ts";
import { beside, type Child, endChild, forkChild } from "../child.ts";
import { atMost } from "../statistics.ts";
import type { Bench, Context, Samples } from "../suite.ts";

const KILLS = 10;
const OBSERVERS = ["a", "b"];
const VICTIM = "c";
const NODES = [...OBSERVERS, VICTIM];
/** Observers publish "<observer> nodeUp c" or "<observer> nodeDown c" here. */
export const SEEN = "bench.seen";
const PATIENCE_MS = 15_000;
/** Between a start and the kill, so that kills fall anywhere between two heartbeats. */
const SETTLE_MS = 400;
const STEP_MS = 37;

/** Resolves when every observer has said `what` of the victim; rejects when that takes too long. */
function whenAllSee(bare: NatsConnection, what: "nodeUp" | "nodeDown"): Promise<void> {
  const missing = new Set(OBSERVERS);
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void): void => {
      clearTimeout(patience);
      subscription.unsubscribe();
      settle();
    };
    const patience = setTimeout(() => {
      finish(() => reject(new Error(`no ${what} of ${VICTIM} from ${[...missing].join(", ")}`)));
    }, PATIENCE_MS);
    const subscription = bare.subscribe(SEEN, {
      callback: (_error, message) => {
        const [observer = "", event, node] = message.string().split(" ");
        if (event === what && node === VICTIM && missing.delete(observer) && missing.size === 0) {
          finish(resolve);
        }
      },
    });
  });
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function killOnce(bare: NatsConnection, start: () => Child, settleMs: number): Promise<number> {
  const up = whenAllSee(bare, "nodeUp");
  const victim = start();
  try {
    await Promise.all([victim.result, up]);
    await pause(settleMs);
    const down = whenAllSee(bare, "nodeDown");
    await bare.flush();
    const killedAt = performance.now();
    const gone = once(victim.process, "exit");
    victim.process.kill("SIGKILL");
    await down;
    const tookMs = performance.now() - killedAt;
    await gone;
    return tookMs;
  } finally {
    await endChild(victim.process);
  }
}

async function run(context: Context): Promise<Samples> {
  const server = await startNatsServer();
  const bare = await connect({ servers: server.url });
  const start = (name: string): Child =>
    forkChild(beside(import.meta, "./node-down-node"), { name, servers: server.url, nodes: NODES });
  const observers = OBSERVERS.map(start);
  try {
    context.progress("starting the observers");
    await Promise.all(observers.map((each) => each.result));
    // "No responders" counts only on a connection that has stood for this long.
    await pause(DEFAULT_LIMITS.reconnectGraceMs);
    const ours: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      context.progress(`kill ${kill + 1} of ${KILLS}`);
      ours.push(await killOnce(bare, () => start(VICTIM), SETTLE_MS + kill * STEP_MS));
    }
    return { ours, again: [], baselines: {}, notes: [] };
  } finally {
    await Promise.all(observers.map((each) => endChild(each.process)));
    await bare.close();
    await server.stop();
  }
}

export const NODE_DOWN: Bench = {
  name: "node-down",
  measure: "SIGKILL of a node until the others' nodeDown, p50 of 10",
  unit: "ms",
  settings:
    "three nodes made by startNode with defaults, each in its own process; until both others have said it",
  needsNats: true,
  baselines: [
    {
      name: "heartbeat interval",
      settings: "limits.heartbeatMs, its default",
      constant: DEFAULT_LIMITS.heartbeatMs,
      target: atMost(7),
    },
  ],
  run,
};
