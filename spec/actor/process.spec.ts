import { expect } from "chai";
import { Actor } from "../../lib/actor/actor.ts";
import type { Started } from "../../lib/actor/result.ts";
import {
  failing,
  failureOf,
  gate,
  makeStage,
  never,
  noReply,
  Puppet,
  reply,
  type Script,
  type Stage,
  started,
  startPuppet,
  stop,
  watch,
} from "../support/actor.ts";

describe("process", () => {
  let stage: Stage;

  beforeEach(() => {
    stage = makeStage();
  });

  afterEach(() => {
    stage.system.close();
  });

  describe("names", () => {
    it("otp 78: a second start under a name says already_started and does not run init", async () => {
      const first = await startPuppet(stage.system, {}, { name: "one" });
      let ran = false;
      const init = (): void => {
        ran = true;
      };
      expect(await stage.system.start(Puppet, { init }, { name: "one" })).to.deep.equal({
        status: "already_started",
        pid: first.process.pid,
      });
      expect(ran).to.equal(false);
    });

    it("otp 78: the name is free before DOWN is seen, so a successor can take it from there", async () => {
      const { process } = await startPuppet(stage.system, {}, { name: "one" });
      const seen: unknown[] = [];
      const deliverDown = (): void => {
        seen.push(stage.system.whereis("one"));
        seen.push(stage.system.processAt(process.pid));
        seen.push(stage.system.start(Puppet, {}, { name: "one" }));
      };
      stage.system.monitor({ deliverDown }, process.pid);
      process.finish("normal");
      expect(seen.slice(0, 2)).to.deep.equal([undefined, undefined]);
      expect(seen[2]).to.have.property("status", "started");
    });
  });

  describe("continue and idle timeout", () => {
    it("otp 71: handleContinue runs before any queued message, may chain, and may stop", async () => {
      const order: unknown[] = [];
      const script: Script = {
        init: () => started(undefined).continue(3),
        continue: (_self, term) => {
          order.push(term);
          if (term === 0) {
            return stop("normal");
          }
          return typeof term === "number" ? noReply().continue(term - 1) : undefined;
        },
      };
      void stage.system.start(Puppet, script, { name: "chain" });
      const chain = stage.system.whereis("chain");
      stage.system.cast({ name: "chain" }, { type: "tell", run: () => void order.push("message") });
      await stage.clock.settle();
      expect(order).to.deep.equal([3, 2, 1, 0]);
      expect(chain?.exitReason).to.equal("normal");
      expect(stage.system.drops.ended).to.equal(1);
    });

    it("otp 71: it follows a call, a cast and an info too, and an async one holds back the next message", async () => {
      const order: unknown[] = [];
      const { process, ref } = await startPuppet(stage.system, {
        info: () => noReply().continue("after info"),
        continue: async (_self, term) => {
          order.push(term);
          await Promise.resolve();
          order.push(`${term}, done`);
        },
      });
      const answer = ref.call({ type: "ask", run: () => reply(1).continue("after call") });
      ref.cast({ type: "tell", run: () => noReply().continue("after cast") });
      stage.system.send(process.pid, "hello");
      expect(await answer).to.equal(1);
      await stage.clock.settle();
      expect(order).to.deep.equal(
        ["after call", "after cast", "after info"].flatMap((term) => [term, `${term}, done`]),
      );
    });

    it("otp 71: a continue without a handler for it crashes the process", async () => {
      class Discontinued extends Actor {
        init(): Started {
          return this.started(undefined).continue("x");
        }
      }
      void stage.system.start(Discontinued, undefined, { name: "x" });
      const found = stage.system.whereis("x");
      await stage.clock.settle();
      expect(found?.exitReason).to.have.nested.property("error.message").that.contains("handleContinue");
    });

    it("otp 72: an idle timeout fires once when no message comes first", async () => {
      const { self } = await startPuppet(stage.system, { init: () => started(1).timeout(100) });
      await stage.clock.advance(99);
      expect(self.infos).to.deep.equal([]);
      await stage.clock.advance(500);
      expect(self.infos).to.deep.equal([{ type: "timeout" }]);
    });

    it("otp 72: a user message cancels it, introspection does not, and a message already queued wins over 0", async () => {
      const cancelled = await startPuppet(stage.system, { init: () => started(1).timeout(100) });
      const looked = await startPuppet(stage.system, { init: () => started(1).timeout(100) });
      await stage.clock.advance(50);
      cancelled.ref.cast({ type: "tell", run: () => undefined });
      looked.process.pushSystem(() => undefined);
      await stage.clock.advance(100);
      expect(cancelled.self.infos).to.deep.equal([]);
      expect(looked.self.infos).to.deep.equal([{ type: "timeout" }]);
      const zero = await startPuppet(stage.system);
      const order: string[] = [];
      zero.ref.cast({ type: "tell", run: () => noReply().timeout(0) });
      zero.ref.cast({ type: "tell", run: () => void order.push("queued") });
      await stage.clock.advance(1);
      expect([order, zero.self.infos]).to.deep.equal([["queued"], []]);
    });

    it("otp 72: a message that came first cancels a timeout that fired while the process was held", async () => {
      const { process, ref, self } = await startPuppet(stage.system, { init: () => started(1).timeout(100) });
      process.suspend();
      ref.cast({ type: "tell", run: () => undefined });
      await stage.clock.advance(200);
      process.resume();
      await stage.clock.settle();
      expect(self.infos).to.deep.equal([]);
    });

    it("a later idle timeout replaces an earlier one, and one that makes no sense crashes", async () => {
      const { ref, self, process } = await startPuppet(stage.system, {
        continue: () => noReply().timeout(300),
      });
      ref.cast({ type: "tell", run: () => noReply().continue("x").timeout(100) });
      await stage.clock.advance(299);
      expect(self.infos).to.deep.equal([]);
      await stage.clock.advance(1_000);
      expect(self.infos).to.have.length(1);
      ref.cast({ type: "tell", run: () => noReply().timeout(Number.NaN) });
      await stage.clock.settle();
      expect(process.exitReason).to.have.nested.property("error.message").that.contains("idleMs");
    });
  });

  describe("stop", () => {
    it("otp 73: runs terminate and resolves when the process has ended with that reason", async () => {
      const seen: unknown[] = [];
      const { process } = await startPuppet(stage.system, {
        terminate: async (_self, reason) => {
          await Promise.resolve();
          seen.push(reason);
        },
      });
      await stage.system.stop(process.pid, { reason: { shutdown: "upgrade" } });
      expect(seen).to.deep.equal([{ shutdown: "upgrade" }]);
      expect(process.exitReason).to.deep.equal({ shutdown: "upgrade" });
    });

    it("otp 73: rejects with the real reason when it ended otherwise", async () => {
      const { process } = await startPuppet(stage.system, {
        terminate: () => {
          throw new Error("cannot");
        },
      });
      const failure = await failureOf(stage.system.stop(process.pid));
      expect(failure.code).to.equal("exit");
      expect(failure.details).to.have.nested.property("reason.error.message", "cannot");
    });

    it("otp 73: noproc for the dead, calling_self for oneself, timeout when terminate takes too long", async () => {
      expect((await failureOf(stage.system.stop({ name: "nobody" }))).code).to.equal("noproc");
      const self = await startPuppet(stage.system);
      const codes = self.ref.call({
        type: "ask",
        run: (me) => {
          const failure = failing(stage.system.stop(me.host.pid));
          return failure.then(({ code }) => reply(code));
        },
      });
      expect(await stage.clock.run(codes)).to.equal("calling_self");
      const stuck = await startPuppet(stage.system, { terminate: () => never() });
      const late = failing(stage.system.stop(stuck.process.pid, { timeoutMs: 100 }));
      await stage.clock.advance(100);
      expect((await late).code).to.equal("timeout");
      expect(stuck.process.status).to.equal("ending");
      stuck.process.finish("killed");
    });

    it("otp 73: goes ahead of messages that wait, also when suspended, but lets an async callback finish", async () => {
      const order: string[] = [];
      const { process, ref } = await startPuppet(stage.system, {
        terminate: () => void order.push("terminate"),
      });
      const hold = gate();
      ref.cast({
        type: "tell",
        run: async () => {
          await hold.promise;
          order.push("callback");
        },
      });
      ref.cast({ type: "tell", run: () => void order.push("queued") });
      await stage.clock.settle();
      process.suspend();
      const stopped = stage.system.stop(process.pid);
      hold.open();
      await stage.clock.run(stopped);
      expect(order).to.deep.equal(["callback", "terminate"]);
    });

    it("two stops at once, and a stop within terminate, are one end", async () => {
      let runs = 0;
      const { process } = await startPuppet(stage.system, {
        terminate: (self) => {
          runs += 1;
          self.host.end("shutdown");
        },
      });
      await Promise.all([stage.system.stop(process.pid), stage.system.stop(process.pid)]);
      expect(runs).to.equal(1);
      expect(process.exitReason).to.equal("normal");
    });
  });

  describe("timers", () => {
    it("castAfter and after fire once, can be cancelled, and die with the process", async () => {
      const fired: string[] = [];
      const { self, process } = await startPuppet(stage.system);
      self.castAfter(10, { type: "tell", run: () => void fired.push("cast") });
      self.after(20, () => void fired.push("after"));
      self.host.clearTimer(self.after(30, () => void fired.push("cancelled")));
      self.after(1_000, () => void fired.push("too late"));
      await stage.clock.advance(500);
      process.finish("normal");
      await stage.clock.advance(1_000);
      expect(fired).to.deep.equal(["cast", "after"]);
      expect(() => self.after(Number.NaN, () => undefined)).to.throw("delayMs");
    });

    it("a timer callback that throws, or rejects, crashes its process and nothing else", async () => {
      for (const late of [false, true]) {
        const { self, process } = await startPuppet(stage.system);
        const boom = (): never => {
          throw new Error("in a timer");
        };
        self.after(10, late ? async () => boom() : boom);
        await stage.clock.advance(10);
        expect(process.exitReason).to.have.nested.property("error.message", "in a timer");
      }
    });
  });

  it("one message at a time: an async callback holds back the next, in order", async () => {
    const order: number[] = [];
    const { ref } = await startPuppet(stage.system);
    for (const n of [1, 2, 3]) {
      ref.cast({
        type: "tell",
        run: async () => {
          order.push(n);
          await Promise.resolve();
          order.push(n);
        },
      });
    }
    await stage.clock.settle();
    expect(order).to.deep.equal([1, 1, 2, 2, 3, 3]);
  });

  it("messages to a process that is still starting wait for it, and fail with it when it does not start", async () => {
    const hold = gate();
    void stage.system.start(Puppet, { init: () => hold.promise.then(() => "ready") }, { name: "x" });
    const answer = stage.system.call({ name: "x" }, { type: "ask" });
    hold.open();
    expect(await stage.clock.run(answer)).to.equal("ready");
    void stage.system.start(Puppet, { init: () => never() }, { name: "y", startTimeoutMs: 50 });
    const failure = failing(stage.system.call({ name: "y" }, { type: "ask" }));
    await stage.clock.advance(50);
    expect((await failure).code).to.equal("exit");
  });

  it("end() during an async callback waits for it", async () => {
    const order: string[] = [];
    const { process, ref } = await startPuppet(stage.system, {
      terminate: () => void order.push("terminate"),
    });
    const downs = watch(stage.system, process.pid);
    const hold = gate();
    ref.cast({
      type: "tell",
      run: async () => {
        await hold.promise;
        order.push("callback");
      },
    });
    await stage.clock.settle();
    process.end("shutdown");
    expect(order).to.deep.equal([]);
    hold.open();
    await stage.clock.settle();
    expect(order).to.deep.equal(["callback", "terminate"]);
    expect(downs.map(({ reason }) => reason)).to.deep.equal(["shutdown"]);
  });
});
