/**
 * What the remote benches stand on: a nats-server, and two processes that are connected to it in three ways
 * at once: as nodes of ours, as bare NATS clients, and as brokers of Moleculer. This process calls, the
 * other one (`remote-peer.ts`) answers, so that every contender goes the same way.
 */
import { connect, type NatsConnection } from "nats";
import type { Node } from "../../../lib/runtime/node.ts";
import { startNode } from "../../../lib/runtime/start-node.ts";
import { logTo } from "../../../lib/telemetry/log.ts";
import { startNatsServer } from "../../../lib/transport/nats-server.ts";
import { encode } from "../../../lib/wire/codec.ts";
import { beside, endChild, forkChild } from "../child.ts";
import { type Broker, loadMoleculer } from "../peers.ts";

export const CALLER = "a";
export const PEER = "b";
const NODES = [CALLER, PEER];

/** What is sent: 40 bytes of value, as in the baselines of the stores. */
export const MESSAGE = { type: "echo", value: "v".repeat(40) } as const;
/** The same message, packed once, for those that send bytes. */
export const PAYLOAD = encode(MESSAGE).slice();

export const SUBJECTS = {
  echo: "bench.echo",
  sink: "bench.sink",
  /** Sets, as a decimal number, at which count the sinks tell. */
  goal: "bench.goal",
  /** A sink has counted up to the goal. */
  reached: "bench.reached",
} as const;

export const OURS_REMOTE =
  "two nodes made by startNode with defaults, each in its own process, one nats-server between them";
export const BARE = "nats 2.29, one connection per process, the same message packed once and sent as bytes";

export interface Rig {
  readonly node: Node;
  readonly bare: NatsConnection;
  /** Joins a broker of Moleculer, whose peer has the service `echo`. */
  broker(): Promise<Broker>;
  close(): Promise<void>;
}

export async function startBenchNode(name: string, servers: string, peers: readonly string[]): Promise<Node> {
  const options = { name, cluster: "bench", servers, peers: [...peers], localCodec: false };
  return await startNode(options, { log: logTo(() => undefined) });
}

export const MOLECULER_SETTINGS =
  "NATS transporter over nats 2.29, JSON serializer, no logger, no metrics, otherwise defaults";

export function makeBroker(nodeID: string, servers: string): Broker {
  const { ServiceBroker } = loadMoleculer();
  return new ServiceBroker({
    nodeID,
    transporter: servers,
    logger: false,
    skipProcessEventRegistration: true,
  });
}

/** Starts all of it; `moleculer` says whether the peer runs a broker too. */
export async function startRig(moleculer: boolean): Promise<Rig> {
  const server = await startNatsServer();
  const peer = forkChild(beside(import.meta, "./remote-peer"), {
    servers: server.url,
    name: PEER,
    nodes: NODES,
    moleculer,
  });
  await peer.result;
  const node = await startBenchNode(CALLER, server.url, NODES);
  const bare = await connect({ servers: server.url });
  return {
    node,
    bare,
    broker: async () => {
      const broker = makeBroker(`moleculer-${CALLER}`, server.url);
      await broker.start();
      await broker.waitForServices("echo");
      return broker;
    },
    close: async () => {
      await node.stop();
      await bare.close();
      await endChild(peer.process);
      await server.stop();
    },
  };
}
