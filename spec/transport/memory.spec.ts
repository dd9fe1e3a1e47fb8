import { expect } from "chai";
import { SupercastError } from "../../lib/base/errors.ts";
import { seededRandom } from "../../lib/base/random.ts";
import { VirtualClock } from "../../lib/base/virtual-clock.ts";
import { MemoryHub, type MemoryHubOptions } from "../../lib/transport/memory.ts";
import type { Transport } from "../../lib/transport/transport.ts";
import { type Arrival, bytes, outcomeOf, texts, watch } from "./memory-support.ts";

describe("memory hub", () => {
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

  it("takes no time without faults", async () => {
    const arrivals = watch(clock, bob, "x");
    alice.publish("x", bytes("1"));
    await clock.settle();
    expect(arrivals).to.deep.equal([{ at: 0, text: "1" }]);
  });

  it("refuses a second client of a name, and unknown names", () => {
    expect(() => hub.connect("alice")).to.throw(SupercastError, '"alice" is at the hub already');
    expect(() => hub.cut("carol")).to.throw(SupercastError, 'no client named "carol"');
    expect(hub.names).to.deep.equal(["alice", "bob"]);
  });

  describe("by chance", () => {
    it("loses the share of messages that it is told to lose, and counts them", async () => {
      hub.setFaults({ dropProbability: 0.3 });
      const arrivals = watch(clock, bob, "x");
      for (let sent = 0; sent < 1000; sent++) {
        alice.publish("x", bytes(String(sent)));
      }
      await clock.settle();
      expect(arrivals.length).to.be.within(630, 770);
      expect(hub.faultCounts.dropped).to.equal(1000 - arrivals.length);
    });

    it("repeats messages, each copy in memory of its own", async () => {
      hub.setFaults({ duplicateProbability: 1 });
      const payloads: Uint8Array[] = [];
      bob.subscribe("x", (message) => payloads.push(message.payload));
      alice.publish("x", bytes("twice"));
      await clock.advance(1);
      expect(payloads).to.deep.equal([bytes("twice"), bytes("twice")]);
      expect(payloads[0]?.buffer).not.to.equal(payloads[1]?.buffer);
    });

    it("delays messages within bounds, without changing the order on one subject", async () => {
      hub.setFaults({ delayMs: [5, 50] });
      const one = watch(clock, bob, "one");
      const two = watch(clock, bob, "two");
      const sent = Array.from({ length: 100 }, (_, index) => String(index));
      for (const text of sent) {
        alice.publish("one", bytes(text));
        alice.publish("two", bytes(text));
        await clock.advance(1);
      }
      await clock.advance(100);
      expect(texts(one)).to.deep.equal(sent);
      expect(texts(two)).to.deep.equal(sent);
      const delays = one.map(({ at }, index) => at - index);
      expect(Math.min(...delays)).to.be.at.least(5);
      expect(Math.max(...delays)).to.be.at.most(50);
      expect(one.map(({ at }) => at)).not.to.deep.equal(two.map(({ at }) => at));
    });

    it("keeps the order when the delay ends while messages are under way", async () => {
      hub.setFaults({ delayMs: [20, 20] });
      const arrivals = watch(clock, bob, "x");
      alice.publish("x", bytes("slow"));
      await clock.settle();
      hub.clearFaults();
      alice.publish("x", bytes("fast"));
      await clock.advance(19);
      expect(arrivals).to.deep.equal([]);
      await clock.advance(1);
      expect(texts(arrivals)).to.deep.equal(["slow", "fast"]);
    });

    it("can treat one direction between two clients apart", async () => {
      hub.setFaults({ dropProbability: 1 }, { from: "alice", to: "bob" });
      const forth = watch(clock, bob, "x");
      const back = watch(clock, alice, "y");
      alice.publish("x", bytes("lost"));
      bob.publish("y", bytes("kept"));
      await clock.settle();
      expect(texts(forth)).to.deep.equal([]);
      expect(texts(back)).to.deep.equal(["kept"]);
    });

    it("leaves alone what a client sends to itself", async () => {
      hub.setFaults({ dropProbability: 1, delayMs: [5, 5] });
      const arrivals = watch(clock, alice, "x");
      alice.publish("x", bytes("mine"));
      await clock.settle();
      expect(arrivals).to.deep.equal([{ at: 0, text: "mine" }]);
    });

    it("repeats itself exactly for the same seed, and only then", async () => {
      const run = async (seed: number): Promise<readonly Arrival[]> => {
        open({}, seed);
        hub.setFaults({ dropProbability: 0.2, duplicateProbability: 0.2, delayMs: [0, 30] });
        const arrivals = [...watch(clock, bob, "x.*")];
        bob.subscribe("x.*", (message) => {
          arrivals.push({ at: clock.now(), text: `${message.subject} ${message.payload.join()}` });
        });
        for (let sent = 0; sent < 200; sent++) {
          alice.publish(`x.${sent % 3}`, bytes(String(sent)));
          await clock.advance(sent % 4);
        }
        await clock.advance(100);
        return arrivals;
      };
      const first = await run(7);
      expect(first.length).to.be.greaterThan(100);
      expect(await run(7)).to.deep.equal(first);
      expect(await run(8)).not.to.deep.equal(first);
    });

    it("refuses faults that make no sense", () => {
      for (const faults of [
        { dropProbability: 2 },
        { duplicateProbability: -1 },
        { dropProbability: Number.NaN },
      ]) {
        expect(() => hub.setFaults(faults)).to.throw(SupercastError, "allowed: from 0 to 1");
      }
      expect(() => hub.setFaults({ delayMs: [5, 1] })).to.throw(SupercastError, "0 <= min <= max");
    });
  });

  describe("partition", () => {
    it("stops everything between two sides, both ways, until healed", async () => {
      const carol = hub.connect("carol");
      const found = [alice, bob, carol].map((transport) => watch(clock, transport, "x"));
      hub.partition("alice", ["bob", "carol"]);
      alice.publish("x", bytes("a"));
      bob.publish("x", bytes("b"));
      await clock.settle();
      expect(found.map(texts)).to.deep.equal([["a"], ["b"], ["b"]]);
      hub.heal(["bob", "carol"], "alice");
      alice.publish("x", bytes("c"));
      await clock.settle();
      expect(found.map(texts)).to.deep.equal([
        ["a", "c"],
        ["b", "c"],
        ["b", "c"],
      ]);
    });

    it("can be one-way: a question arrives, its answer does not", async () => {
      hub.partition("bob", "alice", true);
      const asked = watch(clock, bob, "x");
      bob.subscribe("x", (message) => message.respond(bytes("answer")));
      const outcome = outcomeOf(alice.request("x", bytes("?"), { timeoutMs: 100 }));
      await clock.advance(99);
      expect(texts(asked)).to.deep.equal(["?"]);
      expect(outcome.code).to.equal("open");
      await clock.advance(1);
      expect(outcome.code).to.equal("timeout");
    });

    it("does not make a subscriber unknown: a request times out instead of finding nobody", async () => {
      watch(clock, bob, "x");
      hub.partition("alice", "bob");
      const outcome = outcomeOf(alice.request("x", bytes("?"), { timeoutMs: 100 }));
      await clock.advance(100);
      expect(outcome.code).to.equal("timeout");
      expect(alice.connected).to.equal(true);
    });
  });
});
