/** Messages and headers between the NATS client's types and those of the port. */
import { type MsgHdrs, type PublishOptions as NatsPublishOptions, headers as natsHeaders } from "nats";
import type { Headers, IncomingMessage, PublishOptions, Transport } from "./transport.ts";

/** The status in the header of the server's answer when nobody subscribes. */
const NO_RESPONDERS = 503;

/** What a message and a message to a micro service have in common. */
export interface RawMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply?: string;
  readonly headers?: MsgHdrs;
}

/** Reads what it is asked for and nothing else: most receivers want the payload alone. */
export class NatsIncoming implements IncomingMessage {
  readonly #message: RawMessage;
  readonly #transport: Transport;

  constructor(message: RawMessage, transport: Transport) {
    this.#message = message;
    this.#transport = transport;
  }

  get subject(): string {
    return this.#message.subject;
  }

  /** The client hands out views on socket reads, which it never writes to again. */
  get payload(): Uint8Array {
    return this.#message.data;
  }

  get reply(): string | undefined {
    const reply = this.#message.reply;
    return reply === "" ? undefined : reply;
  }

  get headers(): Headers | undefined {
    const headers = this.#message.headers;
    return headers === undefined ? undefined : fromNatsHeaders(headers);
  }

  get noResponders(): boolean {
    return this.#message.data.length === 0 && this.#message.headers?.code === NO_RESPONDERS;
  }

  respond(payload: Uint8Array, headers?: Headers): boolean {
    const reply = this.reply;
    if (reply === undefined) {
      return false;
    }
    this.#transport.publish(reply, payload, headers === undefined ? {} : { headers });
    return true;
  }
}

export function toNatsOptions(options: PublishOptions): NatsPublishOptions {
  const { reply, headers } = options;
  return {
    ...(reply === undefined ? {} : { reply }),
    ...(headers === undefined ? {} : { headers: toNatsHeaders(headers) }),
  };
}

function toNatsHeaders(headers: Headers): MsgHdrs {
  const result = natsHeaders();
  for (const [name, value] of Object.entries(headers)) {
    result.set(name, value);
  }
  return result;
}

function fromNatsHeaders(headers: MsgHdrs): Headers {
  const result: Record<string, string> = Object.create(null);
  for (const name of headers.keys()) {
    result[name] = headers.last(name);
  }
  return result;
}
