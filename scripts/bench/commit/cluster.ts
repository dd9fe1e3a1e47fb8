/**
 * Three nodes, each in its own process, and one nats-server; the driver asks them to do things.
 *
 * The writer is the node that has the open writer of the partition in question, which is where callers are.
 */
import { once } from "node:events";
import { join } from "node:path";
import { z } from "zod";
import { type NatsServer, startNatsServer } from "../../../lib/transport/nats-server.ts";
import { beside, type Child, endChild, forkChild } from "../child.ts";
import { until } from "../servers.ts";
import { type Command, type How, LOAD, PACED, Questions, STATUS, type Status, WRITTEN } from "./commands.ts";

const NAMES = ["a", "b", "c"];
/** The preferred writer of partition 0, by placement: whoever else becomes it hands the role back. */
const PREFERRED = "a";
const SETTLE_MS = 60_000;

export interface ClusterOptions {
  readonly replicationMode?: "strong" | "async";
  /** Holds a data folder for each node; without, copies live in memory. */
  readonly folder?: string;
  /** Flags of Node for the process of a node. */
  readonly nodeFlags?: (name: string) => readonly string[];
}

type Load = z.infer<typeof LOAD>;

/** One node's process, from its start to its end. */
export class BenchNode {
  readonly name: string;
  readonly #child: Child;
  readonly #questions: Questions;

  constructor(name: string, job: object, nodeFlags: readonly string[]) {
    this.name = name;
    this.#child = forkChild(beside(import.meta, "./node-process"), { ...job, name }, { nodeFlags });
    this.#questions = new Questions(this.#child.process);
  }

  /** Rejects when the node does not start. */
  async ready(): Promise<void> {
    await this.#child.result;
  }

  get runs(): boolean {
    return this.#child.process.exitCode === null && this.#child.process.signalCode === null;
  }

  ask(command: Command): Promise<unknown> {
    return this.#questions.ask(command);
  }

  /** Microseconds, p50. */
  async latencyUs(how: How, ms: number): Promise<number> {
    return z.number().parse(await this.ask({ type: "latency", how, ms }));
  }

  async load(how: How, callers: number, ms: number): Promise<Load> {
    return LOAD.parse(await this.ask({ type: "load", how, callers, ms }));
  }

  async status(): Promise<Status | null> {
    return STATUS.nullable().parse(await this.ask({ type: "status" }));
  }

  async number(command: Command): Promise<number> {
    return z.number().parse(await this.ask(command));
  }

  async write(count: number, callers: number): Promise<z.infer<typeof WRITTEN>> {
    return WRITTEN.parse(await this.ask({ type: "write", count, callers }));
  }

  async endPaced(): Promise<z.infer<typeof PACED>> {
    return PACED.parse(await this.ask({ type: "endPaced" }));
  }

  /** Ends the process in good order, so that it writes down what it was started to write down. */
  async exit(): Promise<void> {
    const gone = once(this.#child.process, "exit");
    await this.ask({ type: "exit" });
    await gone;
  }

  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void> {
    return endChild(this.#child.process);
  }
}

export class Cluster {
  readonly server: NatsServer;
  readonly #options: ClusterOptions;
  readonly #nodes = new Map<string, BenchNode>();

  private constructor(server: NatsServer, options: ClusterOptions) {
    this.server = server;
    this.#options = options;
  }

  /** Resolves when all nodes run and the partition has its writer and three members. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(await startNatsServer(), options);
    try {
      await Promise.all(NAMES.map((name) => cluster.startNode(name).ready()));
      await cluster.settled();
      return cluster;
    } catch (thrown) {
      await cluster.close();
      throw thrown;
    }
  }

  /** Starts the process of a node; it is not ready yet. */
  startNode(name: string): BenchNode {
    const { replicationMode = "strong", folder, nodeFlags } = this.#options;
    const job = {
      ...{ servers: this.server.url, peers: NAMES, replicationMode },
      ...(folder === undefined ? {} : { dataDir: join(folder, `node-${name}`) }),
    };
    const node = new BenchNode(name, job, nodeFlags?.(name) ?? []);
    this.#nodes.set(name, node);
    return node;
  }

  get nodes(): readonly BenchNode[] {
    return [...this.#nodes.values()];
  }

  /** Waits until the preferred node is the open writer and all nodes are members; resolves with it. */
  async settled(): Promise<BenchNode> {
    return await until("a partition with a writer and three members", () => this.#writer(), SETTLE_MS);
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    await this.server.stop();
  }

  async #writer(): Promise<BenchNode | undefined> {
    const found = await Promise.all(
      this.nodes.map(async (node) => ({ node, status: node.runs ? await node.status() : null })),
    );
    const writers = found.filter(({ status }) => status?.role === "open");
    const [only] = writers;
    if (writers.length !== 1 || only?.node.name !== PREFERRED) {
      throw new Error(`writers: ${writers.map(({ node }) => node.name).join(", ") || "none"}`);
    }
    const members = only.status?.activated ?? [];
    const missing = found.filter(({ status }) => status === null || !members.includes(status.self));
    if (missing.length > 0 || members.length !== NAMES.length) {
      throw new Error(`members: ${members.join(", ")}`);
    }
    return only.node;
  }
}
