/**
 * Everything a fresh clone needs before it can run: dependencies, a nats-server, a build. Each part is
 * done when it is missing or out of date and costs a few milliseconds otherwise.
 *
 * `npm start` and `npm test` call these functions; `node scripts/setup.mjs` does them all. What they
 * say goes to standard error. Plain Node: nothing is installed yet.
 */
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { hasDebianPackages, unpackDebianPackage } from "./lib/debian-package.mjs";
import { ROOT, run, step } from "./lib/terminal.mjs";

const CACHE = join(ROOT, ".cache");
const BUILD_STAMP = join(CACHE, "build.json");
const BUILD_INFO = join(CACHE, "build.tsbuildinfo");
const FETCH_PREFIX = "fetch-";
const FETCH_MAX_MS = 15 * 60_000;
const DIST = join(ROOT, "dist");
const SOURCES = [
  "lib",
  "actors",
  "supervisors",
  "scripts",
  // What the simulator's command runs.
  "spec/checkers",
  "spec/simulation/stream",
  "spec/support",
];
const BUILD_INPUTS = ["package-lock.json", "tsconfig.json", "tsconfig.build.json"];
const COMMAND_LINE = join(DIST, "lib", "cli", "main.js");

/** What went wrong in set-up, told so that a person can mend it. */
export class SetupError extends Error {
  /** @override */
  name = "SetupError";
}

/**
 * Installs what package-lock.json says, when node_modules does not hold it.
 *
 * @returns {Promise<{ installed: boolean }>}
 */
export async function ensureDependencies() {
  const reason = await whyInstall(ROOT);
  if (reason === undefined) {
    return { installed: false };
  }
  const { ok, output } = await step(
    process.stderr,
    `installing dependencies with npm ci (${reason})`,
    () => npm(["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"]),
    (result) => result.ok,
  );
  if (!ok) {
    throw new SetupError(`npm ci failed:\n${output.trim()}`);
  }
  return { installed: true };
}

/**
 * Compares package-lock.json with the copy that npm leaves in node_modules when an installation is
 * complete. Packages for other platforms are rightly absent there.
 *
 * @param {string} root the folder of package-lock.json
 * @returns {Promise<string | undefined>} why an installation is due, or undefined
 */
export async function whyInstall(root) {
  const installedFile = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(installedFile)) {
    return "node_modules is missing";
  }
  const [wanted, installed] = await Promise.all([
    readPackages(join(root, "package-lock.json")),
    readPackages(installedFile),
  ]);
  for (const [path, { version, optional }] of Object.entries(wanted)) {
    const present = installed[path];
    if (path !== "" && (present ? present.version !== version : !optional)) {
      return `${path.replace(/^.*node_modules\//, "")} ${version} is not there`;
    }
  }
  return undefined;
}

/**
 * @param {string} file
 * @returns {Promise<Record<string, { version?: string, optional?: boolean }>>}
 */
async function readPackages(file) {
  return JSON.parse(await readFile(file, "utf8")).packages;
}

/** @param {string[]} args */
function npm(args) {
  const script = process.env["npm_execpath"];
  return script !== undefined && basename(script).startsWith("npm-cli")
    ? run(process.execPath, [script, ...args])
    : run("npm", args);
}

/**
 * Compiles into dist/ when a source is newer than the last build, or gone since.
 *
 * @returns {Promise<{ built: boolean, ok: boolean, output: string }>} with `ok: false` the output holds the
 * compiler's errors; what could be compiled is in dist/ nevertheless
 */
export async function ensureBuilt() {
  const sources = await fingerprint(ROOT);
  const stamp = existsSync(BUILD_STAMP) ? JSON.parse(await readFile(BUILD_STAMP, "utf8")) : {};
  if (JSON.stringify(stamp) === JSON.stringify(sources) && existsSync(DIST)) {
    return { built: false, ok: true, output: "" };
  }
  await rm(BUILD_STAMP, { force: true });
  if (Object.keys(stamp).some((file) => sources[file] === undefined)) {
    // What was compiled from a file that is gone must not be found any more.
    await Promise.all([rm(DIST, { recursive: true, force: true }), rm(BUILD_INFO, { force: true })]);
  }
  const tsc = join(ROOT, "node_modules", ".bin", "tsc");
  const { ok, output } = await step(
    process.stderr,
    "compiling into dist",
    () => run(tsc, ["-p", "tsconfig.build.json"]),
    (result) => result.ok,
  );
  if (ok) {
    await mkdir(CACHE, { recursive: true });
    await writeFile(BUILD_STAMP, JSON.stringify(sources));
  }
  if (existsSync(COMMAND_LINE)) {
    await chmod(COMMAND_LINE, 0o755);
  }
  return { built: true, ok, output };
}

/**
 * Every file that the build reads, with its size and time of change.
 *
 * @param {string} root
 * @returns {Promise<Record<string, string>>}
 */
export async function fingerprint(root) {
  /** @type {string[]} */
  const files = [...BUILD_INPUTS];
  for (const folder of SOURCES.filter((name) => existsSync(join(root, name)))) {
    files.push(...(await sourcesIn(root, folder)));
  }
  const entries = files.sort().map(async (file) => {
    const { size, mtimeMs } = await stat(join(root, file));
    return [file, `${size} ${mtimeMs}`];
  });
  return Object.fromEntries(await Promise.all(entries));
}

