import { expect } from "chai";
import { Actor } from "../../lib/actor/actor.ts";
import { onEvent, type TelemetryEvents } from "../../lib/telemetry/events.ts";
import { failing, failureOf, makeStage, reply, type Stage, startPuppet, stop } from "../support/actor.ts";

describe("gen_server: what crashes and what does not", () => {
  let stage: Stage;

  beforeEach(() => {
    stage = makeStage();
  });

  afterEach(() => {
    stage.system.close();
  });

  describe("casts and infos", () => {
    it("otp 67: a cast never throws and what cannot be delivered is counted", async () => {
      const { ref, process } = await startPuppet(stage.system);
      process.finish("normal");
      ref.cast({ type: "tell", run: () => undefined });
      stage.system.cast(process.pid, { type: "x" });
      stage.system.cast({ name: "nobody" }, { type: "x" });
      stage.system.cast({ name: "x", node: "elsewhere" }, { type: "x" });
      stage.system.send(process.pid, "x");
      expect(stage.system.drops).to.include({ noproc: 4, noconnection: 1 });
    });

    it("otp 68: an info without a handler is logged and dropped", async () => {
      class Deaf extends Actor {
        init(): undefined {
          return undefined;
        }
      }
      const outcome = await stage.system.start(Deaf, undefined, { name: "deaf" });
      stage.system.send({ name: "deaf" }, "hello");
      await stage.clock.settle();
      expect(outcome.status === "started" && outcome.process.alive).to.equal(true);
      expect(stage.lines.map(({ level, fields }) => [level, fields["info"]])).to.deep.equal([
        ["warn", "message"],
      ]);
    });

    it("otp 68: a missing call or cast handler crashes the server", async () => {
      class Deaf extends Actor {
        init(): undefined {
          return undefined;
        }
      }
      await stage.system.start(Deaf, undefined, { name: "deaf" });
      const failure = await failureOf(stage.system.call({ name: "deaf" }, { type: "anything" }));
      expect(failure.code).to.equal("exit");
      expect(stage.system.whereis("deaf")).to.equal(undefined);
      await stage.system.start(Deaf, undefined, { name: "deaf" });
      stage.system.cast({ name: "deaf" }, { type: "anything" });
      await stage.clock.settle();
      expect(stage.system.whereis("deaf")).to.equal(undefined);
    });
  });

  describe("crashes", () => {
    it("otp 69: terminate sees the state from before the failing callback, sync or async", async () => {
      const seen: unknown[] = [];
      for (const late of [false, true]) {
        const { ref } = await startPuppet(stage.system, {
          init: () => "before",
          terminate: (self) => {
            seen.push(self.state);
          },
        });
        ref.cast({
          type: "tell",
          run: late
            ? async (self) => {
                self.state = "half done";
                throw new Error("late");
              }
            : (self) => {
                self.state = "half done";
                throw new Error("at once");
              },
        });
        await stage.clock.settle();
      }
      expect(seen).to.deep.equal(["before", "before"]);
    });

    it("otp 69: one crash report with reason, last message, state and caller; none after a clean end", async () => {
      const reports: TelemetryEvents["supercast:actor:crash"][] = [];
      const stopListening = onEvent("supercast:actor:crash", (report) => reports.push(report));
      try {
        const clean = await startPuppet(stage.system);
        clean.ref.cast({ type: "tell", run: () => stop({ shutdown: "done" }) });
        await stage.clock.settle();
        expect(reports).to.have.length(0);
        const callee = await startPuppet(stage.system, { init: () => "state" }, { name: "callee" });
        const caller = await startPuppet(stage.system);
        const fatal = {
          type: "ask",
          run: (): never => {
            throw new TypeError("boom");
          },
        } as const;
        caller.ref.cast({
          type: "tell",
          run: async (self) => {
            await failing(self.callTo(callee.ref, fatal));
          },
        });
        await stage.clock.settle();
        expect(reports).to.have.length(1);
        expect(reports[0]).to.include({
          name: "callee",
          state: "state",
          lastMessage: fatal,
          caller: caller.process.pid,
        });
        expect(reports[0]).to.have.nested.property("reason.error.name", "TypeError");
        expect(stage.lines.filter(({ level }) => level === "error")).to.have.length(1);
        expect(stage.system.crashes).to.equal(1);
      } finally {
        stopListening();
      }
    });

    it("otp 69: a bad return value crashes, from calls, casts and infos; a thrown value is no result", async () => {
      for (const value of ["42", "null", "{}"]) {
        const { ref, process } = await startPuppet(stage.system);
        ref.cast({ type: "tell", run: () => JSON.parse(value) });
        await stage.clock.settle();
        expect(process.exitReason).to.have.nested.property("error.name", "bad_return_value");
      }
      const cast = await startPuppet(stage.system);
      cast.ref.cast({ type: "tell", run: () => JSON.parse("[]").concat(reply(1))[0] });
      await stage.clock.settle();
      expect(cast.process.exitReason).to.have.nested.property("error.name", "bad_return_value");
      const silent = await startPuppet(stage.system);
      const failure = await failureOf(
        silent.ref.call({ type: "ask", run: () => [].values().next().value ?? JSON.parse("null") }),
      );
      expect(failure.code).to.equal("exit");
      expect(silent.process.exitReason).to.have.nested.property("error.name", "bad_return_value");
    });

    it("otp 70: terminate runs for stop results, crashes, stop() and the parent's exit when exits are trapped", async () => {
      const ends: string[] = [];
      const script = { trapExit: true, terminate: () => void ends.push("terminate") };
      const parent = await startPuppet(stage.system, { trapExit: true });
      const options = { parent: parent.process, link: true };
      const [byResult, byCrash, byStop, byParent] = await Promise.all(
        [1, 2, 3, 4].map(() => startPuppet(stage.system, script, options)),
      );
      byResult?.ref.cast({ type: "tell", run: () => stop("normal") });
      byCrash?.ref.cast({
        type: "tell",
        run: async () => {
          throw new Error("x");
        },
      });
      await stage.system.stop(byStop?.process.pid ?? { name: "none" });
      await stage.clock.settle();
      expect(ends).to.have.length(3);
      parent.process.finish("shutdown");
      await stage.clock.settle();
      expect(byParent?.process.exitReason).to.equal("shutdown");
      expect(ends).to.have.length(4);
    });

    it("otp 70: terminate does not run on a kill, nor for a signal that is not trapped", async () => {
      const ends: string[] = [];
      const terminate = (): void => void ends.push("terminate");
      const sender = await startPuppet(stage.system);
      const killed = await startPuppet(stage.system, { trapExit: true, terminate });
      const signalled = await startPuppet(stage.system, { terminate });
      sender.self.exit(killed.process.pid, "kill");
      sender.self.exit(signalled.process.pid, "shutdown");
      expect([killed.process.exitReason, signalled.process.exitReason]).to.deep.equal(["killed", "shutdown"]);
      expect(ends).to.deep.equal([]);
    });
  });
});
