import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { expect } from "chai";

const run = promisify(execFile);

/** What each example prints, line by line; a pattern where a line holds something that varies. */
const OUTPUT: Readonly<Record<string, readonly (string | RegExp)[]>> = {
  "conversation.ts": [
    "Ada had to wait",
    "Joe walks through",
    "the gate is closed for good",
    /^SupercastError: no process: Gate a\//,
  ],
  "counter.ts": ["on its own node: 3", "from node b: 13", "after a reset: 5", "live nodes: [ 'a', 'b' ]"],
  "custom-discovery.ts": [
    "discovered: [ 'a', 'b' ]",
    "after the registry grew: [ 'a', 'b', 'c' ]",
    "reconfigured: { kind: 'nodes', nodes: [ 'a', 'b' ] } removed [ 'c' ]",
    "live now: [ 'a', 'b' ]",
  ],
  "replicated-data.ts": [/^committed at \d+, read elsewhere: \["ann",1987\]$/],
  "supervised-chart.ts": [
    /^15 are paid: .*open/,
    /^-5 crashes the chart: .*RangeError/,
    /^begun anew: .*paid: 0/,
    /^20 are paid: \{/,
    "  value: 'closed',",
    /context/,
    /done/,
    /output/,
    "}",
    /^nobody paid the other one: .*expired/,
  ],
  "supervision.ts": [
    "the caller sees: SupercastError: worker_1 ended before it answered: RangeError: division by zero",
    "DOWN: RangeError: division by zero",
    "restarted under a new pid: true",
    "and works: 2",
    "its siblings were left alone: true",
  ],
};

/** Examples that are run by specs of their own. */
const RUN_ELSEWHERE: ReadonlySet<string> = new Set(["simple-audit-trail.ts"]);

describe("examples", function () {
  this.timeout(60_000);

  it("are all run, here or by a spec of their own", () => {
    const files = readdirSync("examples").filter((file) => file.endsWith(".ts") && !RUN_ELSEWHERE.has(file));
    expect(files.sort()).to.deep.equal(Object.keys(OUTPUT).sort());
  });

  for (const [file, expected] of Object.entries(OUTPUT)) {
    it(`${file} prints what it is said to print`, async () => {
      const { stdout } = await run(process.execPath, ["--import", "tsx", `examples/${file}`], {
        timeout: 50_000,
      });
      const lines = stdout.trimEnd().split("\n");
      expect(lines.length, stdout).to.equal(expected.length);
      for (const [index, line] of lines.entries()) {
        const wanted = expected[index];
        if (wanted instanceof RegExp) {
          expect(line).to.match(wanted);
        } else {
          expect(line).to.equal(wanted);
        }
      }
    });
  }
});

describe("documents", () => {
  const examples = readdirSync("examples")
    .filter((file) => file.endsWith(".ts"))
    .map((file) => flatten(readFileSync(`examples/${file}`, "utf8")));

  for (const document of ["README.md", "docs/actors.md"]) {
    it(`${document} shows only TypeScript that stands in an example`, () => {
      const blocks = [...readFileSync(document, "utf8").matchAll(/```ts\n(.*?)```/gs)].map(
        (match) => match[1] ?? "",
      );
      expect(blocks.length).to.be.greaterThan(0);
      for (const block of blocks) {
        expect(
          examples.some((example) => example.includes(flatten(block))),
          block,
        ).to.equal(true);
      }
    });
  }

  it("links only to what is there", () => {
    const documents = ["README.md", "CONTRIBUTING.md", ...readdirSync("docs").map((file) => `docs/${file}`)];
    for (const document of documents.filter((file) => file.endsWith(".md"))) {
      const folder = document.includes("/") ? "docs/" : "";
      for (const [, target = ""] of readFileSync(document, "utf8").matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
        if (!/^https?:/.test(target)) {
          expect(
            () => readFileSync(new URL(`../../${folder}${target}`, import.meta.url)),
            `${document}: ${target}`,
          ).not.to.throw();
        }
      }
    }
  });
});

/** Without what the formatter decides: white space and trailing commas. */
function flatten(code: string): string {
  return code.replace(/\s+/g, "").replace(/,([)\]}])/g, "$1");
}
