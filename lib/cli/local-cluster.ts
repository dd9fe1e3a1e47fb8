/**
 * A cluster on this machine: a nats-server, unless one is given, and a process for each node.
 *
 * Promises: `start` resolves when every node sees all; everything ends with `stop`, and with this process.
 */
import { delay } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import { systemClock } from "../base/system-clock.ts";
import { CONNECTION_SETTINGS } from "../config/load.ts";
import type { ConnectionSettings } from "../config/options.ts";
import { findNatsServer, type NatsServer, startNatsServer } from "../transport/nats-server.ts";
import { type Client, connectClient } from "./client.ts";
import { statusOf } from "./cluster-commands.ts";
import { CliError } from "./failure.ts";
import { NodeProcess } from "./node-process.ts";

const READY_DEADLINE_MS = 60_000;
const READY_POLL_MS = 50;

export interface LocalClusterOptions {
  readonly names: readonly string[];
  /** With `servers`, no nats-server is started. */
  readonly connection: ConnectionSettings;
  readonly timeoutMs: number;
  /** What runs a node: a script, and the arguments before `--name`. */
  readonly script: string;
  readonly args: readonly string[];
  /** Arguments after those that every node gets. */
  readonly more: readonly string[];
  readonly onUnexpectedEnd: (node: NodeProcess, how: string) => void;
}

export class LocalCluster {
  /** Resolves, with why, when the cluster can do nothing more: its nats-server or its last node ended. */
  readonly lost: Promise<string>;
  readonly #options: LocalClusterOptions;
  readonly #nodes = new Map<string, NodeProcess>();
  #server: NatsServer | undefined;
  #client: Client | undefined;
  #lose: (why: string) => void = () => undefined;
  #startFailure: string | undefined;

  constructor(options: LocalClusterOptions) {
    this.#options = options;
    this.lost = new Promise((resolve) => {
      this.#lose = resolve;
    });
  }

  /** The NATS servers in use, as `--servers` takes them. */
  get servers(): string {
    const { servers } = this.#options.connection;
    return this.#server?.url ?? (typeof servers === "string" ? servers : (servers ?? []).join(","));
  }

  /** A client of this cluster. Throws before `start` has connected it. */
  get client(): Client {
    if (this.#client === undefined) {
      throw new CliError("the cluster has not been started");
    }
    return this.#client;
  }

  get nodes(): readonly NodeProcess[] {
    return [...this.#nodes.values()];
  }

  node(name: string): NodeProcess {
    const found = this.#nodes.get(name);
    if (found === undefined) {
      throw new CliError(`there is no process of node ${name}`);
    }
    return found;
  }

  /** Throws a CliError when there is no nats-server, or when a node does not come up. */
  async start(): Promise<void> {
    const { connection, timeoutMs, names } = this.#options;
    if (connection.servers === undefined) {
      this.#server = await this.#startServer();
    }
    this.#client = await connectClient({ ...connection, servers: this.servers }, timeoutMs);
    for (const name of names) {
      this.startNode(name);
    }
    await this.ready();
  }

  async #startServer(): Promise<NatsServer> {
    const search = findNatsServer();
    if (!search.found) {
      throw new CliError(search.why, {
        hint: "put a nats-server on the PATH, set NATS_SERVER to its path, or give --servers",
      });
    }
    return startNatsServer({
      binary: search.path,
      jetstream: true,
      onExit: (how) => this.#lose(`nats-server ended: ${how}`),
    });
  }

  /** Starts the process of a node, for the first time or again. */
  startNode(name: string): NodeProcess {
    const { script, args, more, names } = this.#options;
    const node: NodeProcess = new NodeProcess({
      name,
      script,
      args: [...args, "--name", name, "--peers", names.join(","), "--tied", ...more],
      env: this.#environment(),
      onUnexpectedEnd: (how) => this.#onUnexpectedEnd(node, how),
    });
    this.#nodes.set(name, node);
    return node;
  }

  #onUnexpectedEnd(node: NodeProcess, how: string): void {
    this.#startFailure = `node ${node.name} ended with ${how}`;
    this.#options.onUnexpectedEnd(node, how);
    if (this.nodes.every(({ alive }) => !alive)) {
      this.#lose("the last node ended");
    }
  }

  /** The connection by way of the environment: credentials have no place on a command line. */
  #environment(): NodeJS.ProcessEnv {
    const { tls, ...flat } = { ...this.#options.connection, servers: this.servers };
    const given = new Map<string, unknown>(Object.entries(flat));
    for (const [key, value] of Object.entries(tls ?? {})) {
      given.set(`tls.${key}`, value);
    }
    const env: NodeJS.ProcessEnv = {};
    for (const { key, env: names } of CONNECTION_SETTINGS) {
      for (const [index, name] of names.entries()) {
        const value = index === 0 ? given.get(key) : undefined;
        env[name] = typeof value === "string" ? value : "";
      }
    }
    return env;
  }

  /** Resolves when every node whose process runs sees every other. */
  async ready(): Promise<void> {
    const deadline = systemClock.now() + READY_DEADLINE_MS;
    this.#startFailure = undefined;
    for (;;) {
      const missing = await this.#missing();
      if (missing === undefined) {
        return;
      }
      if (this.#startFailure !== undefined) {
        throw new CliError(
          `${this.#startFailure} before the cluster was ready; its own message stands above`,
        );
      }
      if (systemClock.now() > deadline) {
        throw new CliError(`the cluster is not ready after ${READY_DEADLINE_MS} ms: ${missing}`);
      }
      await delay(systemClock, READY_POLL_MS);
    }
  }

  /** What there is still to wait for. */
  async #missing(): Promise<string | undefined> {
    const names = this.nodes.filter(({ alive }) => alive).map(({ name }) => name);
    const views = await Promise.all(
      names.map(async (name) => {
        try {
          const { live } = await statusOf(this.client, name);
          const unseen = names.filter((each) => !live.includes(each));
          return unseen.length === 0 ? undefined : `${name} does not see ${unseen.join(", ")}`;
        } catch (error) {
          return `${name}: ${messageOf(error)}`;
        }
      }),
    );
    return views.find((each) => each !== undefined);
  }

  /** Ends the nodes in good order, then what else was started. Harmless when repeated. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.filter(({ alive }) => alive).map((node) => node.stop()));
    await this.#client?.close();
    await this.#server?.stop();
  }
}
