/**
 * NodeMonitor fed by a function of one's own, and reconfigured while everything runs.
 *
 * Run it from a clone: npx tsx examples/custom-discovery.ts
 */
import { startNode } from "supercast";

/** Stands for a service registry: whatever it names shall be in the cluster. */
const registry = ["a", "b"];

const a = await startNode({
  name: "a",
  cluster: "discovery",
  nodeMonitor: { discover: () => registry, refreshMs: 200 },
});
const [b, c] = await Promise.all(["b", "c"].map((name) => startNode({ name, cluster: "discovery" })));

const manager = { name: "manager" } as const;
console.log("discovered:", await a.call(manager, { type: "liveNodes" }));

registry.push("c");
while ((await a.call(manager, { type: "liveNodes" })).length < 3) {
  await new Promise((resolve) => setTimeout(resolve, 50));
}
console.log("after the registry grew:", await a.call(manager, { type: "liveNodes" }));

const answer = await a.call({ name: "node_monitor" }, { type: "reconfigure", nodes: ["a", "b"] });
console.log("reconfigured:", answer.source, "removed", answer.removed);
console.log("live now:", await a.call(manager, { type: "liveNodes" }));

for (const node of [c, b, a]) {
  await node?.stop();
}
