import { expect } from "chai";
import { checkLimits, DEFAULT_LIMITS } from "../../lib/base/limits.ts";

describe("limits", () => {
  it("agree with each other by default, and may be overridden one by one", () => {
    expect(checkLimits()).to.deep.equal(DEFAULT_LIMITS);
    expect(checkLimits({ mailboxMessages: 5 })).to.deep.equal({ ...DEFAULT_LIMITS, mailboxMessages: 5 });
  });

  it("allow 0 where 0 means something", () => {
    expect(checkLimits({ restartIntensity: 0, reconnectGraceMs: 0 }).restartIntensity).to.equal(0);
  });

  const wrong: readonly [overrides: object, text: RegExp][] = [
    [{ mailboxMessages: 0 }, /limits\.mailboxMessages is 0; allowed: a finite number from 1/],
    [{ callTimeoutMs: Number.NaN }, /limits\.callTimeoutMs is NaN/],
    [{ callTimeoutMs: Number.POSITIVE_INFINITY }, /limits\.callTimeoutMs is Infinity/],
    [{ restartIntensity: -1 }, /from 0/],
    [{ suspectAfterMs: 100 }, /suspectAfterMs must be at least 2 x heartbeatMs; .*suspectAfterMs is 100/],
    [{ failureTimeoutMs: 500 }, /failureTimeoutMs must exceed/],
    [{ probeIntervalMs: 50 }, /probeIntervalMs must be at least heartbeatMs/],
    [{ outboundBytes: 1_000_000 }, /outboundBytes must be at least 4 x batchBytes/],
    [{ quantumMessages: 10_000 }, /quantumMessages must not exceed turnMessages/],
    [{ requestIdMs: 1_000 }, /requestIdMs must be at least foreignTimeoutMs/],
    [{ healthTimeoutMs: 6_000 }, /healthTimeoutMs must not exceed healthIntervalMs/],
  ];
  for (const [overrides, text] of wrong) {
    it(`refuse ${JSON.stringify(overrides)}`, () => {
      expect(() => checkLimits(overrides))
        .to.throw(text)
        .with.property("code", "config_mismatch");
    });
  }
});
