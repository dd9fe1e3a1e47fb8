/**
 * The options of a node: one schema that yields types, defaults and errors.
 *
 * An error names the key, the value and where it came from, and all that is wrong is said at once.
 */
import { z } from "zod";
import { SupercastError } from "../base/errors.ts";
import { checkLimits, DEFAULT_LIMITS, type Limits } from "../base/limits.ts";
import { nameProblem } from "../base/names.ts";
import { BUILT_IN_DISCOVERIES, parseDiscovery } from "./discover.ts";

function name(kind: string): z.ZodString {
  return z.string().check((context) => {
    const problem = nameProblem(kind, context.value);
    if (problem !== undefined) {
      context.issues.push({ code: "custom", message: problem, input: context.value });
    }
  });
}

const nodeList = z.array(name("node")).min(1);

type Discover = () => readonly string[] | Promise<readonly string[]>;
const discoverFunction = z.custom<Discover>((value) => typeof value === "function", "must be a function");

const nodeMonitorSchema = z
  .strictObject({
    nodes: nodeList.optional().describe("a fixed list of node names"),
    discover: z
      .union([z.string().min(1), discoverFunction])
      .optional()
      .describe(
        "a function, or the name of one: file:PATH, dns:HOST, dns:HOST@SERVER, or one of `discoveries`",
      ),
    all: z.literal(true).optional().describe("every node that is up"),
    refreshMs: z.int().min(100).optional().describe("milliseconds between two discoveries"),
  })
  .refine(
    (given) => [given.nodes, given.discover, given.all].filter((each) => each !== undefined).length === 1,
    {
      message: "give exactly one of nodes, discover, all",
    },
  );

const healthSchema = z.strictObject({
  intervalMs: z.int().min(100).optional().describe("milliseconds between two health rounds"),
  latencyMs: z.number().positive().optional().describe("round trip above which a node is degraded"),
  eventLoopLagMs: z
    .number()
    .positive()
    .optional()
    .describe("lateness of timers above which a node is degraded"),
  errorRate: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe("share of failed calls above which a node is degraded"),
});

const walSchema = z.strictObject({
  majorityTimeoutMs: z
    .int()
    .min(100)
    .max(60_000)
    .default(2_000)
    .describe(
      "after which a commit that is not decided is answered majority_timeout: its outcome is unknown",
    ),
  cleanupIntervalMs: z
    .int()
    .min(100)
    .default(5_000)
    .describe(
      "between two rounds that drop the answers kept for clients that were silent for ten minutes, and the copies " +
        "that this node is not to hold any more",
    ),
  pendingMax: z
    .int()
    .min(1)
    .default(10_000)
    .describe("commits in hand at one node; one more is answered overload, before any effect"),
});

const tlsSchema = z.strictObject({
  caFile: z.string().optional().describe("PEM file of certificates to trust"),
  certFile: z.string().optional().describe("PEM file of the client's certificate"),
  keyFile: z.string().optional().describe("PEM file of the client's key"),
});

