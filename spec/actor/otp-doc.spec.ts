/** docs/otp.md against the specs: every row once, and no claim without a test that names it. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";

const ROOT = join(import.meta.dirname, "../..");
const ROW = /^\| (\d+) \|([^|]+)\| (kept|differs|see|not yet) \|([^|]*)\|([^|]*)\|$/;

interface Row {
  readonly number: number;
  readonly status: string;
  readonly proofs: readonly string[];
  readonly remarks: string;
}

function rows(): Row[] {
  const lines = readFileSync(join(ROOT, "docs/otp.md"), "utf8").split("\n");
  return lines
    .filter((line) => /^\| \d/.test(line))
    .map((line) => {
      const match = ROW.exec(line);
      expect(match, `a row of five columns: ${line}`).not.to.equal(null);
      const [, number, , status = "", proofs = "", remarks = ""] = match ?? [];
      const named = proofs.split(",").map((each) => each.trim());
      return {
        number: Number(number),
        status,
        proofs: named.filter((each) => each !== ""),
        remarks: remarks.trim(),
      };
    });
}

/** The spec files that a proof stands for: one of this folder, or all of another. */
function filesOf(proof: string): string[] {
  const file = join(ROOT, "spec/actor", `${proof}.spec.ts`);
  if (existsSync(file)) {
    return [file];
  }
  const folder = join(ROOT, "spec/actor", proof);
  return existsSync(folder) && statSync(folder).isDirectory()
    ? readdirSync(folder)
        .filter((name) => name.endsWith(".spec.ts"))
        .map((name) => join(folder, name))
    : [];
}

/** The rows that the titles of a file's tests name. */
function namedIn(file: string): Set<number> {
  const titles = readFileSync(file, "utf8").match(/\b(?:it|describe)\(\s*(["'`])[\s\S]*?\1/g) ?? [];
  return new Set(
    titles.flatMap((title) => [...title.matchAll(/\botp (\d+)\b/g)].map((match) => Number(match[1]))),
  );
}

describe("docs/otp.md", () => {
  it("has each of the 90 rows once, in order", () => {
    expect(rows().map(({ number }) => number)).to.deep.equal(
      Array.from({ length: 90 }, (_, index) => index + 1),
    );
  });

  it("names for each row that is kept or differs specs whose tests name it", () => {
    for (const { number, status, proofs } of rows()) {
      if (status === "kept" || status === "differs") {
        expect(proofs, `row ${number} has a proof`).not.to.have.length(0);
        for (const proof of proofs) {
          const named = filesOf(proof).some((file) => namedIn(file).has(number));
          expect(named, `otp ${number} is named in a test of ${proof}`).to.equal(true);
        }
      }
    }
  });

  it("says why where a row differs or is missing, and claims no proof for what is missing", () => {
    for (const { number, status, proofs, remarks } of rows()) {
      if (status === "differs" || status === "not yet") {
        expect(remarks, `row ${number} says why`).not.to.equal("");
      }
      if (status === "not yet") {
        expect(proofs, `row ${number}`).to.have.length(0);
      }
    }
  });

  it("is right about rows proven elsewhere, as far as their specs are there", () => {
    for (const { number, status, proofs } of rows()) {
      const files = status === "see" ? proofs.flatMap(filesOf) : [];
      if (files.length > 0) {
        expect(
          files.some((file) => namedIn(file).has(number)),
          `otp ${number} in ${proofs.join()}`,
        ).to.equal(true);
      }
    }
  });

  it("knows every row that a test of this folder names", () => {
    const status = new Map(rows().map((row) => [row.number, row.status]));
    for (const name of readdirSync(import.meta.dirname).filter((each) => each.endsWith(".spec.ts"))) {
      for (const number of namedIn(join(import.meta.dirname, name))) {
        expect(status.get(number), `otp ${number} in ${name}`).to.be.oneOf(["kept", "differs", "see"]);
      }
    }
  });
});
