/** The version of this package, from its package.json. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

function readVersion(): string {
  let folder = import.meta.dirname;
  for (;;) {
    try {
      const manifest: unknown = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      if (typeof manifest === "object" && manifest !== null && "version" in manifest) {
        return String(manifest.version);
      }
    } catch (error) {
      if (folder === dirname(folder)) {
        throw new Error("no package.json above the running code", { cause: error });
      }
    }
    folder = dirname(folder);
  }
}

export const VERSION: string = readVersion();
