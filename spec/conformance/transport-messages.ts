/** Conformance of transports: publishing, subscribing, handlers. */
import { expect } from "chai";
import type { Headers, IncomingMessage } from "../../lib/transport/transport.ts";
import { eventually } from "../support/eventually.ts";
import {
  bytes,
  collect,
  eventsOf,
  PLENTY_MS,
  rejectionOf,
  type Stage,
  settled,
  text,
  thrownBy,
} from "./transport-stage.ts";

export function itCarriesMessages(stage: Stage): void {
  describe("publish and subscribe", () => {
    it("carries payload, subject, reply and headers", async () => {
      const found: IncomingMessage[] = [];
      stage.bob.subscribe("a.b", (message) => found.push(message));
      await settled(stage.bob);
      const headers: Headers = { "X-One": "1", "x-two": " two, three " };
      stage.alice.publish("a.b", bytes("hello"), { reply: "back.here", headers });
      stage.alice.publish("a.b", new Uint8Array(0));
      await eventually("both messages", () => found.length === 2);
      const [full, bare] = found;
      expect(full?.subject).to.equal("a.b");
      expect(full && text(full)).to.equal("hello");
      expect(full?.reply).to.equal("back.here");
      expect({ ...full?.headers }).to.deep.equal({ "X-One": "1", "x-two": "two, three" });
      expect(full?.noResponders).to.equal(false);
      expect(bare?.payload).to.have.length(0);
      expect(bare?.reply).to.equal(undefined);
      expect(bare?.headers).to.equal(undefined);
      expect(bare?.noResponders).to.equal(false);
    });

    it("hands nothing over from inside publish", async () => {
      const found = collect(stage.alice, "self");
      await settled(stage.alice);
      stage.alice.publish("self", bytes("x"));
      expect(found).to.deep.equal([]);
      await eventually("the message", () => found.length === 1);
    });

    it("keeps the order of one publisher on one subject", async () => {
      const found = collect(stage.bob, "order.>");
      await settled(stage.bob);
      const sent = Array.from({ length: 3000 }, (_, index) => String(index));
      for (const item of sent) {
        stage.alice.publish("order.x", bytes(item));
      }
      await eventually("all of them", () => found.length === sent.length);
      expect(found).to.deep.equal(sent);
    });

    it("matches wildcards as NATS does", async () => {
      const patterns = ["a", "a.b", "a.*", "*.b", "a.>", ">", "a.*.c", "*.*", "a.b.c"] as const;
      const found = patterns.map((pattern) => collect(stage.bob, pattern));
      const end = collect(stage.bob, "end");
      await settled(stage.bob);
      for (const subject of ["a", "b", "a.b", "a.b.c", "a.x.c", "x.b"]) {
        stage.alice.publish(subject, bytes(subject));
      }
      stage.alice.publish("end", bytes("end"));
      await eventually("the end", () => end.length === 1);
      expect(Object.fromEntries(patterns.map((pattern, index) => [pattern, found[index]]))).to.deep.equal({
        a: ["a"],
        "a.b": ["a.b"],
        "a.*": ["a.b"],
        "*.b": ["a.b", "x.b"],
        "a.>": ["a.b", "a.b.c", "a.x.c"],
        ">": ["a", "b", "a.b", "a.b.c", "a.x.c", "x.b", "end"],
        "a.*.c": ["a.b.c", "a.x.c"],
        "*.*": ["a.b", "x.b"],
        "a.b.c": ["a.b.c"],
      });
    });

    it("gives each message to one member of a queue group, and to all others", async () => {
      const members = [
        collect(stage.alice, "q.*", "g"),
        collect(stage.bob, "q.*", "g"),
        collect(stage.bob, "q.x", "g"),
      ];
      const other = collect(stage.bob, "q.>", "h");
      const loner = collect(stage.alice, "q.x");
      await settled(stage.alice, stage.bob);
      const sent = Array.from({ length: 300 }, (_, index) => String(index));
      for (const item of sent) {
        stage.alice.publish("q.x", bytes(item));
      }
      await eventually("all", () => loner.length === 300 && other.length === 300);
      await eventually("the group", () => members.flat().length === 300);
      expect(members.flat().sort()).to.deep.equal([...sent].sort());
      expect(members.filter((member) => member.length > 0).length).to.be.greaterThan(1);
    });

    it("hands nothing over after unsubscribe", async () => {
      const found: string[] = [];
      const end = collect(stage.bob, "end");
      const subscription = stage.bob.subscribe("gone", (message) => {
        found.push(text(message));
        subscription.unsubscribe();
      });
      await settled(stage.bob);
      stage.alice.publish("gone", bytes("1"));
      stage.alice.publish("gone", bytes("2"));
      stage.alice.publish("end", bytes("end"));
      await eventually("the end", () => end.length === 1);
      subscription.unsubscribe();
      expect(found).to.deep.equal(["1"]);
    });

    it("shares no memory: neither with the publisher nor between receivers", async () => {
      const found: Uint8Array[] = [];
      stage.bob.subscribe("mem", (message) => found.push(message.payload));
      stage.bob.subscribe("mem", (message) => found.push(message.payload));
      const end = collect(stage.bob, "end");
      await settled(stage.bob);
      const payload = bytes("original");
      stage.alice.publish("mem", payload);
      setImmediate(() => payload.fill(0));
      await eventually("both copies", () => found.length === 2);
      for (let index = 0; index < 500; index++) {
        stage.alice.publish("end", new Uint8Array(2000));
      }
      await eventually("much more", () => end.length === 500);
      expect(found.map((copy) => new TextDecoder().decode(copy))).to.deep.equal(["original", "original"]);
      found[0]?.fill(0);
      expect(found[1] && new TextDecoder().decode(found[1])).to.equal("original");
    });

    it("refuses subjects, patterns, queues and headers that would mean something else", () => {
      for (const subject of [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "a b",
        "a\r\nPUB b 0",
        "a.*",
        ">",
        "a\u0000",
        "a\tb",
      ]) {
        expect(thrownBy(() => stage.alice.publish(subject, bytes("x"))).code, subject).to.equal(
          "invalid_message",
        );
        expect(thrownBy(() => stage.alice.publish("a", bytes("x"), { reply: subject })).code).to.equal(
          "invalid_message",
        );
      }
      for (const pattern of ["", "a.", "a..b", "a b", "a.>.b", "a.b*", "a.>b", "a\nb"]) {
        const subscribe = (): void => void stage.alice.subscribe(pattern, () => undefined);
        expect(thrownBy(subscribe).code, pattern).to.equal("invalid_message");
      }
      for (const queue of ["", "a b", "a.", "*"]) {
        const subscribe = (): void => void stage.alice.subscribe("a", () => undefined, { queue });
        expect(thrownBy(subscribe).code, queue).to.equal("invalid_message");
      }
      const wrong: readonly Headers[] = [
        { "": "x" },
        { "a:b": "x" },
        { "a b": "x" },
        { a: "x\r\ny" },
        { é: "x" },
      ];
      for (const headers of wrong) {
        const publish = (): void => stage.alice.publish("a", bytes("x"), { headers });
        expect(thrownBy(publish).code, JSON.stringify(headers)).to.equal("invalid_message");
      }
    });

    it("refuses what exceeds the server's bound, headers counted, and sends what just fits", async () => {
      const sizes: number[] = [];
      stage.bob.subscribe("big", (message) => sizes.push(message.payload.length));
      await settled(stage.bob);
      const max = stage.alice.maxPayload;
      expect(max).to.equal(1024 * 1024);
      stage.alice.publish("big", new Uint8Array(max));
      const headers = { a: "b" };
      const headerBytes = "NATS/1.0\r\na: b\r\n\r\n".length;
      stage.alice.publish("big", new Uint8Array(max - headerBytes), { headers });
      const error = thrownBy(() => stage.alice.publish("big", new Uint8Array(max + 1)));
      expect(error.code).to.equal("payload_too_large");
      expect(error.details).to.deep.equal({ bytes: max + 1, max });
      const publish = (): void =>
        stage.alice.publish("big", new Uint8Array(max - headerBytes + 1), { headers });
      expect(thrownBy(publish).code).to.equal("payload_too_large");
      const request = stage.alice.request("big", new Uint8Array(max + 1), { timeoutMs: PLENTY_MS });
      expect((await rejectionOf(request)).code).to.equal("payload_too_large");
      await eventually("both that fit", () => sizes.length === 2);
      expect(sizes).to.deep.equal([max, max - headerBytes]);
      expect(stage.alice.connected).to.equal(true);
    });
  });

  describe("handlers that fail", () => {
    it("are counted and reported, and their subscription goes on", async () => {
      const events = eventsOf(stage.bob);
      const found: string[] = [];
      const failure = new Error("handler is broken");
      stage.bob.subscribe("bad", (message) => {
        found.push(text(message));
        if (text(message) === "throw") {
          throw failure;
        }
        return text(message) === "reject" ? Promise.reject(failure) : undefined;
      });
      const other = collect(stage.bob, "good");
      await settled(stage.bob);
      for (const item of ["throw", "reject", "fine"]) {
        stage.alice.publish("bad", bytes(item));
      }
      stage.alice.publish("good", bytes("x"));
      await eventually("all messages and reports", () => other.length === 1 && events.length === 2);
      expect(found).to.deep.equal(["throw", "reject", "fine"]);
      expect(events).to.deep.equal(Array(2).fill({ type: "handlerFailed", subject: "bad", error: failure }));
      expect(stage.bob.stats.handlerFailures).to.equal(2);
      expect(stage.bob.connected).to.equal(true);
    });

    it("includes listeners to events: the others hear of it", async () => {
      const failure = new Error("listener is broken");
      stage.bob.onEvent(() => {
        throw failure;
      });
      const events = eventsOf(stage.bob);
      stage.bob.subscribe("bad", () => {
        throw new Error("first");
      });
      await settled(stage.bob);
      stage.alice.publish("bad", bytes("x"));
      await eventually("two reports", () => events.length === 2);
      expect(events.map((event) => event.type)).to.deep.equal(["handlerFailed", "handlerFailed"]);
      expect(events).to.deep.include({
        type: "handlerFailed",
        subject: "event handlerFailed",
        error: failure,
      });
      expect(stage.bob.stats.handlerFailures).to.equal(2);
    });
  });

  it("counts messages and bytes", async () => {
    const found = collect(stage.bob, "counted");
    await settled(stage.bob);
    const before = { alice: stage.alice.stats, bob: stage.bob.stats };
    stage.alice.publish("counted", new Uint8Array(100));
    stage.alice.publish("counted", new Uint8Array(50));
    await eventually("both", () => found.length === 2);
    expect(stage.alice.stats.outMessages - before.alice.outMessages).to.equal(2);
    expect(stage.alice.stats.outBytes - before.alice.outBytes).to.equal(150);
    expect(stage.bob.stats.inMessages - before.bob.inMessages).to.equal(2);
    expect(stage.bob.stats.inBytes - before.bob.inBytes).to.equal(150);
  });
}
