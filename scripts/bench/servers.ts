/**
 * The servers that are measured against and that npm does not have: looked for in PATH, else fetched from the
 * system's packages into the clone by the first benchmark that needs them.
 *
 * A server that was started here listens on the loopback interface only and ends with this process, however
 * this process ends.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { messageOf } from "../../lib/base/errors.ts";
import { cloneFolder } from "./peers.ts";

export const HOST = "127.0.0.1";
const LOG_KEPT_CHARACTERS = 2_000;
const START_DEADLINE_MS = 20_000;
const POLL_MS = 50;

/** Debian's package of each server, by the name of its executable. */
const PACKAGES = { "redis-server": "redis-server", etcd: "etcd-server" } as const;

export type ServerName = keyof typeof PACKAGES;

export interface Executable {
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
  /** The first line that it says of its version. */
  readonly version: string;
}

/** Where a server is. Throws with the reason when there is none that runs. */
export function findServer(name: ServerName): Executable {
  const found = search(name);
  if (found === undefined) {
    throw new Error(`there is no ${name} in PATH, and Debian's package ${PACKAGES[name]} was not fetched`);
  }
  const { stdout, stderr, status } = spawnSync(found.path, ["--version"], {
    encoding: "utf8",
    env: found.env,
  });
  if (status !== 0) {
    throw new Error(`${found.path} does not run here: ${stderr.trim()}`);
  }
  const [version = name] = stdout.trim().split("\n");
  return { ...found, version };
}

function search(name: ServerName): Omit<Executable, "version"> | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  const path = folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
  if (path !== undefined) {
    return { path, env: process.env };
  }
  const usr = join(cloneFolder(), ".cache", "bench", PACKAGES[name], "usr");
  const fetched = join(usr, "bin", name);
  if (!existsSync(fetched)) {
    return undefined;
  }
  const libraries = join(usr, "lib");
  const triplets = existsSync(libraries)
    ? readdirSync(libraries).filter((folder) => folder.includes("-linux-"))
    : [];
  const paths = [...triplets.map((folder) => join(libraries, folder)), process.env["LD_LIBRARY_PATH"] ?? ""];
  const env = { ...process.env, LD_LIBRARY_PATH: paths.filter((each) => each !== "").join(delimiter) };
  return { path: fetched, env };
}

/** Fetches those that are nowhere. Rejects with what apt says when it cannot; the rows then say so too. */
export async function ensureServers(
  names: readonly ServerName[],
  say: (text: string) => void,
): Promise<void> {
  const missing = names.filter((name) => search(name) === undefined);
  for (const name of missing) {
    say(`fetching ${name} into .cache/bench of this clone, from the system's package ${PACKAGES[name]}`);
    await fetchServer(PACKAGES[name]);
  }
}

async function fetchServer(packageName: string): Promise<void> {
  const folder = cloneFolder();
  const script = join(folder, "scripts", "bench", "fetch-server.mjs");
  const child = spawn(process.execPath, [script, packageName], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const log = tailOf(child);
  const code = await new Promise<unknown>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) {
    throw new Error(`Debian's package ${packageName} could not be fetched: ${log().split("\n").at(-1)}`);
  }
}

/** The end of what a child says, on either of its outputs. */
function tailOf({ stdout, stderr }: ChildProcess): () => string {
  let tail = "";
  for (const stream of [stdout, stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      tail = (tail + text).slice(-LOG_KEPT_CHARACTERS);
    });
  }
  return () => tail.trim();
}

/** A server of somebody else's that runs. */
export interface RunningServer {
  /** Throws with how it ended and what it said, when it has ended. */
  check(): void;
  stop(): Promise<void>;
}

/** Starts a server; whether it answers is for the caller to find out, with `until`. */
export function startServer({ path, env }: Executable, args: readonly string[], cwd: string): RunningServer {
  const child = spawn(path, [...args], { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const log = tailOf(child);
  let ended: string | undefined;
  const gone = new Promise<void>((resolve) => {
    child.once("error", (error) => {
      ended = error.message;
      resolve();
    });
    child.once("close", (code, signal) => {
      ended ??= `it ended with ${signal ?? `code ${code}`}`;
      resolve();
    });
  });
  const guard = endWithThisProcess(child);
  return {
    check: () => {
      if (ended !== undefined) {
        throw new Error(`${path}: ${ended}: ${log()}`);
      }
    },
    stop: async () => {
      child.kill("SIGKILL");
      await gone;
      guard?.kill("SIGKILL");
    },
  };
}

/** A shell that waits on a pipe which nobody writes to, and which closes when this process is gone. */
function endWithThisProcess(server: ChildProcess): ChildProcess | undefined {
  if (server.pid === undefined) {
    return undefined;
  }
  const guard = spawn("/bin/sh", ["-c", 'read -r _; kill -9 "$1"', "sh", String(server.pid)], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  guard.unref();
  guard.once("error", () => server.kill("SIGKILL"));
  return guard;
}

/** Asks until there is an answer; rejects with the last reason when that takes too long. */
export async function until<Answer>(
  what: string,
  ask: () => Promise<Answer | undefined>,
  deadlineMs: number = START_DEADLINE_MS,
): Promise<Answer> {
  const end = performance.now() + deadlineMs;
  let why = "";
  while (performance.now() < end) {
    try {
      const answer = await ask();
      if (answer !== undefined) {
        return answer;
      }
    } catch (thrown) {
      why = `: ${messageOf(thrown)}`;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`${what}: not after ${deadlineMs} ms${why}`);
}

/** Ports of the loopback interface that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(0, HOST, resolve);
      });
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}
