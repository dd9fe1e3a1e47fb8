import { expect } from "chai";
import { type Traffic, whyInvalid } from "./validity.ts";

const ENOUGH: Traffic = { operations: 600, acknowledged: 500, disturbed: 200, faults: 30 };

describe("the validity of a simulated run", () => {
  it("is given with enough traffic, faults and answers", () => {
    expect(whyInvalid(ENOUGH)).to.deep.equal([]);
  });

  it("is denied for too little of each, with its reason", () => {
    expect(whyInvalid({ ...ENOUGH, operations: 499, acknowledged: 400 }).join()).to.match(
      /499 client operations/,
    );
    expect(whyInvalid({ ...ENOUGH, faults: 19 }).join()).to.match(/19 faults/);
    expect(whyInvalid({ ...ENOUGH, acknowledged: 119 }).join()).to.match(/19\.8 % of the operations/);
  });

  it("is denied when nearly everything was acknowledged because no fault met an operation", () => {
    const calm = { ...ENOUGH, acknowledged: 600, disturbed: 29 };
    expect(whyInvalid(calm).join()).to.match(/only 29 of 600 operations met a fault/);
    expect(whyInvalid({ ...calm, disturbed: 30 })).to.deep.equal([]);
  });

  it("is denied to a run without any operation", () => {
    expect(whyInvalid({ operations: 0, acknowledged: 0, disturbed: 0, faults: 30 })).to.have.length(2);
  });
});
