import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect } from "chai";
import type { TransportEvent } from "../../lib/transport/transport.ts";
import { eventually } from "../support/eventually.ts";
import { describeWithNats } from "../support/nats-server.ts";
import { bytes, eventsOf, freePort, NatsStage, silentServer } from "./nats-support.ts";

describeWithNats("NATS transport", () => {
  const stage = new NatsStage();

  afterEach(() => stage.close());

  describe("the first connection", () => {
    it("fails with the server's address when nobody listens", async () => {
      const port = await freePort();
      const error = await stage.refusal({ servers: `nats://127.0.0.1:${port}` });
      expect(error.code).to.equal("noconnection");
      expect(error.message).to.contain(`127.0.0.1:${port}`);
    });

    it("is waited for on request, with an event for each round, and comes when the server does", async () => {
      const port = await freePort();
      const events: TransportEvent[] = [];
      const connecting = stage.connect({
        servers: `nats://127.0.0.1:${port}`,
        waitOnFirstConnect: true,
        onEvent: (event) => events.push(event),
      });
      await eventually("three rounds", () => events.length >= 6);
      await stage.serve("", port);
      const transport = await connecting;
      const [begun, failed] = events;
      expect(begun).to.deep.equal({ type: "connecting", attempt: 1 });
      expect(failed).to.include({ type: "connecting", attempt: 1 });
      expect(failed?.type === "connecting" && failed.error?.code).to.equal("noconnection");
      expect(failed?.type === "connecting" && failed.retryInMs).to.be.within(20, 40);
      expect(events.at(-1)).to.deep.equal({ type: "connected", server: `127.0.0.1:${port}` });
      expect(transport.connected).to.equal(true);
    });

    it("is no longer waited for once the signal says so", async () => {
      const port = await freePort();
      const abort = new AbortController();
      const refusal = stage.refusal({
        servers: `127.0.0.1:${port}`,
        waitOnFirstConnect: true,
        signal: abort.signal,
        onEvent: (event) => {
          if (event.type === "connecting" && event.attempt === 2) {
            abort.abort();
          }
        },
      });
      expect((await refusal).code).to.equal("noconnection");
      const late = await stage.refusal({ servers: `127.0.0.1:${port}`, signal: AbortSignal.abort() });
      expect(late.message).to.contain("given up");
    });

    it("is given up, and its socket closed, when the server accepts and then says nothing", async () => {
      const silent = await silentServer();
      const servers = `127.0.0.1:${silent.port}`;
      const error = await stage.refusal({ servers }, { natsConnectTimeoutMs: 50 });
      expect(error.code).to.equal("noconnection");
      expect(error.message).to.contain(`${servers}: no answer within 50 ms`);
      await eventually("the socket is closed", () => silent.sockets[0]?.closed === true);
      await silent.close();
    });

    it("can be any of several servers, and those that were down then are found later", async () => {
      const [downPort, server] = [await freePort(), await stage.serve()];
      const transport = await stage.connect({ servers: [`127.0.0.1:${downPort}`, server.url] });
      const events = eventsOf(transport);
      await stage.serve("", downPort);
      await server.kill();
      await eventually("reconnected", () => transport.stats.reconnects === 1);
      expect(events.at(-1)).to.deep.equal({ type: "reconnected", server: `127.0.0.1:${downPort}` });
    });
  });

  it("finds the other servers of a cluster by itself", async () => {
    const [routePort, otherRoutePort] = [await freePort(), await freePort()];
    const cluster = (own: number): string =>
      `cluster { name: spec, listen: "127.0.0.1:${own}", routes: ["nats://127.0.0.1:${routePort}"] }`;
    const first = await stage.serve(cluster(routePort));
    const second = await stage.serve(cluster(otherRoutePort));
    const transport = await stage.connect({ servers: first.url });
    await eventually("the cluster stands", async () => {
      const other = await stage.connect({ servers: second.url });
      other.subscribe("over", (message) => message.respond(bytes("here")));
      await other.flush();
      return transport.request("over", bytes("?"), { timeoutMs: 200 }).then(
        () => true,
        () => false,
      );
    });
    await first.kill();
    await eventually("at the other server", () => transport.connected && transport.stats.reconnects === 1);
    expect(eventsOf(transport)).to.deep.equal([]);
  });

  it("notices within some pings that the server says nothing any more, and comes back when it does", async () => {
    const server = await stage.serve();
    const transport = await stage.connect(
      { servers: server.url },
      { natsPingMs: 40, natsConnectTimeoutMs: 100 },
    );
    const events = eventsOf(transport);
    process.kill(server.pid, "SIGSTOP");
    await eventually("disconnected", () => !transport.connected);
    expect(events[0]).to.deep.equal({
      type: "disconnected",
      server: `127.0.0.1:${server.port}`,
      stale: true,
    });
    process.kill(server.pid, "SIGCONT");
    await eventually("reconnected", () => transport.connected);
  });

  it("gets each message once after the server stood still for longer than several attempts", async () => {
    const server = await stage.serve('ping_interval: "200ms"\nping_max: 1');
    const publisher = await stage.connect({ servers: server.url });
    const impatient = { natsPingMs: 40, natsConnectTimeoutMs: 50 };
    const transport = await stage.connect({ servers: server.url }, impatient);
    const found: string[] = [];
    transport.subscribe("x", (message) => found.push(Buffer.from(message.payload).toString()));
    const attempts = eventsOf(transport);
    process.kill(server.pid, "SIGSTOP");
    await eventually("several attempts", () => attempts.length >= 8);
    process.kill(server.pid, "SIGCONT");
    await eventually("reconnected", () => transport.connected && publisher.connected);
    // The server ends abandoned connections within some ping intervals; that must not be taken for ours.
    const until = performance.now() + 1_500;
    const sent: string[] = [];
    while (performance.now() < until) {
      const item = String(sent.length);
      publisher.publish("x", bytes(item));
      sent.push(item);
      await Promise.all([publisher.flush(), transport.flush()]);
      await eventually("the message", () => found.length >= sent.length);
    }
    expect(found).to.deep.equal(sent);
    expect(transport.stats.reconnects).to.equal(1);
  });

  describe("a server that goes lame", () => {
    it("is left for another one, and messages go on", async () => {
      const [first, second] = [await stage.serve(), await stage.serve()];
      const bySubject = await stage.connect({ servers: [first.url, second.url] });
      const events = eventsOf(bySubject);
      const found: string[] = [];
      bySubject.subscribe("x", (message) => found.push(Buffer.from(message.payload).toString()));
      await bySubject.flush();
      const there = await stage.connect({ servers: first.url });
      there.publish("x", bytes("probe"));
      await there.flush();
      await bySubject.flush();
      const [lame, other] = found.length === 1 ? [first, second] : [second, first];
      process.kill(lame.pid, "SIGUSR2");
      await eventually("moved", () => bySubject.stats.reconnects === 1 && bySubject.connected);
      expect(events[0]).to.deep.equal({ type: "lameDuck", server: `127.0.0.1:${lame.port}`, moving: true });
      expect(events.at(-1)).to.deep.equal({ type: "reconnected", server: `127.0.0.1:${other.port}` });
      found.length = 0;
      bySubject.publish("x", bytes("after"));
      await eventually("the message", () => found.length === 1);
      await Promise.all([lame.kill(), there.close()]);
    });

    it("is kept when there is no other, until it ends", async () => {
      const server = await stage.serve();
      const transport = await stage.connect({ servers: server.url });
      const events = eventsOf(transport);
      process.kill(server.pid, "SIGUSR2");
      await eventually("told", () => events.length > 0);
      expect(events).to.deep.equal([{ type: "lameDuck", server: `127.0.0.1:${server.port}`, moving: false }]);
      await transport.flush();
      expect(transport.connected).to.equal(true);
      await server.kill();
      await server.restart();
      await eventually("reconnected", () => transport.stats.reconnects === 1);
    });
  });

  it("tells when it was cut off because its own event loop stood still, and comes back", async () => {
    const server = await stage.serve('write_deadline: "300ms"');
    const transport = await stage.connect({ servers: server.url });
    const events = eventsOf(transport);
    let received = 0;
    transport.subscribe("flood", () => {
      received += 1;
    });
    await transport.flush();
    const flooder = new Worker(FLOODER, { eval: true, execArgv: [], workerData: server.url });
    await once(flooder, "message");
    flooder.postMessage("go");
    // Blocks this thread, as a long computation would.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_200);
    await eventually("cut off and back", () => transport.stats.reconnects === 1);
    const types = events.map((event) => event.type);
    expect(types.slice(0, 2)).to.deep.equal(["slowConsumer", "disconnected"]);
    const [slow] = events;
    expect(slow?.type === "slowConsumer" && slow.lateMs).to.be.greaterThan(500);
    received = 0;
    transport.publish("flood", bytes("after"));
    await eventually("messages arrive again", () => received > 0);
    await flooder.terminate();
  });

  describe("permissions", () => {
    const config = `authorization { users: [ { user: ann, password: x, permissions: {
      publish: { deny: "secret.>" }, subscribe: { deny: ["hidden.>", "_INBOX.>"] } } } ] }`;

    it("that forbid something cost only that, and are told", async () => {
      const { url } = await stage.serve(config);
      const transport = await stage.connect({ servers: url, user: "ann", password: "x" });
      const events = eventsOf(transport);
      const found: string[] = [];
      transport.subscribe("hidden.x", () => undefined);
      transport.subscribe("open.x", (message) => found.push(message.subject));
      transport.publish("secret.x", bytes("?"));
      transport.publish("open.x", bytes("!"));
      await eventually("the message and both errors", () => found.length === 1 && events.length === 2);
      const told = events.map((event) => event.type === "error" && [event.subject, event.error.code]);
      expect(told).to.deep.equal([
        ["hidden.x", "forbidden"],
        ["secret.x", "forbidden"],
      ]);
      expect(transport.connected).to.equal(true);
    });

    it("that forbid the reply subject fail requests; an allowed prefix helps", async () => {
      const { url } = await stage.serve(config);
      const options = { servers: url, user: "ann", password: "x" };
      const deaf = await stage.connect(options);
      deaf.subscribe("open.x", (message) => message.respond(bytes(message.reply ?? "")));
      const failure = await deaf.request("open.x", bytes("?"), { timeoutMs: 5_000 }).catch((error) => error);
      expect(failure.code).to.equal("forbidden");
      const hearing = await stage.connect({ ...options, inboxPrefix: "my.inbox" });
      const answer = await hearing.request("open.x", bytes("?"), { timeoutMs: 5_000 });
      expect(Buffer.from(answer.payload).toString()).to.match(/^my\.inbox\.[a-z0-9]{22}\.1$/);
    });
  });

  it("shows the server its name", async () => {
    const port = await freePort();
    const { url } = await stage.serve(`http: "127.0.0.1:${port}"`);
    await stage.connect({ servers: url, name: "supercast node a" });
    const response = await fetch(`http://127.0.0.1:${port}/connz`);
    expect(await response.text()).to.contain('"supercast node a"');
  });
});

/** Sends 40 MB when it is told to; CommonJS, run as text in a worker. */
const FLOODER = `
  const { parentPort, workerData } = require("node:worker_threads");
  const { connect } = require("nats");
  connect({ servers: workerData }).then(async (nc) => {
    parentPort.postMessage("ready");
    await new Promise((resolve) => parentPort.once("message", resolve));
    for (let sent = 0; sent < 400; sent++) {
      nc.publish("flood", new Uint8Array(100_000));
    }
    await nc.flush();
    await nc.close();
  });
`;
