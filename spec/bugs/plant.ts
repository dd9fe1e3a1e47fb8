/** A copy of the sources with a bug in it. */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bug, Patch } from "./bug.ts";

const COPIED = ["lib", "actors", "supervisors", "spec", "package.json", "tsconfig.json", ".mocharc.cjs"];

/** Returns `source` with the patch in it; throws when the text to be found is not there exactly once. */
export function patched(source: string, { file, find, replace }: Patch): string {
  const at = source.indexOf(find);
  if (at < 0 || source.indexOf(find, at + 1) >= 0) {
    throw new Error(`${file}: ${at < 0 ? "nowhere" : "more than once"}: ${JSON.stringify(find)}`);
  }
  return source.slice(0, at) + replace + source.slice(at + find.length);
}

/** The patched text of each file that the bug changes. Throws where a patch does not fit. */
export async function patchedFiles(root: string, bug: Bug): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const patch of bug.patches) {
    const source = files.get(patch.file) ?? (await readFile(join(root, patch.file), "utf8"));
    files.set(patch.file, patched(source, patch));
  }
  return files;
}

/** Lends `use` a folder with the sources of `root` and the bug in them; removes it afterwards. */
export async function withPlanted<T>(
  root: string,
  bug: Bug,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), `supercast-bug-${bug.id}-`));
  try {
    for (const name of COPIED) {
      await cp(join(root, name), join(folder, name), { recursive: true });
    }
    await symlink(join(root, "node_modules"), join(folder, "node_modules"), "junction");
    for (const [file, text] of await patchedFiles(root, bug)) {
      await writeFile(join(folder, file), text);
    }
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
