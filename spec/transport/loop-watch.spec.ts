import { expect } from "chai";
import type { Clock, Timer } from "../../lib/base/clock.ts";
import { VirtualClock } from "../../lib/base/virtual-clock.ts";
import { LoopWatch } from "../../lib/transport/loop-watch.ts";

/** Virtual time in which the loop can stand still: time goes on and timers do not fire. */
class StallingClock implements Clock {
  readonly #clock = new VirtualClock();
  #stalledMs = 0;

  now(): number {
    return this.#clock.now() + this.#stalledMs;
  }

  wallNow(): number {
    return this.#clock.wallNow() + this.#stalledMs;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    return this.#clock.setTimer(callback, delayMs);
  }

  clearTimer(timer: Timer): void {
    this.#clock.clearTimer(timer);
  }

  microtask(callback: () => void): void {
    this.#clock.microtask(callback);
  }

  immediate(callback: () => void): void {
    this.#clock.immediate(callback);
  }

  stall(ms: number): void {
    this.#stalledMs += ms;
  }

  advance(ms: number): Promise<void> {
    return this.#clock.advance(ms);
  }
}

describe("loop watch", () => {
  let clock: StallingClock;
  let watch: LoopWatch;

  beforeEach(() => {
    clock = new StallingClock();
    watch = new LoopWatch(clock);
  });

  afterEach(() => watch.stop());

  it("finds nothing while timers fire in time", async () => {
    await clock.advance(10_000);
    expect(watch.recentStandstillMs()).to.equal(0);
  });

  it("finds a standstill before the late timer has fired", async () => {
    await clock.advance(1_100);
    clock.stall(3_000);
    expect(watch.recentStandstillMs()).to.be.within(2_800, 3_000);
  });

  it("remembers a standstill for a short while", async () => {
    clock.stall(1_000);
    await clock.advance(1_000);
    expect(watch.recentStandstillMs()).to.be.within(800, 1_000);
    await clock.advance(3_000);
    expect(watch.recentStandstillMs()).to.equal(0);
  });

  it("takes short delays for normal", async () => {
    await clock.advance(1_000);
    clock.stall(300);
    await clock.advance(200);
    expect(watch.recentStandstillMs()).to.equal(0);
  });
});
