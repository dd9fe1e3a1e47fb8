import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { ROOT, run } from "../../scripts/lib/terminal.mjs";

/** What `npm test -- FILE` prints and how it ends, for a spec file with this text. */
async function testCommand(folder: string, text: string): Promise<{ ok: boolean; lines: string[] }> {
  const file = join(folder, "planted.spec.ts");
  writeFileSync(file, text);
  // Nothing here needs a nats-server; any executable keeps set-up from looking for one.
  const env = { ...process.env, NATS_SERVER: process.execPath };
  const { ok, output } = await run(process.execPath, [join(ROOT, "scripts", "test.mjs"), file], { env });
  return { ok, lines: output.trimEnd().split("\n") };
}

describe("npm test", function () {
  this.timeout(30_000);
  let folder = "";

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "supercast-test-"));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it("counts what passed, failed and was skipped, in its last line and by its exit code", async () => {
    const { ok, lines } = await testCommand(
      folder,
      `describe("planted", () => {
         it("passes", () => undefined);
         it("passes too", () => undefined);
         it("fails", () => { throw new Error("planted failure"); });
         const suite = describe("skipped", () => { it("a", () => undefined); it("b", () => undefined); });
         suite.pending = true;
         suite.ctx.skipReason = "no such thing here";
       });`,
    );
    expect(lines.at(-1)).to.equal("2 passed, 1 failed, 2 skipped");
    expect(lines.at(-2)).to.equal("2 skipped: no such thing here");
    expect(lines.filter((line) => line.includes("planted failure"))).to.not.have.length(0);
    expect(ok).to.equal(false);
  });

  it("ends well when nothing failed", async () => {
    const { ok, lines } = await testCommand(folder, `it("passes", () => undefined);`);
    expect(lines.at(-1)).to.equal("1 passed, 0 failed");
    expect(ok).to.equal(true);
  });

  it("fails when a spec file cannot be loaded", async () => {
    const { ok, lines } = await testCommand(folder, `import "./missing.ts";`);
    expect(lines.at(-1)).to.equal("0 passed, 1 failed");
    expect(ok).to.equal(false);
  });

  it("fails, and says what it is, when a spec leaves something open", async () => {
    const { ok, lines } = await testCommand(
      folder,
      `it("leaves a timer", () => { setInterval(() => undefined, 1000); });`,
    );
    expect(lines.at(-2)).to.include("left something open").and.include("Timeout");
    expect(lines.at(-1)).to.equal("1 passed, 1 failed");
    expect(ok).to.equal(false);
  });
});
