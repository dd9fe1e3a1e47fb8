import { expect } from "chai";
import {
  connect,
  ErrorCode,
  type NatsConnection,
  NatsError,
  RequestStrategy,
  type ServiceInfo,
  type ServiceStats,
} from "nats";
import { SupercastError } from "../../lib/base/errors.ts";
import type { AnnouncedService, ServiceDescription, Transport } from "../../lib/transport/transport.ts";
import { eventually } from "../support/eventually.ts";
import { describeWithNats, type NatsServer } from "../support/nats-server.ts";
import { bytes, eventsOf, NatsStage } from "./nats-support.ts";

/** What any NATS client sees of the services, by the client's own means. */
async function infos(client: NatsConnection): Promise<ServiceInfo[]> {
  const found: ServiceInfo[] = [];
  const services = client.services.client({ maxWait: 300, strategy: RequestStrategy.Timer });
  try {
    for await (const info of await services.info()) {
      found.push(info);
    }
  } catch (error) {
    if (!isNoResponders(error)) {
      throw error;
    }
  }
  return found;
}

function isNoResponders(error: unknown): boolean {
  return error instanceof NatsError && error.code === ErrorCode.NoResponders;
}

async function statsOf(client: NatsConnection, name: string): Promise<ServiceStats | undefined> {
  for await (const stats of await client.services
    .client({ maxWait: 300, strategy: RequestStrategy.Timer })
    .stats(name)) {
    return stats;
  }
  return undefined;
}

