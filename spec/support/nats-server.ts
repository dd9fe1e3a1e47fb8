/**
 * A real nats-server for specs, started by the product's own launcher: on 127.0.0.1, on a free port,
 * with a store of its own that goes with it.
 */
import {
  findNatsServer,
  startNatsServer as launch,
  type NatsServer,
  type NatsServerOptions,
} from "../../lib/transport/nats-server.ts";

export type { NatsServer };

/** The executable. Throws when there is none; specs within `describeWithNats` need not fear that. */
export function natsServerPath(): string {
  const search = findNatsServer();
  if (!search.found) {
    throw new Error(search.why);
  }
  return search.path;
}

/** Starts a server; the spec that starts it stops it. See `startNatsServer` of lib/transport. */
export function startNatsServer(
  options: Pick<NatsServerOptions, "config" | "jetstream" | "port" | "onExit"> = {},
): Promise<NatsServer> {
  return launch({ binary: natsServerPath(), ...options });
}

/** `describe` for specs that need a real nats-server: without one they are skipped, with the reason. */
export function describeWithNats(title: string, define: (this: Mocha.Suite) => void): Mocha.Suite {
  const suite = describe(title, define);
  const search = findNatsServer();
  if (!search.found) {
    suite.pending = true;
    suite.ctx["skipReason"] = search.why;
  }
  return suite;
}
