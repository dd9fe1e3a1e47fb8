/**
 * The transport port: publish, subscribe and request over subjects, as NATS has them, with no NATS
 * type in sight. `nats.ts` implements it over a nats-server, `memory.ts` inside one process.
 *
 * What both promise:
 * - At most once. A message may be lost without a word; it is never repeated by a healthy transport.
 * - Messages of one publisher on one subject reach one subscription in the order of publishing.
 * - Handlers are called from the event loop, never from inside `publish`; a handler that throws, or
 *   whose promise rejects, is counted and reported as `handlerFailed`, and the subscription goes on.
 * - While not connected nothing is buffered: publishing throws `noconnection`, and open requests are
 *   rejected with it. Subscriptions outlive a reconnect.
 * - Memory is bounded: bytes that have not provably left are counted, and beyond
 *   `limits.outboundBytes` publishing throws `overload`.
 */
import type { SupercastError } from "../base/errors.ts";

/** Headers of a message: names are case-sensitive printable ASCII without ":", values hold no CR or LF. */
export type Headers = Readonly<Record<string, string>>;

export interface IncomingMessage {
  readonly subject: string;
  /**
   * The bytes. They stay valid and unchanged for as long as the receiver holds them, and the receiver
   * must not write to them. They may be a view on a larger buffer (a socket read): who keeps a small
   * payload for long copies it.
   */
  readonly payload: Uint8Array;
  /** Where the sender expects an answer, if it does. */
  readonly reply: string | undefined;
  readonly headers: Headers | undefined;
  /**
   * True for the server's own answer to a message with `reply` that had no subscriber: it arrives on
   * that reply subject with an empty payload. "No subscriber that the server knew of at that moment".
   */
  readonly noResponders: boolean;
  /** Publishes an answer to `reply`. False when the sender expects none. Throws as `publish` does. */
  respond(payload: Uint8Array, headers?: Headers): boolean;
}

export type MessageHandler = (message: IncomingMessage) => void;

export interface Subscription {
  readonly subject: string;
  /** No message is handed to the handler after this returns. Harmless when repeated. */
  unsubscribe(): void;
}

export type TransportEvent =
  /** An attempt to connect is beginning, or has failed and will be repeated after `retryInMs`. */
  | {
      readonly type: "connecting";
      readonly attempt: number;
      readonly error?: SupercastError;
      readonly retryInMs?: number;
    }
  /** The first connection stands. */
  | { readonly type: "connected"; readonly server: string }
  /** The connection broke. `stale`: the server had stopped answering pings. */
  | { readonly type: "disconnected"; readonly server: string; readonly stale: boolean }
  | { readonly type: "reconnected"; readonly server: string }
  /** The server is about to stop. `moving`: there is another one, and the transport goes there now. */
  | { readonly type: "lameDuck"; readonly server: string; readonly moving: boolean }
  /** The connection broke right after this process's event loop had stood still for `lateMs`. */
  | { readonly type: "slowConsumer"; readonly lateMs: number }
  /** Something failed that no caller can be told about, such as a subject that permissions forbid. */
  | { readonly type: "error"; readonly error: SupercastError; readonly subject?: string }
  | { readonly type: "handlerFailed"; readonly subject: string; readonly error: unknown }
  /** The end: nothing follows. Without `error` it was asked for. */
  | { readonly type: "closed"; readonly error?: SupercastError };

export interface PublishOptions {
  readonly reply?: string;
  readonly headers?: Headers;
}

export interface RequestOptions {
  readonly timeoutMs: number;
  readonly headers?: Headers;
}

/** Counts since the transport was made. */
export interface TransportStats {
  readonly inMessages: number;
  readonly outMessages: number;
  readonly inBytes: number;
  readonly outBytes: number;
  readonly handlerFailures: number;
  readonly reconnects: number;
}

/** A NATS micro service: what `nats micro ls` and `nats micro info` show of this process. */
export interface ServiceDescription {
  /** `[A-Za-z0-9_-]+`. */
  readonly name: string;
  /** A semantic version. */
  readonly version: string;
  readonly description: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly endpoints: readonly ServiceEndpoint[];
}

export interface ServiceEndpoint {
  readonly name: string;
  /** Default: the endpoint's name. */
  readonly subject?: string;
  /** Default: the service's queue group `q`. */
  readonly queue?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly handler: MessageHandler;
}

export interface AnnouncedService {
  /** The id under which `$SRV.PING.<name>.<id>` finds it. A new one with each connection; undefined before the first. */
  readonly id: string | undefined;
  stop(): Promise<void>;
}

export interface Transport {
  /** False while (re)connecting and after the end. */
  readonly connected: boolean;
  /** `clock.now()` at which the present connection began; undefined while not connected. */
  readonly connectedAt: number | undefined;
  /** The server's bound for payload plus headers, in bytes. */
  readonly maxPayload: number;
  /**
   * An upper bound of the bytes handed over that have not provably reached the server. Proof comes by
   * flush barriers, one per some hundred kilobytes, so it does not fall to 0 by itself; after `flush()` it has.
   */
  readonly pendingBytes: number;
  readonly stats: TransportStats;
  /**
   * Hands a message over. Throws `noconnection`, `payload_too_large` (details `{ bytes, max }`), `overload`
   * or `invalid_message` (subject or header). The caller leaves `payload` unchanged until the present turn
   * of the event loop is over.
   */
  publish(subject: string, payload: Uint8Array, options?: PublishOptions): void;
  /**
   * Subscribes; `*` matches one token, a last `>` one or more. Of the members of a `queue` each message
   * reaches one. Throws `invalid_message`, or `noconnection` after the end; works while disconnected.
   */
  subscribe(subject: string, handler: MessageHandler, options?: { readonly queue?: string }): Subscription;
  /**
   * Publishes and waits for one answer. Rejects with what `publish` throws, `noproc` with details
   * `{ noResponders: true }` at once when nobody subscribes, `timeout`, or `noconnection` as soon as the
   * connection breaks.
   */
  request(subject: string, payload: Uint8Array, options: RequestOptions): Promise<IncomingMessage>;
  /** Calls `listener` for every event from now on; returns what stops it. */
  onEvent(listener: (event: TransportEvent) => void): () => void;
  /** Resolves when everything published before has reached the server; rejects with `noconnection`. */
  flush(): Promise<void>;
  /**
   * Ends the transport; settles when it is over, at the latest after `limits.drainMs`. With `drain` what was
   * received is still handled and what was published still sent. Harmless when repeated.
   */
  close(options?: { readonly drain?: boolean }): Promise<void>;
  /**
   * Registers a NATS micro service, and again after each reconnect; its statistics then begin anew.
   * Throws `config_mismatch` for names that NATS does not allow. Only the NATS implementation has it.
   */
  announce?(service: ServiceDescription): Promise<AnnouncedService>;
}
