import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect } from "chai";
import { parseCommand } from "../../scripts/bench/options.ts";
import { formatTable } from "../../scripts/bench/report.ts";
import { interleave } from "../../scripts/bench/rounds.ts";
import { atLeast, atMost, meets, noiseOf, quantile, ratios } from "../../scripts/bench/statistics.ts";
import type { Bench, Samples, Suite } from "../../scripts/bench/suite.ts";
import { SUITES } from "../../scripts/bench/suites.ts";
import { rowsOf } from "../../scripts/bench/verdict.ts";
import { ROOT } from "../../scripts/lib/terminal.mjs";
import { UsageError } from "../../scripts/usage.ts";

const CONTRACT = ["measure", "unit", "ours", "baseline", "baselineName", "ratio", "target", "met"];

function bench(baselines: Bench["baselines"]): Bench {
  return {
    name: "thing",
    measure: "the thing",
    unit: "things/s",
    settings: "as it comes",
    baselines,
    run: () => Promise.reject(new Error("not run here")),
  };
}

function samples(ours: number[], again: number[], peer: number[]): Samples {
  return { ours, again, baselines: { peer }, notes: [] };
}

describe("npm run bench", () => {
  describe("statistics", () => {
    it("takes quantiles between two values by proportion, whatever their order", () => {
      expect(quantile([4, 1, 3, 2], 0.5)).to.equal(2.5);
      expect(quantile([5, 1, 3], 0.25)).to.equal(2);
      expect(quantile([7], 0.75)).to.equal(7);
    });

    it("takes ratios within a round, so that a slow round disturbs nobody", () => {
      expect(ratios([10, 1], [5, 0.5])).to.deep.equal([2, 2]);
    });

    it("calls noise the factor of the farther quartile, in either direction", () => {
      expect(noiseOf([1, 1, 1])).to.equal(1);
      expect(noiseOf([0.5, 0.5, 1])).to.equal(2);
      expect(noiseOf([1, 1.5, 1.5])).to.equal(1.5);
    });

    it("counts a target as met only beyond the noise", () => {
      expect(meets(atLeast(8), 8.5, 1)).to.equal(true);
      expect(meets(atLeast(8), 8.5, 1.1)).to.equal(false);
      expect(meets(atMost(1), 0.95, 1)).to.equal(true);
      expect(meets(atMost(1), 0.95, 1.1)).to.equal(false);
      expect(meets(atMost(1), 1.01, 1)).to.equal(false);
    });
  });

  describe("rounds", () => {
    it("measures everyone in every round, ours twice, beginning with another one each time", async () => {
      const order: string[] = [];
      const contender = (name: string) => ({ name, round: () => order.push(name) });
      const taken = await interleave({ rounds: 3, progress: () => undefined }, contender("ours"), [
        contender("peer"),
      ]);
      expect(taken.ours).to.have.length(3);
      expect(taken.again).to.have.length(3);
      expect(taken.baselines["peer"]).to.have.length(3);
      const rounds = [0, 1, 2].map((round) =>
        order
          .slice(-9)
          .slice(round * 3, round * 3 + 3)
          .join(" "),
      );
      expect(rounds).to.deep.equal(["ours peer ours", "peer ours ours", "ours ours peer"]);
    });
  });

  describe("rows", () => {
    const targeted = bench([{ name: "peer", settings: "defaults", target: atLeast(2) }]);

    it("hold the fields of the contract, the medians and the median of the rounds' ratios", () => {
      const [row] = rowsOf([{ bench: targeted, samples: samples([30, 10, 90], [30, 10, 90], [10, 5, 30]) }]);
      expect(row).to.include.all.keys(...CONTRACT);
      expect(row).to.include({ ours: 30, baseline: 10, ratio: 3, target: 2, bound: "atLeast", met: true });
    });

    it("end with one row of A against A", () => {
      const rows = rowsOf([{ bench: targeted, samples: samples([10, 10, 10], [11, 11, 11], [5, 5, 5]) }]);
      expect(rows).to.have.length(2);
      expect(rows.at(-1)?.measure).to.match(/^A against A/);
      expect(rows.at(-1)?.ratio).to.be.closeTo(1.1, 1e-9);
    });

    it("are not met when ours differs from itself as much as from the target", () => {
      const [row] = rowsOf([{ bench: targeted, samples: samples([21, 21, 21], [19, 19, 19], [10, 10, 10]) }]);
      expect(row).to.include({ ratio: 2.1, met: false });
    });

    it("are all there and not met when the bench failed", () => {
      const rows = rowsOf([{ bench: targeted, failure: "it fell over" }]);
      expect(rows).to.have.length(1);
      expect(rows[0]).to.include({ ours: null, ratio: null, baselineName: "peer", target: 2, met: false });
      expect(rows[0]?.notes).to.deep.equal(["it fell over"]);
    });

    it("leave out a peer that may be missing, and no other", () => {
      const two = bench([
        { name: "peer", settings: "defaults", target: atLeast(1) },
        { name: "Erlang", settings: "defaults", optional: "not installed" },
        { name: "gone", settings: "defaults", target: atLeast(1) },
      ]);
      const rows = rowsOf([{ bench: two, samples: samples([2, 2], [2, 2], [1, 1]) }]);
      expect(rows.map(({ baselineName, met }) => [baselineName, met])).to.deep.equal([
        ["peer", true],
        ["gone", false],
        ["ours", true],
      ]);
    });

    it("hold a fixed bound as their baseline", () => {
      const bounded = bench([{ name: "bound", settings: "the bound", constant: 200, target: atMost(1) }]);
      const [row] = rowsOf([
        { bench: bounded, samples: { ours: [100, 120], again: [], baselines: {}, notes: [] } },
      ]);
      expect(row).to.include({ baseline: 200, met: true });
      expect(row?.ratio).to.be.closeTo(0.55, 1e-9);
    });

    it("are not met by a shortened run, whatever it measured, and say so", () => {
      const shortened = { ...samples([30, 30, 30], [30, 30, 30], [10, 10, 10]), shortened: true };
      const [row] = rowsOf([{ bench: targeted, samples: shortened }]);
      expect(row).to.include({ ratio: 3, target: 2, met: false });
      expect(row?.notes.join()).to.match(/shortened run/);
    });

    it("read as a table of aligned columns that says met, missed or not measured", () => {
      const rows = rowsOf([
        { bench: targeted, samples: samples([30, 30], [30, 30], [10, 10]) },
        { bench: { ...targeted, measure: "another" }, samples: samples([10, 10], [10, 10], [10, 10]) },
        { bench: { ...targeted, measure: "a third" }, failure: "it fell over" },
      ]);
      const table = formatTable(rows, false);
      expect(table).to.match(/3\.00 x .*≥ 2 x {2}met\n/);
      expect(table).to.match(/1\.00 x .*≥ 2 x {2}missed\n/);
      expect(table).to.match(/≥ 2 x {2}not measured\n {4}it fell over\n/);
    });
  });

  describe("the command line", () => {
    const one = { ...bench([]), name: "one" };
    const suites: Suite[] = [
      { name: "actors", help: "", benches: [one, { ...one, name: "two" }] },
      { name: "journal", help: "", benches: [{ ...one, name: "three" }] },
    ];
    const selected = (...args: string[]): string[] => {
      const command = parseCommand(args, suites);
      return command.command === "run"
        ? command.selected.flatMap(({ benches }) => benches.map(({ name }) => name))
        : [];
    };

    it("runs everything, a suite, or single benches", () => {
      expect(selected()).to.deep.equal(["one", "two", "three"]);
      expect(selected("--only", "actors")).to.deep.equal(["one", "two"]);
      expect(selected("--only", "journal/three", "--only", "actors/one")).to.deep.equal(["one", "three"]);
    });

    it("shortens only when it is told to", () => {
      const shortened = (...args: string[]): boolean => {
        const command = parseCommand(args, suites);
        return command.command === "run" && command.short;
      };
      expect([shortened(), shortened("--short")]).to.deep.equal([false, true]);
    });

    it("refuses what cannot be, naming the flag, its value and what is allowed", () => {
      expect(() => selected("--only", "actor")).to.throw(UsageError, /--only is "actor"; allowed: actors, /);
      expect(() => selected("--rounds", "0")).to.throw(UsageError, /--rounds is "0"; allowed: .* from 1/);
      expect(() => selected("--round", "3")).to.throw(UsageError, /--round/);
    });

    it("ends with code 2 for bad flags and with 0 for --list, installing nothing", function () {
      this.timeout(20_000);
      const main = join(ROOT, "scripts", "bench", "main.ts");
      const run = (...args: string[]) =>
        spawnSync(process.execPath, ["--import", "tsx", main, ...args], { cwd: ROOT, encoding: "utf8" });
      const refused = run("--only", "nobody");
      expect([refused.status, refused.stdout]).to.deep.equal([2, ""]);
      expect(refused.stderr).to.match(/--only is "nobody"/);
      const listed = run("--list");
      expect([listed.status, listed.stderr]).to.deep.equal([0, ""]);
      for (const suite of SUITES) {
        for (const { name, measure } of suite.benches) {
          expect(listed.stdout).to.include(`${suite.name}/${name}  ${measure}`);
        }
      }
    });
  });
});
