/**
 * The tour's cluster, in one of two forms: node processes on a nats-server, or, where there is none, nodes
 * in this process on the in-process transport. The tour itself does not know the difference.
 */
import { extname, join } from "node:path";
import { Writable } from "node:stream";
import { DEFAULT_LIMITS } from "../../lib/base/limits.ts";
import { systemClock } from "../../lib/base/system-clock.ts";
import { systemRandom } from "../../lib/base/system-random.ts";
import { Client } from "../../lib/cli/client.ts";
import { LocalCluster } from "../../lib/cli/local-cluster.ts";
import { checkConnection } from "../../lib/config/options.ts";
import { subjectsOf } from "../../lib/node/subjects.ts";
import type { Node } from "../../lib/runtime/node.ts";
import { createLogger } from "../../lib/telemetry/logger.ts";
import { MemoryHub } from "../../lib/transport/memory.ts";
import type { NatsServerSearch } from "../../lib/transport/nats-server.ts";
import { LOG_LEVEL, startTourNode } from "./node.ts";

export const NODES = ["a", "b", "c"] as const;
export const CLUSTER = "default";
const NODE_SCRIPT = join(import.meta.dirname, `node${extname(import.meta.filename)}`);

export interface TourCluster {
  /** For `--servers`; undefined without NATS. */
  readonly servers: string | undefined;
  readonly client: Client;
  /** What a node is, for people: "process 123". */
  describe(name: string): string;
  /** Ends a node as a crash of its machine would. */
  kill(name: string): Promise<void>;
  startAgain(name: string): Promise<void>;
  stop(): Promise<void>;
  /** Resolves, with why, when the cluster is beyond use. */
  readonly lost: Promise<string>;
}

/** `onLog` takes what the nodes log: the tour shows it only when something goes wrong. */
export function startTourCluster(
  search: NatsServerSearch,
  onLog: (text: string) => void,
): Promise<TourCluster> {
  return search.found ? startProcesses(onLog) : startInProcess(onLog);
}

async function startProcesses(onLog: (text: string) => void): Promise<TourCluster> {
  let fail: (why: string) => void = () => undefined;
  const lost = new Promise<string>((resolve) => {
    fail = resolve;
  });
  const cluster = new LocalCluster({
    names: NODES,
    connection: checkConnection({ cluster: CLUSTER }),
    timeoutMs: DEFAULT_LIMITS.callTimeoutMs,
    script: NODE_SCRIPT,
    args: [],
    more: [],
    onLog,
    onUnexpectedEnd: ({ name }, how) => fail(`node ${name} ended by itself: ${how}`),
  });
  try {
    await cluster.start();
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return {
    servers: cluster.servers,
    client: cluster.client,
    lost: Promise.race([lost, cluster.lost]),
    describe: (name) => `process ${cluster.node(name).pid}`,
    kill: (name) => cluster.node(name).kill(),
    startAgain: async (name) => {
      cluster.startNode(name);
      await cluster.ready();
    },
    stop: () => cluster.stop(),
  };
}

async function startInProcess(onLog: (text: string) => void): Promise<TourCluster> {
  const hub = new MemoryHub({ clock: systemClock, random: systemRandom });
  const stream = new Writable({
    decodeStrings: false,
    write: (text, _encoding, done) => {
      onLog(String(text));
      done();
    },
  });
  const log = createLogger({ level: LOG_LEVEL, stream });
  const nodes = new Map<string, Node>();
  const start = async (name: string): Promise<void> => {
    const transport = hub.connect(name);
    nodes.set(name, await startTourNode({ name, cluster: CLUSTER, peers: [...NODES] }, { transport, log }));
  };
  await Promise.all(NODES.map(start));
  const client = new Client({
    transport: hub.connect("tour"),
    cluster: CLUSTER,
    subjects: subjectsOf(CLUSTER),
    timeoutMs: DEFAULT_LIMITS.callTimeoutMs,
    where: "this process",
  });
  return {
    servers: undefined,
    client,
    lost: new Promise(() => undefined),
    describe: () => "in this process",
    kill: async (name) => {
      hub.kill(name);
      // Cut off, it could do no more harm; this only frees its timers.
      await nodes.get(name)?.stop();
      nodes.delete(name);
    },
    startAgain: start,
    stop: async () => {
      await Promise.all([...nodes.values()].map((node) => node.stop()));
      await client.close();
    },
  };
}
