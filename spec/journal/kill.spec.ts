/** A real process, a real disk, SIGKILL in the middle of writing. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { type Random, seededRandom } from "../../lib/base/random.ts";
import { openJournal } from "../../lib/journal/open.ts";
import { KILL_OPTIONS, killPayload, SumMachine } from "./kill-shared.ts";

const KILLS = 100;
const LANES = 4;
const CLONE = fileURLToPath(new URL("../..", import.meta.url));

/** Compiles the child once: through tsx each of a hundred starts would cost half a second of processor. */
async function compileChild(): Promise<string> {
  const cache = join(CLONE, ".cache");
  await mkdir(cache, { recursive: true });
  const out = await mkdtemp(join(cache, "kill-"));
  const tsc = join(CLONE, "node_modules", ".bin", "tsc");
  const child = spawn(tsc, ["-p", CLONE, "--noEmit", "false", "--outDir", out, "--rootDir", CLONE]);
  await ended(child);
  return out;
}

interface Acknowledged {
  readonly lastSeq: number;
  readonly commitSeq: number;
}

/** Lets the process acknowledge `count` entries, kills it, and answers the highest numbers it has told. */
async function runAndKill(script: string, dir: string, count: number): Promise<Acknowledged> {
  const child = spawn(process.execPath, [script, dir], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let told = "";
  let complaint = "";
  let lines = 0;
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    told += piece;
    lines += piece.split("\n").length - 1;
    if (lines >= count) {
      child.kill("SIGKILL");
    }
  });
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    complaint += piece;
  });
  const signal = await ended(child);
  expect(signal, complaint).to.equal("SIGKILL");
  const whole = told.slice(0, told.lastIndexOf("\n")).split("\n");
  const numbers = (prefix: RegExp): number[] =>
    whole.filter((line) => prefix.test(line)).map((line) => Number(line.replace("c", "")));
  return { lastSeq: Math.max(...numbers(/^\d/)), commitSeq: Math.max(0, ...numbers(/^c/)) };
}

function ended(child: ChildProcess): Promise<string | null> {
  return new Promise((resolve) => child.once("close", (_code, signal) => resolve(signal)));
}

/** Opens what is left and checks it entry by entry. */
async function checkRemains(dir: string, acknowledged: Acknowledged): Promise<number> {
  const machine = new SumMachine();
  const journal = await openJournal(dir, { ...KILL_OPTIONS, machine });
  expect(journal.tailCertain).to.equal(true);
  expect(journal.lastSeq).to.be.at.least(acknowledged.lastSeq);
  expect(journal.commitSeq).to.be.at.least(acknowledged.commitSeq);
  for await (const entry of journal.read(journal.firstSeq, journal.lastSeq, { uncommitted: true })) {
    expect(Buffer.compare(entry.payload, killPayload(entry.seq)), `entry ${entry.seq}`).to.equal(0);
  }
  expect(machine.sum).to.equal((journal.commitSeq * (journal.commitSeq + 1)) / 2);
  const { lastSeq } = journal;
  await journal.close();
  return lastSeq;
}

/** What a lane of kills came to. */
interface Lane {
  readonly lastSeq: number;
  /** Kills after which the log held entries whose acknowledgement had not been told. */
  readonly inTheMiddle: number;
}

async function lane(script: string, random: Random, kills: number): Promise<Lane> {
  const dir = await mkdtemp(join(tmpdir(), "supercast-kill-"));
  try {
    let lastSeq = 0;
    let inTheMiddle = 0;
    for (let kill = 0; kill < kills; kill++) {
      const acknowledged = await runAndKill(script, dir, 20 + random.below(200));
      expect(acknowledged.lastSeq).to.be.greaterThan(lastSeq);
      lastSeq = await checkRemains(dir, acknowledged);
      inTheMiddle += lastSeq > acknowledged.lastSeq ? 1 : 0;
    }
    return { lastSeq, inTheMiddle };
  } finally {
    await rm(dir, { recursive: true });
  }
}

describe("a process killed in the middle of writing", function () {
  this.timeout(120_000);
  let compiled = "";

  before(async () => {
    compiled = await compileChild();
  });

  after(() => rm(compiled, { recursive: true }));

  it(`leaves every acknowledged entry, ${KILLS} times out of ${KILLS}`, async () => {
    const script = join(compiled, "spec/journal/kill-child.js");
    const random = seededRandom("kill");
    const lanes = Array.from({ length: LANES }, (_, index) =>
      lane(script, random.fork(String(index)), KILLS / LANES),
    );
    const done = await Promise.all(lanes);
    expect(Math.min(...done.map(({ lastSeq }) => lastSeq))).to.be.greaterThan((20 * KILLS) / LANES);
    const inTheMiddle = done.reduce((sum, each) => sum + each.inTheMiddle, 0);
    expect(inTheMiddle, "kills that met a write").to.be.greaterThan(KILLS / 10);
  });
});
