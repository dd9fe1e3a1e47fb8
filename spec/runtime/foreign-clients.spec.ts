/** What any NATS client can do with a cluster, and what it cannot: by the bare `nats` client alone. */
import { expect } from "chai";
import { pack, unpack } from "msgpackr";
import { connect, type Msg, type NatsConnection, type RequestOptions, RequestStrategy } from "nats";
import { z } from "zod";
import { Actor } from "../../lib/actor/actor.ts";
import type { From } from "../../lib/actor/from.ts";
import {
  type CallMessage,
  type CastMessage,
  defineProtocol,
  type ProtocolOf,
} from "../../lib/actor/protocol.ts";
import type { CallResult } from "../../lib/actor/result.ts";
import type { Node } from "../../lib/runtime/node.ts";
import { startNode } from "../../lib/runtime/start-node.ts";
import { collectLog } from "../../lib/telemetry/log.ts";
import { eventually } from "../support/eventually.ts";
import { describeWithNats, type NatsServer, startNatsServer } from "../support/nats-server.ts";

const tallyProtocol = defineProtocol({
  add: { call: z.strictObject({ n: z.int() }), reply: z.number(), help: "adds and answers the sum" },
  hold: { call: z.strictObject({}), reply: z.literal(true), help: "answers when it is released" },
  crash: { call: z.strictObject({}), reply: z.literal(true), help: "crashes" },
  odd: { call: z.strictObject({}), reply: z.unknown(), help: "answers what cannot travel" },
  huge: { call: z.strictObject({}), reply: z.string(), help: "answers more than a message holds" },
  bump: { cast: z.strictObject({ by: z.int() }), help: "adds without an answer" },
});
type TallyProtocol = ProtocolOf<typeof tallyProtocol>;

/** Holds calls open until the spec releases them. */
class Tally extends Actor<TallyProtocol, number> {
  static override readonly protocol = tallyProtocol;
  static held: From<TallyProtocol>[] = [];

  init(): number {
    return 0;
  }

  override handleCall(message: CallMessage<TallyProtocol>, from: From<TallyProtocol>): CallResult {
    switch (message.type) {
      case "add":
        this.state += message.n;
        return this.reply(message, this.state);
      case "hold":
        Tally.held.push(from);
        return this.noReply();
      case "crash":
        throw new Error("as asked");
      case "odd":
        return this.reply(message, () => "no function travels");
      case "huge":
        return this.reply(message, "x".repeat(2_000_000));
    }
  }

  override handleCast(message: CastMessage<TallyProtocol>): void {
    this.state += message.by;
  }
}

class Plain extends Actor<Record<never, never>, undefined> {
  init(): undefined {
    return undefined;
  }
}

const answerSchema = z.union([
  z.strictObject({ ok: z.unknown(), error: z.undefined().optional() }),
  z.strictObject({
    ok: z.undefined().optional(),
    error: z.strictObject({ code: z.string(), message: z.string() }),
  }),
]);
type Answer = z.infer<typeof answerSchema>;

function isMsgpack(bytes: Uint8Array): boolean {
  return (bytes[0] ?? 0) >= 0x80 && bytes[0] !== 0xef;
}

const utf8 = new TextEncoder();

