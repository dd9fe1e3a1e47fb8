/**
 * The transport over a nats-server.
 *
 * Credentials that the server refuses, TLS that does not fit and files that cannot be read end the first
 * attempt at once, with the server's words or the option's name. A server that is not there is waited for when
 * `waitOnFirstConnect` says so. Once the first connection stood, it is made again for ever.
 *
 * `nats` 2.x is imported by the files that bear its name and nowhere else.
 */
import type { Clock } from "../base/clock.ts";
import type { Limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import { Listeners } from "./listeners.ts";
import { NatsTransport } from "./nats-connection.ts";
import { Dialler } from "./nats-dialler.ts";
import { type NatsAddressOptions, natsSettings } from "./nats-options.ts";
import { checkSubject } from "./subject.ts";
import type { Transport, TransportEvent } from "./transport.ts";

const INBOX_TOKEN_CHARACTERS = 22;

export type NatsOptions = NatsAddressOptions & {
  /** What the server's monitoring shows of this connection. */
  readonly name?: string | undefined;
  /** Keep trying when no server answers at first. Default false: throw `noconnection`. */
  readonly waitOnFirstConnect?: boolean | undefined;
  /** Ends the first attempt, or that wait, with `noconnection`. */
  readonly signal?: AbortSignal | undefined;
  /** Hears every event, those before the first connection included. */
  readonly onEvent?: ((event: TransportEvent) => void) | undefined;
  /** Prefix of the reply subjects, for permissions; a random token is added. Default `_INBOX`. */
  readonly inboxPrefix?: string | undefined;
};

export interface NatsPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
}

/**
 * Connects. Throws `config_mismatch` (options, files, TLS), `forbidden` (credentials) or `noconnection`.
 */
export async function connectNats(options: NatsOptions, ports: NatsPorts): Promise<Transport> {
  const settings = natsSettings(options);
  const listeners = new Listeners();
  if (options.onEvent !== undefined) {
    listeners.add(options.onEvent);
  }
  const inbox = `${options.inboxPrefix ?? "_INBOX"}.${ports.random.token(INBOX_TOKEN_CHARACTERS)}`;
  checkSubject(inbox);
  const dialler = new Dialler({ ...ports, listeners, settings, name: options.name });
  const reached = await firstConnection(dialler, options);
  const transport = new NatsTransport(reached, { ...ports, listeners, dialler, inbox });
  listeners.emit({ type: "connected", server: reached.host });
  return transport;
}

async function firstConnection(dialler: Dialler, options: NatsOptions): ReturnType<Dialler["connect"]> {
  const { signal } = options;
  const stop = (): void => dialler.stop();
  if (signal?.aborted === true) {
    stop();
  }
  signal?.addEventListener("abort", stop);
  try {
    return await dialler.connect(options.waitOnFirstConnect === true ? "forServers" : "none");
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}
