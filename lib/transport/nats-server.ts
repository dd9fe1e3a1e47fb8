/**
 * Runs a nats-server as a child of this process: for a node that was started without servers, for the
 * tour and for the specs.
 *
 * Promises: it accepts connections when `startNatsServer` resolves; it listens on the loopback
 * interface only; it ends with its parent, however the parent ends, a SIGKILL included; and whatever
 * it stored in a folder of its own goes with it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, existsSync, mkdtempSync, statSync } from "node:fs";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { delay } from "../base/clock.ts";
import { SupercastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { systemClock } from "../base/system-clock.ts";

const HOST = "127.0.0.1";
const START_DEADLINE_MS = 10_000;
const STOP_DEADLINE_MS = 5_000;
const POLL_MS = 10;
/** How much of the server's log is kept to explain a failure. */
const LOG_TAIL_CHARACTERS = 4_000;

/** Where Debian's package puts the server; not everyone's PATH has these folders. */
const SYSTEM_FOLDERS = ["/usr/sbin", "/usr/local/sbin"];

export type NatsServerSearch =
  | { readonly found: true; readonly path: string }
  | { readonly found: false; readonly why: string };

/**
 * Looks for the executable: `$NATS_SERVER`, then the folders of `PATH`, then what `npm start` or
 * `npm test` fetched into the clone.
 * Throws `config_mismatch` when `$NATS_SERVER` names something that cannot be run.
 */
export function findNatsServer(
  env: Readonly<Record<string, string | undefined>> = process.env,
): NatsServerSearch {
  const named = env["NATS_SERVER"];
  if (named !== undefined && named !== "") {
    if (!isExecutable(named)) {
      throw new SupercastError(
        "config_mismatch",
        `NATS_SERVER is ${JSON.stringify(named)}; allowed: the path of an executable nats-server`,
      );
    }
    return { found: true, path: resolve(named) };
  }
  const folders = [
    ...(env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== ""),
    ...SYSTEM_FOLDERS,
  ];
  const candidates = [...folders.map((folder) => join(folder, "nats-server")), fetchedNatsServer()];
  const path = candidates.find(isExecutable);
  return path === undefined
    ? { found: false, why: "there is no nats-server in $NATS_SERVER or PATH, and none was fetched" }
    : { found: true, path: resolve(path) };
}

/** Where set-up puts the server that it fetches: a folder of the clone (or of the installed package). */
export function fetchedNatsServer(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json")) && folder !== dirname(folder)) {
    folder = dirname(folder);
  }
  return join(folder, ".cache", "nats-server", "nats-server");
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

export interface NatsServerOptions {
  /** The executable. Default: what `findNatsServer` finds. */
  readonly binary?: string;
  /** Default: a free port, kept over `restart()`. */
  readonly port?: number;
  /** Turns JetStream on, stored in a folder that lives as long as this server. */
  readonly jetstream?: boolean;
  /** Turns JetStream on, stored in this folder, which stays. */
  readonly jetstreamDir?: string;
  /** Text of a configuration file. The address, the port and JetStream's folder are not taken from it. */
  readonly config?: string;
  /** Called when the server ends and nobody asked for it; `how` says with what, and its last log lines. */
  readonly onExit?: (how: string) => void;
}

export interface NatsServer {
  /** `nats://127.0.0.1:<port>`. */
  readonly url: string;
  readonly port: number;
  /** The process id of the running server; after a restart it is another one. */
  readonly pid: number;
  /** Ends the server and removes what it stored in a folder of its own. Harmless when repeated. */
  stop(): Promise<void>;
  /** Ends the server as a crash would: SIGKILL. Its port and its storage are kept for `restart()`. */
  kill(): Promise<void>;
  /** Ends the server if it runs and starts it again: same port, same configuration, same storage. */
  restart(): Promise<void>;
}

/**
 * Starts a nats-server and resolves when it accepts connections.
 * Throws `start_failed` with the server's last log lines when it does not, or when none is found.
 */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const binary = options.binary ?? foundBinary();
  const home = mkdtempSync(join(tmpdir(), "supercast-nats-"));
  const child = new NatsServerChild(binary, home, options);
  try {
    await child.start();
  } catch (error) {
    await child.stop();
    throw error;
  }
  return child;
}

function foundBinary(): string {
  const search = findNatsServer();
  if (!search.found) {
    throw new SupercastError("start_failed", `cannot start a nats-server: ${search.why}`);
  }
  return search.path;
}

type State = "starting" | "running" | "ending" | "ended";

class NatsServerChild implements NatsServer {
  readonly #binary: string;
  readonly #home: string;
  readonly #options: NatsServerOptions;
  #port: number | undefined;
  #child: ChildProcess | undefined;
  #state: State = "ended";
  #stopped = false;
  /** Resolves, with what the server ended with, when the running one is gone. */
  #gone: Promise<string> = Promise.resolve("it never ran");
  #log = "";

