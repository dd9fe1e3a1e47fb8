import { expect } from "chai";
import fc from "fast-check";
import { InvariantError } from "../../lib/base/invariant.ts";
import { KeyOrder } from "../../lib/stream/key-order.ts";

/** The keys behind `after` in order, the long way. */
function sorted(keys: ReadonlySet<string>, after: string | null): string[] {
  return [...keys].filter((key) => after === null || key > after).sort();
}

describe("the order of keys", () => {
  it("is that of code units, from any key on, whether it is there or not", () => {
    const order = new KeyOrder();
    expect([...order.keys()]).to.deep.equal([]);
    expect([...order.keys("a")]).to.deep.equal([]);
    for (const key of ["b", "\uffee", "", "\u{1f600}", "ab", "a"]) {
      order.add(key);
    }
    const all = ["", "a", "ab", "b", "\u{1f600}", "\uffee"];
    expect([...order.keys()]).to.deep.equal(all);
    expect([...order.keys(null)]).to.deep.equal(all);
    expect([...order.keys("")]).to.deep.equal(all.slice(1));
    expect([...order.keys("aa")]).to.deep.equal(all.slice(2));
    expect([...order.keys("\uffee")]).to.deep.equal([]);
    expect([...order.keys("\uffff")]).to.deep.equal([]);
  });

  it("holds for thousands of keys that come and go in any order", () => {
    const step = fc.record({
      from: fc.nat(6_000),
      count: fc.integer({ min: 1, max: 1_500 }),
      stride: fc.constantFrom(1, 7, 1_009, -1),
      adds: fc.boolean(),
    });
    const afters = fc.array(fc.nat(6_500), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), afters, (steps, places) => {
        const order = new KeyOrder();
        const model = new Set<string>();
        for (const { from, count, stride, adds } of steps) {
          if (count % 3 === 0) {
            // What has been noted goes to its place now, and not only at the end or when there is much of it.
            expect([...order.keys("zzz")]).to.deep.equal([]);
          }
          for (let index = 0; index < count; index++) {
            const key = String((((from + index * stride) % 6_007) + 6_007) % 6_007);
            if (adds && !model.has(key)) {
              order.add(key);
              model.add(key);
            } else if (!adds && model.delete(key)) {
              order.remove(key);
            }
          }
        }
        for (const after of [null, ...places.map(String)]) {
          expect([...order.keys(after)]).to.deep.equal(sorted(model, after));
        }
      }),
      { numRuns: 60 },
    );
  }).timeout(60_000);

  it("does not let keys change while it is walked through", () => {
    for (const keys of [["b"], ["b", "b"]]) {
      const order = new KeyOrder();
      order.add("a");
      order.add("c");
      const walk = order.keys();
      walk.next();
      for (const [index, key] of keys.entries()) {
        if (index === 0) {
          order.add(key);
        } else {
          order.remove(key);
        }
      }
      expect(() => walk.next()).to.throw(InvariantError);
    }
  });

  it("does not take a key twice, nor give one up that is not there", () => {
    const order = new KeyOrder();
    order.add("a");
    expect(() => order.add("a")).to.throw(InvariantError);
    order.remove("a");
    expect([...order.keys()]).to.deep.equal([]);
    order.remove("b");
    expect(() => order.remove("b")).to.throw(InvariantError);
    expect(() => [...order.keys()]).to.throw(InvariantError);
  });
});
