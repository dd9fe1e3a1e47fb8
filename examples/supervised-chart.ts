/**
 * An xstate chart as a supervised process: an order that is paid within a second, or expires.
 *
 * Run it from a clone: npx tsx examples/supervised-chart.ts
 */
import { child, machineActor, onEvent, Supervisor, startNode } from "supercast";
import { assign, setup } from "xstate";

// xstate reads the type of this object, never its value.
const types: {
  context?: { price: number; paid: number };
  events?: { type: "pay"; amount: number };
  input?: { price: number };
  output?: { result: "paid" | "expired"; paid: number };
} = {};

const orderMachine = setup({ types }).createMachine({
  id: "order",
  context: ({ input }) => ({ price: input.price, paid: 0 }),
  initial: "open",
  output: ({ context }) => ({
    result: context.paid < context.price ? "expired" : "paid",
    paid: context.paid,
  }),
  states: {
    open: {
      after: { 1000: "closed" },
      always: { guard: ({ context }) => context.paid >= context.price, target: "closed" },
      on: { pay: { actions: assign({ paid: ({ context, event }) => add(context.paid, event.amount) }) } },
    },
    closed: { type: "final" },
  },
});

function add(paid: number, amount: number): number {
  if (amount > 0) {
    return paid + amount;
  }
  throw new RangeError(`nobody pays ${amount}`);
}
class Order extends machineActor(orderMachine) {}

const node = await startNode({ name: "a", cluster: "orders" });
const order = (price: number) =>
  child(Order, { input: { price } }, { name: `order_${price}`, restart: "transient" });
await node.start(Supervisor, { children: [order(20), order(30)] }, { name: "orders" });
const pay = (amount: number) =>
  node.call({ name: "order_20" }, { type: "ask", event: { type: "pay", amount } }).catch(String);

const restarted = new Promise<string>((resolve) => {
  onEvent("supercast:supervisor:report", ({ event, child }) => event === "restarted" && resolve(child));
});
const expiry = node.call({ name: "order_30" }, { type: "output" });
console.log("15 are paid:", await pay(15));
console.log("-5 crashes the chart:", await pay(-5));
console.log("begun anew:", await restarted, await node.call({ name: "order_20" }, { type: "snapshot" }));
console.log("20 are paid:", await pay(20));
console.log("nobody paid the other one:", await expiry);
await node.stop();
