/** Who is measured: our three nodes, and beside them, on the same machine and disk, whoever else. */
import { messageOf } from "../../../lib/base/errors.ts";
import { inPlace } from "../journal/place.ts";
import { type Contender, interleave, latencyUs } from "../rounds.ts";
import type { Context, Samples } from "../suite.ts";
import { type Bare, startBare } from "./bare.ts";
import { type BenchNode, Cluster, type ClusterOptions } from "./cluster.ts";
import type { How } from "./commands.ts";
import { perSecond } from "./load.ts";
import type { Rival } from "./rival.ts";

/** How long each is measured at a stretch, and how often per round. */
const ONE_MS = 20;
const ONE_SLICES = 20;
const MANY_MS = 250;
const MANY_SLICES = 8;
/** For what is counted until every replica has it: the wait at the end is to be a small part. */
const UNTIL_HELD_MS = 500;
const UNTIL_HELD_SLICES = 4;

export const OURS =
  "three nodes made by startNode with defaults, replicationMode strong and localCodec off, each in its own process, " +
  "one nats-server; node.wal.commit of one put, 40-byte values, 10,000 keys, on the node of the partition's writer";
export const OURS_DISK = `${OURS}; dataDir set, so that commits are synced to disk`;

export interface Rig {
  readonly cluster: Cluster;
  readonly writer: BenchNode;
  readonly bare: Bare;
  /** For the data of rivals; removed afterwards. */
  readonly folder: string;
}

/** Starts cluster and bare clients, hands them to `work`, ends them. */
export async function withRig(
  context: Context,
  options: Omit<ClusterOptions, "folder"> & { readonly disk?: boolean },
  work: (rig: Rig) => Promise<Samples>,
): Promise<Samples> {
  const { disk = false, ...rest } = options;
  return await inPlace(context, async (folder) => {
    context.progress("starting three nodes");
    const cluster = await Cluster.start({ ...rest, ...(disk ? { folder } : {}) });
    try {
      const bare = await startBare(cluster.server.url);
      try {
        return await work({ cluster, writer: await cluster.settled(), bare, folder });
      } finally {
        await bare.close();
      }
    } finally {
      await cluster.close();
    }
  });
}

/** One writer on the writer's node, in microseconds. */
export function oneWriter(name: string, { writer }: Rig, how: How): Contender {
  return { name, round: () => writer.latencyUs(how, ONE_MS) };
}

/** One caller of something else, in microseconds. */
export function oneCaller(name: string, operation: () => Promise<unknown>): Contender {
  return { name, round: () => latencyUs(operation) };
}

/** Callers on the writer's node, in commits per second. */
export function callers(name: string, { writer }: Rig, how: How, count: number): Contender {
  return {
    name,
    round: async () => {
      const { done, tookMs } = await writer.load(how, count, MANY_MS);
      return (done / tookMs) * 1000;
    },
  };
}

/** The same, counted until every replica holds what was written last. */
export function callersUntilHeld(name: string, rig: Rig, how: How, count: number): Contender {
  const { writer, cluster } = rig;
  const others = cluster.nodes.filter((node) => node !== writer);
  return {
    name,
    round: async () => {
      const { done, tookMs, seq } = await writer.load(how, count, UNTIL_HELD_MS);
      const before = performance.now();
      await Promise.all(others.map((node) => node.ask({ type: "holds", seq })));
      return (done / (tookMs + performance.now() - before)) * 1000;
    },
  };
}

export function interleaveOne(context: Context, ours: Contender, peers: readonly Contender[]) {
  return interleave(context, ours, peers, ONE_SLICES);
}

export function interleaveMany(context: Context, ours: Contender, peers: readonly Contender[]) {
  return interleave(context, ours, peers, MANY_SLICES);
}

export function interleaveHeld(context: Context, ours: Contender, peers: readonly Contender[]) {
  return interleave(context, ours, peers, UNTIL_HELD_SLICES);
}

export interface RivalKind {
  readonly name: string;
  start(folder: string, callers: number): Promise<Rival>;
}

/** Ours against rivals with as many callers each. One that cannot be had is left out, and a note says why. */
export async function againstRivals(
  context: Context,
  rig: Rig,
  count: number,
  kinds: readonly RivalKind[],
): Promise<Samples> {
  const notes: string[] = [];
  const rivals: Rival[] = [];
  try {
    const contenders: Contender[] = [];
    for (const { name, start } of kinds) {
      context.progress(`starting ${name}`);
      try {
        const rival = await start(rig.folder, count);
        rivals.push(rival);
        notes.push(`${name}: ${rival.version}`);
        contenders.push({
          name,
          round: () => perSecond(count, MANY_MS, (caller, n) => rival.put(caller, n)),
        });
      } catch (thrown) {
        notes.push(`${name} could not be measured: ${messageOf(thrown)}`);
      }
    }
    const samples = await interleaveMany(context, callers("ours", rig, "strong", count), contenders);
    return { ...samples, notes: [...samples.notes, ...notes] };
  } finally {
    await Promise.all(rivals.map((rival) => rival.close()));
  }
}
