/** `start`: one node in the foreground. */
import { type Command, Option } from "commander";
import { CONNECTION_SETTINGS, loadOptions, NODE_SETTINGS } from "../config/load.ts";
import { checkOptions, type NodeOptions } from "../config/options.ts";
import type { Node } from "../runtime/node.ts";
import { startNode } from "../runtime/start-node.ts";
import { LOG_LEVELS, type Logger } from "../telemetry/log.ts";
import { createLogger } from "../telemetry/logger.ts";
import { usageError } from "./failure.ts";
import { addSettings, type Flags, givenSettings, isJson } from "./flags.ts";
import { runNode } from "./run-node.ts";

const SETTINGS = [...CONNECTION_SETTINGS, ...NODE_SETTINGS];

export function startCommand(program: Command): void {
  const command = program
    .command("start")
    .summary("one node in the foreground")
    .description(
      "Runs one node until Ctrl-C or SIGTERM. A flag prevails over the environment, and that over the file of " +
        "--config. Without --servers, $SUPERCAST_SERVERS or $NATS_URL the node starts a nats-server of its own.",
    );
  addSettings(command, NODE_SETTINGS);
  command.option("--config <file>", "JSON file of options, as startNode takes them [SUPERCAST_CONFIG]");
  command.option("--limit <name=value>", "overrides one limit; may be repeated", collect);
  addLogFlags(command, "info");
  command
    .option("--json", "print one line of JSON once the node is ready")
    .addOption(new Option("--tied", "end when the IPC channel to the parent process closes").hideHelp());
  addSettings(command.optionsGroup("Connection:"), CONNECTION_SETTINGS)
    .helpOption("-h, --help", "this text")
    .addHelpText(
      "after",
      `
Examples:
  supercast start --name a --servers nats://127.0.0.1:4222 --peers a,b,c
  supercast start --config /etc/supercast/a.json --log-json
  SUPERCAST_NAME=a NATS_URL=nats://10.0.0.5:4222 supercast start --discover dns:nodes.internal

SIGUSR2 switches the log to debug and back. Exit codes: 0 stopped, 1 ended by itself, 2 wrong options,
130 Ctrl-C twice.`,
    )
    .action((flags: Flags) => start(flags));
}

export function addLogFlags(command: Command, level: string): Command {
  const what = `what to log [SUPERCAST_LOG_LEVEL] (${level})`;
  return command
    .addOption(new Option("--log-level <level>", what).choices(LOG_LEVELS))
    .option("--log-json", "log one JSON object per line");
}

async function start(flags: Flags): Promise<void> {
  const options = nodeOptions(flags);
  const log = makeLogger(flags, "info");
  process.exitCode = await runNode({
    start: () => startNode(options, { log }),
    onReady: (node) => announce(node, flags),
    log,
    tied: flags["tied"] === true,
  });
}

/** The checked options of the node. Throws `config_mismatch` naming key, value and source. */
function nodeOptions(flags: Flags): NodeOptions {
  const given = new Map([...givenSettings(flags, SETTINGS), ...limitsOf(flags)]);
  const config = flags["config"] ?? process.env["SUPERCAST_CONFIG"];
  const file = typeof config === "string" && config !== "" ? config : undefined;
  const { options, sources } = loadOptions({ file, env: process.env, flags: given, settings: SETTINGS });
  const { checkedLimits: _limits, ...checked } = checkOptions(options, sources);
  return checked;
}

export function makeLogger(flags: Flags, standard: (typeof LOG_LEVELS)[number]): Logger {
  const wanted = flags["logLevel"] ?? process.env["SUPERCAST_LOG_LEVEL"] ?? standard;
  const level = LOG_LEVELS.find((each) => each === wanted);
  if (level === undefined) {
    const text = `SUPERCAST_LOG_LEVEL is ${JSON.stringify(wanted)}; allowed: ${LOG_LEVELS.join(", ")}`;
    throw usageError(text);
  }
  const colour = process.stderr.isTTY === true && !process.env["NO_COLOR"];
  return createLogger({ level, json: flags["logJson"] === true, colour });
}

function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/** `--limit heartbeatMs=200` as the option `limits.heartbeatMs`. */
function limitsOf(flags: Flags): readonly (readonly [string, unknown])[] {
  const given: unknown = flags["limit"];
  return (Array.isArray(given) ? given : []).map((text: unknown) => {
    const [name, value] = String(text).split("=", 2);
    if (name === undefined || value === undefined || value.trim() === "" || Number.isNaN(Number(value))) {
      throw usageError(`--limit is ${JSON.stringify(text)}; allowed: NAME=NUMBER, as in heartbeatMs=200`);
    }
    return [`limits.${name}`, Number(value)];
  });
}

function announce(node: Node, flags: Flags): void {
  const { name, cluster, incarnation, servers } = node;
  if (isJson(flags)) {
    const ready = { name, cluster, incarnation, servers: servers.join(","), pid: process.pid };
    process.stdout.write(`${JSON.stringify(ready)}\n`);
    return;
  }
  const where =
    servers.length === 0
      ? "in this process only"
      : `at ${servers.join(",").replace(/\/\/[^@/,]*@/g, "//***@")}`;
  const nodes = node.nodes();
  const seen = nodes.length === 1 ? "alone so far" : `with ${nodes.slice(1).join(", ")}`;
  process.stdout.write(`node ${name} of cluster ${cluster} is ready ${where}, ${seen}; Ctrl-C stops it\n`);
}
