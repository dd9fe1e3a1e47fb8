import { once } from "node:events";
import { createConnection } from "node:net";
import { expect } from "chai";
import { connect, type NatsConnection } from "nats";
import { startNatsServers } from "../../scripts/chaos/servers.ts";
import { isAlive } from "../cli/command.ts";
import { eventually } from "../support/eventually.ts";
import { describeWithNats, type NatsServer } from "../support/nats-server.ts";

/** What a server says of itself to whoever connects. */
async function infoOf(port: number): Promise<string> {
  const socket = createConnection({ host: "127.0.0.1", port });
  const [bytes] = await once(socket, "data");
  socket.destroy();
  return String(bytes);
}

describeWithNats("The nats-servers of a chaos run", function () {
  this.timeout(30_000);
  let servers: readonly NatsServer[] = [];
  const unexpected: string[] = [];
  const connections: NatsConnection[] = [];

  afterEach(async () => {
    await Promise.all(connections.splice(0).map((connection) => connection.close()));
    await Promise.all(servers.map((server) => server.stop()));
  });

  async function client(index: number): Promise<NatsConnection> {
    const connection = await connect({ servers: servers[index]?.url ?? "", reconnect: false });
    connections.push(connection);
    return connection;
  }

  it("are routed to each other, also when one was killed and came back, and never say where the others are", async () => {
    servers = await startNatsServers(3, (how) => unexpected.push(how));
    const [first, , third] = servers;
    if (first === undefined || third === undefined) {
      throw new Error("there are three");
    }
    expect(await infoOf(first.port))
      .to.match(/^INFO /)
      .and.not.to.match(/connect_urls/);
    const killed = third.pid;
    await third.kill();
    expect(isAlive(killed)).to.equal(false);
    await third.restart();
    const [near, far] = [await client(0), await client(2)];
    const heard: string[] = [];
    far.subscribe("news", { callback: (_error, message) => heard.push(message.string()) });
    await far.flush();
    await eventually(
      "the routes are there again",
      async () => {
        near.publish("news", "hello");
        await near.flush();
        return heard.length > 0;
      },
      10_000,
    );
    expect(unexpected).to.deep.equal([]);
  });

  it("are none at all when one of them does not start", async () => {
    const before = process.env["NATS_SERVER"];
    process.env["NATS_SERVER"] = "/bin/false";
    try {
      servers = [];
      let problem = "";
      await startNatsServers(3, () => undefined).catch((error: unknown) => {
        problem = String(error);
      });
      expect(problem).to.match(/did not start/);
    } finally {
      if (before === undefined) {
        delete process.env["NATS_SERVER"];
      } else {
        process.env["NATS_SERVER"] = before;
      }
    }
  });
});
