import { expect } from "chai";
import type { From } from "../../lib/actor/from.ts";
import {
  failing,
  gate,
  makeStage,
  Puppet,
  type PuppetProtocol,
  reply,
  type Stage,
  startPuppet,
} from "../support/actor.ts";

describe("fencing", () => {
  let stage: Stage;

  beforeEach(() => {
    stage = makeStage();
  });

  afterEach(() => {
    stage.system.close();
  });

  it("what a killed process still sends, replies, links and monitors has no effect", async () => {
    const other = await startPuppet(stage.system, { trapExit: true }, { name: "other" });
    const victim = await startPuppet(stage.system);
    const hold = gate();
    let kept: From<PuppetProtocol> | undefined;
    const failure = failing(
      victim.ref.call({
        type: "ask",
        run: async (self, from) => {
          kept = from;
          await hold.promise;
          self.castTo(other.ref, { type: "tell" });
          self.send(other.process.pid, "from the grave");
          self.exit(other.process.pid, "shutdown");
          self.link(other.process.pid);
          self.monitor(other.process.pid);
          self.after(10, () => stage.system.send(other.process.pid, "from a timer"));
          self.state = "changed";
          from.settle("from the grave");
          return reply("from the grave");
        },
      }),
    );
    await stage.clock.settle();
    victim.process.finish("killed");
    hold.open();
    await stage.clock.advance(100);
    expect((await failure).details).to.deep.equal({ reason: "killed" });
    expect(kept?.settled).to.equal(true);
    expect(other.self.infos).to.deep.equal([]);
    expect(other.process.existingTies?.links.size ?? 0).to.equal(0);
    expect(other.process.existingTies?.watchedBy.size ?? 0).to.equal(0);
    expect(stage.system.drops.fenced).to.equal(2);
    const call = failing(victim.self.callTo(other.ref, { type: "ask" }));
    expect((await call).code).to.equal("exit");
  });

  it("the signal fires, timers and what was opened are gone, before anyone is told", async () => {
    const order: string[] = [];
    const { process, self } = await startPuppet(stage.system);
    self.signal.addEventListener("abort", () => order.push("abort"));
    self.after(10, () => order.push("timer"));
    process.onEnd(() => {
      throw new Error("a cleanup that fails");
    });
    process.onEnd(() => order.push("closed"));
    stage.system.monitor({ deliverDown: () => order.push("down") }, process.pid);
    process.finish("killed");
    await stage.clock.advance(100);
    expect(order).to.deep.equal(["closed", "abort", "down"]);
    expect(stage.lines.map(({ level }) => level)).to.deep.equal(["error"]);
  });

  it("what is opened after the end is closed at once, and a timer set then does not wait", async () => {
    const { process, self } = await startPuppet(stage.system);
    process.finish("killed");
    let closed = false;
    process.onEnd(() => {
      closed = true;
    });
    expect(closed).to.equal(true);
    expect(self.after(10, () => undefined).active).to.equal(false);
    expect(self.signal.aborted).to.equal(true);
    expect(self.signal.reason).to.equal("killed");
  });

  it("a process killed during its async init is a failed start, and its late init changes nothing", async () => {
    const hold = gate();
    const outcome = Promise.resolve(
      stage.system.start(Puppet, { init: () => hold.promise.then(() => "state") }, { name: "x" }),
    );
    stage.system.whereis("x")?.finish("killed");
    hold.open();
    expect(await outcome).to.deep.equal({ status: "failed", reason: "killed" });
    expect(stage.system.processCount).to.equal(0);
  });

  it("a process may end itself in the middle of a synchronous callback", async () => {
    const { process, ref, self } = await startPuppet(stage.system);
    const failure = failing(
      ref.call({
        type: "ask",
        run: () => {
          self.exit(process.pid, "kill");
          return reply("too late");
        },
      }),
    );
    expect((await failure).details).to.deep.equal({ reason: "killed" });
  });

  it("a dead parent starts nobody, a closed system neither, and init does not run", async () => {
    const { process } = await startPuppet(stage.system);
    process.finish("normal");
    let ran = false;
    const init = (): void => {
      ran = true;
    };
    const orphan = stage.system.start(Puppet, { init }, { parent: process });
    expect(orphan).to.deep.equal({ status: "failed", reason: "noproc" });
    stage.system.close();
    expect(stage.system.start(Puppet, { init })).to.deep.equal({ status: "failed", reason: "shutdown" });
    expect(ran).to.equal(false);
  });
});
