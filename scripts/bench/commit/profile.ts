/**
 * CPU profiles of a writer and of its replicas under a load, one file for each node, for the browser's
 * developer tools or an editor. Not a bench: it compares nothing.
 *
 *     npm run build
 *     node dist/scripts/bench/commit/profile.js --callers 64 [--how strong|async|3pc] [--seconds 10] [--disk] --out DIR
 */
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { inPlace } from "../journal/place.ts";
import { Cluster } from "./cluster.ts";
import { HOW } from "./commands.ts";

const INTERVAL_US = 500;
const WARM_UP_MS = 2_000;

const { values } = parseArgs({
  options: {
    callers: { type: "string", default: "64" },
    how: { type: "string", default: "strong" },
    seconds: { type: "string", default: "10" },
    disk: { type: "boolean", default: false },
    out: { type: "string", default: "profiles" },
  },
});
const how = HOW.parse(values.how);
const callers = Number(values.callers);
const ms = Number(values.seconds) * 1_000;
const out = resolve(values.out);
const fileOf = (name: string): string => `${name}.cpuprofile`;

await mkdir(out, { recursive: true });
await inPlace({ rounds: 1, progress: () => undefined }, async (folder) => {
  const cluster = await Cluster.start({
    replicationMode: how === "async" ? "async" : "strong",
    ...(values.disk ? { folder } : {}),
    nodeFlags: (name) => [
      "--cpu-prof",
      `--cpu-prof-dir=${out}`,
      `--cpu-prof-name=${fileOf(name)}`,
      `--cpu-prof-interval=${INTERVAL_US}`,
    ],
  });
  try {
    const writer = await cluster.settled();
    await writer.load(how, callers, WARM_UP_MS);
    const { done, tookMs } = await writer.load(how, callers, ms);
    const perSecond = (done / tookMs) * 1_000;
    const eachUs = ((callers * tookMs) / done) * 1_000;
    process.stdout.write(
      `${how}, ${callers} callers: ${perSecond.toFixed(0)} commits/s, ${eachUs.toFixed(0)} µs each\n`,
    );
    for (const node of cluster.nodes) {
      await node.exit();
      process.stdout.write(
        `${node === writer ? "writer " : "replica"} ${node.name}: ${join(out, fileOf(node.name))}\n`,
      );
    }
  } finally {
    await cluster.close();
  }
  return { ours: [], again: [], baselines: {}, notes: [] };
});
