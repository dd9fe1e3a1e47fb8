/**
 * Finds a nats-server that takes us: goes round all that are known, waits, and goes round again.
 *
 * Known are the configured servers and those that the last one told of. The one that was lost comes last.
 */
import { isIP } from "node:net";
import {
  type Authenticator,
  type ConnectionOptions,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  type TlsOptions,
} from "nats";
import type { Clock } from "../base/clock.ts";
import { messageOf, SupercastError } from "../base/errors.ts";
import type { Limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import type { Listeners } from "./listeners.ts";
import { Dial } from "./nats-dial.ts";
import { connectError, justEnded } from "./nats-errors.ts";
import type { NatsAuth, NatsSettings, NatsTlsOptions } from "./nats-options.ts";

export interface DiallerSetup {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
  readonly listeners: Listeners;
  readonly settings: NatsSettings;
  /** What the server's monitoring shows of the connection. */
  readonly name: string | undefined;
}

/** When a round without success is the last: always, when waiting cannot help, never. */
export type Patience = "none" | "forServers" | "endless";

export interface Reached {
  readonly nc: NatsConnection;
  /** `host:port`. */
  readonly host: string;
}

export class Dialler {
  readonly #setup: DiallerSetup;
  readonly #credentials: ConnectionOptions;
  /** The configured servers, in the order in which they are tried. */
  readonly #hosts: readonly string[];
  #told: readonly string[] = [];
  #lost: string | undefined;
  #dial: Dial | undefined;
  #wake: (() => void) | undefined;
  #stopped = false;

  /** Throws `config_mismatch` when the credentials cannot be used. */
  constructor(setup: DiallerSetup) {
    this.#setup = setup;
    this.#hosts = shuffled(setup.settings.hosts, setup.random);
    this.#credentials = this.#credentialsOf(setup.settings.auth);
  }

  /** A server told which others there are. */
  learn(hosts: readonly string[]): void {
    if (hosts.length > 0) {
      this.#told = hosts;
    }
  }

  /** Whether there is another server than this one. */
  knowsOtherThan(host: string): boolean {
    return this.#order().some((other) => other !== host);
  }

  /** Puts a server that was lost behind the others. */
  demote(host: string): void {
    this.#lost = host;
  }

  /** Ends `connect` with `noconnection`. */
  stop(): void {
    this.#stopped = true;
    this.#dial?.abort();
    this.#wake?.();
  }

  /**
   * Connects. Throws `noconnection` when stopped, and when `patience` ends: what the last round met,
   * `forbidden` and `config_mismatch` before `noconnection`.
   */
  async connect(patience: Patience): Promise<Reached> {
    const { limits, listeners, random } = this.#setup;
    for (let attempt = 1; !this.#stopped; attempt++) {
      listeners.emit({ type: "connecting", attempt });
      const found = await this.#round();
      if (!(found instanceof SupercastError)) {
        return found;
      }
      if (patience === "none" || (patience === "forServers" && found.code !== "noconnection")) {
        throw found;
      }
      if (!this.#stopped) {
        const retryInMs = limits.natsReconnectWaitMs + random.below(limits.natsReconnectWaitMs);
        listeners.emit({ type: "connecting", attempt, error: found, retryInMs });
        await this.#pause(retryInMs);
      }
    }
    throw new SupercastError("noconnection", "connecting was given up");
  }

  async #round(): Promise<Reached | SupercastError> {
    let worst: SupercastError | undefined;
    for (const host of this.#order()) {
      const found = this.#stopped ? undefined : await this.#try(host);
      if (found !== undefined && !(found instanceof SupercastError)) {
        return found;
      }
      if (found !== undefined && (worst === undefined || worst.code === "noconnection")) {
        worst = found;
      }
    }
    return worst ?? new SupercastError("noconnection", "connecting was given up");
  }

  /**
   * Over TLS a server that refuses our certificate closes at once, and the close can overtake the alert
   * that says so. So a connection that just ended there is tried again before that is taken for the reason.
   */
  async #try(host: string): Promise<Reached | SupercastError> {
    const tries = this.#setup.settings.tls === undefined ? 1 : TLS_TRIES;
    for (let attempt = 1; ; attempt++) {
      const { found, again } = await this.#tryOnce(host);
      if (!again || attempt >= tries || this.#stopped) {
        return found;
      }
    }
  }

  async #tryOnce(host: string): Promise<{ found: Reached | SupercastError; again: boolean }> {
    const { clock, limits } = this.#setup;
    const dial = new Dial(this.#clientOptions(host), clock, limits.natsConnectTimeoutMs);
    this.#dial = dial;
    try {
      return { found: { nc: await dial.connection, host }, again: false };
    } catch (error) {
      return { found: connectError(error, host), again: justEnded(error) };
    } finally {
      this.#dial = undefined;
    }
  }

  #order(): readonly string[] {
    const all = [...new Set([...this.#hosts, ...this.#told])];
    return [...all.filter((host) => host !== this.#lost), ...all.filter((host) => host === this.#lost)];
  }

  #pause(waitMs: number): Promise<void> {
    const { clock } = this.#setup;
    return new Promise((resolve) => {
      const timer = clock.setTimer(resolve, waitMs);
      this.#wake = () => {
        clock.clearTimer(timer);
        resolve();
      };
    });
  }

  #clientOptions(host: string): ConnectionOptions {
    const { limits, settings, name } = this.#setup;
    return {
      servers: [host],
      ...(name === undefined ? {} : { name }),
      resolve: false,
      pingInterval: limits.natsPingMs,
      maxPingOut: limits.natsMaxPingOut,
      noAsyncTraces: true,
      ...(settings.tls === undefined ? {} : { tls: tlsOptions(settings.tls, this.#tlsName(host)) }),
      ...this.#credentials,
    };
  }

  /** Servers tell of each other by address; their certificates bear the name by which we know them. */
  #tlsName(host: string): string {
    const name = nameOf(host);
    const known = this.#hosts.map(nameOf).find((other) => isIP(other) === 0);
    return isIP(name) === 0 || this.#hosts.includes(host) ? name : (known ?? name);
  }

  #credentialsOf(auth: NatsAuth): ConnectionOptions {
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

  /** The file as it is now, or as it last could be used. */
  #rereading(auth: NatsAuth & { readonly by: "creds" }): () => Uint8Array {
    let bytes = auth.read();
    return () => {
      try {
        const fresh = auth.read();
        credsAuthenticator(fresh)("nonce");
        bytes = fresh;
      } catch (error) {
        const text = `creds: ${JSON.stringify(auth.path)} cannot be used any more: ${messageOf(error)}`;
        const failure = new SupercastError("config_mismatch", text, { cause: error });
        this.#setup.listeners.emit({ type: "error", error: failure });
      }
      return bytes;
    };
  }
}

/** Tries the credentials once, so that what is wrong with them shows before a server is asked. */
function checked(option: string, authenticator: Authenticator): Authenticator {
  try {
    authenticator("nonce");
  } catch (error) {
    const text = `${option}: the credentials cannot be used: ${messageOf(error)}`;
    throw new SupercastError("config_mismatch", text, { cause: error });
  }
  return authenticator;
}

/** The client passes on to Node what it does not know: here, whose certificate it has to be. */
function tlsOptions(files: NatsTlsOptions, name: string): TlsOptions & { host: string; servername: string } {
  const { caFile, certFile, keyFile } = files;
  return {
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
    host: name,
    servername: isIP(name) === 0 ? name : "",
  };
}

/** The host without its port, and without the brackets of an IPv6 address. */
function nameOf(host: string): string {
  return host.slice(0, host.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}

function shuffled(hosts: readonly string[], random: Random): string[] {
  return hosts
    .map((host) => ({ host, rank: random.next() }))
    .sort((left, right) => left.rank - right.rank)
    .map(({ host }) => host);
}

/** Connections tried over TLS before a bare end counts as the reason. */
const TLS_TRIES = 5;
