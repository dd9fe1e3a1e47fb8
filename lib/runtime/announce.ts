/** The node as a NATS micro service: what `nats micro ls`, `info` and `stats` show of it. */
import type { ActorSystem } from "../actor/system.ts";
import { messageOf } from "../base/errors.ts";
import { processTree } from "../node/process-tree.ts";
import type { Subjects } from "../node/subjects.ts";
import type { AnnouncedService, IncomingMessage, Transport } from "../transport/transport.ts";
import { encodeAnswer } from "../wire/foreign.ts";
import { VERSION } from "./version.ts";

export interface AnnounceOptions {
  readonly transport: Transport;
  readonly subjects: Subjects;
  readonly system: ActorSystem;
  readonly cluster: string;
}

/** Registers the service with its management endpoints; undefined where the transport has no services. */
export async function announceNode(options: AnnounceOptions): Promise<AnnouncedService | undefined> {
  const { transport, subjects, system, cluster } = options;
  const { node, incarnation } = system;
  const endpoint = (name: string, answer: () => Promise<unknown>) => ({
    name,
    subject: `${subjects.root}.service.${node}.${name}`,
    handler: (message: IncomingMessage): void => {
      answer().then(
        (value) => respond(options, message, { ok: value }),
        (error: unknown) =>
          respond(options, message, { error: { code: "internal", message: messageOf(error) } }),
      );
    },
  });
  return transport.announce?.({
    name: "supercast",
    version: VERSION,
    description: `node ${node} of the Supercast cluster ${cluster}`,
    metadata: { cluster, node, incarnation },
    endpoints: [
      endpoint("status", () => system.call({ name: "manager" }, { type: "status" })),
      endpoint("health", () => system.call({ name: "health_monitor" }, { type: "clusterHealth" })),
      endpoint("tree", () => Promise.resolve(processTree(system))),
    ],
  });
}

function respond(
  { transport, system }: AnnounceOptions,
  message: IncomingMessage,
  answer: Parameters<typeof encodeAnswer>[0],
): void {
  const { payload, headers } = encodeAnswer(answer, "json", transport.maxPayload);
  try {
    message.respond(payload, headers);
  } catch (error) {
    system.log.warn(`a service request could not be answered: ${messageOf(error)}`);
  }
}
