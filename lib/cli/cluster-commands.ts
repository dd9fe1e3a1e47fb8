/** What the cluster is: `nodes`, `partitions`, `stats`. */
import type { Command } from "commander";
import type { z } from "zod";
import { managerProtocol } from "../../actors/manager-protocol.ts";
import { statsProtocol } from "../../actors/stats.ts";
import { ANY_NODE } from "../base/names.ts";
import { checkNodeName } from "./arguments.ts";
import type { Client } from "./client.ts";
import { withClient } from "./client.ts";
import { type Flags, withConnection } from "./flags.ts";
import { type Colours, count, duration, printable, status, table } from "./output.ts";

type ManagerStatus = z.infer<typeof managerProtocol.status.reply>;
type NodeStats = z.infer<typeof statsProtocol.node.reply>;
type ApiStats = z.infer<typeof statsProtocol.api.reply>;

export function clusterCommands(program: Command): void {
  const nodes = program
    .command("nodes")
    .summary("the nodes of the cluster")
    .description("Lists the nodes that are declared or up, as one node sees them.")
    .option("--from <node>", "whose view; default: whichever node answers");
  withConnection(nodes)
    .addHelpText(
      "after",
      "\nExamples:\n  supercast nodes\n  supercast nodes --from b --json | jq '.nodes[].node'",
    )
    .action((flags: Flags) => withClient(flags, (client, output) => showNodes(client, flags, output)));
  const partitions = program
    .command("partitions")
    .summary("which node holds which partition")
    .description("Shows the primary and the replicas of each partition, as one node computes them.")
    .option("--from <node>", "whose view; default: whichever node answers");
  withConnection(partitions)
    .addHelpText("after", "\nExample:\n  supercast partitions --from a")
    .action((flags: Flags) => withClient(flags, (client, output) => showPartitions(client, flags, output)));
  const stats = program
    .command("stats [node]")
    .summary("traffic, processes, crashes")
    .description("Counts of all nodes that are up, or all that one node knows about itself.");
  withConnection(stats)
    .addHelpText("after", "\nExamples:\n  supercast stats\n  supercast stats b")
    .action((node: string | undefined, flags: Flags) =>
      withClient(flags, (client, output) =>
        node === undefined ? showStats(client, output) : showNode(client, node, output),
      ),
    );
}

/** The node whose view is asked for. */
function viewpoint(flags: Flags): string {
  const from = flags["from"];
  return typeof from === "string" ? checkNodeName(from, "--from") : ANY_NODE;
}

type Output = Parameters<Parameters<typeof withClient>[1]>[1];

// --- nodes ---------------------------------------------------------------------------------------

interface NodeRow {
  readonly node: string;
  readonly status: string;
  readonly declared: boolean;
  readonly incarnation: string | null;
  readonly uptimeMs: number | null;
  readonly processes: number | null;
}

async function showNodes(client: Client, flags: Flags, output: Output): Promise<void> {
  const view = await statusOf(client, viewpoint(flags));
  const nodes = await Promise.all(namesIn(view).map((node) => nodeRow(client, view, node)));
  output.show({ cluster: client.cluster, from: view.node, nodes }, (colours) => {
    const rows = nodes.map((row) => [
      colours.bold(printable(row.node)),
      status(row.status, colours),
      row.declared ? "yes" : "no",
      row.uptimeMs === null ? "" : duration(row.uptimeMs),
      row.processes === null ? "" : count(row.processes),
      colours.dim(printable(row.incarnation ?? "")),
    ]);
    const columns = [
      { title: "NODE" },
      { title: "STATUS" },
      { title: "DECLARED" },
      { title: "UP FOR", align: "right" },
      { title: "PROCESSES", align: "right" },
      { title: "INCARNATION" },
    ] as const;
    return `${heading(client, view, colours)}\n\n${table(columns, rows, colours)}`;
  });
}

export function statusOf(client: Client, node: string): Promise<ManagerStatus> {
  return client.ask(node, "manager", { type: "status" }, managerProtocol.status.reply);
}

function namesIn({ wanted, nodes }: ManagerStatus): readonly string[] {
  return [...new Set([...wanted, ...nodes.map(({ node }) => node)])].sort();
}

async function nodeRow(client: Client, view: ManagerStatus, node: string): Promise<NodeRow> {
  const seen = view.nodes.find((each) => each.node === node);
  const row = {
    node,
    status: seen?.status ?? "down",
    declared: view.wanted.includes(node),
    incarnation: seen?.incarnation ?? null,
  };
  const stats = seen === undefined ? undefined : await unlessGone(nodeStats(client, node));
  return { ...row, uptimeMs: stats?.uptimeMs ?? null, processes: stats?.processes ?? null };
}

function nodeStats(client: Client, node: string): Promise<NodeStats> {
  return client.ask(node, "stats", { type: "node" }, statsProtocol.node.reply);
}

/** A node may go between being listed and being asked; then its row has blanks. */
async function unlessGone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch {
    return undefined;
  }
}

