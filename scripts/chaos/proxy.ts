/**
 * A TCP proxy on the loopback interface, through which one node reaches its nats-server: the wire that can be
 * cut, slowed down and stopped, in both directions or in one.
 *
 * Promises: bytes arrive in order and unchanged, or the connection breaks; what is held back is bounded,
 * because a direction that holds too much reads no more; `heal` undoes everything.
 */
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";

const HOST = "127.0.0.1";
/** Bytes that a slowed direction holds back before it stops reading. */
const HELD_BYTES_MAX = 4 * 1024 * 1024;

/** `up`: from the node to its server. */
export type Direction = "up" | "down";

/** What a fault can do to the wire between a node and its server. */
export interface Link {
  /** Breaks what is connected; new connections are refused until `heal`. */
  cut(): void;
  /** Breaks what is connected; new connections are taken at once. */
  reset(): void;
  /** Every byte arrives so much later, in both directions. */
  delay(ms: number): void;
  /** Nothing arrives any more in these directions, and nobody is told. */
  stall(directions: readonly Direction[]): void;
  /** From now on everything passes; what a stall held back arrives. */
  heal(): void;
}

/** What holds for all connections of a proxy at the moment. */
interface Weather {
  delayMs: number;
  readonly stalled: Set<Direction>;
}

export class TcpProxy implements Link {
  readonly port: number;
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #weather: Weather = { delayMs: 0, stalled: new Set() };
  readonly #wires = new Set<Wire>();
  #refusing = false;

  private constructor(server: Server, port: number, targetPort: number) {
    this.#server = server;
    this.port = port;
    this.#targetPort = targetPort;
    server.on("connection", (socket) => this.#accept(socket));
  }

  /** Resolves when it listens, on a free port, for connections to `targetPort`. */
  static async listen(targetPort: number): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    const { port } = await listening(server);
    return new TcpProxy(server, port, targetPort);
  }

  /** Connections that pass at the moment. */
  get connections(): number {
    return this.#wires.size;
  }

  cut(): void {
    this.#refusing = true;
    this.reset();
  }

  reset(): void {
    for (const wire of this.#wires) {
      wire.end();
    }
  }

  delay(ms: number): void {
    this.#weather.delayMs = ms;
  }

  stall(directions: readonly Direction[]): void {
    for (const direction of directions) {
      this.#weather.stalled.add(direction);
    }
    this.#tellAll();
  }

  heal(): void {
    this.#refusing = false;
    this.#weather.delayMs = 0;
    this.#weather.stalled.clear();
    this.#tellAll();
  }

  /** Ends every connection and listens no more. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.reset();
    await closed;
  }

  #tellAll(): void {
    for (const wire of this.#wires) {
      wire.weatherChanged();
    }
  }

  #accept(socket: Socket): void {
    if (this.#refusing) {
      socket.destroy();
      return;
    }
    const wire = new Wire(socket, this.#targetPort, this.#weather, () => this.#wires.delete(wire));
    this.#wires.add(wire);
  }
}

/** Listens on a free loopback port. */
async function listening(server: Server): Promise<AddressInfo> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, HOST, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") {
    throw new Error("a TCP server has a port");
  }
  return address;
}

/** A loopback port that was free a moment ago, for programs that must know theirs beforehand. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const { port } = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** One connection: two sockets and what flows between them. */
class Wire {
  readonly #near: Socket;
  readonly #far: Socket;
  readonly #lanes: readonly Lane[];
  readonly #onGone: () => void;
  #gone = false;

  constructor(near: Socket, targetPort: number, weather: Weather, onGone: () => void) {
    this.#near = near;
    this.#far = createConnection({ host: HOST, port: targetPort, allowHalfOpen: true, noDelay: true });
    this.#onGone = onGone;
    this.#lanes = [
      new Lane(this.#near, this.#far, "up", weather),
      new Lane(this.#far, this.#near, "down", weather),
    ];
    for (const socket of [this.#near, this.#far]) {
      socket.on("error", () => this.end());
      socket.on("close", () => {
        if (this.#near.destroyed && this.#far.destroyed) {
          this.end();
        }
      });
    }
  }

  weatherChanged(): void {
    for (const lane of this.#lanes) {
      lane.pump();
    }
  }

  end(): void {
    if (this.#gone) {
      return;
    }
    this.#gone = true;
    for (const lane of this.#lanes) {
      lane.stop();
    }
    // Not resetAndDestroy: where a shutdown is under way it fails, and the handle keeps the process from exiting.
    this.#near.destroy();
    this.#far.destroy();
    this.#onGone();
  }
}

/** One direction of a connection. */
class Lane {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #direction: Direction;
  readonly #weather: Weather;
  /** null: the source has ended. */
  readonly #held: { readonly bytes: Buffer | null; readonly dueAt: number }[] = [];
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(source: Socket, sink: Socket, direction: Direction, weather: Weather) {
    this.#source = source;
    this.#sink = sink;
    this.#direction = direction;
    this.#weather = weather;
    source.on("data", (bytes) => this.#hold(bytes));
    source.on("end", () => this.#hold(null));
    sink.on("drain", () => this.pump());
    this.#breathe();
  }

  /** Passes on what is due, and comes back when more is. */
  pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#isStalled()) {
      this.#flow();
    }
    this.#breathe();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#held.length = 0;
  }

  #isStalled(): boolean {
    return this.#weather.stalled.has(this.#direction);
  }

  #hold(bytes: Buffer | null): void {
    const earliest = this.#held.at(-1)?.dueAt ?? 0;
    this.#held.push({ bytes, dueAt: Math.max(earliest, performance.now() + this.#weather.delayMs) });
    this.#heldBytes += bytes?.length ?? 0;
    this.pump();
  }

  #flow(): void {
    for (
      let [first] = this.#held;
      first !== undefined && !this.#sink.writableNeedDrain;
      [first] = this.#held
    ) {
      const waitMs = this.#weather.delayMs === 0 ? 0 : first.dueAt - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pump(), waitMs);
        return;
      }
      this.#held.shift();
      if (first.bytes === null) {
        this.#sink.end();
      } else {
        this.#heldBytes -= first.bytes.length;
        this.#sink.write(first.bytes);
      }
    }
  }

  /** Reads only what may be held: a sender that is not read meets a full window, as on a real wire. */
  #breathe(): void {
    if (this.#isStalled() || this.#heldBytes > HELD_BYTES_MAX || this.#sink.writableNeedDrain) {
      this.#source.pause();
    } else {
      this.#source.resume();
    }
  }
}
