/**
 * Where options come from: a configuration file < the environment < flags.
 *
 * One table says how each option is written in the environment and as a flag. The layers are merged entry
 * by entry, also inside `health`, `tls`, `limits` and `nodeMonitor`; of options that exclude each other the
 * higher layer's prevails. The result is unchecked: `checkOptions` gets it together with its sources.
 */
import { readFileSync } from "node:fs";
import { messageOf, SupercastError } from "../base/errors.ts";
import type { OptionSources } from "./options.ts";

/** How an option is written by a person. Its key is its path in `NodeOptions`. */
export interface Setting {
  readonly key: string;
  /** In commander's notation. Absent: it has no flag. */
  readonly flag?: string;
  /** Variables of the environment; the first that is set counts. */
  readonly env: readonly string[];
  /** How text becomes a value. What cannot be read stays text, which the check then refuses by name. */
  readonly read: "text" | "list" | "number" | "switch";
}

/** What every command takes, because it must reach the cluster. */
export const CONNECTION_SETTINGS = [
  { key: "servers", flag: "--servers <urls>", env: ["SUPERCAST_SERVERS", "NATS_URL"], read: "text" },
  { key: "cluster", flag: "--cluster <name>", env: ["SUPERCAST_CLUSTER"], read: "text" },
  { key: "subjectPrefix", flag: "--prefix <subject>", env: ["SUPERCAST_PREFIX"], read: "text" },
  { key: "creds", flag: "--creds <file>", env: ["SUPERCAST_CREDS"], read: "text" },
  { key: "user", flag: "--user <name>", env: ["SUPERCAST_USER"], read: "text" },
  { key: "password", flag: "--password <text>", env: ["SUPERCAST_PASSWORD"], read: "text" },
  { key: "token", flag: "--token <text>", env: ["SUPERCAST_TOKEN"], read: "text" },
  { key: "nkey", env: ["SUPERCAST_NKEY"], read: "text" },
  { key: "nkeyFile", flag: "--nkey-file <file>", env: ["SUPERCAST_NKEY_FILE"], read: "text" },
  { key: "tls.caFile", flag: "--tls-ca <file>", env: ["SUPERCAST_TLS_CA"], read: "text" },
  { key: "tls.certFile", flag: "--tls-cert <file>", env: ["SUPERCAST_TLS_CERT"], read: "text" },
  { key: "tls.keyFile", flag: "--tls-key <file>", env: ["SUPERCAST_TLS_KEY"], read: "text" },
] as const satisfies readonly Setting[];

