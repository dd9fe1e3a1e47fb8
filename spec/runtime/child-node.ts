/** One node in a process of its own, for specs that kill and pause it. Options come as JSON in argv. */
import { checkOptions } from "../../lib/config/options.ts";
import { startNode } from "../../lib/runtime/start-node.ts";
import { collectLog } from "../../lib/telemetry/log.ts";
import { Worker } from "../simulation/actors.ts";

const { checkedLimits: _checked, ...options } = checkOptions(JSON.parse(process.argv[2] ?? "{}"));
const node = await startNode(options, { log: collectLog().log });
const worker = await node.start(Worker, { trap: true }, { name: "w" });
process.send?.({ ready: worker.pid });
process.on("message", () => {
  void node.stop().then(() => process.disconnect());
});
