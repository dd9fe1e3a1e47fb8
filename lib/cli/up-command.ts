/** `up`: a whole cluster on this machine, nats-server included. */
import { extname, join } from "node:path";
import { type Command, Option } from "commander";
import { CliError } from "./failure.ts";
import { connectionOf, type Flags, isJson, timeoutOf, wholeNumber, withConnection } from "./flags.ts";
import { LocalCluster } from "./local-cluster.ts";
import type { NodeProcess } from "./node-process.ts";
import { coloursFor, Output, table } from "./output.ts";
import { untilSignal } from "./signals.ts";
import { addLogFlags, makeLogger } from "./start-command.ts";

const NODES_MAX = 26;
const FIRST_LETTER = "a".charCodeAt(0);
/** The command line itself, compiled or not. */
const MAIN = join(import.meta.dirname, `main${extname(import.meta.filename)}`);

export function upCommand(program: Command): void {
  const command = program
    .command("up")
    .summary("a whole cluster on this machine")
    .description(
      "Starts a nats-server with JetStream on a free loopback port and a process for each node, and keeps them " +
        "until Ctrl-C. With --servers the nodes use that nats-server instead; connection options come from flags " +
        "alone, not from the environment.",
    )
    .addOption(
      new Option("--nodes <count>", `how many nodes, 1 to ${NODES_MAX}: a, b, c ...`).default("3", "3"),
    );
  const connection = { servers: "use these NATS servers and start none", environment: false };
  withConnection(addLogFlags(command, "warn"), connection)
    .addHelpText(
      "after",
      `
A node that ends by itself is reported and not started again; the message says how to start it.

Examples:
  supercast up
  supercast up --nodes 5 --log-level info
  supercast up --json | head -1 | jq -r .servers`,
    )
    .action((flags: Flags) => up(flags));
}

async function up(flags: Flags): Promise<void> {
  const count = wholeNumber(String(flags["nodes"]), "--nodes", { min: 1, max: NODES_MAX });
  const names = Array.from({ length: count }, (_, index) => String.fromCharCode(FIRST_LETTER + index));
  // A cluster for trials must not end up on a server that the environment names for another purpose.
  const connection = connectionOf(flags, {});
  const { level } = makeLogger(flags, "warn");
  const cluster: LocalCluster = new LocalCluster({
    names,
    connection,
    timeoutMs: timeoutOf(flags),
    script: MAIN,
    args: ["start"],
    more: ["--log-level", level, ...(flags["logJson"] === true ? ["--log-json"] : [])],
    onUnexpectedEnd: (node, how) => reportEnd(cluster, node, how, names),
  });
  const asked = untilSignal();
  try {
    const starting = cluster.start().then(() => "ready" as const);
    if ((await Promise.race([starting, cluster.lost, asked])) === "ready") {
      announce(cluster, connection.cluster, new Output(isJson(flags)));
    }
    const lost = await Promise.race([cluster.lost, asked.then(() => undefined)]);
    if (lost !== undefined) {
      throw new CliError(lost);
    }
    process.stderr.write("stopping the cluster; a second Ctrl-C ends it at once\n");
  } finally {
    await cluster.stop();
  }
}

function announce(cluster: LocalCluster, name: string, output: Output): void {
  const { servers } = cluster;
  const nodes = cluster.nodes.map((node) => ({ name: node.name, pid: node.pid }));
  output.show({ servers, cluster: name, nodes }, (colours) => {
    const rows = nodes.map((node) => [colours.bold(node.name), String(node.pid)]);
    const flags = `--servers ${servers}${name === "default" ? "" : ` --cluster ${name}`}`;
    const commands = ["nodes", "tree", "health --watch", "call any manager liveNodes"];
    return [
      `${colours.green("✓")} cluster ${colours.bold(name)} is up at ${colours.bold(servers)}`,
      "",
      table([{ title: "NODE" }, { title: "PROCESS ID", align: "right" }], rows, colours),
      "",
      "In another terminal:",
      ...commands.map((command) => colours.cyan(`  supercast ${command} ${flags}`)),
      "",
      colours.dim("Ctrl-C stops it"),
    ].join("\n");
  });
}

function reportEnd(
  cluster: LocalCluster,
  { name, pid }: NodeProcess,
  how: string,
  names: readonly string[],
): void {
  const colours = coloursFor(process.stderr);
  const again = `supercast start --name ${name} --servers ${cluster.servers} --peers ${names.join(",")}`;
  const text = `node ${name} (process ${pid}) ended by itself: ${how}. It is not started again; to do so:`;
  process.stderr.write(`${colours.red("✗")} ${text}\n  ${again}\n`);
}
