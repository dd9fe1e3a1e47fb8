/**
 * A NATS micro service: what `nats micro ls`, `info` and `stats` ask for, by the client's own framework.
 *
 * Its handlers pass the same guard as all others: the framework answers a thrown error by itself, but ends the
 * read loop when that error's text holds a line break.
 */
import type { Endpoint, NatsConnection, Service, ServiceMsg } from "nats";
import { messageOf, SupercastError } from "../base/errors.ts";
import { runHandler } from "./handlers.ts";
import type { Listeners } from "./listeners.ts";
import { NatsIncoming } from "./nats-message.ts";
import { checkPattern, checkQueue } from "./subject.ts";
import type { AnnouncedService, ServiceDescription, ServiceEndpoint, Transport } from "./transport.ts";

const NAME = /^[A-Za-z0-9_-]+$/;
const VERSION = /^\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?$/;
const ERROR_TEXT_MAX = 256;

/** The services of one transport; each new connection gets them anew, under new ids. */
export class NatsServices {
  readonly #transport: Transport;
  readonly #listeners: Listeners;
  readonly #onHandlerFailed: HandlerFailed;
  readonly #announced = new Set<Announced>();

  constructor(transport: Transport, listeners: Listeners, onHandlerFailed: HandlerFailed) {
    this.#transport = transport;
    this.#listeners = listeners;
    this.#onHandlerFailed = onHandlerFailed;
  }

  /**
   * Registers a service, at once when `nc` is given, else with the next connection.
   * Throws `config_mismatch` when a name or the version is not what NATS allows.
   */
  async announce(description: ServiceDescription, nc: NatsConnection | undefined): Promise<AnnouncedService> {
    checkDescription(description);
    const announced: Announced = { description, service: undefined };
    this.#announced.add(announced);
    if (nc !== undefined) {
      await this.#register(announced, nc);
    }
    return {
      get id() {
        return announced.service?.info().id;
      },
      stop: async () => {
        this.#announced.delete(announced);
        await announced.service?.stop();
      },
    };
  }

  /** Registers them all with a new connection. */
  establish(nc: NatsConnection): void {
    for (const announced of this.#announced) {
      void this.#register(announced, nc);
    }
  }

  async #register(announced: Announced, nc: NatsConnection): Promise<void> {
    const { name, version, description, metadata, endpoints } = announced.description;
    try {
      const service = await nc.services.add({ name, version, description, metadata: { ...metadata } });
      announced.service = service;
      for (const endpoint of endpoints) {
        service.addEndpoint(endpoint.name, endpointOptions(endpoint, this.#transport, this.#onHandlerFailed));
      }
      void service.stopped.then((error) => {
        if (error !== null && !nc.isClosed()) {
          this.#report(name, "stopped", error);
        }
      });
    } catch (error) {
      this.#report(name, "could not be registered", error);
    }
  }

  #report(name: string, what: string, cause: unknown): void {
    const text = `the NATS micro service ${name} ${what}: ${messageOf(cause)}`;
    this.#listeners.emit({ type: "error", error: new SupercastError("forbidden", text, { cause }) });
  }
}

interface Announced {
  readonly description: ServiceDescription;
  service: Service | undefined;
}

type HandlerFailed = (subject: string, error: unknown) => void;

/** What the framework would refuse later, and the subjects, which it does not check. */
function checkDescription({ name, version, endpoints }: ServiceDescription): void {
  for (const text of [name, ...endpoints.map((endpoint) => endpoint.name)]) {
    if (!NAME.test(text)) {
      throw new SupercastError(
        "config_mismatch",
        `service name ${JSON.stringify(text)} is not allowed: use letters, digits, "_" and "-"`,
      );
    }
  }
  if (!VERSION.test(version)) {
    throw new SupercastError(
      "config_mismatch",
      `service version ${JSON.stringify(version)} is not like 1.2.3`,
    );
  }
  for (const endpoint of endpoints) {
    checkEndpoint(endpoint);
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
  onFailure: HandlerFailed,
): Partial<Endpoint> {
  const subject = endpoint.subject ?? endpoint.name;
  const handler = (_error: Error | null, message: ServiceMsg): void => {
    runHandler(endpoint.handler, new NatsIncoming(message, transport), (error) => {
      answerFailure(subject, message, error, onFailure);
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

function answerFailure(subject: string, message: ServiceMsg, error: unknown, onFailure: HandlerFailed): void {
  onFailure(subject, error);
  try {
    message.respondError(500, oneLine(error));
  } catch (failure) {
    onFailure(subject, failure);
  }
}

/** Text that may stand in a header. */
function oneLine(error: unknown): string {
  return messageOf(error)
    .replace(/[^ -~]+/g, " ")
    .slice(0, ERROR_TEXT_MAX);
}
