import { expect } from "chai";
import fc from "fast-check";
import { Fifo } from "../../lib/base/fifo.ts";

describe("fifo", () => {
  it("is a queue, whatever is pushed, shifted and cleared", () => {
    const operation = fc.constantFrom("push", "push", "push", "shift", "shift", "clear");
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const fifo = new Fifo<{ n: number }>();
        let model: number[] = [];
        operations.forEach((what, n) => {
          if (what === "push") {
            fifo.push({ n });
            model.push(n);
          } else if (what === "shift") {
            expect(fifo.shift()?.n).to.equal(model.shift());
          } else {
            fifo.clear();
            model = [];
          }
          expect(fifo.length).to.equal(model.length);
        });
      }),
    );
  });

  it("keeps its order when it gives back what it has handed out", () => {
    const fifo = new Fifo<{ n: number }>();
    let out = 0;
    for (let n = 0; n < 10_000; n++) {
      fifo.push({ n });
      if (n % 3 !== 0) {
        expect(fifo.shift()?.n).to.equal(out);
        out += 1;
      }
    }
    while (fifo.length > 0) {
      expect(fifo.shift()?.n).to.equal(out);
      out += 1;
    }
    expect(out).to.equal(10_000);
  });
});
