import { expect } from "chai";
import { delay } from "../../lib/base/clock.ts";
import { systemClock } from "../../lib/base/system-clock.ts";

describe("system clock", () => {
  it("a timer of more than 31 bits of milliseconds waits, where Node's own would fire at once", async () => {
    let fired = false;
    const timer = systemClock.setTimer(
      () => {
        fired = true;
      },
      2 ** 31 + 1,
    );
    await delay(systemClock, 5);
    expect([fired, timer.active]).to.deep.equal([false, true]);
    systemClock.clearTimer(timer);
    expect(timer.active).to.equal(false);
  });

  it("a cleared timer does not fire, and clearing again is harmless", async () => {
    let fired = false;
    const timer = systemClock.setTimer(() => {
      fired = true;
    }, 1);
    systemClock.clearTimer(timer);
    systemClock.clearTimer(timer);
    await delay(systemClock, 5);
    expect(fired).to.equal(false);
  });

  it("microtasks run before immediates, immediates before a later timer", async () => {
    const order: string[] = [];
    const timer = delay(systemClock, 5).then(() => order.push("timer"));
    systemClock.immediate(() => order.push("immediate"));
    systemClock.microtask(() => order.push("microtask"));
    await timer;
    expect(order).to.deep.equal(["microtask", "immediate", "timer"]);
  });
});
