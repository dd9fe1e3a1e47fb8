import { expect } from "chai";
import fc from "fast-check";
import { type Parked, ParkedRequests } from "../../lib/stream/parked-requests.ts";

function request(order: number, lockDeadlineAt: number = 100): Parked {
  return { order, lockDeadlineAt };
}

function orders(requests: readonly Parked[]): readonly number[] {
  return requests.map(({ order }) => order);
}

describe("parked requests", () => {
  it("leave when their key is free, in the order in which they came", () => {
    const parked = new ParkedRequests<Parked>();
    parked.park("a", request(1));
    parked.park("b", request(2));
    parked.park("a", request(3));
    expect(orders(parked.released((key) => key === "b"))).to.deep.equal([1, 3]);
    expect(parked.count).to.equal(1);
    parked.park("a", request(4));
    expect(orders(parked.clear())).to.deep.equal([2, 4]);
    expect(parked.count).to.equal(0);
  });

  it("keep their place when they are parked once more, at whichever key", () => {
    const parked = new ParkedRequests<Parked>();
    for (const order of [5, 2, 9, 1]) {
      parked.park("a", request(order));
    }
    expect(orders(parked.released(() => false))).to.deep.equal([1, 2, 5, 9]);
  });

  it("leave when their wait is over, and no others do", () => {
    const parked = new ParkedRequests<Parked>();
    parked.park("a", request(1, 100));
    parked.park("a", request(2, 50));
    parked.park("b", request(3, 50));
    expect(orders(parked.expired(49))).to.deep.equal([]);
    expect(orders(parked.expired(50))).to.deep.equal([2, 3]);
    expect(parked.count).to.equal(1);
    expect(orders(parked.expired(100))).to.deep.equal([1]);
    expect(orders(parked.clear())).to.deep.equal([]);
  });

  it("each leave once, in order per key, whatever happens", () => {
    const step = fc.oneof(
      fc.record({ park: fc.constantFrom("a", "b", "c"), until: fc.nat(9) }),
      fc.record({ free: fc.subarray(["a", "b", "c"]) }),
      fc.record({ now: fc.nat(9) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const parked = new ParkedRequests<Parked>();
        const inside = new Map<number, string>();
        let count = 0;
        for (const each of steps) {
          if ("park" in each) {
            count += 1;
            inside.set(count, each.park);
            parked.park(each.park, request(count, each.until));
            continue;
          }
          const free = "free" in each ? each.free : [];
          const out =
            "free" in each ? parked.released((key) => !free.includes(key)) : parked.expired(each.now);
          for (const { order, lockDeadlineAt } of out) {
            const key = inside.get(order);
            expect(key, `${order} is inside`).to.not.equal(undefined);
            expect("now" in each ? lockDeadlineAt <= each.now : free.includes(key ?? "")).to.equal(true);
            inside.delete(order);
          }
          expect(orders(out)).to.deep.equal(
            "free" in each ? [...orders(out)].sort((a, b) => a - b) : orders(out),
          );
          if ("free" in each) {
            expect([...inside.values()].some((key) => free.includes(key))).to.equal(false);
          }
        }
        expect(parked.count).to.equal(inside.size);
      }),
    );
  });
});
