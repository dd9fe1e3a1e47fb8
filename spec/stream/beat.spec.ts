import { expect } from "chai";
import fc from "fast-check";
import { untilNextBeat } from "../../lib/stream/beat.ts";

describe("the beats of a process", () => {
  const times = fc.double({ min: 0, max: 1e9, noNaN: true });
  const intervals = fc.integer({ min: 1, max: 10_000 });

  it("are half to one and a half intervals away, and one interval apart from beat to beat", () => {
    fc.assert(
      fc.property(times, intervals, fc.string(), (nowMs, intervalMs, process) => {
        const first = untilNextBeat(nowMs, intervalMs, process);
        expect(first).to.be.within(intervalMs / 2 - 1e-3, 1.5 * intervalMs + 1e-3);
        const second = untilNextBeat(nowMs + first, intervalMs, process);
        expect(second).to.be.closeTo(intervalMs, 1e-3);
      }),
    );
  });

  it("are the same whenever they are asked for, and not those of another process", () => {
    const at = (nowMs: number, process: string): number => (nowMs + untilNextBeat(nowMs, 100, process)) % 100;
    expect(at(30, "one")).to.be.closeTo(at(7_777, "one"), 1e-6);
    expect(Math.abs(at(30, "one") - at(30, "two"))).to.be.above(1e-6);
  });
});
