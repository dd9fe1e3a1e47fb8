/** What the specs of the NATS transport share. */
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { SupercastError } from "../../lib/base/errors.ts";
import { checkLimits, type Limits } from "../../lib/base/limits.ts";
import { systemClock } from "../../lib/base/system-clock.ts";
import { systemRandom } from "../../lib/base/system-random.ts";
import { connectNats, type NatsOptions } from "../../lib/transport/nats.ts";
import type { Transport, TransportEvent } from "../../lib/transport/transport.ts";
import { type NatsServer, startNatsServer } from "../support/nats-server.ts";

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Fast enough for specs. */
export const LIMITS = checkLimits({ natsReconnectWaitMs: 20, natsConnectTimeoutMs: 1_000 });

/** Servers and transports of one case, ended by `close`. */
export class NatsStage {
  readonly #servers: NatsServer[] = [];
  readonly #transports: Transport[] = [];

  async serve(config: string = "", port?: number): Promise<NatsServer> {
    const server = await startNatsServer(port === undefined ? { config } : { config, port });
    this.#servers.push(server);
    return server;
  }

  async connect(options: NatsOptions, limits: Partial<Limits> = {}): Promise<Transport> {
    const ports = { clock: systemClock, random: systemRandom, limits: { ...LIMITS, ...limits } };
    const transport = await connectNats(options, ports);
    this.#transports.push(transport);
    return transport;
  }

  /** The error with which connecting fails. */
  async refusal(options: NatsOptions, limits: Partial<Limits> = {}): Promise<SupercastError> {
    try {
      await this.connect(options, limits);
    } catch (error) {
      if (error instanceof SupercastError) {
        return error;
      }
      throw error;
    }
    throw new Error("the connection was accepted");
  }

  async close(): Promise<void> {
    await Promise.all(this.#transports.splice(0).map((transport) => transport.close()));
    await Promise.all(this.#servers.splice(0).map((server) => server.stop()));
  }
}

export function eventsOf(transport: Transport): TransportEvent[] {
  const events: TransportEvent[] = [];
  transport.onEvent((event) => events.push(event));
  return events;
}

/** A port of the loopback interface that was free a moment ago. */
export async function freePort(): Promise<number> {
  const { port, close } = await silentServer();
  await close();
  return port;
}

export interface SilentServer {
  readonly port: number;
  readonly sockets: readonly Socket[];
  close(): Promise<void>;
}

/** Accepts connections and says nothing. */
export async function silentServer(): Promise<SilentServer> {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket.on("error", () => undefined).resume());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    port,
    sockets,
    close: async () => {
      for (const socket of sockets) {
        socket.destroy();
      }
      server.close();
      await once(server, "close");
    },
  };
}
