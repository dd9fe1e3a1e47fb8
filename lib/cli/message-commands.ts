/** Messages to named actors: `call`, `cast`, and `reconfigure` for NodeMonitor. */
import type { Command } from "commander";
import { nodeMonitorProtocol } from "../../actors/node-monitor.ts";
import { checkActorName, checkNodeName, checkTarget, nameList, parseMessage } from "./arguments.ts";
import { type Client, type ForeignMessage, withClient } from "./client.ts";
import { usageError } from "./failure.ts";
import { type Flags, isJson, wholeNumber, withConnection } from "./flags.ts";
import { type Output, printable } from "./output.ts";

const TARGETS =
  "NODE is a node's name, or any: whichever node answers. MESSAGE is a JSON object with a type; a bare word " +
  "stands for one without fields. Every actor answers describe with what it understands.";

export function messageCommands(program: Command): void {
  const calls = program
    .command("call <node> <actor> <message>")
    .summary("asks a named actor")
    .description(`Sends a message to a named actor and prints its answer. ${TARGETS}`);
  withConnection(calls)
    .addHelpText(
      "after",
      `
Examples:
  supercast call a manager liveNodes
  supercast call any manager '{"type":"getReplicas","partition":0}'
  supercast call b node_monitor describe --json`,
    )
    .action((node: string, actor: string, message: string, flags: Flags) =>
      call(node, actor, message, flags),
    );
  const casts = program
    .command("cast <node> <actor> <message>")
    .summary("tells a named actor")
    .description(`Sends a message to a named actor and waits for no answer. ${TARGETS}`);
  withConnection(casts)
    .addHelpText("after", `\nExample:\n  supercast cast a counter '{"type":"reset"}'`)
    .action((node: string, actor: string, message: string, flags: Flags) =>
      cast(node, actor, message, flags),
    );
  const changes = program
    .command("reconfigure <node>")
    .summary("changes which nodes a node watches")
    .description(
      "Gives a node's NodeMonitor another source, while everything runs: a list, a discovery, or all nodes.",
    )
    .option("--nodes <names>", "a fixed list of node names, with commas between")
    .option(
      "--discover <name>",
      "file:PATH, dns:HOST, dns:HOST@SERVER, or a discovery function that the node was started with",
    )
    .option("--refresh <ms>", "with --discover: milliseconds between two discoveries")
    .option("--all", "every node that is up");
  withConnection(changes)
    .addHelpText(
      "after",
      `
Examples:
  supercast reconfigure a --nodes a,b
  supercast reconfigure a --discover file:/etc/supercast/nodes --refresh 10000
  supercast reconfigure a --all`,
    )
    .action((node: string, flags: Flags) => reconfigure(node, flags));
}

async function call(node: string, actor: string, text: string, flags: Flags): Promise<void> {
  const target = { node: checkTarget(node, "NODE"), actor: checkActorName(actor, "ACTOR") };
  const message = parseMessage(text);
  await withClient(flags, async (client, output) => {
    const value = await client.call(target.node, target.actor, message);
    output.show(value, () => printable(JSON.stringify(value, null, 2)));
  });
}

async function cast(node: string, actor: string, text: string, flags: Flags): Promise<void> {
  const target = { node: checkTarget(node, "NODE"), actor: checkActorName(actor, "ACTOR") };
  const message = parseMessage(text);
  await withClient(flags, async (client, output) => {
    await client.cast(target.node, target.actor, message);
    if (!isJson(flags)) {
      output.line(`sent to ${target.actor} at ${target.node}; a cast is not answered`);
    }
  });
}

async function reconfigure(node: string, flags: Flags): Promise<void> {
  checkNodeName(node, "NODE");
  const message = reconfigureMessage(flags);
  await withClient(flags, (client, output) => sendReconfigure(client, node, message, output));
}

function reconfigureMessage(flags: Flags): ForeignMessage {
  const { nodes, discover, refresh, all } = flags;
  const given = [nodes, discover, all].filter((each) => each !== undefined);
  if (given.length !== 1) {
    throw usageError(`${given.length} sources are given; allowed: exactly one of --nodes, --discover, --all`);
  }
  if (refresh !== undefined && discover === undefined) {
    throw usageError(`--refresh is ${JSON.stringify(refresh)}; allowed: only together with --discover`);
  }
  const refreshMs =
    refresh === undefined
      ? {}
      : { refreshMs: wholeNumber(String(refresh), "--refresh", { min: 100, max: 86_400_000 }) };
  if (typeof nodes === "string") {
    return { type: "reconfigure", nodes: nameList(nodes, "--nodes") };
  }
  return discover === undefined
    ? { type: "reconfigure", all: true }
    : { type: "reconfigure", discover: String(discover), ...refreshMs };
}

async function sendReconfigure(
  client: Client,
  node: string,
  message: ForeignMessage,
  output: Output,
): Promise<void> {
  const { reply } = nodeMonitorProtocol.reconfigure;
  const change = await client.ask(node, "node_monitor", message, reply);
  output.show(change, (colours) => {
    const { declared, added, removed } = change;
    if (declared === "all") {
      return `${colours.bold(node)} now watches every node that is up`;
    }
    const list = (sign: string, names: readonly string[]): string =>
      names.map((name) => `${sign}${printable(name)}`).join(" ");
    const difference = [colours.green(list("+", added)), colours.red(list("-", removed))].filter(
      (text) => text !== "",
    );
    return [`${colours.bold(node)} now watches ${printable(declared.join(", "))}`, ...difference].join("  ");
  });
}
