/** One client of a memory hub: the transport port inside one process. */
import type { Clock } from "../base/clock.ts";
import { SupercastError } from "../base/errors.ts";
import type { Limits } from "../base/limits.ts";
import { settledWithin } from "./deadline.ts";
import { runHandler } from "./handlers.ts";
import { Listeners } from "./listeners.ts";
import { Outbound } from "./outbound.ts";
import { checkedBytes } from "./outgoing.ts";
import { Requests } from "./requests.ts";
import { checkPattern, checkQueue } from "./subject.ts";
import type {
  Headers,
  IncomingMessage,
  MessageHandler,
  PublishOptions,
  RequestOptions,
  Subscription,
  Transport,
  TransportEvent,
  TransportStats,
} from "./transport.ts";

/** A message on its way. */
export interface Parcel {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly reply: string | undefined;
  readonly headers: Headers | undefined;
  readonly noResponders: boolean;
}

/** Where a client wants messages to go. */
export interface Interest {
  readonly subject: string;
  readonly queue: string | undefined;
  readonly handler: MessageHandler;
}

/** What a client asks of its hub. */
export interface HubSide {
  readonly name: string;
  readonly maxPayload: number;
  send(parcel: Parcel): void;
  /** Resolves when everything sent before has been routed; rejects when the connection breaks first. */
  roundTrip(): Promise<void>;
  addInterest(interest: Interest): void;
  removeInterest(interest: Interest): void;
  /** The client has ended. */
  leave(): void;
}

export class MemoryClient implements Transport {
  readonly maxPayload: number;
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #hub: HubSide;
  readonly #listeners = new Listeners();
  readonly #outbound: Outbound;
  readonly #requests: Requests;
  readonly #counts = {
    inMessages: 0,
    outMessages: 0,
    inBytes: 0,
    outBytes: 0,
    handlerFailures: 0,
    reconnects: 0,
  };
  #connectedAt: number | undefined;
  #closing: Promise<void> | undefined;
  #ended = false;

  constructor(clock: Clock, limits: Limits, inbox: string, hub: HubSide) {
    this.#clock = clock;
    this.#limits = limits;
    this.#hub = hub;
    this.maxPayload = hub.maxPayload;
    this.#connectedAt = clock.now();
    this.#outbound = new Outbound(limits.outboundBytes, () => hub.roundTrip());
    this.#requests = new Requests({
      clock,
      inbox,
      openMax: limits.openCalls,
      publish: (subject, payload, options) => this.publish(subject, payload, options),
      subscribe: (pattern, handler) => {
        this.subscribe(pattern, handler);
      },
    });
  }

  get connected(): boolean {
    return this.#connectedAt !== undefined;
  }

  get connectedAt(): number | undefined {
    return this.#connectedAt;
  }

  get pendingBytes(): number {
    return this.#outbound.pendingBytes;
  }

  get stats(): TransportStats {
    return { ...this.#counts, handlerFailures: this.#counts.handlerFailures + this.#listeners.failures };
  }

  publish(subject: string, payload: Uint8Array, options?: PublishOptions): void {
    if (this.#connectedAt === undefined) {
      throw this.#noConnection();
    }
    const bytes = checkedBytes(subject, payload, options, this.maxPayload);
    this.#outbound.admit(bytes);
    this.#hub.send({
      subject,
      payload: new Uint8Array(payload),
      reply: options?.reply,
      headers: options?.headers === undefined ? undefined : copyHeaders(options.headers),
      noResponders: false,
    });
    this.#outbound.add(bytes);
    this.#counts.outMessages += 1;
    this.#counts.outBytes += payload.length;
  }

  subscribe(
    subject: string,
    handler: MessageHandler,
    options: { readonly queue?: string } = {},
  ): Subscription {
    checkPattern(subject);
    if (options.queue !== undefined) {
      checkQueue(options.queue);
    }
    if (this.#ended) {
      throw this.#noConnection();
    }
    const interest: Interest = { subject, queue: options.queue, handler };
    this.#hub.addInterest(interest);
    return { subject, unsubscribe: () => this.#hub.removeInterest(interest) };
  }

  request(subject: string, payload: Uint8Array, options: RequestOptions): Promise<IncomingMessage> {
    return this.#requests.request(subject, payload, options);
  }

  onEvent(listener: (event: TransportEvent) => void): () => void {
    return this.#listeners.add(listener);
  }

  flush(): Promise<void> {
    return this.connected ? this.#outbound.flush() : Promise.reject(this.#noConnection());
  }

  close(options: { readonly drain?: boolean } = {}): Promise<void> {
    this.#closing ??= this.#close(options.drain === true);
    return this.#closing;
  }

  // --- called by the hub ---------------------------------------------------------------------------

  receive(interest: Interest, parcel: Parcel): void {
    this.#counts.inMessages += 1;
    this.#counts.inBytes += parcel.payload.length;
    runHandler(interest.handler, new MemoryIncoming(parcel, this), (error) => {
      this.#counts.handlerFailures += 1;
      this.#listeners.emit({ type: "handlerFailed", subject: interest.subject, error });
    });
  }

  /** The connection broke; `lateMs` when because this client took nothing for so long. */
  onCut(lateMs: number): void {
    this.#leave();
    if (lateMs > 0) {
      this.#listeners.emit({ type: "slowConsumer", lateMs });
    }
    this.#listeners.emit({ type: "disconnected", server: SERVER, stale: false });
  }

  onReconnected(): void {
    this.#connectedAt = this.#clock.now();
    this.#counts.reconnects += 1;
    this.#listeners.emit({ type: "reconnected", server: SERVER });
  }

  /** The process behind this client is dead: it hears of nothing any more. */
  onKilled(): void {
    this.#ended = true;
    this.#leave();
  }

  // -------------------------------------------------------------------------------------------------

  #leave(): void {
    this.#connectedAt = undefined;
    this.#outbound.reset(this.#noConnection());
    this.#requests.rejectAll((subject) => {
      const text = `the connection broke during a request on ${subject}; the outcome is unknown`;
      return new SupercastError("noconnection", text);
    });
  }

  async #close(drain: boolean): Promise<void> {
    if (drain && this.connected) {
      // What was on its way when the drain began is routed when the round trip ends, or never will be.
      await settledWithin(this.#clock, this.#outbound.flush(), this.#limits.drainMs);
    }
    if (this.#ended) {
      return;
    }
    this.#ended = true;
    this.#hub.leave();
    this.#leave();
    this.#listeners.emit({ type: "closed" });
  }

  #noConnection(): SupercastError {
    return new SupercastError(
      "noconnection",
      this.#ended ? "the transport is closed" : `client ${this.#hub.name} is not connected`,
    );
  }
}

const SERVER = "memory";

class MemoryIncoming implements IncomingMessage {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly reply: string | undefined;
  readonly headers: Headers | undefined;
  readonly noResponders: boolean;
  readonly #client: MemoryClient;

  constructor(parcel: Parcel, client: MemoryClient) {
    this.subject = parcel.subject;
    this.payload = parcel.payload;
    this.reply = parcel.reply;
    this.headers = parcel.headers;
    this.noResponders = parcel.noResponders;
    this.#client = client;
  }

  respond(payload: Uint8Array, headers?: Headers): boolean {
    if (this.reply === undefined) {
      return false;
    }
    this.#client.publish(this.reply, payload, headers === undefined ? {} : { headers });
    return true;
  }
}

/** White space round a value does not travel over NATS either. */
function copyHeaders(headers: Headers): Headers {
  const copy: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(headers)) {
    copy[name] = value.trim();
  }
  return copy;
}
