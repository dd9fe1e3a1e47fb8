/**
 * The peers' packages: declared in scripts/bench/package.json, installed there by the first benchmark that
 * runs, loaded from there. Start and test never touch them.
 *
 * Their types are written down here as far as they are used, because type checks run without the packages.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { z } from "zod";

const MANIFEST = "scripts/bench/package.json";
const PACKAGE = z.object({ version: z.string() });
const PEERS = z.object({ dependencies: z.record(z.string(), z.string()) });

/** The folder of the clone, from the sources as well as from dist/. */
export function cloneFolder(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, MANIFEST)) && folder !== dirname(folder)) {
    folder = dirname(folder);
  }
  return folder;
}

const FOLDER = join(cloneFolder(), dirname(MANIFEST));

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, "utf8"));
}

/** The version of a peer that the manifests pin; known before anything is installed. */
export function versionOf(name: string): string {
  for (const root of [FOLDER, cloneFolder()]) {
    const version = pinnedIn(root)[name];
    if (version !== undefined) {
      return version;
    }
  }
  throw new Error(`${name} is in no package.json`);
}

function pinnedIn(folder: string): Record<string, string> {
  return PEERS.parse(readJson(join(folder, "package.json"))).dependencies;
}

/** Why an installation is due, or undefined when all pinned versions are there. */
function missingPeer(): string | undefined {
  for (const [name, version] of Object.entries(pinnedIn(FOLDER))) {
    const file = join(FOLDER, "node_modules", name, "package.json");
    if (!existsSync(file) || PACKAGE.parse(readJson(file)).version !== version) {
      return `${name} ${version}`;
    }
  }
  return undefined;
}

/** Installs the peers when one is missing. Rejects with what npm says when it cannot. */
export async function ensurePeers(say: (text: string) => void): Promise<void> {
  const missing = missingPeer();
  if (missing === undefined) {
    return;
  }
  say(`installing what is measured against into scripts/bench (${missing} is not there)`);
  const args = ["ci", "--prefix", FOLDER, "--no-audit", "--no-fund", "--loglevel=error"];
  const npm = process.env["npm_execpath"];
  const [command, before] =
    npm !== undefined && basename(npm).startsWith("npm-cli") ? [process.execPath, [npm]] : ["npm", []];
  const child = spawn(command, [...before, ...args], { cwd: FOLDER, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) {
        resolve();
      } else {
        reject(new Error(`npm ended with code ${code}:\n${output.trim()}`));
      }
    });
  });
}

/** A peer's package, from where the manifest installs it. */
export function load(name: string): unknown {
  const loaded: unknown = createRequire(join(FOLDER, "package.json"))(name);
  return loaded;
}

function hasFunctions<Name extends string>(value: unknown, names: readonly Name[]): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    names.every((name) => name in value && typeof Reflect.get(value, name) === "function")
  );
}

/** nact, as far as it is used. Its references are opaque. */
export interface Nact {
  start(): unknown;
  spawn<State, Message>(
    parent: unknown,
    handler: (
      state: State,
      message: Message,
      context: { readonly sender: unknown },
    ) => State | Promise<State>,
    name: string,
    options: { readonly initialState: State },
  ): unknown;
  dispatch(actor: unknown, message: object, sender?: unknown): void;
  query(actor: unknown, message: object, timeoutMs: number): Promise<unknown>;
}

export function loadNact(): Nact {
  const nact = load("nact");
  if (!isNact(nact)) {
    throw new Error("nact does not export what the bench uses");
  }
  return nact;
}

function isNact(value: unknown): value is Nact {
  return hasFunctions(value, ["start", "spawn", "dispatch", "query"]);
}

/** A broker of Moleculer, as far as it is used. */
export interface Broker {
  createService(schema: object): unknown;
  start(): Promise<void>;
  stop(): Promise<void>;
  waitForServices(name: string): Promise<unknown>;
  call(action: string, params: object): Promise<unknown>;
}

interface Moleculer {
  readonly ServiceBroker: new (options: object) => Broker;
}

export function loadMoleculer(): Moleculer {
  const moleculer = load("moleculer");
  if (!isMoleculer(moleculer)) {
    throw new Error("moleculer does not export what the bench uses");
  }
  return moleculer;
}

function isMoleculer(value: unknown): value is Moleculer {
  return hasFunctions(value, ["ServiceBroker"]);
}
