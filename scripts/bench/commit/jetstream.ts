/** JetStream's key-value store with three replicas, on three clustered nats-servers of their own. */
import { join } from "node:path";
import { connect, type KV, type NatsConnection, StorageType } from "nats";
import { type NatsServer, startNatsServer } from "../../../lib/transport/nats-server.ts";
import { freePorts, HOST, until } from "../servers.ts";
import { keyOf, VALUE } from "./load.ts";
import type { Rival } from "./rival.ts";

export const JETSTREAM_MEMORY = "JetStream KV R3 memory";
export const JETSTREAM_FILE = "JetStream KV R3 file";
const COMMON =
  "three clustered nats-servers with defaults, nats 2.29, one connection, to the stream's leader";
export const JETSTREAM_MEMORY_SETTINGS = `${COMMON}; memory storage`;
export const JETSTREAM_FILE_SETTINGS = `${COMMON}; file storage on the same disk as ours; does not sync each write`;

const BUCKET = "bench";
const NAMES = ["n1", "n2", "n3"];

export async function startJetStream(folder: string, storage: "memory" | "file"): Promise<Rival> {
  const ports = await freePorts(NAMES.length);
  const routes = ports.map((port) => `"nats-route://${HOST}:${port}"`).join(", ");
  const servers = new Map<string, NatsServer>();
  const connections: NatsConnection[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(connections.map((connection) => connection.close()));
    await Promise.all([...servers.values()].map((server) => server.stop()));
  };
  const open = async (name: string): Promise<NatsConnection> => {
    const connection = await connect({ servers: servers.get(name)?.url ?? "", ignoreClusterUpdates: true });
    connections.push(connection);
    return connection;
  };
  try {
    for (const [index, name] of NAMES.entries()) {
      const cluster = `cluster { name: "bench", listen: "${HOST}:${ports[index]}", routes: [${routes}] }`;
      const config = `server_name: "${name}"\n${cluster}\n`;
      servers.set(name, await startNatsServer({ config, jetstreamDir: join(folder, `jetstream-${name}`) }));
    }
    const first = await open("n1");
    const leader = await until("a key-value bucket with three replicas", () => makeBucket(first, storage));
    const direct = await open(leader);
    const bucket: KV = await direct.jetstream().views.kv(BUCKET, { bindOnly: true });
    const value = Buffer.from(VALUE);
    return {
      version: `nats-server ${direct.info?.version ?? ""}`,
      put: (_caller, n) => bucket.put(keyOf(n), value),
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** The name of the server that leads the bucket's stream, once all its replicas are current. */
async function makeBucket(
  connection: NatsConnection,
  storage: "memory" | "file",
): Promise<string | undefined> {
  const bucket = await connection.jetstream().views.kv(BUCKET, {
    replicas: NAMES.length,
    storage: storage === "memory" ? StorageType.Memory : StorageType.File,
    timeout: 5_000,
  });
  const { streamInfo } = await bucket.status();
  const { leader, replicas = [] } = streamInfo.cluster ?? {};
  return replicas.length === NAMES.length - 1 && replicas.every(({ current }) => current)
    ? leader
    : undefined;
}
