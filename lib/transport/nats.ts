/**
 * The transport over a nats-server: dials, and decides what a failure to connect means.
 *
 * Credentials that the server refuses, TLS that does not fit and files that cannot be read end the attempt at
 * once, with the server's words or the option's name. A server that is not there is waited for when
 * `waitOnFirstConnect` says so. Once the first connection stood, it is made again for ever.
 *
 * `nats` 2.x is imported by the files that bear its name and nowhere else.
 */
import {
  type Authenticator,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  type TlsOptions,
} from "nats";
import type { Clock } from "../base/clock.ts";
import { messageOf, SupercastError } from "../base/errors.ts";
import type { Limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import { Listeners } from "./listeners.ts";
import { NatsTransport } from "./nats-connection.ts";
import { connectError } from "./nats-errors.ts";
import {
  type NatsAddressOptions,
  type NatsAuth,
  type NatsSettings,
  type NatsTlsOptions,
  natsSettings,
} from "./nats-options.ts";
import { checkSubject } from "./subject.ts";
import type { Transport, TransportEvent } from "./transport.ts";

const INBOX_TOKEN_CHARACTERS = 22;

export type NatsOptions = NatsAddressOptions & {
  /** What the server's monitoring shows of this connection. */
  readonly name?: string;
  /** Keep trying when no server answers at first. Default false: throw `noconnection`. */
  readonly waitOnFirstConnect?: boolean;
  /** Ends that wait, with `noconnection`. */
  readonly signal?: AbortSignal;
  /** Hears every event, those before the first connection included. */
  readonly onEvent?: (event: TransportEvent) => void;
  /** Prefix of the reply subjects, for permissions; a random token is added. Default `_INBOX`. */
  readonly inboxPrefix?: string;
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
  const dialler = new Dialler(options, settings, ports, listeners);
  const nc = await dialler.connect();
  const { hosts } = settings;
  const transport = new NatsTransport(nc, { ...ports, listeners, hosts, inbox });
  listeners.emit({ type: "connected", server: nc.getServer() });
  return transport;
}

/** The first connection. */
class Dialler {
  readonly #options: NatsOptions;
  readonly #settings: NatsSettings;
  readonly #ports: NatsPorts;
  readonly #listeners: Listeners;

  constructor(options: NatsOptions, settings: NatsSettings, ports: NatsPorts, listeners: Listeners) {
    this.#options = options;
    this.#settings = settings;
    this.#ports = ports;
    this.#listeners = listeners;
  }

  async connect(): Promise<NatsConnection> {
    const retryInMs = this.#ports.limits.natsReconnectWaitMs;
    for (let attempt = 1; ; attempt++) {
      this.#listeners.emit({ type: "connecting", attempt });
      try {
        return await this.#dialAll();
      } catch (error) {
        const failure = this.#toError(error);
        if (failure.code !== "noconnection" || this.#options.waitOnFirstConnect !== true) {
          throw failure;
        }
        this.#listeners.emit({ type: "connecting", attempt, error: failure, retryInMs });
        await this.#pause(retryInMs, failure);
      }
    }
  }

  /**
   * The client forgets every server that fails before its first success, for good. So when it got through to
   * a later one, it connects once more with that one in front, and keeps them all.
   */
  async #dialAll(): Promise<NatsConnection> {
    const hosts = this.#shuffled();
    const first = await connect(this.#clientOptions(hosts));
    const server = first.getServer();
    if (server === hosts[0] || !hosts.includes(server)) {
      return first;
    }
    await first.close();
    return connect(this.#clientOptions([server, ...hosts.filter((host) => host !== server)]));
  }

  #shuffled(): string[] {
    const { random } = this.#ports;
    return this.#settings.hosts
      .map((host) => ({ host, rank: random.next() }))
      .sort((left, right) => left.rank - right.rank)
      .map(({ host }) => host);
  }

  #clientOptions(hosts: readonly string[]): ConnectionOptions {
    const { limits, random } = this.#ports;
    const { auth, tls } = this.#settings;
    return {
      servers: [...hosts],
      noRandomize: true,
      ...(this.#options.name === undefined ? {} : { name: this.#options.name }),
      reconnect: true,
      maxReconnectAttempts: -1,
      // Credentials may be in the middle of a change: a refusal after the first success is repeated, not final.
      ignoreAuthErrorAbort: true,
      reconnectDelayHandler: () => limits.natsReconnectWaitMs + random.below(limits.natsReconnectWaitMs),
      timeout: limits.natsConnectTimeoutMs,
      pingInterval: limits.natsPingMs,
      maxPingOut: limits.natsMaxPingOut,
      noAsyncTraces: true,
      ...(tls === undefined ? {} : { tls: tlsFiles(tls) }),
      ...this.#credentials(auth),
    };
  }

  #credentials(auth: NatsAuth): ConnectionOptions {
    switch (auth.by) {
      case "password":
        return { user: auth.user, pass: auth.password };
      case "token":
        return { token: auth.token };
      case "nkey":
        return { authenticator: checked("nkey", nkeyAuthenticator(auth.seed)) };
      case "creds":
        return { authenticator: checked("creds", credsAuthenticator(this.#rereading(auth))) };
      default:
        return {};
    }
  }

  /** The file as it is now, or as it last could be used: to throw here would end the client for good. */
  #rereading(auth: NatsAuth & { readonly by: "creds" }): () => Uint8Array {
    let bytes = auth.read();
    return () => {
      try {
        const fresh = auth.read();
        credsAuthenticator(() => fresh)("nonce");
        bytes = fresh;
      } catch (error) {
        const text = `creds: ${JSON.stringify(auth.path)} cannot be used any more: ${messageOf(error)}`;
        this.#listeners.emit({
          type: "error",
          error: new SupercastError("config_mismatch", text, { cause: error }),
        });
      }
      return bytes;
    };
  }

  #toError(error: unknown): SupercastError {
    const { hosts, tls } = this.#settings;
    return error instanceof SupercastError ? error : connectError(error, hosts.join(", "), tls !== undefined);
  }

  #pause(waitMs: number, failure: SupercastError): Promise<void> {
    const { clock } = this.#ports;
    const { signal } = this.#options;
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        clock.clearTimer(timer);
        const text = `stopped waiting for a connection: ${failure.message}`;
        reject(new SupercastError("noconnection", text, { cause: failure }));
      };
      const timer = clock.setTimer(() => {
        signal?.removeEventListener("abort", giveUp);
        resolve();
      }, waitMs);
      signal?.addEventListener("abort", giveUp, { once: true });
      if (signal?.aborted === true) {
        giveUp();
      }
    });
  }
}

/** Tries the credentials once here: what the client throws while connecting would end it for good. */
function checked(option: string, authenticator: Authenticator): Authenticator {
  try {
    authenticator("nonce");
  } catch (error) {
    const text = `${option}: the credentials cannot be used: ${messageOf(error)}`;
    throw new SupercastError("config_mismatch", text, { cause: error });
  }
  return authenticator;
}

function tlsFiles({ caFile, certFile, keyFile }: NatsTlsOptions): TlsOptions {
  return {
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
  };
}