describeWithNats("a cluster as the bare nats client has it", function () {
  this.timeout(20_000);
  let server: NatsServer;
  let a: Node;
  let b: Node;
  let client: NatsConnection;

  const quiet = () => ({ log: collectLog().log });
  const subject = (actor: string, node = "a", kind = "call"): string =>
    `supercast.foreign.${kind}.${node}.${actor}`;

  async function raw(to: string, payload: Uint8Array, options: Partial<RequestOptions> = {}): Promise<Msg> {
    return await client.request(to, payload, { timeout: 5_000, ...options });
  }

  async function send(actor: string, payload: Uint8Array | string): Promise<Answer> {
    const bytes = typeof payload === "string" ? utf8.encode(payload) : payload;
    return read(await raw(subject(actor), bytes));
  }

  function read(message: Msg): Answer {
    const value: unknown = isMsgpack(message.data) ? unpack(message.data) : JSON.parse(message.string());
    return answerSchema.parse(value);
  }

  const ask = (actor: string, message: object): Promise<Answer> => send(actor, JSON.stringify(message));

  before(async () => {
    server = await startNatsServer();
    const options = {
      cluster: "foreign",
      servers: server.url,
      peers: ["a", "b"],
      health: { intervalMs: 60_000 },
    };
    a = await startNode({ name: "a", ...options, limits: { foreignInFlight: 500 } }, quiet());
    b = await startNode({ name: "b", ...options }, quiet());
    await a.start(Tally, undefined, { name: "tally", mailbox: 100 });
    await a.start(Plain, undefined, { name: "plain" });
    client = await connect({ servers: server.url });
    await eventually("both nodes are live", async () => {
      const { ok } = await ask("manager", { type: "liveNodes" });
      return JSON.stringify(ok) === '["a","b"]';
    });
  });

  after(async () => {
    await client?.close();
    await a?.stop();
    await b?.stop();
    await server?.stop();
  });

  // --- what works -------------------------------------------------------------------------------

  it("answers JSON with JSON and msgpack with msgpack", async () => {
    const json = await raw(subject("tally"), utf8.encode('{"type":"add","n":1}'));
    expect(json.string()).to.equal('{"ok":1}');
    expect(json.headers).to.equal(undefined);
    const msgpack = await raw(subject("tally"), pack({ type: "add", n: 2 }));
    expect(unpack(msgpack.data)).to.deep.equal({ ok: 3 });
  });

  it("takes casts, and calls sent as casts", async () => {
    client.publish(subject("tally", "a", "cast"), utf8.encode('{"type":"bump","by":10}'));
    client.publish(subject("tally", "a", "cast"), pack({ type: "add", n: 10 }));
    expect(await ask("tally", { type: "add", n: 0 })).to.deep.equal({ ok: 23 });
  });

  it("answers to `any`, from one of the nodes", async () => {
    const nodes = new Set<unknown>();
    for (let n = 0; n < 40 && nodes.size < 2; n++) {
      const { ok } = read(await raw(subject("stats", "any"), utf8.encode('{"type":"node"}')));
      nodes.add(typeof ok === "object" && ok !== null && "node" in ok ? ok.node : "none");
    }
    expect([...nodes].sort()).to.deep.equal(["a", "b"]);
  });

  it("describes every actor: its messages, their fields, who may send them", async () => {
    for (const actor of ["manager", "node_monitor", "health_monitor", "metrics", "stats", "tally"]) {
      const { ok } = await ask(actor, { type: "describe" });
      expect(ok, actor).to.include({ actor, node: "a" });
      expect(Object.keys(Object(ok).messages).length, actor).to.be.greaterThan(2);
    }
    const { ok } = await ask("manager", { type: "describe" });
    const { getReplicas, declared } = Object(ok).messages;
    expect(getReplicas).to.include({ kind: "call", from: "anyone" });
    expect(getReplicas.fields.properties.partition.type).to.equal("integer");
    expect(declared).to.include({ kind: "cast", from: "node" });
  });

  it("is a NATS micro service per node", async () => {
    const answers: { type: string; metadata?: { node?: string } }[] = [];
    for (const verb of ["PING", "INFO", "STATS"]) {
      const found = await client.requestMany(`$SRV.${verb}.supercast`, "", {
        strategy: RequestStrategy.Count,
        maxMessages: 2,
        maxWait: 2_000,
      });
      for await (const message of found) {
        answers.push(JSON.parse(message.string()));
      }
    }
    const types = answers.map((each) => each.type.replace(/^io\.nats\.micro\.v1\./, ""));
    expect(types).to.deep.equal([
      ...["ping_response", "ping_response"],
      ...["info_response", "info_response"],
      ...["stats_response", "stats_response"],
    ]);
    const nodes = answers.slice(0, 2).map((each) => each.metadata?.node);
    expect(nodes.sort()).to.deep.equal(["a", "b"]);
    const tree = await raw("supercast.foreign.service.a.tree", new Uint8Array(0));
    expect(JSON.stringify(read(tree).ok)).to.include("node_monitor");
  });

  it("publishes health rounds, and alerts once when they are raised and once when they are cleared", async () => {
    const checks: unknown[] = [];
    const alerts: { state: string; node: string; check: string }[] = [];
    const listening = client.subscribe("supercast.foreign.health.>", {
      callback: (_error, message) => {
        const list: unknown[] = message.subject.includes(".alert.") ? alerts : checks;
        list.push(JSON.parse(message.string()));
      },
    });
    await client.flush();
    expect((await ask("health_monitor", { type: "forceCheck" })).ok).to.include({
      status: "healthy",
      node: "a",
    });
    await ask("health_monitor", { type: "reconfigure", latencyMs: 0.000_001 });
    await ask("health_monitor", { type: "forceCheck" });
    await ask("health_monitor", { type: "forceCheck" });
    await ask("health_monitor", { type: "reconfigure", latencyMs: 5_000 });
    await ask("health_monitor", { type: "forceCheck" });
    await eventually("the alert is cleared", () => alerts.some((each) => each.state === "cleared"));
    expect(checks.length).to.be.at.least(4);
    expect(alerts.map(({ state, node, check }) => `${state} ${node} ${check}`)).to.deep.equal([
      "raised b latency",
      "cleared b latency",
    ]);
    listening.unsubscribe();
  });

  it("reconfigures NodeMonitor live and announces what changed", async () => {
    const events: { type: string }[] = [];
    const listening = client.subscribe("supercast.foreign.cluster.event.a", {
      callback: (_error, message) => events.push(JSON.parse(message.string())),
    });
    await client.flush();
    const { ok } = await ask("node_monitor", { type: "reconfigure", nodes: ["a"] });
    expect(ok).to.deep.include({ added: [], removed: ["b"] });
    await eventually("a lives alone", async () => {
      const live = await ask("manager", { type: "liveNodes" });
      return JSON.stringify(live.ok) === '["a"]';
    });
    await ask("node_monitor", { type: "reconfigure", nodes: ["a", "b"] });
    await eventually(
      "both changes were announced",
      () => events.filter(({ type }) => type === "mapChanged").length === 2,
    );
    expect(events.filter(({ type }) => type === "declaredChanged").length).to.equal(2);
    listening.unsubscribe();
  });

  // --- requests that come again -------------------------------------------------------------------

  it("lets a request with a requestId take effect once, whatever its form, and answers each repeat", async () => {
    const { ok: before } = await ask("tally", { type: "add", n: 0 });
    const message = { type: "add", n: 5, requestId: "r-1" };
    const answers = await Promise.all([
      ask("tally", message),
      send("tally", pack(message)),
      ask("tally", message),
    ]);
    expect(answers).to.deep.equal(Array(3).fill({ ok: Number(before) + 5 }));
    expect(await ask("tally", { type: "add", n: 0 })).to.deep.equal({ ok: Number(before) + 5 });
    for (const requestId of ["", 7, "x".repeat(129), null]) {
      const { error } = await ask("tally", { type: "add", n: 1, requestId });
      expect(error?.code).to.equal("invalid_message");
      expect(error?.message).to.match(/^requestId: /);
    }
  });

  // --- what is refused ----------------------------------------------------------------------------

  const refusals: readonly [what: string, payload: Uint8Array | string, code: string, message: RegExp][] = [
    ["an unknown type", '{"type":"nonsense"}', "invalid_message", /type: .*"nonsense"/],
    ["a missing type", "{}", "invalid_message", /"type" is missing/],
    ["a type that is no string", '{"type":1}', "invalid_message", /"type" must be a string/],
    ["a wrong field", '{"type":"add","n":"one"}', "invalid_message", /n: /],
    ["a missing field", '{"type":"add"}', "invalid_message", /n: /],
    ["a field too many", '{"type":"add","n":1,"m":2}', "invalid_message", /"m"/],
    ["an empty body", "", "invalid_message", /empty/],
    ["white space", "  \n", "invalid_message", /empty/],
    ["truncated JSON", '{"type":"add"', "invalid_message", /./],
    ["a byte-order mark", "\ufeff{}", "invalid_message", /byte-order mark/],
    ["a list", "[1,2]", "invalid_message", /begins with/],
    [
      "deep nesting in JSON",
      `{"type":"add","n":${"[".repeat(5_000)}${"]".repeat(5_000)}}`,
      "invalid_message",
      /deep|nest/,
    ],
    ["__proto__ in JSON", '{"type":"add","n":1,"__proto__":{"x":1}}', "invalid_message", /__proto__/],
    ["constructor in JSON", '{"type":"add","n":1,"constructor":{"x":1}}', "invalid_message", /constructor/],
    ["a type like __proto__", '{"type":"__proto__"}', "invalid_message", /__proto__/],
    ["a type like toString", '{"type":"toString"}', "invalid_message", /toString/],
    ["truncated msgpack", pack({ type: "add", n: 1 }).subarray(0, 5), "invalid_message", /msgpack/],
    [
      "msgpack with a tail",
      Buffer.concat([pack({ type: "add", n: 1 }), Buffer.from([1])]),
      "invalid_message",
      /./,
    ],
    ["a msgpack list", pack([1, 2]), "invalid_message", /begins with/],
    [
      "deep msgpack",
      Buffer.concat([Buffer.from([0x81, 0xa1, 0x6e]), Buffer.alloc(5_000, 0x91), Buffer.from([1])]),
      "invalid_message",
      /deep|nest/,
    ],
    [
      "msgpack that claims four thousand million items",
      Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff]),
      "invalid_message",
      /./,
    ],
  ];
  for (const [what, payload, code, text] of refusals) {
    it(`refuses ${what} with ${code}`, async () => {
      const bytes = typeof payload === "string" ? utf8.encode(payload) : payload;
      const message = await raw(subject("tally"), bytes);
      const { error } = read(message);
      expect(error?.code).to.equal(code);
      expect(error?.message).to.match(text);
      expect(message.headers?.get("Nats-Service-Error-Code")).to.equal("400");
      expect(message.headers?.get("Nats-Service-Error")).to.have.length.greaterThan(0);
      expect(isMsgpack(message.data)).to.equal(isMsgpack(bytes));
    });
  }

  it("tells actors that are not there, that take nothing from outside, and messages between nodes", async () => {
    const unknown = await raw(subject("nobody"), utf8.encode('{"type":"x"}'));
    expect(read(unknown).error?.code).to.equal("noproc");
    expect(unknown.headers?.get("Nats-Service-Error-Code")).to.equal("404");
    expect((await ask("plain", { type: "x" })).error?.code).to.equal("forbidden");
    expect((await ask("plain", { type: "describe" })).error?.code).to.equal("forbidden");
    expect((await ask("manager", { type: "declared", nodes: ["x"] })).error?.code).to.equal("forbidden");
    expect((await ask("tally", { type: "bump", by: 1 })).error?.message).to.match(/is a cast/);
  });

  it("tells a call whose actor crashes, and goes on with its successor", async () => {
    const { error } = await ask("tally", { type: "crash" });
    expect(error?.code).to.equal("exit");
    expect(error?.message).to.match(/as asked/);
    expect(await ask("tally", { type: "add", n: 4 })).to.deep.equal({ ok: 4 });
  });

  it("answers in place of answers that cannot travel or are too large", async () => {
    expect((await ask("tally", { type: "odd" })).error?.message).to.match(/the answer cannot be sent/);
    expect((await ask("tally", { type: "huge" })).error?.code).to.equal("payload_too_large");
  });

  it("refuses payloads beyond its bound, and lives with more than the server allows", async () => {
    const big = `{"type":"add","n":1,"x":"${"y".repeat(1_048_000)}"}`;
    expect((await send("tally", big)).error?.code).to.be.oneOf(["payload_too_large", "invalid_message"]);
    const other = await connect({ servers: server.url, reconnect: false });
    expect(() => other.publish(subject("tally"), new Uint8Array(2 * 1024 * 1024))).to.throw(/MAX_PAYLOAD/);
    await other.close();
  });

  it("counts what it refuses and keeps its own health out of it", async () => {
    const { ok: before } = await ask("stats", { type: "api" });
    for (let n = 0; n < 40; n++) {
      await ask("tally", { type: "nonsense" });
    }
    const { ok: after } = await ask("stats", { type: "api" });
    const count = (from: unknown, field: string): number => Object(from).counters[field] ?? 0;
    expect(count(after, "errors") - count(before, "errors")).to.equal(40);
    expect(count(after, "invalid_message") - count(before, "invalid_message")).to.equal(40);
    expect(count(after, "failures")).to.equal(count(before, "failures"));
    expect((await ask("health_monitor", { type: "forceCheck" })).ok).to.include({ status: "healthy" });
  });

  it("bounds a flood beyond the mailbox and what is in hand: each request is answered, nothing piles up", async () => {
    Tally.held = [];
    const codes = new Map<string, number>();
    const FLOOD = 2_000;
    const requests = Array.from({ length: FLOOD }, async () => {
      const { ok, error } = await ask("tally", { type: "hold" });
      const code = ok === true ? "ok" : (error?.code ?? "none");
      codes.set(code, (codes.get(code) ?? 0) + 1);
    });
    await eventually("all but those in hand are refused", () => {
      const refused = (codes.get("mailbox_full") ?? 0) + (codes.get("overload") ?? 0);
      return refused >= FLOOD - 500;
    });
    expect(Tally.held.length).to.be.at.most(500);
    for (const from of Tally.held) {
      from.settle(true);
    }
    await Promise.all(requests);
    expect([...codes.values()].reduce((sum, n) => sum + n, 0)).to.equal(FLOOD);
    expect(codes.get("ok")).to.be.within(100, 500);
    expect(await ask("tally", { type: "add", n: 0 })).to.have.property("ok");
  });

  it("survives random bytes", async () => {
    let seed = 12_345;
    const random = (): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return seed >>> 8;
    };
    const answers = await Promise.all(
      Array.from({ length: 300 }, () => {
        const bytes = Uint8Array.from({ length: random() % 64 }, () => random() % 256);
        return send("tally", bytes);
      }),
    );
    expect(answers.every(({ error }) => error?.code === "invalid_message")).to.equal(true);
    expect(await ask("tally", { type: "add", n: 0 })).to.have.property("ok");
  });
});
