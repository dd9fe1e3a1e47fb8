/**
 * The nats-servers of a chaos run: one, or several that are routed to each other.
 *
 * They tell their clients nothing of each other, so that a node stays behind its proxy.
 */
import { connect, type NatsConnection } from "nats";
import { type NatsServer, startNatsServer } from "../../lib/transport/nats-server.ts";
import { freePort } from "./proxy.ts";

const MESH_DEADLINE_MS = 10_000;
const MESH_ANSWER_MS = 250;

/** `onExit` hears of a server that ended and nobody here asked for it. Rejects when one does not start. */
export async function startNatsServers(
  count: number,
  onExit: (how: string) => void,
): Promise<readonly NatsServer[]> {
  if (count === 1) {
    return [await startNatsServer({ onExit })];
  }
  const routePorts = await Promise.all(Array.from({ length: count }, () => freePort()));
  const started = await Promise.allSettled(
    routePorts.map((_, index) => startNatsServer({ onExit, config: clusterConfig(index, routePorts) })),
  );
  const servers = started.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  try {
    const failed = started.find((each) => each.status === "rejected");
    if (failed !== undefined) {
      throw failed.reason;
    }
    await untilMeshed(servers);
    return servers;
  } catch (error) {
    await Promise.all(servers.map((server) => server.stop()));
    throw error;
  }
}

function clusterConfig(index: number, routePorts: readonly number[]): string {
  const others = routePorts.filter((_, other) => other !== index);
  return `server_name: "chaos-${index}"
cluster {
  name: "chaos"
  listen: "127.0.0.1:${routePorts[index]}"
  no_advertise: true
  routes: [${others.map((port) => `"nats-route://127.0.0.1:${port}"`).join(", ")}]
}
`;
}

/** Resolves when a request at any server is answered at any other. */
async function untilMeshed(servers: readonly NatsServer[]): Promise<void> {
  const connections = await Promise.all(
    servers.map(({ url }) => connect({ servers: url, reconnect: false })),
  );
  try {
    for (const [index, connection] of connections.entries()) {
      connection.subscribe(meshSubject(index), { callback: (_error, message) => message.respond() });
    }
    await Promise.all(connections.map((connection) => connection.flush()));
    const deadline = performance.now() + MESH_DEADLINE_MS;
    for (const connection of connections) {
      for (const index of connections.keys()) {
        await untilAnswered(connection, meshSubject(index), deadline);
      }
    }
  } finally {
    await Promise.all(connections.map((connection) => connection.close()));
  }
}

function meshSubject(index: number): string {
  return `chaos.mesh.${index}`;
}

async function untilAnswered(connection: NatsConnection, subject: string, deadline: number): Promise<void> {
  for (;;) {
    try {
      await connection.request(subject, undefined, { timeout: MESH_ANSWER_MS });
      return;
    } catch (error) {
      if (performance.now() > deadline) {
        throw new Error("the nats-servers did not find each other", { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, MESH_ANSWER_MS / 10));
    }
  }
}
