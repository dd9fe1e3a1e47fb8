/**
 * The transport over one NATS connection after the other.
 *
 * Here the traps of the client (nats 2.x) are closed: this is the one place that subscribes, so a handler that
 * throws cannot end the client's read loop; each connection is a client of its own, made anew when one breaks;
 * nothing is published into a buffer that is thrown away later; what waits on a connection fails when it
 * breaks; bytes on their way are bounded.
 */
import { DebugEvents, Events, type Msg, type NatsConnection, type NatsError, type Status } from "nats";
import type { Clock } from "../base/clock.ts";
import { SupercastError } from "../base/errors.ts";
import type { Limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import { settledWithin } from "./deadline.ts";
import { runHandler } from "./handlers.ts";
import type { Listeners } from "./listeners.ts";
import { LoopWatch } from "./loop-watch.ts";
import type { Dialler, Reached } from "./nats-dialler.ts";
import { publishError, runningError } from "./nats-errors.ts";
import { NatsIncoming, toNatsOptions } from "./nats-message.ts";
import { NatsServices } from "./nats-service.ts";
import { NatsSubscriptions } from "./nats-subscriptions.ts";
import { Outbound } from "./outbound.ts";
import { checkedBytes } from "./outgoing.ts";
import { Requests } from "./requests.ts";
import { checkPattern, checkQueue } from "./subject.ts";
import type {
  AnnouncedService,
  IncomingMessage,
  MessageHandler,
  PublishOptions,
  RequestOptions,
  ServiceDescription,
  Subscription,
  Transport,
  TransportEvent,
  TransportStats,
} from "./transport.ts";

/** Clients leave a server that goes lame within this time, not all at once. */
const LAME_DUCK_SPREAD_MS = 500;

export interface NatsTransportSetup {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
  readonly listeners: Listeners;
  readonly dialler: Dialler;
  /** Answers to requests arrive on `<inbox>.<token>`. */
  readonly inbox: string;
}

export class NatsTransport implements Transport {
  readonly #setup: NatsTransportSetup;
  readonly #outbound: Outbound;
  readonly #requests: Requests;
  readonly #services: NatsServices;
  readonly #watch: LoopWatch;
  readonly #subscriptions = new NatsSubscriptions();
  /** The present connection, or the last one. */
  #nc: NatsConnection;
  #host: string;
  #connectedAt: number | undefined;
  #maxPayload = 0;
  #stale = false;
  #lame = false;
  #closing: Promise<void> | undefined;
  #ended = false;
  readonly #earlier = { inMsgs: 0, outMsgs: 0, inBytes: 0, outBytes: 0 };
  #handlerFailures = 0;
  #reconnects = 0;

  constructor(reached: Reached, setup: NatsTransportSetup) {
    this.#setup = setup;
    this.#nc = reached.nc;
    this.#host = reached.host;
    this.#outbound = new Outbound(setup.limits.outboundBytes, () => this.#nc.flush());
    this.#requests = new Requests({
      clock: setup.clock,
      inbox: setup.inbox,
      openMax: setup.limits.openCalls,
      publish: (subject, payload, options) => this.publish(subject, payload, options),
      subscribe: (pattern, handler) => {
        this.#subscribe(pattern, handler, undefined, (error) => this.#onInboxLost(error));
      },
    });
    this.#services = new NatsServices(this, setup.listeners, (subject, error) =>
      this.#handlerFailed(subject, error),
    );
    this.#watch = new LoopWatch(setup.clock);
    this.#enter(reached);
  }

  get connected(): boolean {
    return this.#connectedAt !== undefined;
  }

  get connectedAt(): number | undefined {
    return this.#connectedAt;
  }

  get maxPayload(): number {
    return this.#maxPayload;
  }

  get pendingBytes(): number {
    return this.#outbound.pendingBytes;
  }

  get stats(): TransportStats {
    const earlier = this.#earlier;
    const { inMsgs, outMsgs, inBytes, outBytes } = this.#nc.stats();
    return {
      inMessages: earlier.inMsgs + inMsgs,
      outMessages: earlier.outMsgs + outMsgs,
      inBytes: earlier.inBytes + inBytes,
      outBytes: earlier.outBytes + outBytes,
      handlerFailures: this.#handlerFailures + this.#setup.listeners.failures,
      reconnects: this.#reconnects,
    };
  }

  publish(subject: string, payload: Uint8Array, options?: PublishOptions): void {
    if (this.#connectedAt === undefined) {
      throw this.#noConnection();
    }
    const bytes = checkedBytes(subject, payload, options, this.#maxPayload);
    this.#outbound.admit(bytes);
    try {
      this.#nc.publish(subject, payload, options === undefined ? undefined : toNatsOptions(options));
    } catch (error) {
      throw publishError(error);
    }
    this.#outbound.add(bytes);
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
    return this.#subscribe(subject, handler, options.queue, () => undefined);
  }

  request(subject: string, payload: Uint8Array, options: RequestOptions): Promise<IncomingMessage> {
    return this.#requests.request(subject, payload, options);
  }

  onEvent(listener: (event: TransportEvent) => void): () => void {
    return this.#setup.listeners.add(listener);
  }

  flush(): Promise<void> {
    return this.connected ? this.#outbound.flush() : Promise.reject(this.#noConnection());
  }

  close(options: { readonly drain?: boolean } = {}): Promise<void> {
    this.#closing ??= this.#close(options.drain === true);
    return this.#closing;
  }

  announce(description: ServiceDescription): Promise<AnnouncedService> {
    return this.#services.announce(description, this.connected ? this.#nc : undefined);
  }

  // --- subscriptions -----------------------------------------------------------------------------

  #subscribe(
    subject: string,
    handler: MessageHandler,
    queue: string | undefined,
    onLost: (error: SupercastError) => void,
  ): Subscription {
    const onFailure = (error: unknown): void => this.#handlerFailed(subject, error);
    const callback = (error: NatsError | null, message: Msg): void => {
      if (error === null) {
        runHandler(handler, new NatsIncoming(message, this), onFailure);
      } else {
        onLost(this.#forbidden("subscription", subject)); // `#onComplaint` tells of it too.
      }
    };
    return this.#subscriptions.add(subject, queue, callback, this.connected ? this.#nc : undefined);
  }

  #handlerFailed(subject: string, error: unknown): void {
    this.#handlerFailures += 1;
    this.#setup.listeners.emit({ type: "handlerFailed", subject, error });
  }

  #onInboxLost(error: SupercastError): void {
    this.#requests.forgetSubscription();
    this.#requests.rejectAll(() => error);
  }

  // --- the life of a connection --------------------------------------------------------------------

  #enter({ nc, host }: Reached): void {
    this.#nc = nc;
    this.#host = host;
    this.#connectedAt = this.#setup.clock.now();
    this.#maxPayload = nc.info?.max_payload ?? 0;
    this.#stale = false;
    this.#lame = false;
    this.#setup.dialler.learn(nc.info?.connect_urls ?? []);
    void this.#followStatus(nc);
    void nc.closed().then(() => this.#onClosed(nc));
    this.#subscriptions.establish(nc);
    this.#services.establish(nc);
  }

  async #followStatus(nc: NatsConnection): Promise<void> {
    for await (const status of nc.status()) {
      this.#onStatus(status);
    }
  }

  #onStatus(status: Status): void {
    switch (status.type) {
      case DebugEvents.StaleConnection:
        this.#stale = true;
        break;
      case Events.Update:
        this.#setup.dialler.learn(this.#nc.info?.connect_urls ?? []);
        break;
      case Events.LDM:
        this.#onLameDuck();
        break;
      case Events.Error:
        this.#onComplaint(status);
        break;
      default:
        break;
    }
  }

  #onClosed(nc: NatsConnection): void {
    if (nc !== this.#nc || this.#connectedAt === undefined || this.#closing !== undefined) {
      return;
    }
    const lateMs = this.#lame ? 0 : this.#watch.recentStandstillMs();
    this.#leave();
    if (lateMs > 0) {
      this.#setup.listeners.emit({ type: "slowConsumer", lateMs });
    }
    this.#setup.listeners.emit({ type: "disconnected", server: this.#host, stale: this.#stale });
    void this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    const { dialler, listeners } = this.#setup;
    dialler.demote(this.#host);
    try {
      const reached = await dialler.connect("endless");
      if (this.#ended) {
        await reached.nc.close();
        return;
      }
      this.#addStats();
      this.#reconnects += 1;
      this.#enter(reached);
      listeners.emit({ type: "reconnected", server: reached.host });
    } catch (error) {
      // It ends without success only when the transport was closed meanwhile.
      if (!this.#ended && this.#closing === undefined) {
        throw error;
      }
    }
  }

  #addStats(): void {
    const { inMsgs, outMsgs, inBytes, outBytes } = this.#nc.stats();
    this.#earlier.inMsgs += inMsgs;
    this.#earlier.outMsgs += outMsgs;
    this.#earlier.inBytes += inBytes;
    this.#earlier.outBytes += outBytes;
  }

  #leave(): void {
    this.#connectedAt = undefined;
    this.#outbound.reset(this.#noConnection());
    this.#requests.rejectAll((subject) => {
      const text = `the connection broke during a request on ${subject}; the outcome is unknown`;
      return new SupercastError("noconnection", text);
    });
  }

  /** The server is going to close its connections; one that leaves by itself loses less. */
  #onLameDuck(): void {
    const { clock, dialler, listeners, random } = this.#setup;
    const nc = this.#nc;
    dialler.learn(nc.info?.connect_urls ?? []);
    if (this.#lame || !this.connected) {
      return;
    }
    this.#lame = true;
    const moving = dialler.knowsOtherThan(this.#host);
    listeners.emit({ type: "lameDuck", server: this.#host, moving });
    if (moving) {
      clock.setTimer(() => void this.#moveFrom(nc), random.below(LAME_DUCK_SPREAD_MS), { unref: true });
    }
  }

  async #moveFrom(nc: NatsConnection): Promise<void> {
    const { clock, limits } = this.#setup;
    if (nc === this.#nc && this.connected && this.#closing === undefined) {
      await settledWithin(clock, this.#outbound.flush(), limits.drainMs);
      await nc.close();
    }
  }

  #onComplaint(status: Status): void {
    const { listeners } = this.#setup;
    const { subject, operation } = status.permissionContext ?? {};
    if (subject === undefined || operation === undefined) {
      listeners.emit({ type: "error", error: runningError(String(status.data), this.#host) });
    } else {
      listeners.emit({ type: "error", error: this.#forbidden(operation, subject), subject });
    }
  }

  #forbidden(operation: string, subject: string): SupercastError {
    return new SupercastError(
      "forbidden",
      `the nats-server at ${this.#host} forbids ${operation} on ${subject}`,
    );
  }

  // --- the end -------------------------------------------------------------------------------------

  async #close(drain: boolean): Promise<void> {
    const { clock, dialler, limits } = this.#setup;
    dialler.stop();
    if (drain && this.connected) {
      await settledWithin(clock, this.#nc.drain(), limits.drainMs);
    }
    this.#ended = true;
    this.#leave();
    this.#watch.stop();
    await this.#nc.close();
    this.#setup.listeners.emit({ type: "closed" });
  }

  #noConnection(): SupercastError {
    const text = this.#ended ? "the transport is closed" : "not connected to NATS; reconnecting";
    return new SupercastError("noconnection", text);
  }
}
