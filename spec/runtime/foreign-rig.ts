/** Two nodes over a real nats-server, and a bare NATS client beside them. */
import { unpack } from "msgpackr";
import { connect, type Msg, type NatsConnection } from "nats";
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
import { type NatsServer, startNatsServer } from "../support/nats-server.ts";

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
export class Tally extends Actor<TallyProtocol, number> {
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
export type Answer = z.infer<typeof answerSchema>;

export function isMsgpack(bytes: Uint8Array): boolean {
  return (bytes[0] ?? 0) >= 0x80 && bytes[0] !== 0xef;
}

export const utf8 = new TextEncoder();

export function subject(actor: string, node = "a", kind = "call"): string {
  return `supercast.foreign.${kind}.${node}.${actor}`;
}

export class ForeignRig {
  readonly server: NatsServer;
  readonly client: NatsConnection;
  readonly #nodes: Node[] = [];

  private constructor(server: NatsServer, client: NatsConnection) {
    this.server = server;
    this.client = client;
  }

  static async start(): Promise<ForeignRig> {
    const server = await startNatsServer();
    const rig = new ForeignRig(server, await connect({ servers: server.url }));
    try {
      await rig.#startNodes();
    } catch (error) {
      await rig.stop();
      throw error;
    }
    return rig;
  }

  async #startNodes(): Promise<void> {
    const common = {
      cluster: "foreign",
      servers: this.server.url,
      peers: ["a", "b"],
      health: { intervalMs: 60_000 },
    };
    const { log } = collectLog();
    const a = await startNode({ name: "a", ...common, limits: { foreignInFlight: 500 } }, { log });
    this.#nodes.push(a);
    this.#nodes.push(await startNode({ name: "b", ...common }, { log }));
    await a.start(Tally, undefined, { name: "tally", mailbox: 100 });
    await a.start(Plain, undefined, { name: "plain" });
    await eventually("both nodes are live", async () => {
      const { ok } = await this.ask("manager", { type: "liveNodes" });
      return JSON.stringify(ok) === '["a","b"]';
    });
  }

  async stop(): Promise<void> {
    await this.client.close();
    for (const node of this.#nodes) {
      await node.stop();
    }
    await this.server.stop();
  }

  raw(to: string, payload: Uint8Array): Promise<Msg> {
    return this.client.request(to, payload, { timeout: 5_000 });
  }

  async send(actor: string, payload: Uint8Array | string): Promise<Answer> {
    const bytes = typeof payload === "string" ? utf8.encode(payload) : payload;
    return this.read(await this.raw(subject(actor), bytes));
  }

  ask(actor: string, message: object): Promise<Answer> {
    return this.send(actor, JSON.stringify(message));
  }

  read(message: Msg): Answer {
    const value: unknown = isMsgpack(message.data) ? unpack(message.data) : JSON.parse(message.string());
    return answerSchema.parse(value);
  }
}
