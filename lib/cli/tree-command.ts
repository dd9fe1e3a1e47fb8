/** `tree`: the supervision trees of the cluster, drawn. */
import type { Command } from "commander";
import { z } from "zod";
import { messageOf } from "../base/errors.ts";
import { ANY_NODE } from "../base/names.ts";
import type { TreeNode } from "../node/process-tree.ts";
import { checkNodeName } from "./arguments.ts";
import { type Client, withClient } from "./client.ts";
import { statusOf } from "./cluster-commands.ts";
import { CliError } from "./failure.ts";
import { type Flags, withConnection } from "./flags.ts";
import { type Colours, count, type Output, printable, table } from "./output.ts";

const treeNode: z.ZodType<TreeNode> = z.object({
  pid: z.string(),
  name: z.string().exactOptional(),
  id: z.string().exactOptional(),
  actor: z.string(),
  kind: z.enum(["worker", "supervisor"]),
  status: z.string(),
  mailbox: z.number(),
  restarts: z.number(),
  get children() {
    return z.array(treeNode).readonly();
  },
  omitted: z.number(),
});
const forest = z.array(treeNode).readonly();

export interface NodeTree {
  readonly node: string;
  readonly tree: readonly TreeNode[];
}

export function treeCommand(program: Command): void {
  const command = program
    .command("tree [node]")
    .summary("supervision trees, restarts, mailboxes")
    .description(
      "Draws the supervision tree of one node, or of all that are up: mailbox lengths, restarts, pids.",
    );
  withConnection(command)
    .addHelpText("after", "\nExamples:\n  supercast tree\n  supercast tree b --json")
    .action((node: string | undefined, flags: Flags) =>
      withClient(flags, (client, output) =>
        node === undefined ? showAll(client, output) : showOne(client, node, output),
      ),
    );
}

/** Asks one node for its tree. */
export async function treeOf(client: Client, node: string): Promise<NodeTree> {
  return { node, tree: await client.ask(node, "stats", { type: "tree" }, forest) };
}

async function showOne(client: Client, node: string, output: Output): Promise<void> {
  const found = await treeOf(client, checkNodeName(node, "NODE"));
  output.show([found], (colours) => drawTree(found, colours));
}

/** Shows what answers; what does not is an error afterwards. */
async function showAll(client: Client, output: Output): Promise<void> {
  const { nodes } = await statusOf(client, ANY_NODE);
  const names = nodes.map(({ node }) => node).sort();
  const results = await Promise.allSettled(names.map((node) => treeOf(client, node)));
  const trees = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  output.show(trees, (colours) => trees.map((each) => drawTree(each, colours)).join("\n\n"));
  const failed = results.flatMap((result) =>
    result.status === "rejected" ? [messageOf(result.reason)] : [],
  );
  if (failed.length > 0) {
    throw new CliError(failed.join("\n"));
  }
}

const COLUMNS = [
  { title: "PROCESS" },
  { title: "MAILBOX", align: "right" },
  { title: "RESTARTS", align: "right" },
  { title: "PID" },
] as const;

export function drawTree({ node, tree }: NodeTree, colours: Colours): string {
  const rows = tree.flatMap((root) => drawNode(root, "", "", colours));
  return `${colours.bold(printable(node))}\n${table(COLUMNS, rows, colours)}`;
}

/** `stem`: what stands before this node's name; `indent`: before those of its children. */
function drawNode(shown: TreeNode, stem: string, indent: string, colours: Colours): string[][] {
  const rows = [
    [
      colours.dim(stem) + label(shown, colours),
      mailbox(shown, colours),
      restarts(shown, colours),
      colours.dim(printable(shown.pid)),
    ],
  ];
  const last = shown.children.length - 1;
  for (const [index, child] of shown.children.entries()) {
    const ends = index === last && shown.omitted === 0;
    rows.push(
      ...drawNode(child, `${indent}${ends ? "└─ " : "├─ "}`, `${indent}${ends ? "   " : "│  "}`, colours),
    );
  }
  if (shown.omitted > 0) {
    rows.push([colours.dim(`${indent}└─ ${count(shown.omitted)} more`)]);
  }
  return rows;
}

function label({ name, id, actor, kind, status }: TreeNode, colours: Colours): string {
  const known = printable(name ?? id ?? actor);
  const title = kind === "supervisor" ? colours.bold(known) : known;
  const isTold = squash(known) === squash(actor) || STREAM.test(known) || kind === "supervisor";
  const what = isTold ? "" : ` ${colours.dim(printable(actor))}`;
  return `${title}${what}${status === "running" ? "" : ` ${colours.yellow(printable(status))}`}`;
}

/** There is one kind of actor in front of a stream. */
const STREAM = /^stream-/;

/** "node_monitor" and "NodeMonitor" say the same. */
function squash(name: string): string {
  return name.replace(/[_-]/g, "").toLowerCase();
}

function mailbox({ mailbox: length }: TreeNode, colours: Colours): string {
  return length === 0 ? colours.dim("0") : colours.cyan(count(length));
}

function restarts({ restarts: times }: TreeNode, colours: Colours): string {
  return times === 0 ? colours.dim("0") : colours.yellow(count(times));
}