/** What only a node takes. What has no entry here is for the file, or for programs. */
export const NODE_SETTINGS = [
  { key: "name", flag: "--name <name>", env: ["SUPERCAST_NAME"], read: "text" },
  { key: "peers", flag: "--peers <names>", env: ["SUPERCAST_PEERS"], read: "list" },
  { key: "nodeMonitor.discover", flag: "--discover <name>", env: ["SUPERCAST_DISCOVER"], read: "text" },
  { key: "nodeMonitor.all", flag: "--all", env: ["SUPERCAST_ALL"], read: "switch" },
  { key: "nodeMonitor.refreshMs", flag: "--refresh <ms>", env: ["SUPERCAST_REFRESH_MS"], read: "number" },
  {
    key: "health.intervalMs",
    flag: "--health-interval <ms>",
    env: ["SUPERCAST_HEALTH_INTERVAL_MS"],
    read: "number",
  },
  {
    key: "health.latencyMs",
    flag: "--health-latency <ms>",
    env: ["SUPERCAST_HEALTH_LATENCY_MS"],
    read: "number",
  },
  {
    key: "health.eventLoopLagMs",
    flag: "--health-lag <ms>",
    env: ["SUPERCAST_HEALTH_LAG_MS"],
    read: "number",
  },
  {
    key: "health.errorRate",
    flag: "--health-error-rate <share>",
    env: ["SUPERCAST_HEALTH_ERROR_RATE"],
    read: "number",
  },
  { key: "partitions", flag: "--partitions <count>", env: ["SUPERCAST_PARTITIONS"], read: "number" },
  {
    key: "replicationFactor",
    flag: "--replication-factor <count>",
    env: ["SUPERCAST_REPLICATION_FACTOR"],
    read: "number",
  },
  {
    key: "replicationMode",
    flag: "--replication-mode <mode>",
    env: ["SUPERCAST_REPLICATION_MODE"],
    read: "text",
  },
  { key: "dataDir", flag: "--data <dir>", env: ["SUPERCAST_DATA_DIR"], read: "text" },
  { key: "actorsOnly", flag: "--actors-only", env: ["SUPERCAST_ACTORS_ONLY"], read: "switch" },
  {
    key: "bootstrapExpect",
    flag: "--bootstrap-expect <count>",
    env: ["SUPERCAST_BOOTSTRAP_EXPECT"],
    read: "number",
  },
  { key: "evictAfterMs", flag: "--evict-after <ms>", env: ["SUPERCAST_EVICT_AFTER_MS"], read: "number" },
  {
    key: "wal.majorityTimeoutMs",
    flag: "--majority-timeout <ms>",
    env: ["SUPERCAST_MAJORITY_TIMEOUT_MS"],
    read: "number",
  },
  {
    key: "wal.cleanupIntervalMs",
    flag: "--cleanup-interval <ms>",
    env: ["SUPERCAST_CLEANUP_INTERVAL_MS"],
    read: "number",
  },
  { key: "wal.pendingMax", flag: "--pending-max <count>", env: ["SUPERCAST_PENDING_MAX"], read: "number" },
  {
    key: "restartIntensity",
    flag: "--restart-intensity <count>",
    env: ["SUPERCAST_RESTART_INTENSITY"],
    read: "number",
  },
  {
    key: "restartPeriodMs",
    flag: "--restart-period <ms>",
    env: ["SUPERCAST_RESTART_PERIOD_MS"],
    read: "number",
  },
  { key: "localCodec", flag: "--local-codec", env: ["SUPERCAST_LOCAL_CODEC"], read: "switch" },
] as const satisfies readonly Setting[];

/** Options that hold options of their own. */
const GROUPS: ReadonlySet<string> = new Set(["nodeMonitor", "health", "tls", "limits", "wal"]);

/** Giving one of these in a layer takes back those that lower layers gave. */
const EXCLUSIVE: readonly (readonly string[])[] = [
  ["nodeMonitor.nodes", "nodeMonitor.discover", "nodeMonitor.all", "nodeMonitor.refreshMs"],
  ["user", "token", "nkey", "nkeyFile", "creds"],
];
/** These need no more than their own file or text: a lower layer's password goes with its user. */
const WITHOUT_PASSWORD = ["token", "nkey", "nkeyFile", "creds"];

type Values = ReadonlyMap<string, unknown>;
type Environment = Readonly<Record<string, string | undefined>>;

export interface Layers {
  /** Path of a JSON file. */
  readonly file?: string | undefined;
  readonly env: Environment;
  /** By key, as the settings name them: texts, or true. */
  readonly flags: Values;
  readonly settings: readonly Setting[];
}

/** Merges the layers. Throws `config_mismatch` when the file cannot be read or holds no JSON object. */
export function loadOptions({ file, env, flags, settings }: Layers): {
  readonly options: Readonly<Record<string, unknown>>;
  readonly sources: OptionSources;
} {
  const merged = new Map<string, unknown>();
  const sources = new Map<string, string>();
  if (file !== undefined) {
    overlay(merged, sources, readConfigFile(file), () => file);
  }
  overlay(merged, sources, readEnvironment(env, settings), (key) => variableOf(key, env, settings) ?? key);
  overlay(merged, sources, readFlags(flags, settings), (key) => flagOf(key, settings) ?? key);
  return { options: nest(merged), sources };
}

