import { expect } from "chai";
import fc from "fast-check";
import { InvariantError } from "../../lib/base/invariant.ts";
import { chained, type Entry, ORIGIN } from "../../lib/stream/entry.ts";
import { Log } from "../../lib/stream/log.ts";

const OWNER = "00000000000000aa";

function following(log: Log, count: number, counter: number, text: string = "x"): Entry[] {
  const first = log.lastSeq + 1;
  const payload = new TextEncoder().encode(text);
  const entries = Array.from({ length: count }, (_, index) => ({
    seq: first + index,
    epoch: { counter, owner: OWNER },
    kind: 0,
    payload,
  }));
  return chained(log.last.chain, entries);
}

function texts(log: Log): string[] {
  return log.slice(log.base.seq + 1, log.lastSeq).map(({ seq, chain }) => `${seq} ${chain}`);
}

describe("the log of a replica", () => {
  it("is a value: what grows out of one log in two directions does not meet", () => {
    const trunk = Log.empty().append(following(Log.empty(), 2, 1));
    const left = trunk.append(following(trunk, 2, 1, "left"));
    const right = trunk.append(following(trunk, 1, 1, "right"));
    expect(trunk.lastSeq).to.equal(2);
    expect(left.lastSeq).to.equal(4);
    expect(right.lastSeq).to.equal(3);
    expect(left.entry(3)?.chain).to.not.equal(right.entry(3)?.chain);
    expect(left.entry(2)).to.equal(right.entry(2));
  });

  it("has equal chains where histories are equal, and nowhere after they part", () => {
    const one = Log.empty().append(following(Log.empty(), 3, 1));
    const two = Log.empty().append(following(Log.empty(), 3, 1));
    expect(texts(one)).to.deep.equal(texts(two));
    const other = one.truncateAfter(1).append(following(one.truncateAfter(1), 2, 2));
    expect(other.entry(2)?.chain).to.not.equal(one.entry(2)?.chain);
    expect(other.entry(3)?.chain).to.not.equal(one.entry(3)?.chain);
  });

  it("refuses a hole, an epoch that goes down and a cut below its base", () => {
    const log = Log.empty().append(following(Log.empty(), 4, 2));
    const [gap] = following(log, 2, 2).slice(1);
    expect(() => log.append(gap === undefined ? [] : [gap])).to.throw(InvariantError, "follows the last one");
    expect(() => log.append(following(log, 1, 1))).to.throw(InvariantError, "never decrease");
    expect(() => log.compactTo(3).truncateAfter(2)).to.throw(InvariantError, "below its base");
  });

  it("cannot tell about what is compacted, but knows where it ended", () => {
    const log = Log.empty()
      .append(following(Log.empty(), 5, 1))
      .compactTo(3);
    expect(log.position(2)).to.equal(null);
    expect(log.position(3)?.seq).to.equal(3);
    expect(log.entry(3)).to.equal(null);
    expect(log.entry(4)?.seq).to.equal(4);
    expect(log.position(6)).to.equal(null);
  });

  it("gives pages within both bounds, and at least one entry", () => {
    const log = Log.empty().append(following(Log.empty(), 5, 1, "12345"));
    expect(log.page(2, 3, 1_000).map(({ seq }) => seq)).to.deep.equal([2, 3, 4]);
    expect(log.page(2, 9, 11).map(({ seq }) => seq)).to.deep.equal([2, 3]);
    expect(log.page(2, 9, 1).map(({ seq }) => seq)).to.deep.equal([2]);
    expect(log.page(6, 9, 1_000)).to.deep.equal([]);
  });

  it("does what a list of entries does, whatever is done to it", () => {
    const change = fc.record({ kind: fc.constantFrom("append", "truncate", "compact"), amount: fc.nat(6) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
        let log = Log.empty();
        let base: { seq: number; chain: string } = ORIGIN;
        let model: Entry[] = [];
        for (const { kind, amount } of changes) {
          if (kind === "append") {
            const entries = following(log, amount, 1, `${model.length}`);
            log = log.append(entries);
            model = [...model, ...entries];
          } else if (kind === "truncate") {
            const seq = Math.max(base.seq, log.lastSeq - amount);
            log = log.truncateAfter(seq);
            model = model.filter((entry) => entry.seq <= seq);
          } else {
            const seq = Math.min(log.lastSeq, base.seq + amount);
            log = log.compactTo(seq);
            base = model.find((entry) => entry.seq === seq) ?? base;
            model = model.filter((entry) => entry.seq > seq);
          }
          expect(texts(log)).to.deep.equal(model.map(({ seq, chain }) => `${seq} ${chain}`));
          expect(log.base.chain).to.equal(base.chain);
          expect(log.lastSeq).to.equal(model.at(-1)?.seq ?? base.seq);
        }
      }),
    );
  });
});
