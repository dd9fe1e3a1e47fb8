/**
 * The transport over one NATS connection that stands, breaks and is made again.
 *
 * Here the traps of the client (nats 2.x) are closed: this is the one place that subscribes, so a handler that
 * throws cannot end the client's read loop; nothing is published into a buffer that a redial throws away; what
 * waits on a connection fails when it breaks; bytes on their way are bounded.
 */
import { DebugEvents, Events, type Msg, type NatsConnection, type NatsError, type Status } from "nats";
import type { Clock } from "../base/clock.ts";
import { SupercastError } from "../base/errors.ts";
import type { Limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import { runHandler } from "./handlers.ts";
import type { Listeners } from "./listeners.ts";
import { LoopWatch } from "./loop-watch.ts";
import { publishError, runningError } from "./nats-errors.ts";
import { NatsIncoming, toNatsOptions } from "./nats-message.ts";
import { announceNatsService } from "./nats-service.ts";
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

export interface NatsConnectionSetup {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
  readonly listeners: Listeners;
  /** `host:port` of every server that was configured. */
  readonly hosts: readonly string[];
  readonly inbox: string;
}

export class NatsTransport implements Transport {
  readonly #nc: NatsConnection;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: Limits;
  readonly #listeners: Listeners;
  readonly #hosts: readonly string[];
  readonly #outbound: Outbound;
  readonly #requests: Requests;
  readonly #watch: LoopWatch;
  #connectedAt: number | undefined;
  #maxPayload = 0;
  #handlerFailures = 0;
  #reconnects = 0;
  #dials = 0;
  #stale = false;
  #moving = false;
  #closing: Promise<void> | undefined;
  #ended = false;

  constructor(nc: NatsConnection, setup: NatsConnectionSetup) {
    this.#nc = nc;
    this.#clock = setup.clock;
    this.#random = setup.random;
    this.#limits = setup.limits;
    this.#listeners = setup.listeners;
    this.#hosts = setup.hosts;
    this.#outbound = new Outbound(setup.limits.outboundBytes, () => nc.flush());
    this.#requests = new Requests({
      clock: setup.clock,
      inbox: setup.inbox,
      openMax: setup.limits.openCalls,
      publish: (subject, payload, options) => this.publish(subject, payload, options),
      subscribe: (pattern, handler) => {
        this.#subscribe(pattern, handler, undefined, () => this.#requests.forgetSubscription());
      },
    });
    this.#watch = new LoopWatch(setup.clock);
    this.#enter();
    void this.#followStatus();
    void nc.closed().then((error) => this.#end(error instanceof Error ? error : undefined));
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

  get server(): string {
    return this.#nc.getServer();
  }

  get stats(): TransportStats {
    const { inMsgs, outMsgs, inBytes, outBytes } = this.#nc.stats();
    return {
      inMessages: inMsgs,
      outMessages: outMsgs,
      inBytes,
      outBytes,
      handlerFailures: this.#handlerFailures + this.#listeners.failures,
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
    return this.#listeners.add(listener);
  }

  flush(): Promise<void> {
    return this.connected ? this.#outbound.flush() : Promise.reject(this.#noConnection());
  }

  close(options: { readonly drain?: boolean } = {}): Promise<void> {
    this.#closing ??= this.#close(options.drain === true);
    return this.#closing;
  }

  announce(service: ServiceDescription): Promise<AnnouncedService> {
    return announceNatsService(this.#nc, this, service, {
      onHandlerFailed: (subject, error) => this.#handlerFailed(subject, error),
      onStopped: (error) => this.#listeners.emit({ type: "error", error }),
    });
  }

  // --- messages in -----------------------------------------------------------------------------

  #subscribe(
    subject: string,
    handler: MessageHandler,
    queue: string | undefined,
    onLost: () => void,
  ): Subscription {
    const onFailure = (error: unknown): void => this.#handlerFailed(subject, error);
    // Nothing may escape from the callback: it would end the client's read loop, without an event.
    const callback = (error: NatsError | null, message: Msg): void => {
      if (error === null) {
        runHandler(handler, new NatsIncoming(message, this), onFailure);
      } else {
        onLost(); // The server forbids it; `#onComplaint` tells.
      }
    };
    const inner = this.#nc.subscribe(subject, queue === undefined ? { callback } : { queue, callback });
    return { subject, unsubscribe: () => inner.unsubscribe() };
  }

  #handlerFailed(subject: string, error: unknown): void {
    this.#handlerFailures += 1;
    this.#listeners.emit({ type: "handlerFailed", subject, error });
  }

  // --- the life of the connection ----------------------------------------------------------------

  #enter(): void {
    this.#connectedAt = this.#clock.now();
    this.#maxPayload = this.#nc.info?.max_payload ?? 0;
    this.#dials = 0;
    this.#stale = false;
    this.#moving = false;
  }

  async #followStatus(): Promise<void> {
    for await (const status of this.#nc.status()) {
      this.#onStatus(status);
    }
  }

  #onStatus(status: Status): void {
    const server = this.#nc.getServer();
    switch (status.type) {
      case Events.Disconnect:
        this.#onDisconnect(String(status.data));
        break;
      case Events.Reconnect:
        this.#onReconnect(server);
        break;
      case DebugEvents.Reconnecting:
        this.#dials += 1;
        this.#listeners.emit({ type: "connecting", attempt: this.#dials });
        break;
      case DebugEvents.StaleConnection:
        this.#stale = true;
        break;
      case Events.LDM:
        this.#onLameDuck(server);
        break;
      case Events.Error:
        this.#onComplaint(status, server);
        break;
      default:
        break;
    }
  }

  /** The client tells of one break several times when a redial fails late; only the first counts. */
  #onDisconnect(server: string): void {
    if (this.#connectedAt === undefined) {
      return;
    }
    const lateMs = this.#watch.recentStandstillMs();
    this.#leave();
    if (lateMs > 0) {
      this.#listeners.emit({ type: "slowConsumer", lateMs });
    }
    this.#listeners.emit({ type: "disconnected", server, stale: this.#stale });
  }

  #onReconnect(server: string): void {
    if (this.#connectedAt === undefined && !this.#ended) {
      this.#enter();
      this.#reconnects += 1;
      this.#listeners.emit({ type: "reconnected", server });
    }
  }

  #leave(): void {
    this.#connectedAt = undefined;
    this.#outbound.reset(this.#noConnection());
    this.#requests.rejectAll((subject) => {
      const text = `the connection broke during a request on ${subject}; the outcome is unknown`;
      return new SupercastError("noconnection", text);
    });
  }

  /** The server is going to close its connections; one that leaves by itself loses nothing. */
  #onLameDuck(server: string): void {
    const known = [...this.#hosts, ...(this.#nc.info?.connect_urls ?? [])];
    const moving = known.some((host) => host !== server);
    if (this.#moving || !this.connected) {
      return;
    }
    this.#moving = moving;
    this.#listeners.emit({ type: "lameDuck", server, moving });
    if (moving) {
      const waitMs = this.#random.below(LAME_DUCK_SPREAD_MS);
      this.#clock.setTimer(() => void this.#move(server), waitMs, { unref: true });
    }
  }

  async #move(server: string): Promise<void> {
    try {
      await this.#outbound.flush();
      if (this.connected && this.#nc.getServer() === server && this.#closing === undefined) {
        await this.#nc.reconnect();
      }
    } catch (error) {
      // It broke before we could leave; the client is dialling already.
      this.#listeners.emit({ type: "error", error: publishError(error) });
    }
  }

  #onComplaint(status: Status, server: string): void {
    const subject = status.permissionContext?.subject;
    const operation = status.permissionContext?.operation;
    if (subject === undefined) {
      this.#listeners.emit({ type: "error", error: runningError(String(status.data), server) });
      return;
    }
    const text = `the nats-server at ${server} forbids ${operation} on ${subject}`;
    this.#listeners.emit({ type: "error", error: new SupercastError("forbidden", text), subject });
  }

  // --- the end ---------------------------------------------------------------------------------

  async #close(drain: boolean): Promise<void> {
    if (drain && this.connected) {
      await this.#drain();
    }
    await this.#nc.close();
    this.#end(undefined);
  }

  /** At most until the deadline; a drain that fails has lost its connection, and there is nothing to wait for. */
  #drain(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(resolve, this.#limits.drainMs);
      const done = (): void => {
        this.#clock.clearTimer(timer);
        resolve();
      };
      this.#nc.drain().then(done, done);
    });
  }

  #end(error: Error | undefined): void {
    if (this.#ended) {
      return;
    }
    this.#ended = true;
    this.#leave();
    this.#watch.stop();
    const cause = error === undefined ? undefined : runningError(error.message, this.#nc.getServer(), error);
    this.#listeners.emit(cause === undefined ? { type: "closed" } : { type: "closed", error: cause });
  }

  #noConnection(): SupercastError {
    return new SupercastError(
      "noconnection",
      this.#ended ? "the transport is closed" : "not connected to NATS; reconnecting",
    );
  }
}
