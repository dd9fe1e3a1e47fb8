import { expect } from "chai";
import fc from "fast-check";
import { delay, isoTime } from "../../lib/base/clock.ts";
import { VirtualClock } from "../../lib/base/virtual-clock.ts";

describe("the virtual clock", () => {
  it("fires timers in order of their time, then of their setting, at their time", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 50 }), { maxLength: 40 }), async (delays) => {
        const clock = new VirtualClock();
        const fired: [at: number, index: number][] = [];
        delays.forEach((ms, index) => {
          clock.setTimer(() => fired.push([clock.now(), index]), ms);
        });
        await clock.advance(60);
        const expected = delays.map((ms, index): [number, number] => [ms, index]);
        expect(fired).to.deep.equal(expected.sort(([a, i], [b, j]) => a - b || i - j));
        expect(clock.now()).to.equal(60);
      }),
      { numRuns: 50 },
    );
  });

  it("fires nothing that was cleared, and nothing before its time", async () => {
    const clock = new VirtualClock();
    const fired: string[] = [];
    const cleared = clock.setTimer(() => fired.push("cleared"), 10);
    const kept = clock.setTimer(() => fired.push("kept"), 11);
    clock.clearTimer(cleared);
    expect([cleared.active, kept.active]).to.deep.equal([false, true]);
    await clock.advance(10);
    expect(fired).to.deep.equal([]);
    await clock.advance(1);
    expect(fired).to.deep.equal(["kept"]);
    expect(kept.active).to.equal(false);
  });

  it("lets promises and immediates of one instant come to rest before time moves", async () => {
    const clock = new VirtualClock();
    const order: string[] = [];
    clock.setTimer(() => {
      clock.immediate(() => {
        order.push(`immediate ${clock.now()}`);
        void Promise.resolve().then(() => order.push(`promise ${clock.now()}`));
      });
    }, 5);
    clock.setTimer(() => order.push(`timer ${clock.now()}`), 5.5);
    await clock.advance(10);
    expect(order).to.deep.equal(["immediate 5", "promise 5", "timer 5.5"]);
  });

  it("runs a promise to its end, and says when a condition never holds", async () => {
    const clock = new VirtualClock();
    await clock.run(delay(clock, 250));
    expect(clock.now()).to.equal(250);
    const failed = await clock
      .until(() => false, 20)
      .then(
        () => "held",
        (error: unknown) => String(error),
      );
    expect(failed).to.match(/did not hold within 20 ms/);
  });

  it("keeps wall time in step", async () => {
    const clock = new VirtualClock(Date.UTC(2030, 0, 1));
    await clock.advance(1_500);
    expect(isoTime(clock.wallNow())).to.equal("2030-01-01T00:00:01.500Z");
  });
});
