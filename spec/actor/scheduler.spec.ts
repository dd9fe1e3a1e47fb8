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
