#!/usr/bin/env node
/**
 * The command line, `supercast`. One module per group of commands; each adds its own to the program.
 */
import { Command } from "commander";
import { VERSION } from "../runtime/version.ts";
import { clusterCommands } from "./cluster-commands.ts";
import { EXIT_OK, EXIT_USAGE, reportFailure } from "./failure.ts";
import { healthCommand } from "./health-command.ts";
import { messageCommands } from "./message-commands.ts";
import { coloursFor } from "./output.ts";
import { startCommand } from "./start-command.ts";
import { treeCommand } from "./tree-command.ts";
import { upCommand } from "./up-command.ts";

type CommandGroup = (program: Command) => void;

const RUNNING: readonly CommandGroup[] = [startCommand, upCommand];
const LOOKING: readonly CommandGroup[] = [clusterCommands, healthCommand, treeCommand];
const TALKING: readonly CommandGroup[] = [messageCommands];

function makeProgram(): Command {
  const program = new Command("supercast")
    .description("OTP for Node.js on NATS: runs nodes, looks into clusters, talks to actors.")
    .version(VERSION)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text) })
    .configureHelp({ styleTitle: (title) => coloursFor(process.stdout).bold(title), subcommandTerm: termOf })
    .helpCommand("help [command]", "how a command is used")
    .showHelpAfterError("  supercast COMMAND --help shows how it is used")
    .addHelpText(
      "after",
      `
Every command takes --servers, --cluster, --prefix, --timeout, --json and NATS credentials, also from the
environment (SUPERCAST_SERVERS or NATS_URL, SUPERCAST_CLUSTER, SUPERCAST_CREDS ...).

A first look:
  supercast up                     a cluster of three nodes on this machine
  supercast nodes --servers URL    the nodes, at the URL that up prints

Exit codes: 0 done, 1 failed, 2 used wrongly.`,
    );
  for (const [title, groups] of [
    ["Run:", RUNNING],
    ["Look:", LOOKING],
    ["Talk:", TALKING],
  ] as const) {
    program.commandsGroup(title);
    for (const group of groups) {
      group(program);
    }
  }
  program.commandsGroup("More:");
  return program;
}

/** "call <node> <actor> <message>". */
function termOf(command: Command): string {
  const names = command.registeredArguments.map((each) =>
    each.required ? `<${each.name()}>` : `[${each.name()}]`,
  );
  return [command.name(), ...names].join(" ");
}

/** Runs one command line and returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  // `supercast nodes | head -1` ends standard output early; that is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? EXIT_OK : 1);
  });
  const program = makeProgram();
  if (args.length === 0) {
    program.outputHelp({ error: true });
    return EXIT_USAGE;
  }
  try {
    await program.parseAsync(args, { from: "user" });
    return Number(process.exitCode ?? EXIT_OK);
  } catch (thrown) {
    const command = args.find((each) => !each.startsWith("-")) ?? "";
    return reportFailure(thrown, { json: args.includes("--json"), command });
  }
}

process.exitCode = await main(process.argv.slice(2));
