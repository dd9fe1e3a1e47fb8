/**
 * One node of a chaos run: its process, which comes and goes, the proxy that it reaches its nats-server through,
 * its data folder and its log.
 *
 * Promises: whatever it started ends with this process, also while it is stopped by SIGSTOP; it signals only
 * processes that it started itself, by their id.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, type WriteStream } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Random } from "../../lib/base/random.ts";
import { NodeProcess } from "../../lib/cli/node-process.ts";
import { CONNECTION_SETTINGS, NODE_SETTINGS } from "../../lib/config/load.ts";
import { type Damage, damageJournal } from "./damage.ts";
import type { TcpProxy } from "./proxy.ts";

export interface NodeRunnerOptions {
  readonly name: string;
  readonly proxy: TcpProxy;
  /** The command line's main script. */
  readonly script: string;
  /** What `start --config` reads, without the servers. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Holds its configuration, its log and, in `data`, its journal. */
  readonly folder: string;
  /** Called when its process ends and nobody here asked for it. */
  readonly onUnexpectedEnd: (name: string, how: string) => void;
}

export class NodeRunner {
  readonly name: string;
  readonly proxy: TcpProxy;
  readonly #options: NodeRunnerOptions;
  readonly #log: WriteStream;
  #process: NodeProcess | undefined;
  /** Ends the process while it cannot end itself, should this one be gone. */
  #guard: ChildProcess | undefined;

  private constructor(options: NodeRunnerOptions) {
    this.name = options.name;
    this.proxy = options.proxy;
    this.#options = options;
    this.#log = createWriteStream(join(options.folder, "node.log"), { flags: "a" });
  }

  /** Makes the folder and the configuration; `start` starts the process. */
  static async prepare(options: NodeRunnerOptions): Promise<NodeRunner> {
    const { folder, config, proxy } = options;
    await mkdir(folder, { recursive: true });
    const servers = `nats://127.0.0.1:${proxy.port}`;
    await writeFile(join(folder, "node.json"), JSON.stringify({ ...config, servers }, null, 2));
    return new NodeRunner(options);
  }

  get alive(): boolean {
    return this.#process?.alive === true;
  }

  /** Of the running process, or of the last one. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts the process; throws while one runs. */
  start(): void {
    if (this.alive) {
      throw new Error(`node ${this.name} runs already`);
    }
    const { name, script, folder, onUnexpectedEnd } = this.#options;
    const node = new NodeProcess({
      name,
      script,
      args: ["start", "--config", join(folder, "node.json"), "--tied", "--log-level", "info"],
      env: withoutSettings(),
      onLog: (text) => this.#log.write(text),
      onUnexpectedEnd: (how) => {
        this.note(`the process ended by itself: ${how}`);
        onUnexpectedEnd(name, how);
      },
    });
    this.#process = node;
    this.note(`process ${node.pid} started`);
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    this.note("killed");
    await this.#process?.kill();
    this.#endGuard();
  }

  /** SIGSTOP: the process stands still and keeps what it has, connections included. */
  pause(): void {
    const pid = this.#runningPid();
    this.note("paused");
    const guard = spawn("/bin/sh", ["-c", 'read -r _; kill -9 "$1"', "sh", String(pid)], {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    guard.once("error", () => this.#process?.kill());
    guard.unref();
    this.#guard = guard;
    process.kill(pid, "SIGSTOP");
  }

  /** SIGCONT. */
  resume(): void {
    process.kill(this.#runningPid(), "SIGCONT");
    this.#endGuard();
    this.note("resumed");
  }

  /** Damages the journal; the process must be down. Resolves with what was done. */
  async damage(how: Damage, random: Random): Promise<string> {
    if (this.alive) {
      throw new Error(`node ${this.name} runs; its journal is not to be touched`);
    }
    const done = await damageJournal(this.#dataFolder, how, random);
    this.note(done);
    return done;
  }

  /** Removes the journal, as an operator does with one that is beyond repair; the process must be down. */
  async wipe(): Promise<void> {
    if (this.alive) {
      throw new Error(`node ${this.name} runs; its journal is not to be touched`);
    }
    this.note("its data folder is removed");
    await rm(this.#dataFolder, { recursive: true, force: true });
  }

  /** Ends process, proxy and log. Harmless when repeated. */
  async close(): Promise<void> {
    await this.kill();
    await this.proxy.close();
    await new Promise<void>((resolve) => this.#log.end(resolve));
  }

  /** A line of our own in the node's log. */
  note(text: string): void {
    if (!this.#log.writableEnded) {
      this.#log.write(`--- ${new Date().toISOString()} ${text}\n`);
    }
  }

  get #dataFolder(): string {
    return join(this.#options.folder, "data");
  }

  #runningPid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined || !this.alive) {
      throw new Error(`node ${this.name} does not run`);
    }
    return pid;
  }

  #endGuard(): void {
    this.#guard?.kill("SIGKILL");
    this.#guard = undefined;
  }
}

/** Variables of the environment that would change a node, blanked. */
function withoutSettings(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {};
  for (const setting of [...CONNECTION_SETTINGS, ...NODE_SETTINGS]) {
    for (const name of setting.env) {
      env[name] = "";
    }
  }
  return env;
}
