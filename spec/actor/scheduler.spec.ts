import { expect } from "chai";
import { Scheduler } from "../../lib/actor/scheduler.ts";
import { ActorSystem } from "../../lib/actor/system.ts";
import { checkLimits } from "../../lib/base/limits.ts";
import { seededRandom } from "../../lib/base/random.ts";
import { systemClock } from "../../lib/base/system-clock.ts";
import { VirtualClock } from "../../lib/base/virtual-clock.ts";
import { collectLog } from "../../lib/telemetry/log.ts";
import { makeStage, startPuppet } from "../support/actor.ts";

describe("scheduler", () => {
  it("gives ready processes turns of a quantum each, so that a flooded one starves nobody", async () => {
    const { system, clock } = makeStage({ quantumMessages: 4, turnMessages: 1_000 });
    const order: string[] = [];
    const flooded = await startPuppet(system);
    const other = await startPuppet(system);
    for (let n = 0; n < 12; n++) {
      flooded.ref.cast({ type: "tell", run: () => void order.push("flooded") });
    }
    other.ref.cast({ type: "tell", run: () => void order.push("other") });
    await clock.settle();
    expect(order.indexOf("other")).to.equal(4);
    expect(order).to.have.length(13);
    system.close();
  });

  it("ends a turn after its budget of messages and lets the loop go round before the next", async () => {
    const { system, clock } = makeStage({ quantumMessages: 10, turnMessages: 100 });
    const { ref } = await startPuppet(system);
    await clock.settle();
    let handled = 0;
    const atTurns: number[] = [];
    for (let n = 0; n < 500; n++) {
      ref.cast({
        type: "tell",
        run: () => {
          handled += 1;
        },
      });
    }
    for (let turn = 0; turn < 8 && handled < 500; turn++) {
      clock.immediate(() => atTurns.push(handled));
      await clock.settle();
    }
    expect(handled).to.equal(500);
    expect(atTurns[0]).to.be.within(1, 110);
    system.close();
  });

  it("ends a turn by time when handlers are slow", async () => {
    const { system, clock } = makeStage({ quantumMessages: 1, turnMs: 5 });
    let now = 0;
    clock.now = () => now;
    const { ref } = await startPuppet(system);
    await clock.settle();
    let handled = 0;
    for (let n = 0; n < 50; n++) {
      ref.cast({
        type: "tell",
        run: () => {
          handled += 1;
          now += 2;
        },
      });
    }
    await new Promise(setImmediate);
    expect(handled).to.be.within(3, 4);
    await clock.settle();
    expect(handled).to.equal(50);
    system.close();
  });

  it("a loop of awaited calls on real time lets timers and input run", async () => {
    const { log } = collectLog();
    const random = seededRandom(1);
    const system = new ActorSystem({ node: "a", incarnation: "i1", clock: systemClock, random, log });
    const { ref } = await startPuppet(system, { init: () => 1 });
    let fired = false;
    setTimeout(() => {
      fired = true;
    }, 1);
    let calls = 0;
    while (!fired && calls < 5_000_000) {
      await ref.call({ type: "ask" });
      calls += 1;
    }
    expect(fired).to.equal(true);
    system.close();
  });

  it("holds back whom input makes ready until it has been taken in, and runs them at once then", async () => {
    const clock = new VirtualClock();
    const scheduler = new Scheduler(clock, checkLimits());
    const ran: string[] = [];
    scheduler.hold();
    scheduler.ready({ run: () => ran.push("first") });
    await clock.settle();
    scheduler.ready({ run: () => ran.push("second") });
    expect(ran).to.deep.equal([]);
    scheduler.release();
    expect(ran).to.deep.equal(["first", "second"]);
  });

  it("asks the loop for nothing while a turn handles less than half of its budget", async () => {
    const { system, clock } = makeStage({ turnMessages: 100, quantumMessages: 10 });
    const { ref } = await startPuppet(system);
    let asked = 0;
    clock.immediate = () => {
      asked += 1;
    };
    let handled = 0;
    const tell = async (): Promise<void> => {
      ref.cast({
        type: "tell",
        run: () => {
          handled += 1;
        },
      });
      await Promise.resolve();
    };
    for (let n = 0; n < 20; n++) {
      await tell();
    }
    expect([handled, asked]).to.deep.equal([20, 0]);
    for (let n = 0; n < 100; n++) {
      await tell();
    }
    expect(asked).to.equal(1);
    expect(handled).to.be.within(50, 100);
    system.close();
  });

  it("relieves a full mailbox on the spot, for no more than eight turns in one round of the loop", async () => {
    const clock = new VirtualClock();
    let now = 0;
    clock.now = () => now;
    const scheduler = new Scheduler(clock, checkLimits({ turnMs: 5 }));
    let runs = 0;
    const slow = {
      run: () => {
        runs += 1;
        now += 5;
        if (runs % 100 > 0) {
          scheduler.ready(slow);
        }
        return 1;
      },
    };
    const relieved = (): number => {
      scheduler.hold();
      scheduler.ready(slow);
      const before = runs;
      for (let n = 0; n < 100; n++) {
        scheduler.relieve();
      }
      return runs - before;
    };
    expect(relieved()).to.be.within(8, 16);
    scheduler.release();
    await clock.settle();
    expect(runs).to.equal(100);
    expect(relieved()).to.be.within(8, 16);
  });

  it("does not run a handler inside of another one", () => {
    const scheduler = new Scheduler(new VirtualClock(), checkLimits());
    const order: string[] = [];
    scheduler.hold();
    scheduler.ready({
      run: () => {
        scheduler.ready({ run: () => order.push("second") });
        scheduler.relieve();
        return order.push("first");
      },
    });
    scheduler.relieve();
    expect(order).to.deep.equal(["first", "second"]);
  });

  it("a run that throws surfaces and does not stop the others", async () => {
    const clock = new VirtualClock();
    const scheduler = new Scheduler(clock, checkLimits());
    const ran: string[] = [];
    const drains: (() => void)[] = [];
    clock.microtask = (callback) => void drains.push(callback);
    scheduler.ready({
      run: () => {
        throw new Error("a defect");
      },
    });
    scheduler.ready({ run: () => ran.push("other") });
    expect(() => drains[0]?.()).to.throw("a defect");
    await clock.settle();
    scheduler.ready({ run: () => ran.push("later") });
    for (const drain of drains.slice(1)) {
      drain();
    }
    await clock.settle();
    expect(ran).to.deep.equal(["other", "later"]);
  });
});
