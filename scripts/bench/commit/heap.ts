/** Whether a steady load leaves anything behind. */
import { atMost, median } from "../statistics.ts";
import type { Bench, Context, Samples } from "../suite.ts";
import { type BenchNode, Cluster } from "./cluster.ts";
import { OURS } from "./rig.ts";

const MINUTE_MS = 60_000;
const MINUTE_SHORT_MS = 4_000;
const MINUTES = 5;
const CALLERS = 64;
/** The heap is looked at so many times in the second half of a minute. */
const LOOKS = 4;
const MINUTE_1 = "minute 1";

/** Medians of what `looks` says of each node, by their order. */
function medians(looks: readonly (readonly number[])[], nodes: number): number[] {
  return Array.from({ length: nodes }, (_, node) => median(looks.map((look) => look[node] ?? Number.NaN)));
}

async function minute(writer: BenchNode, nodes: readonly BenchNode[], ms: number): Promise<number[]> {
  await writer.load("strong", CALLERS, ms / 2);
  const looks: number[][] = [];
  for (let look = 0; look < LOOKS; look++) {
    await writer.load("strong", CALLERS, ms / 2 / LOOKS);
    looks.push(await Promise.all(nodes.map((node) => node.number({ type: "heap" }))));
  }
  return medians(looks, nodes.length);
}

async function run(context: Context): Promise<Samples> {
  const short = context.short === true;
  context.progress("starting three nodes");
  const cluster = await Cluster.start({ nodeFlags: () => ["--expose-gc"] });
  try {
    const writer = await cluster.settled();
    const { nodes } = cluster;
    const all: number[][] = [];
    for (let count = 1; count <= MINUTES; count++) {
      context.progress(`minute ${count} of ${MINUTES}`);
      all.push(await minute(writer, nodes, short ? MINUTE_SHORT_MS : MINUTE_MS));
    }
    const first = all.at(0) ?? [];
    const last = all.at(-1) ?? [];
    // The node that grew most stands for all.
    const grown = last.map((bytes, node) => bytes / (first[node] ?? Number.NaN));
    const worst = grown.indexOf(Math.max(...grown));
    const notes = nodes.map(({ name }, node) => {
      const mib = all.map((each) => ((each[node] ?? Number.NaN) / 1024 ** 2).toFixed(1));
      const role = nodes[node] === writer ? " (writer)" : "";
      return `${name}${role}: ${mib.join(", ")} MiB, minute by minute`;
    });
    return {
      ours: [last[worst] ?? Number.NaN],
      again: [],
      baselines: { [MINUTE_1]: [first[worst] ?? Number.NaN] },
      notes,
      shortened: short,
    };
  } finally {
    await cluster.close();
  }
}

export const HEAP: Bench = {
  name: "heap",
  measure: "memory: heapUsed after gc in minute 5 of a steady load on a fixed key set",
  unit: "bytes",
  settings:
    `${OURS}; ${CALLERS} callers without a pause; median of ${LOOKS} looks in the minute's second half, between ` +
    "two loads; of the node that grew most",
  needsNats: true,
  baselines: [{ name: MINUTE_1, settings: "the same node, the same way", target: atMost(1.1) }],
  run,
};
