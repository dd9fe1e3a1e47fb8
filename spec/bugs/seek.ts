/**
 * Walks seed by seed until one goes wrong, and says so as one line of JSON. Runs in a planted copy, as a
 * process of its own: `seek.ts SETUP FIRST_SEED SEEDS`.
 */
import { isWalkName, runWalk } from "../stream/walk/setups.ts";
import type { Sought } from "./hunt.ts";

function seek(setup: string, firstSeed: number, seeds: number): Sought {
  if (!isWalkName(setup)) {
    throw new Error(`no walk is called ${setup}`);
  }
  for (let count = 1; count <= seeds; count++) {
    const [violation] = runWalk(setup, firstSeed + count - 1).violations;
    if (violation !== undefined) {
      const [line = ""] = violation.line.split("\n");
      return { found: true, seeds: count, by: violation.by, line };
    }
  }
  return { found: false, seeds, by: "", line: "" };
}

const [setup = "", firstSeed = "1", seeds = "1"] = process.argv.slice(2);
process.stdout.write(`${JSON.stringify(seek(setup, Number(firstSeed), Number(seeds)))}\n`);
