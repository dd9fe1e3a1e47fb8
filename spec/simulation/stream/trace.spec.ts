import { expect } from "chai";
import { Trace } from "./trace.ts";

function traced(...events: readonly (readonly [number, string, string])[]): Trace {
  let now = 0;
  const trace = new Trace(() => now, 3);
  for (const [at, who, what] of events) {
    now = at;
    trace.note(who, what);
  }
  return trace;
}

describe("a trace", () => {
  it("has equal hashes for equal events only: time, who and what all count", () => {
    const { hash } = { hash: traced([1, "a", "x"], [2, "b", "y"]).hash() };
    expect(traced([1, "a", "x"], [2, "b", "y"]).hash()).to.equal(hash);
    for (const other of [
      traced([1, "a", "x"]),
      traced([2, "b", "y"], [1, "a", "x"]),
      traced([1, "a", "x"], [2.001, "b", "y"]),
      traced([1, "a", "x"], [2, "c", "y"]),
      traced([1, "a", "x"], [2, "b", "z"]),
    ]) {
      expect(other.hash()).to.not.equal(hash);
    }
  });

  it("tells the numbers of an event apart, large ones too", () => {
    const hashes = [0, 1, -1, 0.5, 2 ** 32, 2 ** 32 + 1, 2 ** 40].map((number) => {
      const trace = new Trace(() => 0);
      trace.event("a", () => "", number);
      return trace.hash();
    });
    expect(new Set(hashes.filter((_, index) => index !== 3)).size).to.equal(6);
  });

  it("keeps the last records, oldest first, and puts them into words when asked", () => {
    const trace = traced([1, "a", "one"], [2, "a", "two"], [3, "b", "three"], [4.5, "b", "four"]);
    expect(trace.count).to.equal(4);
    expect(trace.lines()).to.deep.equal([
      "     2.000 a        two",
      "     3.000 b        three",
      "     4.500 b        four",
    ]);
    expect(trace.lines(1)).to.deep.equal(["     4.500 b        four"]);
  });
});