function overlay(
  merged: Map<string, unknown>,
  sources: Map<string, string>,
  layer: Values,
  sourceOf: (key: string) => string,
): void {
  const replaced = EXCLUSIVE.filter((group) =>
    group.some((key) => layer.has(key) && key !== "nodeMonitor.refreshMs"),
  );
  const passwordGoes = WITHOUT_PASSWORD.some((key) => layer.has(key));
  for (const key of [...replaced.flat(), ...(passwordGoes ? ["password"] : [])]) {
    merged.delete(key);
  }
  for (const [key, value] of layer) {
    merged.set(key, value);
    sources.set(key, sourceOf(key));
  }
}

// --- the layers ----------------------------------------------------------------------------------

/** The text of a file in UTF-8, without the byte-order mark that some editors put first. */
function readUtf8(file: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw wrong(`the configuration file ${file} cannot be read: ${messageOf(error)}`, error);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw wrong(`the configuration file ${file} is not text in UTF-8`, error);
  }
}

/** The file's entries by key, those of groups one by one. */
function readConfigFile(file: string): Values {
  const text = readUtf8(file);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw wrong(`the configuration file ${file} is not JSON: ${messageOf(error)}`, error);
  }
  if (!isObject(content)) {
    throw wrong(`the configuration file ${file} holds no JSON object; allowed: {"name": "a", ...}`);
  }
  const values = new Map<string, unknown>();
  for (const [key, value] of Object.entries(content)) {
    const entries = GROUPS.has(key) && isObject(value) ? Object.entries(value) : [];
    if (entries.length === 0) {
      values.set(key, value);
    }
    for (const [inner, innerValue] of entries) {
      values.set(`${key}.${inner}`, innerValue);
    }
  }
  return values;
}

function readEnvironment(env: Environment, settings: readonly Setting[]): Values {
  const values = new Map<string, unknown>();
  for (const setting of settings) {
    const variable = variableOf(setting.key, env, settings);
    if (variable !== undefined) {
      values.set(setting.key, readText(setting, env[variable]));
    }
  }
  return values;
}

function readFlags(flags: Values, settings: readonly Setting[]): Values {
  const values = new Map<string, unknown>();
  for (const [key, value] of flags) {
    const setting = settings.find((each) => each.key === key);
    values.set(key, setting === undefined ? value : readText(setting, value));
  }
  return values;
}

/** The variable that gives `key` its value. An empty one counts as not set. */
function variableOf(key: string, env: Environment, settings: readonly Setting[]): string | undefined {
  const names = settings.find((each) => each.key === key)?.env;
  return names?.find((name) => env[name] !== undefined && env[name] !== "");
}

function flagOf(key: string, settings: readonly Setting[]): string | undefined {
  return settings.find((each) => each.key === key)?.flag?.split(" ", 1)[0];
}

function readText({ read }: Setting, value: unknown): unknown {
  if (typeof value !== "string") {
    return value;
  }
  switch (read) {
    case "list":
      return value
        .split(",")
        .map((each) => each.trim())
        .filter((each) => each !== "");
    case "number":
      return value.trim() === "" || Number.isNaN(Number(value)) ? value : Number(value);
    case "switch":
      return SWITCHES.get(value.toLowerCase()) ?? value;
    default:
      return value;
  }
}

const SWITCHES: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["1", true],
  ["yes", true],
  ["false", false],
  ["0", false],
  ["no", false],
]);

// --- the result ----------------------------------------------------------------------------------

/** Keys with a dot become entries of their group. */
function nest(merged: Values): Readonly<Record<string, unknown>> {
  const options = new Map<string, unknown>();
  for (const [key, value] of merged) {
    const dot = key.indexOf(".");
    const group = key.slice(0, Math.max(0, dot));
    if (!GROUPS.has(group)) {
      options.set(key, value);
      continue;
    }
    const present = options.get(group);
    const inner = Object.entries(isObject(present) ? present : {});
    options.set(group, Object.fromEntries([...inner, [key.slice(dot + 1), value]]));
  }
  return Object.fromEntries(options);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function wrong(text: string, cause?: unknown): SupercastError {
  return new SupercastError("config_mismatch", text, cause === undefined ? {} : { cause });
}
