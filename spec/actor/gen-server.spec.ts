import { expect } from "chai";
import { Actor } from "../../lib/actor/actor.ts";
import type { From } from "../../lib/actor/from.ts";
import { isClean } from "../../lib/base/reason.ts";
import {
  failing,
  failureOf,
  gate,
  ignore,
  makeStage,
  never,
  noReply,
  Puppet,
  type PuppetProtocol,
  refuse,
  reply,
  type Stage,
  started,
  startPuppet,
  stop,
  watch,
} from "../support/actor.ts";

describe("gen_server", () => {
  let stage: Stage;

  beforeEach(() => {
    stage = makeStage();
  });

  afterEach(() => {
    stage.system.close();
  });

  describe("init", () => {
    it("otp 59: the bare state, or started(state) with a continue, starts the process", async () => {
      const { ref } = await startPuppet(stage.system, { init: () => 7 });
      expect(await ref.call({ type: "ask" })).to.equal(7);
      const terms: unknown[] = [];
      const second = await startPuppet(stage.system, {
        init: () => started(8).continue("load"),
        continue: (_self, term) => {
          terms.push(term);
        },
      });
      expect(await second.ref.call({ type: "ask" })).to.equal(8);
      expect(terms).to.deep.equal(["load"]);
    });

    it("otp 59: ignore starts nothing, is no error and ends normal", async () => {
      const outcome = await stage.system.start(Puppet, { init: ignore }, { name: "x" });
      expect(outcome).to.deep.equal({ status: "ignored" });
      expect(stage.system.processCount).to.equal(0);
      expect(stage.system.whereis("x")).to.equal(undefined);
      expect(stage.lines).to.deep.equal([]);
    });

    it("otp 59: refuse fails the start with its reason, quietly; stop fails it with a report", async () => {
      const quiet = await stage.system.start(Puppet, {
        init: () => refuse({ error: { name: "busy", message: "busy" } }),
      });
      expect(quiet).to.deep.equal({ status: "failed", reason: { error: { name: "busy", message: "busy" } } });
      expect(stage.lines).to.deep.equal([]);
      const loud = await stage.system.start(Puppet, {
        init: () => stop({ error: { name: "bad", message: "bad" } }),
      });
      expect(loud).to.deep.equal({ status: "failed", reason: { error: { name: "bad", message: "bad" } } });
      expect(stage.lines.map(({ level }) => level)).to.deep.equal(["error"]);
      expect(stage.system.processCount).to.equal(0);
    });

    it("otp 59: a throw, a rejection, a reply and a constructor that throws are failed starts", async () => {
      const boom = (): never => {
        throw new TypeError("boom");
      };
      const scripts = [{ init: boom }, { init: async () => boom() }];
      for (const script of scripts) {
        const outcome = await stage.system.start(Puppet, script);
        expect(outcome).to.deep.include({ status: "failed" });
        expect(JSON.stringify(outcome)).to.contain("boom");
      }
      expect(JSON.stringify(await stage.system.start(Puppet, { init: () => reply(1) }))).to.contain(
        "bad_return_value",
      );
      class Unmakeable extends Actor {
        constructor() {
          super();
          throw new RangeError("cannot be made");
        }
        init(): undefined {
          return undefined;
        }
      }
      expect(JSON.stringify(await stage.system.start(Unmakeable, undefined))).to.contain("cannot be made");
      expect(stage.system.processCount).to.equal(0);
    });

    it("otp 60: init that takes longer than the start timeout is killed and the start fails with timeout", async () => {
      const outcome = Promise.resolve(
        stage.system.start(Puppet, { init: never }, { name: "slow", startTimeoutMs: 200 }),
      );
      await stage.clock.advance(199);
      expect(stage.system.whereis("slow")).not.to.equal(undefined);
      await stage.clock.advance(1);
      expect(await outcome).to.have.nested.property("reason.error.name", "timeout");
      expect(stage.system.whereis("slow")).to.equal(undefined);
    });

    it("options that are wrong are refused by name", () => {
      for (const [options, said] of [
        [{ name: "no spaces" }, "actor name"],
        [{ mailbox: 0 }, "mailbox is 0"],
        [{ mailbox: Number.NaN }, "mailbox is NaN"],
        [{ startTimeoutMs: -1 }, "startTimeoutMs is -1"],
      ] as const) {
        expect(() => stage.system.start(Puppet, {}, options)).to.throw(said);
      }
    });
  });

  describe("calls", () => {
    it("otp 61: handleCall replies, or keeps from and replies from a later callback; one reply counts", async () => {
      const { ref } = await startPuppet(stage.system);
      expect(await ref.call({ type: "ask", run: () => reply("now") })).to.equal("now");
      let kept: From<PuppetProtocol> | undefined;
      const later = ref.call({
        type: "ask",
        run: (_self, from) => {
          kept = from;
          return noReply();
        },
      });
      await stage.clock.settle();
      ref.cast({
        type: "tell",
        run: () => {
          kept?.settle("later");
          kept?.settle("twice");
        },
      });
      expect(await stage.clock.run(later)).to.equal("later");
      expect(kept?.settled).to.equal(true);
    });

    it("otp 61: the handle may be passed on: another process answers, with a value or with an error", async () => {
      const front = await startPuppet(stage.system);
      const back = await startPuppet(stage.system);
      const handOn = (answer: (from: From<PuppetProtocol>) => void): Promise<unknown> =>
        front.ref.call({
          type: "ask",
          run: (_self, from) => {
            back.ref.cast({ type: "tell", run: () => answer(from) });
            return noReply();
          },
        });
      expect(await stage.clock.run(handOn((from) => from.settle(5)))).to.equal(5);
    });

    it("otp 62: a call that is not answered in 5000 ms fails with timeout, and the server still executes it", async () => {
      const { ref, self } = await startPuppet(stage.system);
      const hold = gate();
      ref.cast({ type: "tell", run: () => hold.promise });
      const failure = failing(
        ref.call({
          type: "ask",
          run: (me) => {
            me.state = "executed";
            return reply("too late");
          },
        }),
      );
      await stage.clock.advance(4_999);
      let settled = false;
      failure.finally(() => {
        settled = true;
      });
      await stage.clock.settle();
      expect(settled).to.equal(false);
      await stage.clock.advance(1);
      expect((await failure).code).to.equal("timeout");
      hold.open();
      await stage.clock.settle();
      expect(self.state).to.equal("executed");
    });

    it("otp 62: a late answer is discarded; timeouts of 0 and Infinity hold to the letter", async () => {
      const { ref } = await startPuppet(stage.system);
      const hold = gate();
      const slow = (): Promise<ReturnType<typeof reply>> => hold.promise.then(() => reply("late"));
      const none = failing(ref.call({ type: "ask", run: slow }, { timeoutMs: 0 }));
      const patient = ref.call(
        { type: "ask", run: () => reply("patient") },
        { timeoutMs: Number.POSITIVE_INFINITY },
      );
      await stage.clock.advance(0);
      expect((await none).code).to.equal("timeout");
      await stage.clock.advance(24 * 60 * 60 * 1000);
      hold.open();
      expect(await stage.clock.run(patient)).to.equal("patient");
    });

    it("refuses timeouts and messages that make no sense", async () => {
      const { ref } = await startPuppet(stage.system);
      for (const timeoutMs of [Number.NaN, -1]) {
        const failure = await failureOf(ref.call({ type: "ask" }, { timeoutMs }));
        expect(failure.code).to.equal("invalid_message");
        expect(failure.message).to.contain("timeoutMs");
      }
      for (const junk of ["undefined", "null", "7", '"text"']) {
        const message = junk === "undefined" ? undefined : JSON.parse(junk);
        expect((await failureOf(stage.system.call(ref.pid, message))).code).to.equal("invalid_message");
        stage.system.cast(ref.pid, message);
      }
      expect(stage.system.drops.invalid_message).to.equal(4);
      expect(await ref.call({ type: "ask" })).to.equal(undefined);
    });

    it("otp 63: a call to an unknown name or a dead pid fails at once with noproc", async () => {
      const { ref, process } = await startPuppet(stage.system);
      process.finish("normal");
      expect((await failureOf(ref.call({ type: "ask" }))).code).to.equal("noproc");
      expect((await failureOf(stage.system.call(process.pid, { type: "ask" }))).code).to.equal("noproc");
      expect((await failureOf(stage.system.call({ name: "nobody" }, { type: "ask" }))).code).to.equal(
        "noproc",
      );
      expect(stage.clock.now()).to.equal(0);
    });

    it("otp 64: a callee that ends mid-call fails the caller at once with its reason, normal included", async () => {
      for (const reason of ["normal", "shutdown", { error: { name: "Bad", message: "bad" } }] as const) {
        const { ref } = await startPuppet(stage.system);
        const queued = failing(ref.call({ type: "ask", run: () => stop(reason) }));
        const behind = failing(ref.call({ type: "ask" }));
        await stage.clock.settle();
        for (const failure of [await queued, await behind]) {
          expect(failure.code).to.equal("exit");
          expect(failure.details).to.deep.equal({ reason });
        }
      }
      expect(stage.clock.now()).to.equal(0);
    });

    it("otp 64: a callee that is killed in the middle of an async callback fails its caller", async () => {
      const { ref, process } = await startPuppet(stage.system);
      const failure = failing(ref.call({ type: "ask", run: () => never() }));
      await stage.clock.settle();
      process.finish("killed");
      expect((await failure).details).to.deep.equal({ reason: "killed" });
    });

    it("otp 65: a call to oneself by pid, name, via or reference fails at once with calling_self", async () => {
      const { ref, process } = await startPuppet(stage.system, {}, { name: "me" });
      const via = {
        whereis: () => process.pid,
        register: () => ({ ok: true }) as const,
        unregister: () => undefined,
      };
      const targets = [process.pid, { name: "me" }, { via, name: "me" }, ref];
      const codes = await ref.call({
        type: "ask",
        run: async (self) => {
          const all = targets.map((target) => failureOf(self.callTo(target, { type: "ask" })));
          const direct = failureOf(ref.call({ type: "ask" }));
          return reply((await Promise.all([...all, direct])).map(({ code }) => code));
        },
      });
      expect(codes).to.deep.equal(Array(5).fill("calling_self"));
    });

    it("names the calling process to the callee", async () => {
      const callee = await startPuppet(stage.system);
      const caller = await startPuppet(stage.system);
      const callerOf = {
        type: "ask",
        run: (_self: unknown, from: From<PuppetProtocol>) => reply(from.caller),
      } as const;
      const seen = await caller.ref.call({
        type: "ask",
        run: async (self) => reply([await self.callTo(callee.process.pid, callerOf)]),
      });
      expect(seen).to.deep.equal([caller.process.pid]);
      expect(await callee.ref.call(callerOf)).to.equal(undefined);
    });

    it("otp 66: stop with a reply runs terminate first, then answers, then is gone; also when terminate throws", async () => {
      for (const fails of [false, true]) {
        const order: string[] = [];
        const { ref, process } = await startPuppet(stage.system, {
          terminate: () => {
            order.push("terminate");
            if (fails) {
              throw new Error("in terminate");
            }
          },
        });
        const downs = watch(stage.system, process.pid);
        const answer = ref.call({ type: "ask", run: () => stop("normal", reply("bye")) }).then((value) => {
          order.push("reply");
          return value;
        });
        expect(await answer).to.equal("bye");
        expect(order).to.deep.equal(["terminate", "reply"]);
        expect(downs).to.have.length(1);
        expect(isClean(downs[0]?.reason ?? "killed")).to.equal(!fails);
      }
    });

    it("otp 74: calls are promises: collected under one deadline, abandoned ones leave nothing behind", async () => {
      const quick = await startPuppet(stage.system, { init: () => "quick" });
      const slow = await startPuppet(stage.system);
      slow.ref.cast({ type: "tell", run: () => never() });
      const options = { timeoutMs: 100 };
      const results = Promise.allSettled([
        quick.ref.call({ type: "ask" }, options),
        slow.ref.call({ type: "ask" }, options),
        stage.system.call({ name: "nobody" }, { type: "ask" }, options),
      ]);
      await stage.clock.advance(100);
      expect((await results).map(({ status }) => status)).to.deep.equal([
        "fulfilled",
        "rejected",
        "rejected",
      ]);
    });
  });
});
