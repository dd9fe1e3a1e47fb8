/**
 * Fetches a server that is measured against: Debian's package, unpacked into `.cache/bench/<package>` of the
 * clone together with the libraries that the system lacks. The system stays as it is.
 *
 *     node scripts/bench/fetch-server.mjs redis-server
 *
 * Plain Node, run by the first benchmark that needs one; never by start or test.
 */
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { hasDebianPackages, unpackDebianPackage } from "../lib/debian-package.mjs";
import { ROOT } from "../lib/terminal.mjs";

/** @param {string} name */
async function fetchServer(name) {
  if (!(await hasDebianPackages())) {
    throw new Error("this system has no apt-get");
  }
  const cache = join(ROOT, ".cache");
  const place = join(cache, "bench");
  await mkdir(place, { recursive: true });
  const work = await mkdtemp(join(cache, "fetch-"));
  try {
    const content = await unpackDebianPackage(name, work, { dependencies: true });
    await rm(join(place, name), { recursive: true, force: true });
    await rename(content, join(place, name));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

try {
  for (const name of process.argv.slice(2)) {
    await fetchServer(name);
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
