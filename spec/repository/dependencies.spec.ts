import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { ROOT } from "../../scripts/lib/terminal.mjs";

type Manifest = { dependencies: Record<string, string>; devDependencies: Record<string, string> };

const manifest: Manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const page = readFileSync(join(ROOT, "docs", "dependencies.md"), "utf8");

/** The packages named in the first column of the table under a heading. */
function documented(heading: string): string[] {
  const section = page.split(/^## /m).find((text) => text.startsWith(heading)) ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| `"));
  return rows.flatMap((row) =>
    [...(row.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? ""),
  );
}

describe("docs/dependencies.md", () => {
  it("gives a reason for every dependency, and for no other package", () => {
    expect(documented("At run time")).to.have.members(Object.keys(manifest.dependencies));
    expect(documented("For development")).to.have.members(Object.keys(manifest.devDependencies));
  });
});

describe("package.json", () => {
  it("names exact versions", () => {
    const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(versions.filter(([, version]) => !/^(npm:.+@)?\d+\.\d+\.\d+$/.test(version))).to.deep.equal([]);
  });
});
