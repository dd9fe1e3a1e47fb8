/**
 * One attempt to connect to one nats-server, which leaves nothing behind when it fails.
 *
 * The client gives up on a server that accepts the connection and then says nothing, but forgets to close the
 * socket. Kept within one client that socket later does worse: when it ends, the client believes its present
 * connection broken and makes a second one beside it, and every message arrives twice. So an attempt is a client
 * of its own, never reconnects by itself, and its socket is closed from here.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { Socket } from "node:net";
import { type ConnectionOptions, connect, type NatsConnection } from "nats";
import type { Clock, Timer } from "../base/clock.ts";

/** Node tells here of every client socket, within the asynchronous context in which it is made. */
const SOCKET_CHANNEL = "net.client.socket";

const presentDial = new AsyncLocalStorage<Dial>();
let dials = 0;

export class Dial {
  /** Rejects with what the client throws, or with an error of code `TIMEOUT` or `ABORTED`. */
  readonly connection: Promise<NatsConnection>;
  readonly #sockets = new Set<Socket>();
  #failure: DialError | undefined;

  constructor(options: ConnectionOptions, clock: Clock, timeoutMs: number) {
    const timer = clock.setTimer(() => {
      this.#end(new DialError("TIMEOUT", `no answer within ${timeoutMs} ms`));
    }, timeoutMs);
    this.connection = this.#connect(options, 2 * timeoutMs, clock, timer);
  }

  abort(): void {
    this.#end(new DialError("ABORTED", "connecting was given up"));
  }

  #end(failure: DialError): void {
    this.#failure ??= failure;
    for (const socket of this.#sockets) {
      socket.destroy();
    }
  }

  async #connect(
    options: ConnectionOptions,
    timeout: number,
    clock: Clock,
    timer: Timer,
  ): Promise<NatsConnection> {
    watchSockets();
    try {
      const connecting = presentDial.run(this, () => connect({ ...options, reconnect: false, timeout }));
      const connection = await connecting;
      if (this.#failure !== undefined) {
        await connection.close();
        throw this.#failure;
      }
      return connection;
    } catch (error) {
      throw this.#failure ?? error;
    } finally {
      clock.clearTimer(timer);
      unwatchSockets();
    }
  }

  /** A socket that is made when it is too late is closed at once. */
  add(socket: Socket): void {
    this.#sockets.add(socket);
    if (this.#failure !== undefined) {
      socket.destroy();
    }
  }
}

export class DialError extends Error {
  override readonly name: string = "DialError";
  readonly code: "TIMEOUT" | "ABORTED";

  constructor(code: "TIMEOUT" | "ABORTED", message: string) {
    super(message);
    this.code = code;
  }
}

/** Following contexts has a price for every promise in the process, so it is done only while dialling. */
function watchSockets(): void {
  dials += 1;
  if (dials === 1) {
    subscribe(SOCKET_CHANNEL, onSocket);
  }
}

function unwatchSockets(): void {
  dials -= 1;
  if (dials === 0) {
    unsubscribe(SOCKET_CHANNEL, onSocket);
    presentDial.disable();
  }
}

function onSocket(message: unknown): void {
  const socket =
    typeof message === "object" && message !== null && "socket" in message ? message.socket : undefined;
  if (socket instanceof Socket) {
    presentDial.getStore()?.add(socket);
  }
}
