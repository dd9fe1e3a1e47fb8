import { expect } from "chai";
import fc from "fast-check";
import { SupercastError } from "../../lib/base/errors.ts";
import { checkLimits } from "../../lib/base/limits.ts";
import { seededRandom } from "../../lib/base/random.ts";
import { VirtualClock } from "../../lib/base/virtual-clock.ts";
import { MemoryHub, type MemoryHubOptions } from "../../lib/transport/memory.ts";
import type { Transport, TransportEvent } from "../../lib/transport/transport.ts";
import { bytes, outcomeOf, texts, typesOf, watch } from "./memory-support.ts";

describe("memory hub connections", () => {
  let clock: VirtualClock;
  let hub: MemoryHub;
  let alice: Transport;
  let bob: Transport;

  function open(options: Partial<MemoryHubOptions> = {}, seed: number = 1): void {
    clock = new VirtualClock();
    hub = new MemoryHub({ clock, random: seededRandom(seed), ...options });
    alice = hub.connect("alice");
    bob = hub.connect("bob");
  }

  beforeEach(() => open());

  describe("cut", () => {
    it("loses what is under way to the client, and what it had not sent yet", async () => {
      hub.setFaults({ delayMs: [10, 10] });
      const toBob = watch(clock, bob, "to.bob");
      const fromBob = watch(clock, alice, "from.bob");
      alice.publish("to.bob", bytes("x"));
      await clock.advance(5);
      bob.publish("from.bob", bytes("y"));
      hub.cut("bob", { reconnectAfterMs: 1 });
      await clock.advance(100);
      expect(bob.connected).to.equal(true);
      expect(texts(toBob)).to.deep.equal([]);
      expect(texts(fromBob)).to.deep.equal([]);
    });

    it("lets what it had sent before arrive", async () => {
      hub.setFaults({ delayMs: [10, 10] });
      const fromBob = watch(clock, alice, "from.bob");
      bob.publish("from.bob", bytes("y"));
      await clock.settle();
      hub.cut("bob");
      await clock.advance(10);
      expect(texts(fromBob)).to.deep.equal(["y"]);
    });

    it("can let old messages arrive late, after the client is back and before newer ones", async () => {
      hub.setFaults({ delayMs: [10, 10] });
      const arrivals = watch(clock, bob, "x");
      const types = typesOf(bob);
      alice.publish("x", bytes("old"));
      await clock.advance(1);
      hub.cut("bob", { reconnectAfterMs: 50, late: true });
      await clock.advance(50);
      alice.publish("x", bytes("new"));
      await clock.advance(20);
      expect(types).to.deep.equal(["disconnected", "reconnected"]);
      expect(arrivals).to.deep.equal([
        { at: 51, text: "old" },
        { at: 61, text: "new" },
      ]);
    });

    it("makes the client's subscriptions unknown while it lasts", async () => {
      bob.subscribe("x", (message) => message.respond(bytes("here")));
      hub.cut("bob", { reconnectAfterMs: 10 });
      const during = outcomeOf(alice.request("x", bytes("?"), { timeoutMs: 1000 }));
      await clock.settle();
      expect(during.code).to.equal("noproc");
      await clock.advance(10);
      const after = outcomeOf(alice.request("x", bytes("?"), { timeoutMs: 1000 }));
      await clock.settle();
      expect(after.code).to.equal("answered");
    });

    it("lasts its own time when cuts overlap", async () => {
      hub.cut("bob", { reconnectAfterMs: 10 });
      await clock.advance(5);
      hub.reconnect("bob");
      hub.cut("bob", { reconnectAfterMs: 100 });
      await clock.advance(50);
      expect(bob.connected).to.equal(false);
      await clock.advance(50);
      expect(bob.connected).to.equal(true);
      expect(bob.stats.reconnects).to.equal(2);
    });
  });

  it("restart breaks all connections; who is back first finds nobody, until the others are", async () => {
    const types = [typesOf(alice), typesOf(bob)];
    alice.subscribe("alice", (message) => message.respond(bytes("here")));
    bob.subscribe("bob", (message) => message.respond(bytes("here")));
    hub.restart({ downMs: 10, spreadMs: 500 });
    expect([alice.connected, bob.connected]).to.deep.equal([false, false]);
    await clock.until(() => alice.connected || bob.connected);
    expect(clock.now()).to.be.at.least(10);
    const [first, missing] = alice.connected ? [alice, "bob"] : [bob, "alice"];
    const early = outcomeOf(first.request(missing, bytes("?"), { timeoutMs: 1000 }));
    await clock.settle();
    expect(early.code).to.equal("noproc");
    await clock.until(() => alice.connected && bob.connected);
    const late = outcomeOf(first.request(missing, bytes("?"), { timeoutMs: 1000 }));
    await clock.settle();
    expect(late.code).to.equal("answered");
    expect(types).to.deep.equal(Array(2).fill(["disconnected", "reconnected"]));
  });

  describe("pause", () => {
    it("holds what the client sends and gets, in order, until it is resumed", async () => {
      const toBob = watch(clock, bob, "to.bob");
      const fromBob = watch(clock, alice, "from.bob");
      hub.pause("bob");
      for (let sent = 0; sent < 5; sent++) {
        alice.publish("to.bob", bytes(`in ${sent}`));
        bob.publish("from.bob", bytes(`out ${sent}`));
        await clock.advance(10);
      }
      expect([toBob, fromBob]).to.deep.equal([[], []]);
      alice.publish("to.bob", bytes("in 5"));
      hub.resume("bob");
      alice.publish("to.bob", bytes("in 6"));
      await clock.settle();
      expect(texts(toBob)).to.deep.equal([0, 1, 2, 3, 4, 5, 6].map((item) => `in ${item}`));
      expect(texts(fromBob)).to.deep.equal([0, 1, 2, 3, 4].map((item) => `out ${item}`));
    });

    it("leaves the client known to the others: a request times out", async () => {
      bob.subscribe("x", (message) => message.respond(bytes("here")));
      hub.pause("bob");
      const outcome = outcomeOf(alice.request("x", bytes("?"), { timeoutMs: 100 }));
      await clock.advance(100);
      expect(outcome.code).to.equal("timeout");
    });

    it("costs a client its connection when too much waits for it, as a slow consumer", async () => {
      open({ pendingMax: 10_000 });
      const arrivals = watch(clock, bob, "x");
      const events: TransportEvent[] = [];
      bob.onEvent((event) => events.push(event));
      hub.pause("bob");
      await clock.advance(300);
      for (let sent = 0; sent < 20; sent++) {
        alice.publish("x", new Uint8Array(1000));
      }
      await clock.settle();
      expect(events).to.deep.equal([
        { type: "slowConsumer", lateMs: 300 },
        { type: "disconnected", server: "memory", stale: false },
      ]);
      hub.resume("bob");
      hub.reconnect("bob");
      alice.publish("x", bytes("after"));
      await clock.settle();
      expect(texts(arrivals)).to.deep.equal(["after"]);
    });

    it("bounds what the client itself may send meanwhile", () => {
      const limits = checkLimits({ batchBytes: 16 * 1024, outboundBytes: 64 * 1024 });
      const carol = hub.connect("carol", limits);
      hub.pause("carol");
      const flood = (): void => {
        for (let sent = 0; sent < 100; sent++) {
          carol.publish("x", new Uint8Array(1000));
        }
      };
      expect(flood).to.throw(SupercastError).with.property("code", "overload");
    });
  });

  describe("kill", () => {
    it("takes the client's subscriptions along at once, and frees its name", async () => {
      bob.subscribe("x", (message) => message.respond(bytes("old")));
      await clock.settle();
      hub.kill("bob");
      const outcome = outcomeOf(alice.request("x", bytes("?"), { timeoutMs: 1000 }));
      await clock.settle();
      expect(outcome.code).to.equal("noproc");
      const reborn = hub.connect("bob");
      reborn.subscribe("x", (message) => message.respond(bytes("new")));
      const answer = await clock.run(alice.request("x", bytes("?"), { timeoutMs: 1000 }));
      expect(answer.payload).to.deep.equal(bytes("new"));
    });

    it("leaves the dead client without events, and without a way to act", async () => {
      const types = typesOf(bob);
      const arrivals = watch(clock, bob, "x");
      const open = outcomeOf(bob.request("x", bytes("?"), { timeoutMs: 1000 }));
      alice.publish("x", bytes("too late"));
      hub.kill("bob");
      await clock.advance(2000);
      expect(types).to.deep.equal([]);
      expect(arrivals).to.deep.equal([]);
      expect(open.code).to.equal("noconnection");
      expect(bob.connected).to.equal(false);
      expect(() => bob.publish("x", bytes("ghost"))).to.throw(SupercastError, "closed");
      await clock.run(bob.close());
    });
  });

  it("never delivers twice, out of order or to strangers, whatever is cut, paused and resumed", async () => {
    const step = fc.constantFrom(
      "send",
      "send",
      "send",
      "cut",
      "reconnect",
      "pause",
      "resume",
      "wait",
      "late",
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.nat(), async (steps, seed) => {
        open({}, seed);
        hub.setFaults({ delayMs: [0, 20], dropProbability: 0.1 });
        const arrivals = watch(clock, bob, "x");
        let sent = 0;
        for (const name of steps) {
          switch (name) {
            case "send":
              alice.publish("x", bytes(String(sent++)));
              break;
            case "wait":
              await clock.advance(7);
              break;
            case "late":
              hub.cut("bob", { late: true });
              break;
            default:
              hub[name]("bob");
          }
        }
        hub.resume("bob");
        hub.reconnect("bob");
        await clock.advance(100);
        const numbers = texts(arrivals).map(Number);
        expect(numbers).to.deep.equal([...new Set(numbers)].sort((left, right) => left - right));
        expect(numbers.every((number) => number < sent)).to.equal(true);
      }),
      { numRuns: 100 },
    );
  });
});
