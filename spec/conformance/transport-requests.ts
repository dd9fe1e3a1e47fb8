/** Conformance of transports: requests, and bytes on their way. */
import { expect } from "chai";
import { checkLimits } from "../../lib/base/limits.ts";
import type { IncomingMessage } from "../../lib/transport/transport.ts";
import { eventually } from "../support/eventually.ts";
import {
  bytes,
  collect,
  PLENTY_MS,
  rejectionOf,
  type Stage,
  settled,
  text,
  thrownBy,
} from "./transport-stage.ts";

export function itAnswersRequests(stage: Stage): void {
  describe("requests", () => {
    it("get the answer of whoever responds, each its own", async () => {
      stage.bob.subscribe("echo", (message) => {
        expect(message.respond(message.payload, { "X-From": "bob" })).to.equal(true);
      });
      await settled(stage.bob);
      const asked = Array.from({ length: 200 }, (_, index) => `question ${index}`);
      const answers = await Promise.all(
        asked.map((question) => stage.alice.request("echo", bytes(question), { timeoutMs: PLENTY_MS })),
      );
      expect(answers.map(text)).to.deep.equal(asked);
      expect({ ...answers[0]?.headers }).to.deep.equal({ "X-From": "bob" });
    });

    it("carry their headers", async () => {
      stage.bob.subscribe("headers", (message) =>
        message.respond(bytes(message.headers?.["X-Trace"] ?? "none")),
      );
      await settled(stage.bob);
      const options = { timeoutMs: PLENTY_MS, headers: { "X-Trace": "abc" } };
      expect(text(await stage.alice.request("headers", bytes(""), options))).to.equal("abc");
    });

    it("fail at once with noproc when nobody subscribes", async () => {
      const before = performance.now();
      const error = await rejectionOf(
        stage.alice.request("nobody.here", bytes("?"), { timeoutMs: PLENTY_MS }),
      );
      expect(error.code).to.equal("noproc");
      expect(error.details).to.deep.equal({ noResponders: true });
      expect(performance.now() - before).to.be.below(PLENTY_MS / 2);
    });

    it("fail with timeout when nobody answers, and drop the answer that comes later", async () => {
      const asked: IncomingMessage[] = [];
      stage.bob.subscribe("slow", (message) => asked.push(message));
      await settled(stage.bob);
      const error = await rejectionOf(stage.alice.request("slow", bytes("?"), { timeoutMs: 50 }));
      expect(error.code).to.equal("timeout");
      expect(asked).to.have.length(1);
      expect(asked[0]?.respond(bytes("too late"))).to.equal(true);
      stage.bob.subscribe("fast", (message) => message.respond(bytes("in time")));
      await settled(stage.bob);
      expect(text(await stage.alice.request("fast", bytes("?"), { timeoutMs: PLENTY_MS }))).to.equal(
        "in time",
      );
    });

    it("are refused beyond the bound of open ones", async () => {
      const carol = await stage.world.connect(checkLimits({ openCalls: 2 }));
      stage.bob.subscribe("silent", () => undefined);
      await settled(stage.bob);
      const ask = (): Promise<IncomingMessage> => carol.request("silent", bytes("?"), { timeoutMs: 100 });
      const outcomes = await Promise.all([ask(), ask(), ask()].map(rejectionOf));
      expect(outcomes.map((error) => error.code)).to.deep.equal(["timeout", "timeout", "overload"]);
    });

    it("tell a publisher with a reply subject that nobody subscribes", async () => {
      const found: IncomingMessage[] = [];
      stage.alice.subscribe("my.inbox.*", (message) => found.push(message));
      const strangers = collect(stage.bob, "my.inbox.*");
      await settled(stage.alice, stage.bob);
      stage.alice.publish("nobody.here", bytes("?"), { reply: "my.inbox.7" });
      await eventually("the report", () => found.length === 1);
      expect(found[0]?.noResponders).to.equal(true);
      expect(found[0]?.subject).to.equal("my.inbox.7");
      expect(found[0]?.payload).to.have.length(0);
      expect(found[0]?.respond(bytes("x"))).to.equal(false);
      expect(strangers).to.deep.equal([]);
    });
  });

  describe("bytes on their way", () => {
    it("are none after flush", async () => {
      const found = collect(stage.bob, "flushed");
      await settled(stage.bob);
      stage.alice.publish("flushed", new Uint8Array(1000));
      expect(stage.alice.pendingBytes).to.be.within(1000, 1100);
      await stage.alice.flush();
      expect(stage.alice.pendingBytes).to.equal(0);
      await stage.bob.flush();
      expect(found).to.have.length(1);
    });

    it("are bounded: beyond it publishing throws overload, until they have left", async () => {
      const limits = checkLimits({ batchBytes: 16 * 1024, outboundBytes: 64 * 1024 });
      const carol = await stage.world.connect(limits);
      const found = collect(stage.bob, "flood");
      await settled(stage.bob, carol);
      let sent = 0;
      const error = thrownBy(() => {
        for (; sent < 1000; sent++) {
          carol.publish("flood", new Uint8Array(1000));
        }
      });
      expect(error.code).to.equal("overload");
      expect(sent).to.be.within(55, 64);
      expect(carol.pendingBytes).to.be.at.most(limits.outboundBytes);
      await carol.flush();
      carol.publish("flood", new Uint8Array(1000));
      await eventually("what was accepted", () => found.length === sent + 1);
    });

    it("fall by themselves while more is sent than the bound", async () => {
      const carol = await stage.world.connect(
        checkLimits({ batchBytes: 16 * 1024, outboundBytes: 64 * 1024 }),
      );
      const found = collect(stage.bob, "steady");
      await settled(stage.bob, carol);
      for (let sent = 0; sent < 500; sent++) {
        await eventually("room", () => carol.pendingBytes < 60_000);
        carol.publish("steady", new Uint8Array(1000));
      }
      await eventually("all of it", () => found.length === 500);
    });
  });
}
