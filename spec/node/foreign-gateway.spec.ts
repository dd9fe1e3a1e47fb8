import { expect } from "chai";
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
import { API_METRICS, ForeignGateway } from "../../lib/node/foreign-gateway.ts";
import { MetricsStore } from "../../lib/telemetry/metrics.ts";
import type { IncomingMessage, Transport } from "../../lib/transport/transport.ts";
import { type BareNode, FloorRig } from "./floor-rig.ts";

const protocol = defineProtocol({
  add: { call: z.strictObject({ n: z.int() }), reply: z.number(), help: "adds" },
  hold: { call: z.strictObject({}), reply: z.literal(true), help: "answers when released" },
  bump: { cast: z.strictObject({ by: z.int() }), help: "adds quietly" },
  slow: {
    call: z.strictObject({ n: z.int().refine(async () => true) }),
    reply: z.number(),
    help: "has a schema that takes its time",
  },
});
type P = ProtocolOf<typeof protocol>;

class Counter extends Actor<P, number, { readonly held: From<P>[] }> {
  static override readonly protocol = protocol;
  #held: From<P>[] = [];

  init({ held }: { readonly held: From<P>[] }): number {
    this.#held = held;
    return 0;
  }

  override handleCall(message: CallMessage<P>, from: From<P>): CallResult {
    if (message.type === "hold") {
      this.#held.push(from);
      return this.noReply();
    }
    this.state += message.n;
    return this.reply(message, this.state);
  }

  override handleCast(message: CastMessage<P>): void {
    this.state += message.by;
  }
}

describe("the foreign gateway", () => {
  let rig: FloorRig;
  let node: BareNode;
  let gateway: ForeignGateway;
  let metrics: MetricsStore;
  let client: Transport;
  let held: From<P>[];

  beforeEach(async () => {
    rig = new FloorRig({ foreignInFlight: 5, foreignTimeoutMs: 1_000, requestIdMs: 2_000 });
    node = rig.node("a");
    metrics = new MetricsStore();
    gateway = new ForeignGateway({
      system: node.system,
      transport: node.transport,
      subjects: rig.subjects,
      metrics,
    });
    gateway.start();
    held = [];
    await node.system.start(Counter, { held }, { name: "counter" });
    client = rig.hub.connect("client");
  });

  afterEach(() => {
    gateway.stop();
    rig.close();
  });

  function request(message: object, to = rig.subjects.call("a", "counter")): Promise<IncomingMessage> {
    return client.request(to, Buffer.from(JSON.stringify(message)), { timeoutMs: 5_000 });
  }

  async function ask(
    message: object,
    to?: string,
  ): Promise<{ ok?: unknown; error?: { code: string; message: string } }> {
    return read(await rig.clock.run(request(message, to)));
  }

  function read({ payload }: IncomingMessage): { ok?: unknown; error?: { code: string; message: string } } {
    return JSON.parse(Buffer.from(payload).toString());
  }

  it("passes checked calls and casts on, also those to any node", async () => {
    expect(await ask({ type: "add", n: 2 })).to.deep.equal({ ok: 2 });
    expect(await ask({ type: "add", n: 1 }, rig.subjects.call("any", "counter"))).to.deep.equal({ ok: 3 });
    for (const target of ["a", "any"]) {
      client.publish(rig.subjects.cast(target, "counter"), Buffer.from('{"type":"bump","by":10}'));
    }
    await rig.clock.settle();
    expect(await ask({ type: "add", n: 0 })).to.deep.equal({ ok: 23 });
    expect(metrics.counter(API_METRICS, "calls")).to.equal(3);
    expect(metrics.counter(API_METRICS, "casts")).to.equal(2);
  });

  it("answers errors in body and headers, counts them, and tells clients' faults from its own", async () => {
    const answer = await rig.clock.run(request({ type: "add", n: "x" }));
    expect(read(answer).error).to.include({ code: "invalid_message" });
    expect(answer.headers).to.include({ "Nats-Service-Error-Code": "400" });
    client.publish(rig.subjects.cast("a", "counter"), Buffer.from("nonsense"));
    await rig.clock.settle();
    expect(metrics.counters(API_METRICS)).to.include({ errors: 2, invalid_message: 2 });
    expect(metrics.counter(API_METRICS, "failures")).to.equal(0);
  });

  it("holds no more calls in hand than its bound, and lets them go after their time", async () => {
    const waiting = Array.from({ length: 7 }, () => request({ type: "hold" }));
    await rig.clock.settle();
    expect(held.length).to.equal(5);
    const answers = (await rig.clock.run(Promise.all(waiting))).map((answer) => read(answer).error?.code);
    expect(answers.filter((code) => code === "overload").length).to.equal(2);
    expect(answers.filter((code) => code === "timeout").length).to.equal(5);
    expect(rig.clock.now()).to.be.within(1_000, 1_010);
    expect(await ask({ type: "add", n: 1 })).to.deep.equal({ ok: 1 });
    expect(metrics.counter(API_METRICS, "failures")).to.equal(7);
  });

  it("gives a repeat the first one's answer while that is still awaited, and later", async () => {
    const message = { type: "hold", requestId: "r" };
    const both = Promise.all([request(message), request(message)]);
    await rig.clock.settle();
    expect(held.length).to.equal(1);
    held[0]?.settle(true);
    const answers = await rig.clock.run(both);
    expect(answers.map(read)).to.deep.equal([{ ok: true }, { ok: true }]);
    expect(await ask(message)).to.deep.equal({ ok: true });
    await rig.clock.advance(2_000);
    const again = request(message);
    await rig.clock.settle();
    expect(held.length).to.equal(2);
    held[1]?.settle(true);
    await rig.clock.run(again);
  });

  it("fails the callers of an actor that ends", async () => {
    const waiting = request({ type: "hold" });
    await rig.clock.settle();
    node.system.whereis("counter")?.finish("killed");
    expect(read(await rig.clock.run(waiting)).error?.code).to.equal("exit");
    expect((await ask({ type: "add", n: 1 })).error?.code).to.equal("noproc");
  });

  it("says that a schema which takes its time is a defect of the actor", async () => {
    const { error } = await ask({ type: "slow", n: 1 });
    expect(error).to.deep.include({ code: "internal" });
  });

  it("hears nothing any more after its end, and still answers what is in hand", async () => {
    const waiting = request({ type: "hold" });
    await rig.clock.settle();
    gateway.stop();
    gateway.stop();
    held[0]?.settle(true);
    expect(read(await rig.clock.run(waiting))).to.deep.equal({ ok: true });
    const late = await rig.clock.run(request({ type: "add", n: 1 }).catch((error: unknown) => error));
    expect(late).to.have.property("code", "noproc");
  });
});
