import { expect } from "chai";
import { kindsOf } from "./findings.ts";
import { checkAtRest, checkStateHashes, type StateSample } from "./state-hash.ts";

function sample(replica: string, position: number, hash: string, stream = "s"): StateSample {
  return { stream, replica, position, hash };
}

describe("checkStateHashes", () => {
  it("accepts equal hashes at equal positions, and different ones elsewhere", () => {
    const samples = [sample("a", 1, "p"), sample("b", 2, "q"), sample("b", 1, "p"), sample("c", 1, "z", "t")];
    expect(checkStateHashes(samples).total).to.equal(0);
  });

  it("finds replicas that differ at the same position", () => {
    const findings = checkStateHashes([sample("a", 1, "p"), sample("b", 1, "q")]);
    expect(kindsOf(findings)).to.deep.equal(["diverged"]);
    expect(findings.violations[0]?.message).to.equal('stream "s" at 1: a has "p", b has "q"');
  });

  it("finds a replica that differs from itself", () => {
    expect(kindsOf(checkStateHashes([sample("a", 1, "p"), sample("a", 1, "q")]))).to.deep.equal(["diverged"]);
  });
});

describe("checkAtRest", () => {
  const replicas = new Map([["s", 2]]);
  const kinds = (...samples: StateSample[]): string[] => kindsOf(checkAtRest(samples, replicas));

  it("accepts replicas that have all applied everything", () => {
    expect(kinds(sample("a", 7, "p"), sample("b", 7, "p"))).to.deep.equal([]);
  });

  it("finds one that is behind, one that differs, and one that is not there", () => {
    expect(kinds(sample("a", 7, "p"), sample("b", 6, "o"))).to.deep.equal(["behind"]);
    expect(kinds(sample("a", 7, "p"), sample("b", 7, "q"))).to.deep.equal(["diverged"]);
    expect(kinds(sample("a", 7, "p"))).to.deep.equal(["missing"]);
    expect(kinds()).to.deep.equal(["missing"]);
  });
});
