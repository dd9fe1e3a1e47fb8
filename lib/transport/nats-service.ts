/**
 * A NATS micro service: what `nats micro ls`, `info` and `stats` ask for, by the client's own framework.
 *
 * Its handlers pass the same guard as all others: the framework answers a thrown error by itself, but ends the
 * read loop when that error's text holds a line break.
 */
import type { Endpoint, NatsConnection, ServiceConfig, ServiceMsg } from "nats";
import { messageOf, SupercastError } from "../base/errors.ts";
import { runHandler } from "./handlers.ts";
import { NatsIncoming } from "./nats-message.ts";
import { checkPattern, checkQueue } from "./subject.ts";
import type { AnnouncedService, ServiceDescription, ServiceEndpoint, Transport } from "./transport.ts";

const ERROR_TEXT_MAX = 256;

export interface ServiceReports {
  onHandlerFailed(subject: string, error: unknown): void;
  /** The service ended and nobody asked for it: permissions forbid one of its subjects. */
  onStopped(error: SupercastError): void;
}

/** Throws `config_mismatch` when a name or the version is not what NATS allows. */
export async function announceNatsService(
  nc: NatsConnection,
  transport: Transport,
  description: ServiceDescription,
  reports: ServiceReports,
): Promise<AnnouncedService> {
  const { name, version, metadata } = description;
  const config: ServiceConfig = {
    name,
    version,
    description: description.description,
    metadata: { ...metadata },
  };
  try {
    for (const endpoint of description.endpoints) {
      checkEndpoint(endpoint);
    }
    const service = await nc.services.add(config);
    for (const endpoint of description.endpoints) {
      service.addEndpoint(endpoint.name, endpointOptions(endpoint, transport, reports));
    }
    void service.stopped.then((error) => {
      if (error !== null) {
        const text = `the NATS micro service ${name} stopped: ${error.message}`;
        reports.onStopped(new SupercastError("forbidden", text, { cause: error }));
      }
    });
    return {
      id: service.info().id,
      stop: async () => {
        await service.stop();
      },
    };
  } catch (error) {
    const text = `the NATS micro service ${JSON.stringify(name)} cannot be announced: ${messageOf(error)}`;
    throw new SupercastError("config_mismatch", text, { cause: error });
  }
}

function checkEndpoint(endpoint: ServiceEndpoint): void {
  checkPattern(endpoint.subject ?? endpoint.name);
  if (endpoint.queue !== undefined) {
    checkQueue(endpoint.queue);
  }
}

function endpointOptions(
  endpoint: ServiceEndpoint,
  transport: Transport,
  reports: ServiceReports,
): Partial<Endpoint> {
  const subject = endpoint.subject ?? endpoint.name;
  const handler = (_error: Error | null, message: ServiceMsg): void => {
    runHandler(endpoint.handler, new NatsIncoming(message, transport), (error) => {
      answerFailure(subject, message, error, reports);
    });
  };
  const { queue, metadata } = endpoint;
  return {
    subject,
    handler,
    ...(queue === undefined ? {} : { queue }),
    ...(metadata === undefined ? {} : { metadata: { ...metadata } }),
  };
}

function answerFailure(subject: string, message: ServiceMsg, error: unknown, reports: ServiceReports): void {
  reports.onHandlerFailed(subject, error);
  try {
    message.respondError(500, oneLine(error));
  } catch (failure) {
    reports.onHandlerFailed(subject, failure);
  }
}

/** Text that may stand in a header. */
function oneLine(error: unknown): string {
  return messageOf(error)
    .replace(/[^ -~]+/g, " ")
    .slice(0, ERROR_TEXT_MAX);
}
