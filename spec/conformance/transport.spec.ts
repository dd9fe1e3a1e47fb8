import { checkLimits, type Limits } from "../../lib/base/limits.ts";
import { seededRandom } from "../../lib/base/random.ts";
import { systemClock } from "../../lib/base/system-clock.ts";
import { systemRandom } from "../../lib/base/system-random.ts";
import { MemoryHub } from "../../lib/transport/memory.ts";
import { connectNats } from "../../lib/transport/nats.ts";
import type { Transport } from "../../lib/transport/transport.ts";
import { describeWithNats, type NatsServer, startNatsServer } from "../support/nats-server.ts";
import { itBehavesAsTransport } from "./transport.ts";
import type { TransportWorld } from "./transport-stage.ts";

describe("transport in memory", () => {
  itBehavesAsTransport(memoryWorld);
});

describeWithNats("transport over NATS", () => {
  let server: NatsServer;

  before(async () => {
    server = await startNatsServer();
  });

  after(() => server.stop());

  itBehavesAsTransport(() => natsWorld(server));
});

function memoryWorld(): TransportWorld {
  const transports: Transport[] = [];
  const hub = new MemoryHub({ clock: systemClock, random: seededRandom(1) });
  const forAll = (act: (name: string) => void): Promise<void> => {
    hub.names.forEach(act);
    return Promise.resolve();
  };
  return {
    connect: (limits) => {
      const transport = hub.connect(`client${transports.length}`, limits);
      transports.push(transport);
      return Promise.resolve(transport);
    },
    beginOutage: () => forAll((name) => hub.cut(name)),
    endOutage: () => forAll((name) => hub.reconnect(name)),
    close: async () => {
      await Promise.all(transports.map((transport) => transport.close()));
    },
  };
}

function natsWorld(server: NatsServer): TransportWorld {
  const transports: Transport[] = [];
  const dial = async (limits: Limits): Promise<Transport> => {
    const ports = { clock: systemClock, random: systemRandom, limits };
    const transport = await connectNats({ servers: server.url }, ports);
    transports.push(transport);
    return transport;
  };
  return {
    connect: (limits = checkLimits({ natsReconnectWaitMs: 20 })) => dial(limits),
    beginOutage: () => server.kill(),
    endOutage: () => server.restart(),
    close: async () => {
      await Promise.all(transports.map((transport) => transport.close()));
    },
  };
}
