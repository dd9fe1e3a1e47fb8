/** Lets a planted bug's detector loose on it, in a process of its own. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import type { Bug } from "./bug.ts";
import { withPlanted } from "./plant.ts";

/** What a detector says. `seeds`: how many it took, or how many were in vain. */
export interface Sought {
  readonly found: boolean;
  readonly seeds: number;
  /** Who noticed: the replica's own assertions, the witness, the rest at the end, a spec. */
  readonly by: string;
  /** What it said. */
  readonly line: string;
}

export interface Finding extends Sought {
  readonly bug: Bug;
  readonly tookMs: number;
}

const OUTPUT_MAX_BYTES = 64 * 1024 * 1024;
const HUNT_MAX_MS = 30 * 60_000;

/** `root`: the folder of the sources. `firstSeed` is for another sample than that of the table. */
export async function hunt(root: string, bug: Bug, firstSeed = 1): Promise<Finding> {
  const startedAt = performance.now();
  const sought = await withPlanted(root, bug, (folder) => detect(folder, bug, firstSeed));
  return { bug, ...sought, tookMs: Math.round(performance.now() - startedAt) };
}

async function detect(folder: string, { detector, seeds }: Bug, firstSeed: number): Promise<Sought> {
  if (detector.kind === "walk") {
    const args = ["--import", "tsx", "spec/bugs/seek.ts", detector.setup, String(firstSeed), String(seeds)];
    const { stdout, stderr } = await run(folder, args);
    const sought = parsed(stdout);
    if (!isSought(sought)) {
      throw new Error(`the walks broke down: ${stderr.slice(-2_000)}`);
    }
    return sought;
  }
  const mocha = join("node_modules", "mocha", "bin", "mocha.js");
  const chosen = detector.grep === undefined ? [] : ["--grep", detector.grep];
  const { stdout, stderr } = await run(folder, [
    mocha,
    "--reporter",
    "json",
    "--bail",
    ...chosen,
    detector.file,
  ]);
  const report = parsed(stdout.slice(stdout.indexOf("{\n")));
  if (!isReport(report) || report.stats.tests === 0) {
    throw new Error(`${detector.file} broke down: ${stderr.slice(-2_000)}`);
  }
  const failure = report.failures[0]?.fullTitle;
  return { found: failure !== undefined, seeds: 1, by: "spec", line: failure ?? "" };
}

/** Whatever its exit code: what it wrote tells more. */
function run(folder: string, args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const options = { cwd: folder, maxBuffer: OUTPUT_MAX_BYTES, timeout: HUNT_MAX_MS };
  return new Promise((resolve) => {
    execFile(process.execPath, args, options, (_error, stdout, stderr) => resolve({ stdout, stderr }));
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isSought(value: unknown): value is Sought {
  return typeof value === "object" && value !== null && "found" in value && "seeds" in value;
}

interface Report {
  readonly stats: { readonly tests: number };
  readonly failures: readonly { readonly fullTitle: string }[];
}

function isReport(value: unknown): value is Report {
  return typeof value === "object" && value !== null && "stats" in value && "failures" in value;
}

/** Hunts for all of `bugs`, `jobs` at a time; `onFinding` is called as they end. Findings in the order of `bugs`. */
export async function huntAll(
  root: string,
  bugs: readonly Bug[],
  jobs: number,
  onFinding: (finding: Finding) => void,
): Promise<Finding[]> {
  const findings = new Map<number, Finding>();
  const queue = bugs[Symbol.iterator]();
  const serve = async (): Promise<void> => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) {
      const finding = await hunt(root, next.value);
      findings.set(finding.bug.id, finding);
      onFinding(finding);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(jobs, bugs.length)) }, serve));
  return bugs.flatMap(({ id }) => findings.get(id) ?? []);
}