  constructor(binary: string, home: string, options: NatsServerOptions) {
    this.#binary = binary;
    this.#home = home;
    this.#options = options;
    this.#port = options.port;
  }

  get url(): string {
    return `nats://${HOST}:${this.port}`;
  }

  get port(): number {
    invariant(this.#port !== undefined, "a started nats-server has a port");
    return this.#port;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    invariant(pid !== undefined, "a started nats-server has a process id");
    return pid;
  }

  async start(): Promise<void> {
    const args = await this.#prepare();
    this.#log = "";
    this.#state = "starting";
    // A group of its own: Ctrl-C reaches the parent alone, which may need the server to end well.
    const child = spawn(this.#binary, args, { detached: true, stdio: ["ignore", "ignore", "pipe"] });
    this.#child = child;
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#log = (this.#log + text).slice(-LOG_TAIL_CHARACTERS);
    });
    this.#gone = new Promise((gone) => {
      child.once("error", (error) => gone(error.message));
      child.once("close", (code, signal) => gone(`it ended with ${signal ?? `code ${code}`}`));
    });
    void this.#gone.then((how) => this.#onGone(how));
    if (child.pid !== undefined) {
      guard(child, child.pid, this.#home);
    }
    const port = await this.#untilListening();
    this.#port = port;
    this.#state = "running";
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#end("SIGTERM");
    await rm(this.#home, { recursive: true, force: true });
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async restart(): Promise<void> {
    if (this.#stopped) {
      throw new SupercastError("start_failed", "this nats-server was stopped; start a new one");
    }
    await this.#end("SIGTERM");
    await this.start();
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || this.#state === "ended") {
      return;
    }
    this.#state = "ending";
    child.kill(signal);
    const patience = systemClock.setTimer(() => child.kill("SIGKILL"), STOP_DEADLINE_MS);
    await this.#gone;
    systemClock.clearTimer(patience);
  }

  #onGone(how: string): void {
    const unasked = this.#state === "running";
    this.#state = "ended";
    if (unasked) {
      this.#options.onExit?.(this.#withLog(how));
    }
  }

  /** Resolves with the port; throws `start_failed` when the server ends first or takes too long. */
  async #untilListening(): Promise<number> {
    const deadline = systemClock.now() + START_DEADLINE_MS;
    while (this.#state === "starting" && systemClock.now() < deadline) {
      const port = await readPort(this.#home);
      if (port !== undefined) {
        return port;
      }
      await delay(systemClock, POLL_MS);
    }
    const how =
      this.#state === "starting"
        ? `it accepts no connections after ${START_DEADLINE_MS} ms`
        : await this.#gone;
    throw new SupercastError("start_failed", `${this.#binary} did not start: ${this.#withLog(how)}`);
  }

  #withLog(how: string): string {
    const log = this.#log.trimEnd();
    return log === "" ? how : `${how}\n${log}`;
  }

  /** Writes the configuration and returns the command line. */
  async #prepare(): Promise<string[]> {
    for (const file of await portsFiles(this.#home)) {
      await rm(file);
    }
    const args = ["--addr", HOST, "--port", String(this.#port ?? -1), "--ports_file_dir", this.#home];
    if (this.#options.jetstream === true || this.#options.jetstreamDir !== undefined) {
      args.push("--jetstream", "--store_dir", this.#options.jetstreamDir ?? join(this.#home, "jetstream"));
    }
    if (this.#options.config !== undefined) {
      const file = join(this.#home, "nats-server.conf");
      await writeFile(file, this.#options.config);
      args.push("--config", file);
    }
    return args;
  }
}

/**
 * Sees to it that `server` ends when this process does. A shell waits on a pipe that nobody writes to;
 * the pipe closes when this process is gone, for whatever reason, and only then the shell goes on.
 */
function guard(server: ChildProcess, pid: number, home: string): void {
  const script = 'read -r _; kill -9 "$1"; rm -rf "$2"';
  const shell = spawn("/bin/sh", ["-c", script, "sh", String(pid), home], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  shell.unref();
  shell.once("error", () => server.kill("SIGKILL"));
  server.once("exit", () => shell.kill("SIGKILL"));
}

async function portsFiles(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith(".ports")).map((name) => join(folder, name));
}

/** The port in the file that nats-server writes once it accepts connections; it may be half-written. */
async function readPort(folder: string): Promise<number | undefined> {
  for (const file of await portsFiles(folder)) {
    const port = /"nats":\s*\[\s*"[^"]*:(\d+)"/.exec(await readFile(file, "utf8"))?.[1];
    if (port !== undefined) {
      return Number(port);
    }
  }
  return undefined;
}