function heading(client: Client, view: ManagerStatus, colours: Colours): string {
  const live = `${view.live.length} of ${view.wanted.length} declared nodes up`;
  return `cluster ${colours.bold(client.cluster)}, seen from ${printable(view.node)}: ${live}`;
}

// --- partitions ----------------------------------------------------------------------------------

async function showPartitions(client: Client, flags: Flags, output: Output): Promise<void> {
  const { reply } = managerProtocol.partitionMap;
  const map = await client.ask(viewpoint(flags), "manager", { type: "partitionMap" }, reply);
  output.show(map, (colours) => {
    const rows = map.map(({ partition, primary, replicas }) => [
      String(partition),
      colours.bold(printable(primary)),
      printable(replicas.join(", ")),
    ]);
    return table(
      [{ title: "PARTITION", align: "right" }, { title: "PRIMARY" }, { title: "REPLICAS" }],
      rows,
      colours,
    );
  });
}

// --- stats ---------------------------------------------------------------------------------------

interface NodeFigures extends NodeStats {
  readonly api: ApiStats;
}

async function figuresOf(client: Client, node: string): Promise<NodeFigures> {
  const [inside, api] = await Promise.all([
    nodeStats(client, node),
    client.ask(node, "stats", { type: "api" }, statsProtocol.api.reply),
  ]);
  return { ...inside, api };
}

async function showStats(client: Client, output: Output): Promise<void> {
  const [view, cluster] = await Promise.all([
    statusOf(client, ANY_NODE),
    client.ask(ANY_NODE, "stats", { type: "cluster" }, statsProtocol.cluster.reply),
  ]);
  const names = view.nodes.map(({ node }) => node).sort();
  const answers = await Promise.all(names.map((node) => unlessGone(figuresOf(client, node))));
  const nodes = answers.filter((each) => each !== undefined);
  output.show({ cluster, nodes }, (colours) => {
    const { partitions, replicationFactor, replicationMode } = cluster;
    const about = `${partitions} partitions, replication ${replicationMode} x ${replicationFactor}`;
    return `${heading(client, view, colours)}; ${about}\n\n${statsTable(nodes, colours)}`;
  });
}

function statsTable(nodes: readonly NodeFigures[], colours: Colours): string {
  const titles = ["UP FOR", "PROCESSES", "CRASHES", "CALLS", "CASTS", "ERRORS", "DROPPED", "OUT", "IN"];
  const columns = [{ title: "NODE" }, ...titles.map((title) => ({ title, align: "right" }) as const)];
  const rows = nodes.map(({ node, uptimeMs, processes, crashes, deadLetters, connections, api }) => {
    const dropped = Object.values(deadLetters).reduce((sum, each) => sum + each, 0);
    const { calls = 0, casts = 0, errors = 0 } = api.counters;
    return [
      colours.bold(printable(node)),
      duration(uptimeMs),
      count(processes),
      crashes > 0 ? colours.yellow(count(crashes)) : "0",
      count(calls),
      count(casts),
      errors > 0 ? colours.yellow(count(errors)) : "0",
      count(dropped),
      count(connections.batchesOut),
      count(connections.batchesIn),
    ];
  });
  return table(columns, rows, colours);
}

async function showNode(client: Client, node: string, output: Output): Promise<void> {
  const figures = await figuresOf(client, checkNodeName(node, "NODE"));
  output.show(figures, (colours) => {
    const { incarnation, uptimeMs, processes, crashes, connections, deadLetters, api } = figures;
    const facts = [
      ["incarnation", printable(incarnation)],
      ["up for", duration(uptimeMs)],
      ["processes", count(processes)],
      ["crashes", count(crashes)],
      ...Object.entries(connections).map(([name, value]) => [words(name), count(value)]),
      ...Object.entries(deadLetters)
        .filter(([, value]) => value > 0)
        .map(([reason, value]) => [`dropped: ${printable(reason)}`, count(value)]),
      ...Object.entries(api.counters).map(([name, value]) => [`foreign ${printable(name)}`, count(value)]),
      ...Object.entries(api.operations).map(([name, value]) => [
        `operation ${printable(name)}`,
        count(value),
      ]),
    ];
    const parts = [
      colours.bold(printable(node)),
      table([{ title: "FIGURE" }, { title: "VALUE", align: "right" }], facts, colours),
      ...latencyTable(api, colours),
    ];
    return parts.join("\n\n");
  });
}

function latencyTable({ latencies }: ApiStats, colours: Colours): readonly string[] {
  const rows = Object.entries(latencies).map(([name, { count: times, p50Us, p95Us, p99Us, maxUs }]) => [
    printable(name),
    count(times),
    ...[p50Us, p95Us, p99Us, maxUs].map((value) => count(Math.round(value))),
  ]);
  const titles = ["COUNT", "P50 us", "P95 us", "P99 us", "MAX us"];
  const columns = [{ title: "LATENCY" }, ...titles.map((title) => ({ title, align: "right" }) as const)];
  return rows.length === 0 ? [] : [table(columns, rows, colours)];
}

/** "connectionBreaks" as "connection breaks". */
function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
