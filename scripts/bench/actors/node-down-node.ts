/** A node of the nodeDown bench: runs, and publishes which nodes it sees come and go. */
import { connect } from "nats";
import { z } from "zod";
import { serveJob } from "../child.ts";
import { SEEN } from "./node-down.ts";
import { startBenchNode } from "./remote-rig.ts";

const JOB = z.object({ name: z.string(), servers: z.string(), nodes: z.array(z.string()) });

serveJob(async (given) => {
  const { name, servers, nodes } = JOB.parse(given);
  const bare = await connect({ servers });
  const node = await startBenchNode(name, servers, nodes);
  node.onNodeEvent((event) => {
    if (event.type === "nodeUp" || event.type === "nodeDown") {
      bare.publish(SEEN, `${name} ${event.type} ${event.node}`);
    }
  });
  return "ready";
});
