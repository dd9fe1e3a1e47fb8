import { expect } from "chai";
import fc from "fast-check";
import { Deadlines, Expiring } from "../../lib/actor/deadlines.ts";
import { VirtualClock } from "../../lib/base/virtual-clock.ts";

class Entry extends Expiring {
  readonly #note: () => void;

  constructor(note: () => void) {
    super();
    this.#note = note;
  }

  expire(): void {
    this.#note();
  }
}

describe("deadlines", () => {
  it("expire each entry once, at its time, unless it is removed before", async () => {
    const removal = fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined });
    const entry = fc.record({ timeoutMs: fc.integer({ min: 0, max: 20 }), removeAt: removal });
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 40 }), async (entries) => {
        const clock = new VirtualClock();
        const deadlines = new Deadlines(clock);
        const expired: string[] = [];
        const expected: string[] = [];
        entries.forEach(({ timeoutMs, removeAt }, index) => {
          const added = new Entry(() => expired.push(`${index} at ${clock.now()}`));
          if (removeAt !== undefined) {
            clock.setTimer(() => deadlines.remove(added), removeAt);
          }
          if (removeAt === undefined || removeAt > timeoutMs) {
            expected.push(`${index} at ${timeoutMs}`);
          }
          clock.setTimer(() => deadlines.remove(added), 1_000);
          deadlines.add(added, timeoutMs);
        });
        await clock.advance(1_001);
        // Where removal and deadline fall on the same time, either may come first.
        const ambiguous = new Set(
          entries.flatMap(({ timeoutMs, removeAt }, n) => (removeAt === timeoutMs ? [n] : [])),
        );
        const clear = (all: string[]): string[] =>
          all.filter((each) => !ambiguous.has(Number.parseInt(each, 10))).sort();
        expect(clear(expired)).to.deep.equal(clear(expected));
        expect(new Set(expired).size).to.equal(expired.length);
      }),
      { numRuns: 30 },
    );
  });

  it("expire every entry that nobody removes, in order of time", async () => {
    const clock = new VirtualClock();
    const deadlines = new Deadlines(clock);
    const order: string[] = [];
    for (const [name, timeoutMs] of [
      ["b", 20],
      ["c", 30],
      ["a", 10],
      ["b2", 20],
    ] as const) {
      deadlines.add(new Entry(() => order.push(name)), timeoutMs);
    }
    await clock.advance(30);
    expect(order).to.deep.equal(["a", "b", "b2", "c"]);
  });

  it("round fractions up, so that computed timeouts share timers", async () => {
    const clock = new VirtualClock();
    let timers = 0;
    const { setTimer } = clock;
    clock.setTimer = (callback, delayMs) => {
      timers += 1;
      return setTimer.call(clock, callback, delayMs);
    };
    const deadlines = new Deadlines(clock);
    let expired = 0;
    for (let n = 0; n < 1_000; n++) {
      deadlines.add(new Entry(() => (expired += 1)), 99 + n / 1_000);
    }
    expect(timers).to.be.at.most(2);
    await clock.advance(100);
    expect(expired).to.equal(1_000);
  });

  it("never expire what waits for ever, nor anything after close", async () => {
    const clock = new VirtualClock();
    const deadlines = new Deadlines(clock);
    let expired = 0;
    deadlines.add(new Entry(() => (expired += 1)), Number.POSITIVE_INFINITY);
    deadlines.add(new Entry(() => (expired += 1)), 10);
    deadlines.close();
    await clock.advance(1_000_000);
    expect(expired).to.equal(0);
  });

  it("take an entry that is added while another expires", async () => {
    const clock = new VirtualClock();
    const deadlines = new Deadlines(clock);
    const at: number[] = [];
    deadlines.add(
      new Entry(() => {
        at.push(clock.now());
        deadlines.add(new Entry(() => at.push(clock.now())), 10);
      }),
      10,
    );
    await clock.advance(100);
    expect(at).to.deep.equal([10, 20]);
  });
});
