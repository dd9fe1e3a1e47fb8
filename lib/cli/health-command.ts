/** `health`: the last health round, or the rounds and alerts as they come. */
import type { Command } from "commander";
import { healthMonitorProtocol } from "../../actors/health-protocol.ts";
import { ANY_NODE } from "../base/names.ts";
import { checkNodeName } from "./arguments.ts";
import { withClient } from "./client.ts";
import { type Flags, withConnection } from "./flags.ts";
import { drawHealth } from "./health-view.ts";
import { watchHealth } from "./health-watch.ts";

export function healthCommand(program: Command): void {
  const command = program
    .command("health")
    .summary("how the nodes fare")
    .description(
      "Shows the last health round of one node: the cluster's status, each node's, and what is wrong.",
    )
    .option("--from <node>", "whose round; default: whichever node answers")
    .option("--watch", "goes on: every round and every alert as it is published, until Ctrl-C");
  withConnection(command)
    .addHelpText(
      "after",
      `
With --watch a terminal is redrawn; otherwise there is one line per round and alert, and with --json one
object {"subject", "message"} per line.

Examples:
  supercast health
  supercast health --watch --from a
  supercast health --json | jq -r .status`,
    )
    .action((flags: Flags) => {
      const from = typeof flags["from"] === "string" ? checkNodeName(flags["from"], "--from") : undefined;
      return withClient(flags, async (client, output) => {
        if (flags["watch"] === true) {
          await watchHealth(client, from, output);
          return;
        }
        const { reply } = healthMonitorProtocol.clusterHealth;
        const health = await client.ask(from ?? ANY_NODE, "health_monitor", { type: "clusterHealth" }, reply);
        output.show(health, (colours) => drawHealth(health, client.cluster, colours));
      });
    });
}
