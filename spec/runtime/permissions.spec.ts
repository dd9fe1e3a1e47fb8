import { readFileSync } from "node:fs";
import { expect } from "chai";
import { connect, JSONCodec, type NatsConnection } from "nats";
import { type Node, startNode } from "supercast";
import { collectLog } from "../../lib/telemetry/log.ts";
import type { NatsServer } from "../../lib/transport/nats-server.ts";
import { describeWithNats, startNatsServer } from "../support/nats-server.ts";

const PASSWORDS = { a: "change-me-a", b: "change-me-b", client: "change-me-client" };
const json = JSONCodec<unknown>();

describeWithNats("the permission sample of docs/nats-permissions.conf", () => {
  let server: NatsServer;
  const nodes: Node[] = [];
  const { log, lines } = collectLog();

  before(async () => {
    server = await startNatsServer({ config: readFileSync("docs/nats-permissions.conf", "utf8") });
    for (const name of ["a", "b"] as const) {
      const login = { user: `node_${name}`, password: PASSWORDS[name] };
      nodes.push(await startNode({ name, servers: server.url, peers: ["a", "b"], ...login }, { log }));
    }
  });

  after(async () => {
    for (const node of nodes.reverse()) {
      await node.stop();
    }
    await server.stop();
  });

  async function asClient<T>(use: (nc: NatsConnection) => Promise<T>): Promise<T> {
    const nc = await connect({ servers: server.url, user: "client", pass: PASSWORDS.client });
    try {
      return await use(nc);
    } finally {
      await nc.close();
    }
  }

  it("lets nodes form a cluster and forbids them nothing that they need", async () => {
    expect(await nodes[0]?.call({ name: "manager", node: "b" }, { type: "liveNodes" })).to.deep.equal(["a", "b"]);
    expect(lines.filter((line) => line.level === "error")).to.deep.equal([]);
  });

  it("lets a client ask named actors, and any node", async () => {
    for (const node of ["a", "any"]) {
      const answer = await asClient(async (nc) => {
        const reply = await nc.request(`supercast.default.call.${node}.manager`, json.encode({ type: "liveNodes" }));
        return json.decode(reply.data);
      });
      expect(answer).to.deep.equal({ ok: ["a", "b"] });
    }
  });

  it("lets a client see the nodes as micro services", async () => {
    const names = await asClient(async (nc) => {
      const found: string[] = [];
      for await (const info of await nc.services.client().ping("supercast")) {
        found.push(info.name);
      }
      return found;
    });
    expect(names).to.deep.equal(["supercast", "supercast"]);
  });

  it("keeps a client away from the subjects between nodes", async () => {
    const error = await asClient(
      (nc) =>
        new Promise<unknown>((resolve) => {
          nc.subscribe("supercast.default.node.>", { callback: (failure) => resolve(failure) });
        }),
    );
    expect(String(error)).to.match(/permission/i);
  });
});
