import { expect } from "chai";
import { majorityOf } from "../../../lib/stream/configuration.ts";
import { drawPlan, FAULT_KINDS, type Plan, SAFETY_MS } from "./plan.ts";

const PLANS: readonly Plan[] = Array.from({ length: 200 }, (_, index) => drawPlan(index + 1));

describe("the plan of a simulated seed", () => {
  it("is the same for the same seed and another for another", () => {
    expect(drawPlan(7)).to.deep.equal(drawPlan(7));
    expect(drawPlan(7)).to.not.deep.equal({ ...drawPlan(8), seed: 7 });
  });

  it("has 3 to 7 nodes, 3 to 8 clients, and founders that make a configuration", () => {
    for (const { nodes, founders, clients } of PLANS) {
      expect(nodes.length).to.be.within(3, 7);
      expect(clients.length).to.be.within(3, 8);
      expect(nodes).to.include.members([...founders]);
      expect(majorityOf(founders).writeQuorum).to.be.within(2, 3);
    }
  });

  it("keeps its faults inside the safety phase, in order of time", () => {
    for (const { faults } of PLANS) {
      const times = faults.map(({ atMs }) => atMs);
      expect(times).to.deep.equal(times.toSorted((left, right) => left - right));
      expect(Math.max(...times)).to.be.lessThan(SAFETY_MS);
    }
  });

  it("draws a mix of its own: some seeds have few kinds of faults, some many, and all kinds come up", () => {
    const mixes = PLANS.map(({ faults }) => new Set(faults.map(({ kind }) => kind)).size);
    expect(Math.min(...mixes)).to.be.lessThan(12);
    expect(Math.max(...mixes)).to.be.greaterThan(18);
    const drawn = new Set(PLANS.flatMap(({ faults }) => faults.map(({ kind }) => kind)));
    expect([...drawn].sort()).to.deep.equal(Object.keys(FAULT_KINDS).sort());
  });

  it("lets no disk fail where there is none", () => {
    for (const { durability, faults } of PLANS.filter((plan) => plan.durability === "memory")) {
      expect(durability).to.equal("memory");
      expect(faults.filter(({ kind }) => FAULT_KINDS[kind] === "disk")).to.deep.equal([]);
    }
  });

  it("lets clocks run apart no further than the streams are told", () => {
    for (const { clockRates, settings } of PLANS) {
      const apart = Math.max(...clockRates) / Math.min(...clockRates);
      expect(apart).to.be.at.most((1 + settings.clockDrift / 2) / (1 - settings.clockDrift / 2));
    }
  });
});
