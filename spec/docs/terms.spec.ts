/** The page about terms says what the code does. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { GUARD_TYPES } from "../../lib/base/guard.ts";
import { compilePattern } from "../../lib/base/pattern.ts";
import { TERM_TYPES } from "../../lib/base/term.ts";
import { termKey } from "../../lib/base/term-key.ts";
import { parseJson } from "../../lib/wire/json.ts";
import { ROOT } from "../../scripts/lib/terminal.mjs";

const PAGE = readFileSync(join(ROOT, "docs", "terms.md"), "utf8");

function fromJson(text: string): unknown {
  return parseJson(new TextEncoder().encode(text), 32);
}

describe("the page about terms", () => {
  it("gives the canonical keys that terms have", () => {
    const [, table = ""] = PAGE.split("| term | canonical key |\n|---|---|\n");
    const rows = [...table.matchAll(/^\| `(.+)` \| `(.+)` \|$/gm)];
    expect(rows.map(([, term = ""]) => termKey(fromJson(term)))).to.deep.equal(rows.map(([, , key]) => key));
    expect(rows).to.have.length(7);
  });

  it("gives the order of types and the types of guards", () => {
    expect(PAGE).to.include(TERM_TYPES.join(" < "));
    expect(PAGE).to.include(GUARD_TYPES.join(", "));
  });

  it("shows a pattern that matches what the page says", () => {
    const [, pattern = "null"] = /^ {4}(\{"\$match".+\n.+)$/m.exec(PAGE) ?? [];
    const matcher = compilePattern(fromJson(pattern));
    const record = (n: unknown): unknown => ["job", n, "x", { state: "new", at: 1 }];
    expect([12, 10, "12"].map((n) => matcher.matches(record(n)))).to.deep.equal([true, false, false]);
  });
});
