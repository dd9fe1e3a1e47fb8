/**
 * What nodes use that were given no servers: one nats-server per process, started with the first such
 * node and stopped with the last; where no nats-server is found, one in-process hub.
 */

import { MemoryHub } from "../transport/memory.ts";
import {
  findNatsServer,
  type NatsServer,
  type NatsServerSearch,
  startNatsServer,
} from "../transport/nats-server.ts";
import type { BasePorts } from "./ports.ts";

export type Embedded =
  | { readonly kind: "server"; readonly url: string }
  | { readonly kind: "hub"; readonly hub: MemoryHub; readonly why: string };

export interface Lease {
  readonly embedded: Embedded;
  /** Whether this node is the one that brought it up. */
  readonly first: boolean;
  release(): Promise<void>;
}

interface Shared {
  users: number;
  readonly started: Promise<{ readonly embedded: Embedded; readonly server: NatsServer | undefined }>;
}

let shared: Shared | undefined;

/** Takes a share in the process's embedded server, or hub. Throws `start_failed` when the server does not start. */
export async function leaseEmbedded(base: BasePorts): Promise<Lease> {
  const first = shared === undefined;
  const share = shared ?? { users: 0, started: start(findNatsServer(), base) };
  shared = share;
  share.users += 1;
  const release = async (): Promise<void> => {
    share.users -= 1;
    if (share.users === 0 && shared === share) {
      shared = undefined;
      const { server } = await share.started;
      await server?.stop();
    }
  };
  try {
    const { embedded } = await share.started;
    return { embedded, first, release };
  } catch (error) {
    share.users -= 1;
    shared = shared === share ? undefined : shared;
    throw error;
  }
}

async function start(
  search: NatsServerSearch,
  base: BasePorts,
): Promise<{ embedded: Embedded; server: NatsServer | undefined }> {
  if (!search.found) {
    return { embedded: { kind: "hub", hub: new MemoryHub(base), why: search.why }, server: undefined };
  }
  const server = await startNatsServer({ binary: search.path, jetstream: true });
  return { embedded: { kind: "server", url: server.url }, server };
}