export const optionsSchema = z.strictObject({
  name: name("node").describe("the node's name, unique in the cluster"),
  cluster: name("cluster").default("default").describe("the cluster's name"),
  servers: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .optional()
    .describe("NATS servers; without, a nats-server is started if one is found"),
  peers: nodeList.optional().describe("the nodes of the cluster, this one included"),
  subjectPrefix: name("subjectPrefix").default("supercast").describe("what all subjects begin with"),
  nodeMonitor: nodeMonitorSchema
    .optional()
    .describe("where NodeMonitor gets its nodes; default: peers, else all"),
  discoveries: z.record(z.string(), discoverFunction).optional().describe("discovery functions by name"),
  health: healthSchema.default({}).describe("HealthMonitor's interval and thresholds"),
  partitions: z.int().min(1).max(64).default(8).describe("number of partitions; the same on every node"),
  replicationFactor: z
    .int()
    .min(1)
    .max(7)
    .default(3)
    .describe("copies of each partition; the same on every node"),
  replicationMode: z
    .enum(["async", "sync", "strong", "3pc"])
    .default("async")
    .describe("when a write is answered; the same on every node"),
  actorsOnly: z.boolean().default(false).describe("take no part in the replicated data"),
  bootstrapExpect: z
    .int()
    .min(1)
    .max(1_024)
    .optional()
    .describe("how many nodes found a new cluster, where no peers are given; the same on every node"),
  evictAfterMs: z
    .int()
    .min(1_000)
    .default(60_000)
    .describe("how long a node may be away before its copies are placed elsewhere"),
  dataDir: z
    .string()
    .min(1)
    .optional()
    .describe("folder of the write-ahead log; without, data lives in memory"),
  durability: z
    .enum(["memory", "disk"])
    .optional()
    .describe("disk: synced before it is acknowledged; default: disk with dataDir, else memory"),
  wal: walSchema.prefault({}).describe("the write-ahead log's bounds"),
  restartIntensity: z
    .int()
    .min(0)
    .default(DEFAULT_LIMITS.restartIntensity)
    .describe("restarts of actors allowed"),
  restartPeriodMs: z
    .number()
    .positive()
    .default(DEFAULT_LIMITS.restartPeriodMs)
    .describe("... within this time"),
  limits: z.record(z.string(), z.number()).default({}).describe("overrides of single limits"),
  localCodec: z
    .boolean()
    .optional()
    .describe("pass local messages through the codec; default: unless NODE_ENV is production"),
  user: z.string().optional().describe("NATS user"),
  password: z.string().optional().describe("NATS password"),
  token: z.string().optional().describe("NATS token"),
  nkey: z.string().optional().describe("NATS nkey seed"),
  nkeyFile: z.string().optional().describe("file of an nkey seed"),
  creds: z.string().optional().describe("NATS credentials file"),
  tls: tlsSchema.optional().describe("TLS files; their presence demands TLS"),
});

/** The same, and what must hold between options. */
const nodeSchema = optionsSchema.superRefine((settings, context) => {
  refuseBrokenPromises(settings, context);
  const { nodeMonitor, discoveries = {} } = settings;
  const discover = nodeMonitor?.discover;
  if (typeof discover !== "string") {
    return;
  }
  const parsed = parseDiscovery(discover);
  const known = [...BUILT_IN_DISCOVERIES, ...Object.keys(discoveries)].join(", ");
  const unknown = Object.hasOwn(discoveries, discover) ? undefined : `no such discovery; allowed: ${known}`;
  const problem = parsed === undefined ? unknown : "problem" in parsed ? parsed.problem : undefined;
  if (problem !== undefined) {
    context.addIssue({ code: "custom", message: problem, path: ["nodeMonitor", "discover"] });
  }
});

/** Combinations that could not keep their word. */
function refuseBrokenPromises(
  {
    durability,
    dataDir,
    replicationMode,
    replicationFactor,
    peers,
    bootstrapExpect,
  }: z.output<typeof optionsSchema>,
  context: z.RefinementCtx,
): void {
  const refuse = (key: string, message: string): void =>
    context.addIssue({ code: "custom", message, path: [key] });
  if (durability === "disk" && dataDir === undefined) {
    refuse("durability", "disk needs dataDir, the folder of the log");
  }
  if (durability === "memory" && dataDir !== undefined) {
    refuse("durability", "memory keeps nothing in dataDir; leave one of them out");
  }
  if (replicationMode === "strong" && replicationFactor === 2) {
    const why =
      "with strong, two copies have a majority of two: the loss of either stops all writes; use 1 or 3";
    refuse("replicationFactor", why);
  }
  if (peers !== undefined && bootstrapExpect !== undefined && new Set(peers).size !== bootstrapExpect) {
    refuse("bootstrapExpect", `peers names ${new Set(peers).size} nodes; give one of the two`);
  }
}

/** What `startNode` takes. Only `name` is required. */
export type NodeOptions = z.input<typeof optionsSchema>;
/** The same with all defaults filled in. */
export type NodeSettings = z.output<typeof optionsSchema> & { readonly checkedLimits: Limits };

/** Where the value of a key came from, for error messages: "--name", "SUPERCAST_NAME", a file. */
export type OptionSources = ReadonlyMap<string, string>;

/** Fills in defaults and checks everything; throws `config_mismatch` naming each key that is wrong. */
export function checkOptions(options: unknown, sources: OptionSources = new Map()): NodeSettings {
  const result = nodeSchema.safeParse(options);
  const limits = limitsOf(options);
  if (result.success && !(limits instanceof SupercastError)) {
    return { ...result.data, checkedLimits: limits };
  }
  const issues = result.error?.issues ?? [];
  const problems = issues.map((issue) => formatIssue(issue, options, sources));
  if (limits instanceof SupercastError) {
    problems.push(limits.message);
  }
  throw new SupercastError("config_mismatch", problems.join("\n"), { details: { problems } });
}

