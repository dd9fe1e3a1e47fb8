import { expect } from "chai";
import { checkStreamSettings, coreSettings, DEFAULT_STREAM_SETTINGS } from "../../lib/stream/settings.ts";

describe("the settings of a stream", () => {
  it("have defaults that agree with each other", () => {
    expect(checkStreamSettings()).to.deep.equal(DEFAULT_STREAM_SETTINGS);
  });

  it("are refused by name when they cannot be", () => {
    const refused: readonly [object, RegExp][] = [
      [{ pendingmax: 1 }, /pendingmax is not known/],
      [{ pendingMax: 0 }, /pendingMax is 0; allowed: an integer from 1/],
      [{ heartbeatMs: 2.5 }, /heartbeatMs is 2\.5/],
      [{ clockDrift: Number.NaN }, /clockDrift is NaN/],
      [
        { stepDownTicks: 20 },
        /stepDownTicks must not exceed failureTicks; failureTicks is 10, stepDownTicks is 20/,
      ],
      [{ leaseMs: 150 }, /leaseMs x \(1 - clockDrift\)/],
      [
        { leaseMs: 1_600 },
        /claimTicks x heartbeatMs must exceed leaseMs x \(1 \+ clockDrift\); heartbeatMs is 100, claimTicks is 20, leaseMs is 1600, clockDrift is 0\.25/,
      ],
      [{ appendBytes: 1_000 }, /batchBytes must not exceed appendBytes/],
      [{ majorityTimeoutMs: 50 }, /majorityTimeoutMs must be at least heartbeatMs/],
      [{ commitDelayMs: 100 }, /commitDelayMs must be less than heartbeatMs/],
    ];
    for (const [overrides, message] of refused) {
      expect(() => checkStreamSettings(overrides), JSON.stringify(overrides)).to.throw(message);
    }
  });

  it("let members acknowledge what is only held where a sync answer on disks needs it", () => {
    const settings = checkStreamSettings();
    const held = (["async", "sync", "strong"] as const).map(
      (mode) => coreSettings(settings, "disk", mode).acknowledgeHeld,
    );
    expect(held).to.deep.equal([false, true, false]);
    expect(coreSettings(settings, "memory", "sync").acknowledgeHeld).to.equal(false);
  });
});
