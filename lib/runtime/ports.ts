/** The ports of a node: given by the caller, or made from the options. */
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { systemClock } from "../base/system-clock.ts";
import { systemRandom } from "../base/system-random.ts";
import type { NodeSettings } from "../config/options.ts";
import type { Disk } from "../disk/disk.ts";
import type { Logger } from "../telemetry/log.ts";
import { createLogger } from "../telemetry/logger.ts";
import { connectNats } from "../transport/nats.ts";
import type { Transport, TransportEvent } from "../transport/transport.ts";
import { leaseEmbedded } from "./embedded.ts";

/** What may be given to `startNode` beside its options: for tests, simulations and own loggers. */
export interface NodePorts {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Logger;
  readonly transport?: Transport;
  readonly disk?: Disk;
}

export interface OpenedTransport {
  readonly transport: Transport;
  /** The NATS servers in use; empty without NATS. */
  readonly servers: readonly string[];
  /** Ends what was started for this node alone. */
  readonly close?: () => Promise<void>;
  /** This node is the first on what was started for it: nobody else can be there. */
  readonly founds?: boolean;
}

export interface BasePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export function basePorts(ports: NodePorts): BasePorts {
  return {
    clock: ports.clock ?? systemClock,
    random: ports.random ?? systemRandom,
    log: ports.log ?? createLogger({ level: "info", colour: process.stderr.isTTY === true }),
  };
}

/**
 * Connects to the servers of the options; without any, starts a nats-server for this node if one is
 * found (one for all such nodes of this process), else stays in this process. Waits for a server that is not there yet, and says so.
 */
export async function openTransport(
  settings: NodeSettings,
  base: BasePorts,
  given: Transport | undefined,
): Promise<OpenedTransport> {
  if (given !== undefined) {
    return { transport: given, servers: [] };
  }
  const { servers } = settings;
  if (servers !== undefined) {
    const list = typeof servers === "string" ? servers.split(",") : servers;
    return { transport: await dial(settings, list, base), servers: list };
  }
  const lease = await leaseEmbedded(base);
  const { embedded, release } = lease;
  try {
    if (embedded.kind === "hub") {
      base.log.warn(
        `no servers given, and ${embedded.why}: nodes of this process see each other, nobody else does`,
      );
      return {
        transport: embedded.hub.connect(settings.name),
        servers: [],
        close: release,
        founds: lease.first,
      };
    }
    base.log.info(
      `no servers given: ${lease.first ? "started a" : "using this process's"} nats-server at ${embedded.url}`,
    );
    const transport = await dial(settings, [embedded.url], base);
    return { transport, servers: [embedded.url], close: release, founds: lease.first };
  } catch (error) {
    await release();
    throw error;
  }
}

function dial(
  settings: NodeSettings,
  servers: readonly string[],
  { clock, random, log }: BasePorts,
): Promise<Transport> {
  const {
    name,
    cluster,
    checkedLimits: limits,
    user,
    password,
    token,
    nkey,
    nkeyFile,
    creds,
    tls,
  } = settings;
  return connectNats(
    {
      servers,
      user,
      password,
      token,
      nkey,
      nkeyFile,
      creds,
      tls,
      name: `supercast ${cluster}/${name}`,
      // A node's own replies, apart from everybody's _INBOX, so that permissions can keep others out.
      inboxPrefix: `_INBOX_${settings.subjectPrefix}.${cluster}.${name}`,
      waitOnFirstConnect: true,
      onEvent: (event) => logFirstConnection(log, event),
    },
    { clock, random, limits },
  );
}

/**
 * Says what it waits for while no server answers: at the first attempt, the second, the fourth and so on,
 * so that a long wait fills no log. Later events are logged by the node.
 */
function logFirstConnection(log: Logger, event: TransportEvent): void {
  if (event.type === "connecting" && event.error !== undefined) {
    const again = event.retryInMs === undefined ? "" : `; trying again in ${Math.round(event.retryInMs)} ms`;
    const level = Number.isInteger(Math.log2(event.attempt)) ? "warn" : "debug";
    log[level](`${event.error.message}${again}`, { attempt: event.attempt });
  }
}
