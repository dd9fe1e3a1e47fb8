/** The program with all its commands. One module per group of commands; each adds its own. */
import { Command } from "commander";
import { VERSION } from "../runtime/version.ts";
import { clusterCommands } from "./cluster-commands.ts";
import { healthCommand } from "./health-command.ts";
import { journalCommand } from "./journal.ts";
import { messageCommands } from "./message-commands.ts";
import { coloursFor } from "./output.ts";
import { startCommand } from "./start-command.ts";
import { treeCommand } from "./tree-command.ts";
import { upCommand } from "./up-command.ts";

type CommandGroup = (program: Command) => void;

const RUNNING: readonly CommandGroup[] = [startCommand, upCommand];
const LOOKING: readonly CommandGroup[] = [clusterCommands, healthCommand, treeCommand];
const TALKING: readonly CommandGroup[] = [messageCommands];
const ON_DISK: readonly CommandGroup[] = [journalCommand];

/** A fresh program; it throws commander's errors instead of ending the process. */
export function makeProgram(): Command {
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
Every command takes --json; those that reach a cluster also --servers, --cluster, --prefix and NATS
credentials, or have them from the environment (SUPERCAST_SERVERS or NATS_URL, SUPERCAST_CREDS ...).

A first look:
  supercast up                     a cluster of three nodes on this machine
  supercast nodes --servers URL    the nodes, at the URL that up prints

Exit codes: 0 done, 1 failed, 2 used wrongly.`,
    );
  for (const [title, groups] of [
    ["Run:", RUNNING],
    ["Look:", LOOKING],
    ["Talk:", TALKING],
    ["On disk:", ON_DISK],
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
