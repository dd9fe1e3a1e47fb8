/**
 * What faults act upon: nodes in processes of their own, each behind a proxy of its own, and the nats-servers.
 *
 * Promises: everything listens on the loopback interface; `stop` ends all of it, paused processes included.
 */
import { extname, join } from "node:path";
import type { Random } from "../../lib/base/random.ts";
import type { NatsServer } from "../../lib/transport/nats-server.ts";
import type { Damage } from "./damage.ts";
import { NodeRunner } from "./node-runner.ts";
import { type Link, TcpProxy } from "./proxy.ts";
import { startNatsServers } from "./servers.ts";

/** The command line of the nodes, compiled or not. */
const MAIN = join(import.meta.dirname, `../../lib/cli/main${extname(import.meta.filename)}`);

/** What a fault can do. Specs put something simpler in its place. */
export interface Stage {
  readonly nodes: readonly string[];
  readonly serverCount: number;
  /** SIGKILL; resolves when the process is gone. */
  killNode(node: string): Promise<void>;
  startNode(node: string): void;
  /** SIGSTOP and SIGCONT. */
  pauseNode(node: string): void;
  resumeNode(node: string): void;
  isAlive(node: string): boolean;
  /** The node must be down. Resolves with what was done. */
  damage(node: string, how: Damage, random: Random): Promise<string>;
  /** Removes the data of a node that is down. */
  wipe(node: string): Promise<void>;
  link(node: string): Link;
  killServer(index: number): Promise<void>;
  startServer(index: number): Promise<void>;
  /** Takes the ends of processes that nobody asked for, since the last call: the node and how. */
  takeUnexpectedEnds(): readonly { readonly node: string; readonly how: string }[];
}

export interface StageOptions {
  readonly nodes: readonly string[];
  readonly servers: number;
  /** Holds a folder for each node. */
  readonly folder: string;
  /** What `start --config` reads; `dataDir` is the folder that the node's journal belongs into. */
  readonly configOf: (node: string, dataDir: string) => Readonly<Record<string, unknown>>;
  /** Called when a nats-server ends and nobody asked for it. */
  readonly onServerLost: (how: string) => void;
  /** Default: the command line of this build. */
  readonly script?: string;
}

export class ProcessStage implements Stage {
  readonly nodes: readonly string[];
  readonly #servers: readonly NatsServer[];
  readonly #runners = new Map<string, NodeRunner>();
  readonly #ends: { readonly node: string; readonly how: string }[] = [];

  private constructor(nodes: readonly string[], servers: readonly NatsServer[]) {
    this.nodes = nodes;
    this.#servers = servers;
  }

  /** Starts the nats-servers and the processes of all nodes; does not wait for the cluster. */
  static async start(options: StageOptions): Promise<ProcessStage> {
    const { nodes } = options;
    const servers = await startNatsServers(options.servers, options.onServerLost);
    const stage = new ProcessStage(nodes, servers);
    try {
      for (const [index, name] of nodes.entries()) {
        await stage.#prepare(name, stage.#server(index % servers.length), options);
        stage.startNode(name);
      }
      return stage;
    } catch (error) {
      await stage.stop();
      throw error;
    }
  }

  async #prepare(name: string, server: NatsServer, options: StageOptions): Promise<void> {
    const { configOf, script = MAIN } = options;
    const folder = join(options.folder, name);
    const runner = await NodeRunner.prepare({
      name,
      proxy: await TcpProxy.listen(server.port),
      script,
      config: configOf(name, join(folder, "data")),
      folder,
      onUnexpectedEnd: (node, how) => this.#ends.push({ node, how }),
    });
    this.#runners.set(name, runner);
  }

  get serverCount(): number {
    return this.#servers.length;
  }

  /** Where clients connect, past the proxies. */
  get serverUrls(): readonly string[] {
    return this.#servers.map(({ url }) => url);
  }

  /** Process ids of the nodes and nats-servers that run. */
  get pids(): readonly number[] {
    const nodes = [...this.#runners.values()].filter(({ alive }) => alive).map(({ pid }) => pid);
    return [...nodes, ...this.#servers.map(({ pid }) => pid)].filter((pid) => pid !== undefined);
  }

  async killNode(node: string): Promise<void> {
    await this.#runner(node).kill();
  }

  startNode(node: string): void {
    this.#runner(node).start();
  }

  pauseNode(node: string): void {
    this.#runner(node).pause();
  }

  resumeNode(node: string): void {
    this.#runner(node).resume();
  }

  isAlive(node: string): boolean {
    return this.#runner(node).alive;
  }

  damage(node: string, how: Damage, random: Random): Promise<string> {
    return this.#runner(node).damage(how, random);
  }

  wipe(node: string): Promise<void> {
    return this.#runner(node).wipe();
  }

  link(node: string): TcpProxy {
    return this.#runner(node).proxy;
  }

  async killServer(index: number): Promise<void> {
    await this.#server(index).kill();
  }

  async startServer(index: number): Promise<void> {
    await this.#server(index).restart();
  }

  takeUnexpectedEnds(): readonly { readonly node: string; readonly how: string }[] {
    return this.#ends.splice(0);
  }

  /** Ends everything. Harmless when repeated. */
  async stop(): Promise<void> {
    await Promise.all([...this.#runners.values()].map((runner) => runner.close()));
    await Promise.all(this.#servers.map((server) => server.stop()));
  }

  #runner(node: string): NodeRunner {
    const runner = this.#runners.get(node);
    if (runner === undefined) {
      throw new Error(`there is no node ${node}`);
    }
    return runner;
  }

  #server(index: number): NatsServer {
    const server = this.#servers[index];
    if (server === undefined) {
      throw new Error(`there is no nats-server ${index}`);
    }
    return server;
  }
}
