/**
 * Records that are valid by themselves and contradict the history they stand in: recovery follows a
 * stream through `StreamLog.replay`, which answers what is wrong, so that the journal is refused.
 */
import { expect } from "chai";
import { CHAIN_START, extendChain, type Word64 } from "../../lib/journal/chain.ts";
import { emptyHeader, RECORD, type RecordHeader, type RecordType, viewOf } from "../../lib/journal/format.ts";
import { StreamLog } from "../../lib/journal/stream-log.ts";

const PAYLOAD = new Uint8Array(12).fill(7);
const VIEW = viewOf(PAYLOAD);

/** A stream's records as its writer would frame them, with a chain that a test may falsify. */
class Script {
  readonly log = new StreamLog(1, true);
  readonly chain: Word64 = { ...CHAIN_START };
  readonly chains: Word64[] = [{ ...CHAIN_START }];

  /** Follows an entry or a copy; answers what the log says of it. */
  entry(
    seq: number,
    change: Partial<RecordHeader> = {},
    type: RecordType = RECORD.entry,
    from: Readonly<Word64> = this.chain,
  ): string | null {
    const chain = { high: from.high, low: from.low };
    const link = { epochCounter: 1, epochOwner: { high: 0, low: 0 }, kind: 0, ...change, seq };
    extendChain(chain, link, VIEW, 0, PAYLOAD.length);
    const header = {
      ...emptyHeader(),
      ...link,
      type,
      length: PAYLOAD.length,
      lsn: seq * 100,
      chain,
      ...change,
    };
    const problem = this.log.replay(header, VIEW, 0, false);
    if (problem === null && type === RECORD.entry) {
      Object.assign(this.chain, chain);
      this.chains[seq] = { ...chain };
    }
    return problem;
  }

  mark(type: RecordType, seq: number, chain: Readonly<Word64> = this.chain): string | null {
    return this.log.replay(
      { ...emptyHeader(), type, seq, epochCounter: 1, chain: { ...chain } },
      VIEW,
      0,
      false,
    );
  }

  /** Entries 1 to `last`. */
  static upTo(last: number): Script {
    const script = new Script();
    for (let seq = 1; seq <= last; seq++) {
      expect(script.entry(seq)).to.equal(null);
    }
    return script;
  }

  chainAfter(seq: number): Word64 {
    return this.chains[seq] ?? { high: 0, low: 0 };
  }
}

describe("a record that contradicts its stream's history", () => {
  it("is an entry that skips a number or comes twice", () => {
    expect(Script.upTo(3).entry(5)).to.contain("entry 5 follows entry 3");
    expect(Script.upTo(3).entry(3)).to.contain("entry 3 follows entry 3");
  });

  it("is an entry that does not continue the chain, by either half of it", () => {
    for (const half of ["high", "low"] as const) {
      const script = Script.upTo(3);
      const forked = { ...script.chain, [half]: (script.chain[half] ^ 1) >>> 0 };
      expect(script.entry(4, {}, RECORD.entry, forked)).to.contain("does not continue the chain");
      const chain = { ...script.chain };
      extendChain(chain, { epochCounter: 1, epochOwner: { high: 0, low: 0 }, kind: 0, seq: 4 }, VIEW, 0, 12);
      chain[half] = (chain[half] ^ 1) >>> 0;
      expect(script.entry(4, { chain })).to.contain("does not continue the chain");
      expect(script.log.lastSeq).to.equal(3);
    }
  });

  it("is an entry of a lower epoch, by counter or by owner", () => {
    const script = Script.upTo(2);
    expect(script.entry(3, { epochCounter: 4, epochOwner: { high: 0, low: 9 } })).to.equal(null);
    expect(script.entry(4, { epochCounter: 3 })).to.contain("lower epoch");
    const other = Script.upTo(2);
    expect(other.entry(3, { epochCounter: 4, epochOwner: { high: 0, low: 9 } })).to.equal(null);
    expect(other.entry(4, { epochCounter: 4, epochOwner: { high: 0, low: 8 } })).to.contain("lower epoch");
  });

  it("is a commit beyond the last entry", () => {
    const script = Script.upTo(3);
    expect(script.mark(RECORD.commit, 4)).to.contain("commit of entry 4");
    expect(script.mark(RECORD.commit, 3)).to.equal(null);
    expect(script.log.commitSeq).to.equal(3);
  });

  it("is a truncation below the commit or above the last entry", () => {
    const script = Script.upTo(5);
    expect(script.mark(RECORD.commit, 3)).to.equal(null);
    expect(script.mark(RECORD.truncate, 2, script.chainAfter(2))).to.contain("truncation to 2");
    expect(script.mark(RECORD.truncate, 6)).to.contain("truncation to 6");
    expect(script.mark(RECORD.truncate, 3, script.chainAfter(3))).to.equal(null);
    expect(script.log.lastSeq).to.equal(3);
  });

  it("is a copy out of place, of another content, or a run of copies that ends elsewhere", () => {
    const begun = (): Script => {
      const script = Script.upTo(3);
      expect(script.mark(RECORD.copyBegin, 1, script.chainAfter(1))).to.equal(null);
      expect(script.entry(2, {}, RECORD.copy, script.chainAfter(1))).to.equal(null);
      return script;
    };
    expect(Script.upTo(3).entry(2, {}, RECORD.copy)).to.contain("out of place");
    expect(begun().entry(2, {}, RECORD.copy)).to.contain("out of place");
    expect(begun().entry(3, {}, RECORD.copy, CHAIN_START)).to.contain("does not continue its chain");
    expect(begun().mark(RECORD.copyEnd, 3)).to.contain("the copies end at 2 instead of 3");
    expect(begun().mark(RECORD.copyEnd, 2)).to.contain("differ from the entries up to 3");
    expect(Script.upTo(3).mark(RECORD.copyEnd, 3)).to.contain("the copies end at nothing");
    const whole = begun();
    expect(whole.entry(3, {}, RECORD.copy, whole.chainAfter(2))).to.equal(null);
    expect(whole.mark(RECORD.copyEnd, 3)).to.equal(null);
    expect(whole.log).to.include({ lastSeq: 3, anchored: true });
    expect(whole.entry(4)).to.equal(null);
  });

  it("is of a type that nobody knows", () => {
    expect(Script.upTo(1).log.replay({ ...emptyHeader(), type: 9 }, VIEW, 0, false)).to.contain(
      "unknown record type 9",
    );
  });
});
