/** The TypeScript of `docs/journal.md` runs as it stands there. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";

const run = promisify(execFile);
const CLONE = fileURLToPath(new URL("../..", import.meta.url));
/** By its place: the blocks run in a folder from which the name leads nowhere. */
const TSX = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;

/** What the blocks use without saying where it comes from. */
const BEFORE = `
import { encode, SimpleAuditTrail } from "../../examples/simple-audit-trail.ts";
const machine = new SimpleAuditTrail();
const bytes = encode(42n);
`;
const AFTER = `
console.log("applied", machine.value);
`;

describe("the TypeScript of the journal's page", function () {
  this.timeout(60_000);
  const page = readFileSync(join(CLONE, "docs/journal.md"), "utf8");
  const blocks = [...page.matchAll(/```ts\n(.*?)```/gs)].map((match) => match[1] ?? "");
  const expected = ["applied 42n", "applied 0n"];
  let folder = "";

  before(async () => {
    await mkdir(join(CLONE, ".cache"), { recursive: true });
    folder = await mkdtemp(join(CLONE, ".cache", "docs-"));
  });

  after(() => rm(folder, { recursive: true }));

  it("is all run", () => {
    expect(blocks.length).to.equal(expected.length);
  });

  for (const [index, output] of expected.entries()) {
    it(`does what it says, block ${index + 1}`, async () => {
      const script = join(folder, `block-${index + 1}.ts`);
      await writeFile(script, `${BEFORE}${blocks[index] ?? ""}${AFTER}`);
      const args = ["--import", TSX, script];
      const { stdout, stderr } = await run(process.execPath, args, { cwd: folder, timeout: 50_000 });
      expect(stdout.trim(), stderr).to.equal(output);
    });
  }
});
