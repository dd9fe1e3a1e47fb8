/** Redis: one primary, two replicas, SET + WAIT 1. Not consensus: an acknowledged write may be lost. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { load } from "../peers.ts";
import { findServer, freePorts, HOST, type RunningServer, startServer, until } from "../servers.ts";
import { keyOf, VALUE } from "./load.ts";
import type { Rival } from "./rival.ts";

export const REDIS = "Redis SET + WAIT 1";
export const REDIS_SETTINGS =
  "redis-server of Debian, one primary, two replicas, no RDB, no AOF; ioredis 5, a connection per caller, SET and " +
  "WAIT 1 in one pipeline; not consensus";

type Replies = readonly (readonly [error: Error | null, reply: unknown])[];

interface Pipeline {
  set(key: string, value: string): Pipeline;
  wait(replicas: number, timeoutMs: number): Pipeline;
  exec(): Promise<Replies | null>;
}

interface Client {
  pipeline(): Pipeline;
  info(section: string): Promise<string>;
  disconnect(): void;
  on(event: "error", listener: (error: Error) => void): unknown;
}

type ClientClass = new (options: { readonly host: string; readonly port: number }) => Client;

function isClientClass(value: unknown): value is ClientClass {
  return typeof value === "function";
}

/** Starts all three; rejects with the reason when Redis cannot be had. */
export async function startRedis(folder: string, callers: number): Promise<Rival> {
  const executable = findServer("redis-server");
  const loaded = load("ioredis");
  if (!isClientClass(loaded)) {
    throw new Error("ioredis does not export what the bench uses");
  }
  const ports = await freePorts(3);
  const [primary = 0] = ports;
  const servers: RunningServer[] = [];
  const clients: Client[] = [];
  let problem = "the replicas are not online";
  const close = async (): Promise<void> => {
    for (const client of clients) {
      client.disconnect();
    }
    await Promise.all(servers.map((server) => server.stop()));
  };
  try {
    for (const port of ports) {
      const home = join(folder, `redis-${port}`);
      await mkdir(home, { recursive: true });
      servers.push(startServer(executable, argsOf(port, primary, home), home));
    }
    for (let caller = 0; caller < callers; caller++) {
      const client = new loaded({ host: HOST, port: primary });
      // It tries again until the server is up; a command that fails says so itself.
      client.on("error", (error) => {
        problem = error.message;
      });
      clients.push(client);
    }
    await until("Redis and its replicas", async () => {
      for (const server of servers) {
        server.check();
      }
      const info = await clients[0]?.info("replication");
      if (info?.match(/state=online/g)?.length !== 2) {
        throw new Error(problem);
      }
      return true;
    });
  } catch (thrown) {
    await close();
    throw thrown;
  }
  return {
    version: executable.version,
    put: async (caller, n) => {
      const replies = await clients[caller]?.pipeline().set(keyOf(n), VALUE).wait(1, 0).exec();
      const [set, wait] = replies ?? [];
      if (set?.[1] !== "OK" || typeof wait?.[1] !== "number" || wait[1] < 1) {
        throw new Error(`Redis answered ${JSON.stringify(replies)}`);
      }
    },
    close,
  };
}

function argsOf(port: number, primary: number, home: string): string[] {
  const common = ["--port", String(port), "--bind", HOST, "--dir", home, "--save", "", "--appendonly", "no"];
  return port === primary
    ? [...common, "--repl-diskless-sync-delay", "0"]
    : [...common, "--replicaof", `${HOST} ${primary}`];
}
