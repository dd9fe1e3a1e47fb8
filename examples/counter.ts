/**
 * A counter on node a, used from node b and by any NATS client.
 *
 * Run it from a clone: npx tsx examples/counter.ts
 */
import {
  Actor,
  type CallMessage,
  type CastMessage,
  defineProtocol,
  type ProtocolOf,
  startNode,
} from "supercast";
import { z } from "zod";

/** The messages and their schemas; the TypeScript types follow from them. */
const counterProtocol = defineProtocol({
  add: { call: z.strictObject({ n: z.number() }), reply: z.number(), help: "adds n and answers the sum" },
  reset: { cast: z.strictObject({}), help: "begins again at zero" },
});
type CounterProtocol = ProtocolOf<typeof counterProtocol>;

declare module "supercast" {
  interface Names {
    counter: CounterProtocol;
  }
}

class Counter extends Actor<CounterProtocol, number, { start: number }> {
  static override readonly protocol = counterProtocol;

  init({ start }: { start: number }) {
    return start;
  }

  override handleCall(message: CallMessage<CounterProtocol>) {
    this.state += message.n;
    return this.reply(message, this.state);
  }

  override handleCast(_message: CastMessage<CounterProtocol>) {
    this.state = 0;
  }
}

const a = await startNode({ name: "a", cluster: "demo", peers: ["a", "b"] });
const b = await startNode({ name: "b", cluster: "demo", peers: ["a", "b"] });

const counter = await a.start(Counter, { start: 1 }, { name: "counter" });
console.log("on its own node:", await counter.call({ type: "add", n: 2 }));
console.log("from node b:", await b.call({ name: "counter", node: "a" }, { type: "add", n: 10 }));

b.cast({ name: "counter", node: "a" }, { type: "reset" });
console.log("after a reset:", await b.call({ name: "counter", node: "a" }, { type: "add", n: 5 }));
console.log("live nodes:", await b.call({ name: "manager" }, { type: "liveNodes" }));

await b.stop();
await a.stop();