/** The limits among the options, checked, or what is wrong with them. No numbers at all: the schema says so. */
function limitsOf(options: unknown): Limits | SupercastError {
  const given = typeof options === "object" && options !== null && "limits" in options ? options.limits : {};
  const { data = {} } = optionsSchema.shape.limits.safeParse(given);
  try {
    return checkLimits(data);
  } catch (error) {
    if (error instanceof SupercastError) {
      return error;
    }
    throw error;
  }
}

/** Never repeated in an error: it goes to logs. */
const SECRETS: ReadonlySet<string> = new Set(["password", "token", "nkey"]);

function formatIssue(issue: z.core.$ZodIssue, options: unknown, sources: OptionSources): string {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    const named = issue.keys.map((key) => [...path, key].join("."));
    return named
      .map((key) => `${key}${from(key, sources)} is not an option; allowed: ${allowedKeys(path)}`)
      .join("\n");
  }
  const key = path.join(".");
  const value = issue.path.reduce<unknown>(
    (inner, step) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, step) : undefined),
    options,
  );
  const given = SECRETS.has(key) ? "not shown" : showValue(value);
  const named = `${key === "" ? "the options object" : key}${from(key, sources)}`;
  return value === undefined ? `${named} is missing` : `${named} is ${given}: ${issue.message}`;
}

/** JSON knows neither functions nor NaN. */
function showValue(value: unknown): string {
  if (typeof value === "function") {
    return "a function";
  }
  return typeof value === "string" || typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Where the value of `key` came from: that of the key itself, of what holds it, or of what it holds. */
function from(key: string, sources: OptionSources): string {
  const known = [...sources].find(
    ([each]) => key === each || key.startsWith(`${each}.`) || each.startsWith(`${key}.`),
  );
  return known === undefined ? "" : ` (${known[1]})`;
}

function allowedKeys(path: readonly string[]): string {
  const shapes: Readonly<Record<string, object>> = {
    "": optionsSchema.shape,
    health: healthSchema.shape,
    tls: tlsSchema.shape,
    nodeMonitor: nodeMonitorSchema.shape,
    wal: walSchema.shape,
  };
  return Object.keys(shapes[path.join(".")] ?? {}).join(", ");
}

const connectionSchema = optionsSchema.pick({
  servers: true,
  cluster: true,
  subjectPrefix: true,
  user: true,
  password: true,
  token: true,
  nkey: true,
  nkeyFile: true,
  creds: true,
  tls: true,
});

/** What a client needs to reach a cluster. */
export type ConnectionSettings = z.output<typeof connectionSchema>;

/** As `checkOptions`, for a client. */
export function checkConnection(options: unknown, sources: OptionSources = new Map()): ConnectionSettings {
  const result = connectionSchema.safeParse(options);
  if (!result.success) {
    const problems = result.error.issues.map((issue) => formatIssue(issue, options, sources));
    throw new SupercastError("config_mismatch", problems.join("\n"), { details: { problems } });
  }
  return result.data;
}

export interface OptionRow {
  readonly key: string;
  readonly default: string;
  readonly help: string;
}

/** One row per option for `docs/` and help texts: key, default, help. Options within options follow their own. */
export function optionTable(): readonly OptionRow[] {
  return rowsOf(optionsSchema.shape, "");
}

function rowsOf(shape: Readonly<Record<string, z.core.$ZodType>>, prefix: string): readonly OptionRow[] {
  return Object.entries(shape).flatMap(([name, schema]) => {
    const key = `${prefix}${name}`;
    const standard = schema instanceof z.ZodDefault ? JSON.stringify(schema.def.defaultValue) : "";
    const help = schema instanceof z.ZodType ? (schema.description ?? "") : "";
    const wrapped =
      schema instanceof z.ZodDefault || schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault;
    const inner = wrapped ? schema.unwrap() : schema;
    const row = { key, default: standard === "{}" ? "" : standard, help };
    return inner instanceof z.ZodObject ? [row, ...rowsOf(inner.shape, `${key}.`)] : [row];
  });
}
