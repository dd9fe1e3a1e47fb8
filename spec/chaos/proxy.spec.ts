import { once } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { expect } from "chai";
import { seededRandom } from "../../lib/base/random.ts";
import { TcpProxy } from "../../scripts/chaos/proxy.ts";
import { eventually } from "../support/eventually.ts";

/** A server that keeps what it gets and answers every byte with the same byte. */
class Echo {
  readonly sockets: Socket[] = [];
  received = Buffer.alloc(0);
  readonly #server: Server;

  constructor() {
    this.#server = createServer((socket) => {
      this.sockets.push(socket);
      socket.on("error", () => socket.destroy());
      socket.on("data", (bytes) => {
        this.received = Buffer.concat([this.received, bytes]);
        socket.write(bytes);
      });
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) {
      socket.destroy();
    }
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

class Caller {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  closed = false;

  constructor(port: number) {
    this.socket = createConnection({ host: "127.0.0.1", port });
    this.socket.on("error", () => this.socket.destroy());
    this.socket.on("close", () => {
      this.closed = true;
    });
    this.socket.on("data", (bytes) => {
      this.received = Buffer.concat([this.received, bytes]);
    });
  }

  async gets(text: string): Promise<void> {
    await eventually(`${JSON.stringify(text)} arrives`, () => this.received.toString() === text);
  }
}

/** Long enough for what should not arrive to arrive. */
function aWhile(): Promise<unknown> {
  return new Promise((resolve) => setTimeout(resolve, 100));
}

describe("The proxy between a node and its nats-server", () => {
  let echo: Echo;
  let proxy: TcpProxy;
  const callers: Caller[] = [];

  beforeEach(async () => {
    echo = new Echo();
    proxy = await TcpProxy.listen(await echo.listen());
  });

  afterEach(async () => {
    for (const { socket } of callers.splice(0)) {
      socket.destroy();
    }
    await proxy.close();
    await echo.close();
  });

  function call(): Caller {
    const caller = new Caller(proxy.port);
    callers.push(caller);
    return caller;
  }

  it("passes on megabytes in both directions unchanged, and the end of a stream", async () => {
    const caller = call();
    const random = seededRandom(7);
    const bytes = Buffer.from(Array.from({ length: 3_000_000 }, () => random.below(256)));
    caller.socket.write(bytes);
    await eventually("everything comes back", () => caller.received.length === bytes.length);
    expect(caller.received.equals(bytes)).to.equal(true);
    caller.socket.end();
    await eventually("the connection is gone", () => caller.closed && proxy.connections === 0);
  });

  it("breaks what is connected when it is cut, refuses new connections, and takes them again when healed", async () => {
    const caller = call();
    caller.socket.write("one");
    await caller.gets("one");
    proxy.cut();
    await eventually("the caller loses its connection", () => caller.closed);
    const refused = call();
    await eventually("a new connection is refused", () => refused.closed);
    expect(echo.sockets).to.have.length(1);
    proxy.heal();
    const again = call();
    again.socket.write("two");
    await again.gets("two");
  });

  it("breaks what is connected by a reset and takes new connections at once", async () => {
    const caller = call();
    caller.socket.write("one");
    await caller.gets("one");
    proxy.reset();
    await eventually("the caller loses its connection", () => caller.closed);
    const again = call();
    again.socket.write("two");
    await again.gets("two");
  });

  it("delays every byte by at least the time it was told, and keeps their order", async () => {
    const caller = call();
    caller.socket.write("a");
    await caller.gets("a");
    proxy.delay(60);
    const startedAt = performance.now();
    for (const letter of ["b", "c", "d"]) {
      caller.socket.write(letter);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await caller.gets("abcd");
    expect(performance.now() - startedAt).to.be.at.least(119);
  });

  it("lets everything through at once when a delay is healed", async () => {
    const caller = call();
    caller.socket.write("a");
    await caller.gets("a");
    proxy.delay(60_000);
    caller.socket.write("b");
    await aWhile();
    expect(caller.received.toString()).to.equal("a");
    proxy.heal();
    await caller.gets("ab");
  });

  it("stalls the way up alone: the server hears nothing, the caller still does, nobody is told", async () => {
    const caller = call();
    caller.socket.write("a");
    await caller.gets("a");
    proxy.stall(["up"]);
    caller.socket.write("b");
    echo.sockets[0]?.write("!");
    await caller.gets("a!");
    await aWhile();
    expect(echo.received.toString()).to.equal("a");
    expect(caller.closed).to.equal(false);
    proxy.heal();
    await caller.gets("a!b");
  });

  it("stalls the way down alone: the server hears, the caller does not", async () => {
    const caller = call();
    caller.socket.write("a");
    await caller.gets("a");
    proxy.stall(["down"]);
    caller.socket.write("b");
    await eventually("the server hears", () => echo.received.toString() === "ab");
    await aWhile();
    expect(caller.received.toString()).to.equal("a");
    proxy.heal();
    await caller.gets("ab");
  });

  it("takes a connection while it stalls, and lets it speak when it is healed", async () => {
    proxy.stall(["up", "down"]);
    const caller = call();
    caller.socket.write("a");
    await aWhile();
    expect(echo.received.toString()).to.equal("");
    proxy.heal();
    await caller.gets("a");
  });

  it("holds back no more than it may: a sender meets a full window", async () => {
    const caller = call();
    caller.socket.write("a");
    await caller.gets("a");
    proxy.delay(60_000);
    const block = Buffer.alloc(1024 * 1024);
    for (let count = 0; count < 64; count++) {
      caller.socket.write(block);
    }
    let before = -1;
    await eventually("nothing moves any more", async () => {
      const moved = caller.socket.writableLength;
      await aWhile();
      const same = moved === before;
      before = moved;
      return same;
    });
    expect(caller.socket.writableLength).to.be.greaterThan(32 * 1024 * 1024);
    expect(caller.closed).to.equal(false);
  });
});
