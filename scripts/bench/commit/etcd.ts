/** etcd: three members, puts by one client, which is connected to the leader. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { load } from "../peers.ts";
import { findServer, freePorts, HOST, type RunningServer, startServer, until } from "../servers.ts";
import { keyOf, VALUE } from "./load.ts";
import type { Rival } from "./rival.ts";

export const ETCD = "etcd";
export const ETCD_SETTINGS =
  "etcd 3.4 of Debian, three members with defaults, data on the same disk as ours; etcd3, one client, connected " +
  "to the leader";

interface Client {
  put(key: string): { value(value: string): { exec(): Promise<unknown> } };
  readonly maintenance: {
    status(): Promise<{ readonly header: { readonly member_id: string }; readonly leader: string }>;
  };
  close(): void;
}

interface Package {
  readonly Etcd3: new (options: { readonly hosts: string }) => Client;
}

function isPackage(value: unknown): value is Package {
  return typeof value === "object" && value !== null && "Etcd3" in value && typeof value.Etcd3 === "function";
}

/** Starts all three; rejects with the reason when etcd cannot be had. */
export async function startEtcd(folder: string): Promise<Rival> {
  const executable = findServer("etcd");
  const loaded = load("etcd3");
  if (!isPackage(loaded)) {
    throw new Error("etcd3 does not export what the bench uses");
  }
  const ports = await freePorts(6);
  const members = [0, 1, 2].map((index) => ({
    name: `m${index}`,
    client: `http://${HOST}:${ports[index]}`,
    peer: `http://${HOST}:${ports[index + 3]}`,
  }));
  const cluster = members.map(({ name, peer }) => `${name}=${peer}`).join(",");
  const servers: RunningServer[] = [];
  const clients: Client[] = [];
  const close = async (): Promise<void> => {
    for (const client of clients) {
      client.close();
    }
    await Promise.all(servers.map((server) => server.stop()));
  };
  try {
    for (const { name, client, peer } of members) {
      const home = join(folder, `etcd-${name}`);
      await mkdir(home, { recursive: true, mode: 0o700 });
      const args = [
        ...["--name", name, "--data-dir", home, "--initial-cluster", cluster, "--log-level", "error"],
        ...["--listen-client-urls", client, "--advertise-client-urls", client],
        ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
      ];
      servers.push(startServer(executable, args, home));
      clients.push(new loaded.Etcd3({ hosts: client }));
    }
    const leader = await until("a leader of etcd", () => findLeader(clients, servers));
    return {
      version: executable.version,
      put: (_caller, n) => leader.put(keyOf(n)).value(VALUE).exec(),
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

async function findLeader(
  clients: readonly Client[],
  servers: readonly RunningServer[],
): Promise<Client | undefined> {
  for (const server of servers) {
    server.check();
  }
  for (const client of clients) {
    const { header, leader } = await client.maintenance.status();
    if (leader === header.member_id && leader !== "0") {
      return client;
    }
  }
  return undefined;
}
