import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { ROOT } from "../../scripts/lib/terminal.mjs";
import { fingerprint, whyInstall } from "../../scripts/setup.mjs";

type Packages = Record<string, { version?: string; optional?: boolean }>;

describe("set-up", () => {
  let root = "";

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "supercast-setup-"));
  });

  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });

  describe("of dependencies", () => {
    const wanted: Packages = {
      "": {},
      "node_modules/a": { version: "1.0.0" },
      "node_modules/a/node_modules/b": { version: "2.0.0" },
      "node_modules/other-platform": { version: "3.0.0", optional: true },
    };

    function write(installed: Packages | undefined): void {
      writeFileSync(join(root, "package-lock.json"), JSON.stringify({ packages: wanted }));
      if (installed !== undefined) {
        mkdirSync(join(root, "node_modules"));
        writeFileSync(
          join(root, "node_modules", ".package-lock.json"),
          JSON.stringify({ packages: installed }),
        );
      }
    }

    it("installs into a fresh clone", async () => {
      write(undefined);
      expect(await whyInstall(root)).to.equal("node_modules is missing");
    });

    it("does not install what is there, and does not miss other platforms' packages", async () => {
      const { "node_modules/other-platform": _, ...present } = wanted;
      write(present);
      expect(await whyInstall(root)).to.equal(undefined);
      rmSync(join(root, "node_modules"), { recursive: true });
      write(wanted);
      expect(await whyInstall(root)).to.equal(undefined);
    });

    it("installs when a package is missing or of another version, and names it", async () => {
      write({ "node_modules/a": { version: "1.0.0" } });
      expect(await whyInstall(root)).to.equal("b 2.0.0 is not there");
      rmSync(join(root, "node_modules"), { recursive: true });
      write({ ...wanted, "node_modules/a": { version: "0.9.0" } });
      expect(await whyInstall(root)).to.equal("a 1.0.0 is not there");
    });

    it("finds every optional package of every platform in package-lock.json, or npm ci would refuse it", () => {
      const lock: { packages: Record<string, { optionalDependencies?: Record<string, string> }> } =
        JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
      const optional = Object.values(lock.packages).flatMap((entry) =>
        Object.keys(entry.optionalDependencies ?? {}),
      );
      expect(optional).to.not.have.length(0);
      expect(lock.packages).to.include.keys(...optional.map((name) => `node_modules/${name}`));
    });
  });

  describe("of the build", () => {
    beforeEach(() => {
      mkdirSync(join(root, "lib", "deep"), { recursive: true });
      mkdirSync(join(root, "scripts", "node_modules"), { recursive: true });
      writeFileSync(join(root, "scripts", "node_modules", "package.d.ts"), "not ours");
      for (const file of ["package-lock.json", "tsconfig.json", "tsconfig.build.json"]) {
        writeFileSync(join(root, file), "{}");
      }
      writeFileSync(join(root, "lib", "deep", "a.ts"), "1;");
      writeFileSync(join(root, "lib", "notes.md"), "not compiled");
    });

    it("sees a source that changed, was added or removed, and nothing else", async () => {
      const before = await fingerprint(root);
      expect(Object.keys(before)).to.have.members([
        "lib/deep/a.ts",
        "package-lock.json",
        "tsconfig.build.json",
        "tsconfig.json",
      ]);
      expect(await fingerprint(root)).to.deep.equal(before);

      utimesSync(join(root, "lib", "deep", "a.ts"), 1, 1);
      const touched = await fingerprint(root);
      expect(touched["lib/deep/a.ts"]).to.not.equal(before["lib/deep/a.ts"]);

      writeFileSync(join(root, "lib", "b.ts"), "2;");
      expect(await fingerprint(root)).to.include.keys("lib/b.ts");
      rmSync(join(root, "lib", "b.ts"));
      expect(await fingerprint(root)).to.deep.equal(touched);
    });
  });
});
