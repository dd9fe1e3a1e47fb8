/** How long a restarted replica takes to catch up with what was written while it was away. */
import { inPlace } from "../journal/place.ts";
import { until } from "../servers.ts";
import { atMost } from "../statistics.ts";
import type { Bench, Context, Samples } from "../suite.ts";
import { type BenchNode, Cluster } from "./cluster.ts";
import { OURS, OURS_DISK } from "./rig.ts";

const KEYS = 1_000_000;
const KEYS_SHORT = 50_000;
const CALLERS = 256;
/** Each takes a minute, so there are few. */
const ROUNDS_MAX = 3;
const WARM_UP_MS = 2_000;
/** A replica has caught up when it applies a position within this time after the writer has committed it. */
const LAG_MS = 250;
const PATIENCE_MS = 300_000;

const PEAK = "writing them at peak";

interface Once {
  readonly writeMs: number;
  readonly catchUpMs: number;
  readonly note: string;
}

async function once(cluster: Cluster, keys: number): Promise<Once> {
  const writer = await cluster.settled();
  const away = cluster.nodes.findLast((node) => node !== writer);
  if (away === undefined) {
    throw new Error("there is no other node");
  }
  await writer.load("strong", CALLERS, WARM_UP_MS);
  await away.kill();
  const { tookMs: writeMs, again } = await writer.write(keys, CALLERS);
  const perSecond = keys / (writeMs / 1000) / 2;
  await writer.ask({ type: "beginPaced", perSecond });
  const start = performance.now();
  const back = cluster.startNode(away.name);
  await back.ready();
  const readyMs = performance.now() - start;
  await until("the replica catches up", () => whetherCaughtUp(writer, back), PATIENCE_MS);
  const catchUpMs = performance.now() - start;
  const { begun, failed } = await writer.endPaced();
  const failures = Object.entries(failed).map(([code, count]) => `${count} ${code}`);
  await cluster.settled();
  const note =
    `${again} of the keys' writes failed and were repeated; ${Math.round(perSecond)} writes/s meanwhile, ${begun} in all, not answered: ${failures.join(", ") || "none"}; ` +
    `${Math.round(readyMs)} ms of it until the node was ready`;
  return { writeMs, catchUpMs, note };
}

async function whetherCaughtUp(writer: BenchNode, back: BenchNode): Promise<true | undefined> {
  const seq = (await writer.status())?.commitSeq ?? Number.POSITIVE_INFINITY;
  const asked = performance.now();
  await back.ask({ type: "applied", seq });
  return performance.now() - asked <= LAG_MS ? true : undefined;
}

function bench(name: string, measure: string, settings: string, disk: boolean): Bench {
  const run = (context: Context): Promise<Samples> =>
    inPlace(context, async (folder) => {
      context.progress("starting three nodes");
      const cluster = await Cluster.start(disk ? { folder } : {});
      const short = context.short === true;
      const rounds = Math.min(context.rounds, ROUNDS_MAX);
      const ours: number[] = [];
      const peak: number[] = [];
      const notes: string[] = [];
      try {
        for (let round = 0; round < rounds; round++) {
          context.progress(`round ${round + 1} of ${rounds}`);
          const { writeMs, catchUpMs, note } = await once(cluster, short ? KEYS_SHORT : KEYS);
          ours.push(catchUpMs);
          peak.push(writeMs);
          notes.push(note);
        }
      } finally {
        await cluster.close();
      }
      return { ours, again: [], baselines: { [PEAK]: peak }, notes, shortened: short };
    });
  const written = `${CALLERS} callers on the writer's node, a put each, the third node away`;
  return {
    name,
    measure,
    unit: "ms",
    settings:
      `${settings}; the third node killed, its process started again after the writing; from that start until it ` +
      `applies what the writer commits within ${LAG_MS} ms; at most ${ROUNDS_MAX} rounds`,
    needsNats: true,
    baselines: [{ name: PEAK, settings: written, target: atMost(3) }],
    run,
  };
}

const WORDS =
  "catch-up of a restarted replica, 1 million distinct keys behind, writes going on at 50 % of peak";

export const CATCH_UP = bench("catch-up", `${WORDS}, memory`, OURS, false);
export const CATCH_UP_DISK = bench("catch-up-disk", `${WORDS}, disk`, OURS_DISK, true);
