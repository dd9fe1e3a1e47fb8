/** The bug bank is in step with the code, and what proves the code finds the bugs that are quick to find. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { expect } from "chai";
import { BANK, LEFT_OUT } from "./bank.ts";
import { type Finding, huntAll } from "./hunt.ts";
import { PAGE, rowBeginsWith, rowsOf, withFindings } from "./page.ts";
import { patched, patchedFiles } from "./plant.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const LISTED = 38;
/** A slow machine takes several times as long as it should. */
const HUNT_MS = 300_000;

describe("the bug bank", () => {
  const page = readFileSync(resolve(ROOT, PAGE), "utf8");

  it("has each bug of the list once, or says why not", () => {
    const ids = [...BANK, ...LEFT_OUT].map(({ id }) => id).sort((left, right) => left - right);
    expect(ids).to.deep.equal(Array.from({ length: LISTED }, (_, index) => index + 1));
    expect(BANK.length).to.be.at.least(26);
  });

  for (const bug of BANK) {
    it(`fits the code: ${bug.id}, ${bug.title}`, async () => {
      const files = await patchedFiles(ROOT, bug);
      expect(files.size).to.be.greaterThan(0);
      for (const [file, text] of files) {
        expect(text).to.not.equal(readFileSync(resolve(ROOT, file), "utf8"));
      }
    });
  }

  it("refuses a patch whose text is not there, or there twice", () => {
    const patch = { file: "a.ts", find: "ab", replace: "" };
    expect(patched("1ab2", patch)).to.equal("12");
    expect(() => patched("a b", patch)).to.throw("a.ts: nowhere");
    expect(() => patched("ab ab", patch)).to.throw("a.ts: more than once");
  });

  it("is told in the table of docs/verification.md, with every bug found", () => {
    const rows = rowsOf(page);
    expect([...rows.keys()]).to.deep.equal(BANK.map(({ id }) => id));
    for (const bug of BANK) {
      const cells = rows.get(bug.id) ?? [];
      expect(cells.slice(0, 3)).to.deep.equal(rowBeginsWith(bug));
      expect(Number(cells[3]), `seeds to the detection of ${bug.id}`).to.be.within(1, bug.seeds);
    }
    for (const { title, why } of LEFT_OUT) {
      expect(page).to.include(title).and.include(why);
    }
  });

  it("writes its table where it stands", () => {
    const [bug] = BANK;
    if (bug === undefined) {
      throw new Error("the bank is empty");
    }
    const finding: Finding = { bug, found: true, seeds: 7, by: "witness", line: "", tookMs: 1 };
    const written = withFindings(page, [finding], LEFT_OUT);
    expect([...rowsOf(written).values()]).to.deep.equal([[...rowBeginsWith(bug), "7", "witness"]]);
    expect(() => withFindings("elsewhere", [finding], LEFT_OUT)).to.throw("lacks the lines");
  });

  it("finds nothing in a copy without a bug, by walks and by specs", async function () {
    this.timeout(HUNT_MS);
    const [walked] = BANK.filter(({ detector }) => detector.kind === "walk");
    const [specified] = BANK.filter(({ detector }) => detector.kind === "spec");
    if (walked === undefined || specified === undefined) {
      throw new Error("the bank lacks a kind of detector");
    }
    const sound = [walked, specified].map((bug) => ({ ...bug, patches: [], seeds: 10 }));
    const findings = await huntAll(ROOT, sound, 2, () => undefined);
    expect(findings.map(({ found, seeds, line }) => ({ found, seeds, line }))).to.deep.equal([
      { found: false, seeds: 10, line: "" },
      { found: false, seeds: 1, line: "" },
    ]);
  });

  it("holds no bug that is quick to find and is not found", async function () {
    this.timeout(HUNT_MS);
    const quick = BANK.filter((bug) => bug.quick);
    expect(quick.length).to.be.at.least(10);
    const findings = await huntAll(ROOT, quick, Math.min(4, availableParallelism()), () => undefined);
    const missed = findings.filter(({ found }) => !found).map(({ bug }) => `${bug.id} ${bug.title}`);
    expect(missed).to.deep.equal([]);
    expect(findings.length).to.equal(quick.length);
  });
});