describeWithNats("NATS micro service", () => {
  const stage = new NatsStage();
  let server: NatsServer;
  let transport: Transport;
  let client: NatsConnection;

  const description: ServiceDescription = {
    name: "supercast-node",
    version: "0.1.0",
    description: "a node of the spec",
    metadata: { node: "a", incarnation: "x1" },
    endpoints: [
      { name: "echo", handler: (message) => message.respond(message.payload) },
      {
        name: "status",
        subject: "spec.status",
        queue: "own",
        metadata: { kind: "status" },
        handler: (message) => message.respond(bytes("fine"), { "X-Kind": "status" }),
      },
      {
        name: "broken",
        handler: () => {
          throw new Error("first line\r\nsecond line");
        },
      },
      { name: "rejecting", handler: () => Promise.reject(new Error("later")) },
    ],
  };

  beforeEach(async () => {
    server = await stage.serve();
    transport = await stage.connect({ servers: server.url });
    client = await connect({ servers: server.url });
  });

  afterEach(async () => {
    await client.close();
    await stage.close();
  });

  /** The server restarts, and everyone is there again. */
  async function restart(): Promise<void> {
    await client.close();
    await server.restart();
    await eventually("reconnected", () => transport.connected);
    await transport.flush();
    client = await connect({ servers: server.url });
  }

  async function announce(service: ServiceDescription = description): Promise<AnnouncedService> {
    const announced = await transport.announce?.(service);
    if (announced === undefined) {
      throw new Error("the transport announces nothing");
    }
    await transport.flush();
    return announced;
  }

  it("is found by any NATS client, with its metadata and endpoints", async () => {
    const { id } = await announce();
    const [info, ...more] = await infos(client);
    expect(more).to.deep.equal([]);
    expect(info).to.deep.include({
      type: "io.nats.micro.v1.info_response",
      name: "supercast-node",
      id,
      version: "0.1.0",
      description: "a node of the spec",
      metadata: { node: "a", incarnation: "x1" },
    });
    expect(
      info?.endpoints.map(({ name, subject, queue_group }) => [name, subject, queue_group]),
    ).to.deep.equal([
      ["echo", "echo", "q"],
      ["status", "spec.status", "own"],
      ["broken", "broken", "q"],
      ["rejecting", "rejecting", "q"],
    ]);
  });

  it("answers on its endpoints, and counts", async () => {
    await announce();
    expect((await client.request("echo", "hello")).string()).to.equal("hello");
    const status = await client.request("spec.status");
    expect(status.string()).to.equal("fine");
    expect(status.headers?.get("X-Kind")).to.equal("status");
    const stats = await statsOf(client, "supercast-node");
    expect(stats?.endpoints?.map(({ name, num_requests }) => [name, num_requests])).to.deep.include([
      "echo",
      1,
    ]);
  });

  it("answers an error when a handler fails, whatever its text, and goes on", async () => {
    await announce();
    const events = eventsOf(transport);
    const broken = await client.request("broken");
    expect(broken.headers?.get("Nats-Service-Error-Code")).to.equal("500");
    expect(broken.headers?.get("Nats-Service-Error")).to.equal("first line second line");
    const rejecting = await client.request("rejecting");
    expect(rejecting.headers?.get("Nats-Service-Error")).to.equal("later");
    expect((await client.request("echo", "still here")).string()).to.equal("still here");
    expect(events.map((event) => event.type)).to.deep.equal(["handlerFailed", "handlerFailed"]);
    expect(transport.stats.handlerFailures).to.equal(2);
  });

  it("is there again after a reconnect", async () => {
    await announce();
    const events = eventsOf(transport);
    await restart();
    expect(transport.stats.reconnects).to.equal(1);
    expect((await infos(client)).map(({ name }) => name)).to.deep.equal(["supercast-node"]);
    expect((await client.request("echo", "again")).string()).to.equal("again");
    expect(events.filter((event) => event.type === "error")).to.deep.equal([]);
  });

  it("is gone when it is stopped, and stays away after a reconnect", async () => {
    const announced = await announce();
    await announced.stop();
    expect(await infos(client)).to.deep.equal([]);
    await restart();
    expect(transport.stats.reconnects).to.equal(1);
    expect(await infos(client)).to.deep.equal([]);
  });

  it("can be announced while disconnected, for the next connection", async () => {
    await server.kill();
    await eventually("disconnected", () => !transport.connected);
    const announced = await transport.announce?.(description);
    expect(announced?.id).to.equal(undefined);
    await restart();
    expect((await infos(client)).map(({ id }) => id)).to.deep.equal([announced?.id]);
  });

  it("tells when permissions forbid its subjects, and the transport goes on", async () => {
    const strict = await stage.serve(
      'authorization { users: [ { user: ann, password: x, permissions: { subscribe: { deny: ["$SRV.>", echo] } } } ] }',
    );
    const restricted = await stage.connect({ servers: strict.url, user: "ann", password: "x" });
    const events = eventsOf(restricted);
    await restricted.announce?.(description);
    const texts = (): string =>
      events.map((event) => (event.type === "error" ? event.error.message : "")).join();
    await eventually("told of the service", () => texts().includes("supercast-node stopped"));
    await eventually("told of the subjects", () => texts().includes("$SRV.PING"));
    restricted.subscribe("x", (message) => message.respond(bytes("here")));
    const answer = await restricted.request("x", bytes("?"), { timeoutMs: 2_000 });
    expect(answer.payload).to.deep.equal(Buffer.from("here"));
  });

  const wrong: readonly [name: string, change: Partial<ServiceDescription>, text: string][] = [
    ["a name with a dot", { name: "a.b" }, 'service name "a.b" is not allowed'],
    ["an empty name", { name: "" }, 'service name "" is not allowed'],
    ["a version that is none", { version: "one" }, 'service version "one" is not like 1.2.3'],
    [
      "a name of an endpoint",
      { endpoints: [{ name: "a b", handler: () => undefined }] },
      '"a b" is not allowed',
    ],
    [
      "a subject",
      { endpoints: [{ name: "a", subject: "a..b", handler: () => undefined }] },
      'subject "a..b"',
    ],
    ["a queue", { endpoints: [{ name: "a", queue: "a b", handler: () => undefined }] }, 'queue group "a b"'],
  ];
  for (const [name, change, text] of wrong) {
    it(`is refused for ${name}`, async () => {
      const failure = await announce({ ...description, ...change }).catch((error: unknown) => error);
      expect(failure).to.be.an.instanceOf(SupercastError).with.property("message").that.contains(text);
    });
  }
});