/**
 * @param {string} root
 * @param {string} folder
 * @returns {Promise<string[]>} the TypeScript files in `folder` and below, by their path from `root`
 */
async function sourcesIn(root, folder) {
  const entries = await readdir(join(root, folder), { withFileTypes: true });
  const found = entries.map(async (entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      return entry.name === "node_modules" ? [] : sourcesIn(root, path);
    }
    return entry.name.endsWith(".ts") ? [path] : [];
  });
  return (await Promise.all(found)).flat();
}

const HOW_TO_GET_IT =
  "To have one: `brew install nats-server`, or a binary from https://github.com/nats-io/nats-server/releases; " +
  "then put it on the PATH or set NATS_SERVER to its path";

/**
 * Finds a nats-server, or fetches Debian's package into `.cache/nats-server`. Needs the build.
 *
 * @returns {Promise<{ path: string, why?: undefined } | { path?: undefined, why: string }>} where it is, or
 * why there is none and how to get it
 * @throws when $NATS_SERVER names something that cannot be run
 */
export async function ensureNatsServer() {
  const launcher = pathToFileURL(join(DIST, "lib", "transport", "nats-server.js")).href;
  const { findNatsServer, fetchedNatsServer } = await import(launcher);
  const search = findNatsServer();
  if (search.found) {
    return { path: search.path };
  }
  if (!(await hasDebianPackages())) {
    return { why: `${search.why}. ${HOW_TO_GET_IT}` };
  }
  try {
    const path = fetchedNatsServer();
    await fetchNatsServer(path);
    return { path };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { why: `Debian's package nats-server could not be fetched: ${message}. ${HOW_TO_GET_IT}` };
  }
}

/** @param {string} path where the executable is to stand, complete or not at all */
async function fetchNatsServer(path) {
  process.stderr.write(
    "There is no nats-server in $NATS_SERVER or PATH. Fetching Debian's package nats-server and unpacking it\n" +
      "into .cache/nats-server of this clone; the system stays as it is.\n",
  );
  await mkdir(CACHE, { recursive: true });
  await removeInterrupted();
  const work = await mkdtemp(join(CACHE, FETCH_PREFIX));
  try {
    const content = await unpackDebianPackage("nats-server", work);
    const candidates = ["usr/sbin/nats-server", "usr/bin/nats-server"].map((file) => join(content, file));
    const binary = candidates.find((file) => existsSync(file));
    if (binary === undefined) {
      throw new Error("the package holds no nats-server");
    }
    const version = await run(binary, ["--version"]);
    if (!version.ok) {
      throw new Error(`it does not run here: ${version.output.trim()}`);
    }
    await mkdir(dirname(path), { recursive: true });
    await rename(binary, path);
    process.stderr.write(`${version.output.trim()} is in .cache/nats-server\n`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Removes what fetches left behind that were interrupted; one that still runs is younger than that. */
async function removeInterrupted() {
  for (const name of await readdir(CACHE)) {
    const folder = join(CACHE, name);
    if (name.startsWith(FETCH_PREFIX) && Date.now() - (await stat(folder)).mtimeMs > FETCH_MAX_MS) {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

/**
 * The whole set-up. The nats-server is optional; the caller says what its absence means.
 *
 * @throws {SetupError} when dependencies cannot be installed
 */
export async function setUp() {
  await ensureDependencies();
  const build = await ensureBuilt();
  const natsServer = await ensureNatsServer();
  return { build, natsServer };
}

/**
 * Runs a script's main function; what it throws becomes one clear message and exit code 1.
 *
 * @param {() => Promise<void>} main
 */
export async function runScript(main) {
  try {
    await main();
  } catch (error) {
    const known = error instanceof SetupError || (error instanceof Error && "code" in error);
    process.stderr.write(`${known ? error.message : error instanceof Error ? error.stack : error}\n`);
    process.exitCode = 1;
  }
}

/**
 * Set-up, then a compiled script, which gets the command line as it is; what `npm start` and `npm run bench` do.
 *
 * @param {string} script path below dist
 * @param {{ natsServer?: boolean }} [options] `natsServer`: whether it can use one; default true
 */
export async function runCompiled(script, { natsServer: wanted = true } = {}) {
  await runScript(async () => {
    await ensureDependencies();
    const build = await ensureBuilt();
    if (!build.ok) {
      throw new SetupError(`the build failed:\n${build.output.trim()}`);
    }
    if (wanted) {
      await offerNatsServer();
    }
    await import(new URL(`../dist/${script}`, import.meta.url).href);
  });
}

/** Lets whatever runs next in this process find a nats-server, or says why there is none. */
async function offerNatsServer() {
  const natsServer = await ensureNatsServer();
  if (natsServer.path === undefined) {
    process.stderr.write(`No nats-server: ${natsServer.why}.\n`);
  } else {
    process.env["NATS_SERVER"] = natsServer.path;
  }
}

if (process.argv[1] === import.meta.filename) {
  await runScript(async () => {
    const { build, natsServer } = await setUp();
    if (!build.ok) {
      throw new SetupError(`the build failed:\n${build.output.trim()}`);
    }
    process.stdout.write(`nats-server: ${natsServer.path ?? natsServer.why}\n`);
  });
}
