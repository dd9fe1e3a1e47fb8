/** A bare NATS client that answers every request with its own bytes: the other end of a round trip. */
import { connect } from "nats";
import { z } from "zod";
import { serveJob } from "../child.ts";

const JOB = z.object({ servers: z.string(), subject: z.string() });

serveJob(async (given) => {
  const { servers, subject } = JOB.parse(given);
  const bare = await connect({ servers });
  bare.subscribe(subject, { callback: (_error, message) => void message.respond(message.data) });
  await bare.flush();
  return "ready";
});
