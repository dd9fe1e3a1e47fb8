/** Three nodes hold two partitions together; what one of them commits, another one reads. */
import { startNode } from "supercast";

const peers = ["a", "b", "c"];
const nodes = await Promise.all(
  peers.map((name) => startNode({ name, cluster: "demo", peers, partitions: 2 })),
);
await Promise.all(nodes.map((node) => node.ready()));

const [a, b] = nodes;
if (a !== undefined && b !== undefined) {
  const { seq } = await a.wal.commit(0, [{ op: "put", record: ["ann", 1987] }]);
  const { value } = await b.wal.read(0, { type: "get", key: "ann" });
  console.log(`committed at ${seq}, read elsewhere: ${JSON.stringify(value)}`);
}
await Promise.all(nodes.map((node) => node.stop()));
