import { expect } from "chai";
import type { Durability } from "../../scripts/chaos/faults.ts";
import { isGood, toJson } from "../../scripts/chaos/report.ts";
import { type ChaosResult, InterruptedError, runChaos } from "../../scripts/chaos/run.ts";
import { type Defect, PlayCluster, SLOW_MS } from "./play.ts";

const NODES = ["a", "b", "c"];
const CLIENTS = 8;
/** As the real ones, but for time. */
const PATIENCES = {
  recoveryMaxMs: SLOW_MS / 2,
  acceptDeadlineMs: 3 * SLOW_MS,
  wholeDeadlineMs: 3 * SLOW_MS,
  damagedMs: SLOW_MS,
  pauseMinMs: 2,
  pauseSpreadMs: 5,
  operation: { attemptMs: 50, deadlineMs: 2 * SLOW_MS },
  finalRead: { attemptMs: 50, deadlineMs: SLOW_MS },
};

interface Played {
  readonly cluster: PlayCluster;
  readonly result: ChaosResult;
  readonly log: readonly string[];
}

async function play(
  options: {
    defect?: Defect;
    durability?: Durability;
    signal?: AbortSignal;
    durationMs?: number;
    paceMs?: number;
    onFault?: () => void;
  } = {},
): Promise<Played> {
  const { defect, durability = "memory", durationMs = 1_500, paceMs = 4 } = options;
  const cluster = new PlayCluster(NODES, defect);
  const log: string[] = [];
  const result = await runChaos(
    {
      stage: cluster,
      view: cluster,
      targets: Array.from({ length: CLIENTS }, () => cluster),
      probe: cluster,
      log: (text) => {
        log.push(text);
        options.onFault?.();
      },
      onProgress: () => undefined,
      signal: options.signal ?? new AbortController().signal,
      patiences: PATIENCES,
    },
    {
      seed: 11,
      nodes: NODES,
      servers: 1,
      durability,
      failureTimeoutMs: 20,
      durationMs,
      partitions: 3,
      paceMs,
    },
  );
  return { cluster, result, log };
}

describe("A chaos run", function () {
  this.timeout(20_000);

  let onDisk: Played;

  before(async () => {
    onDisk = await play({ durability: "disk", durationMs: 4_000 });
  });

  it("passes a cluster that keeps its promises, and has done every kind of fault and undone it", () => {
    const { cluster, result, log } = onDisk;
    expect(result.violations).to.deep.equal([]);
    expect(result.invalid).to.deep.equal([]);
    expect(isGood(result)).to.equal(true);
    expect(Object.keys(result.faultsByKind).sort()).to.deep.equal([
      "cut",
      "cutMany",
      "damage (flip)",
      "damage (segment)",
      "damage (tail)",
      "delay",
      "kill",
      "killAll",
      "killMajority",
      "killServer",
      "pause",
      "reset",
      "stall (down)",
      "stall (up and down)",
      "stall (up)",
    ]);
    expect(cluster.harm).to.deep.equal([]);
    expect(result.acknowledged).to.be.greaterThan(500);
    expect(log.join("\n")).to.match(/writes accepted after \d+ ms, whole after \d+ ms/);
  });

  it("prints of it exactly what the contract says", async () => {
    const { result } = await play();
    expect(toJson(result)).to.deep.equal({
      faults: result.faults,
      acknowledged: result.acknowledged,
      lost: 0,
      linearizable: true,
      slowestRecoveryMs: result.slowestRecoveryMs,
    });
    expect(result.faults).to.be.greaterThan(5);
  });

  it("gives a node that refuses its damaged journal an empty one, as an operator would", () => {
    const { cluster, log } = onDisk;
    const [damaged] = cluster.done.filter((act) => act.startsWith("damaged"));
    const node = damaged?.split(" ")[1];
    const after = cluster.done.slice(cluster.done.indexOf(damaged ?? ""));
    expect(after.indexOf(`refused ${node}`)).to.be.greaterThan(0);
    expect(after.indexOf(`wiped ${node}`)).to.be.greaterThan(after.indexOf(`refused ${node}`));
    expect(log.join("\n")).to.match(/refuses its damaged journal/);
  });

  it("finds acknowledged writes that are gone", async () => {
    const { result } = await play({ defect: "loses the last write of each key when a node is killed" });
    expect(result.lost).to.be.greaterThan(0);
    expect(result.violations.join("\n")).to.match(/lost: key/);
    expect(isGood(result)).to.equal(false);
  });

  it("finds reads that are behind, although nothing is lost", async () => {
    const { result } = await play({ defect: "reads the value before the last" });
    expect(result.linearizable).to.equal(false);
    expect(result.violations.join("\n")).to.match(/linearizability: not linearizable/);
  });

  it("finds writes that are carried out by half", async () => {
    const { result } = await play({ defect: "tears what is written together" });
    expect(result.violations.join("\n")).to.match(/torn|not linearizable|lost/);
    expect(isGood(result)).to.equal(false);
  });

  it("finds that writes are accepted again too late", async () => {
    const { result } = await play({ defect: "comes back slowly" });
    expect(result.slowestRecoveryMs).to.be.greaterThan(PATIENCES.recoveryMaxMs);
    expect(result.violations.join("\n")).to.match(
      /recovery: writes were accepted only after \d+ ms after kill/,
    );
  });

  it("ends when writes are not accepted any more", async () => {
    const { result } = await play({ defect: "does not come back after a kill", durationMs: 60_000 });
    expect(result.violations.join("\n")).to.match(/accepted not within \d+ ms after kill/);
    expect(result.violations.join("\n")).to.match(/could not be read at the end/);
    expect(result.linearizable).to.equal(false);
  });

  it("ends when a process ends that nobody asked to", async () => {
    const { result } = await play({ defect: "a node ends by itself after a reset", durationMs: 60_000 });
    expect(result.violations.join("\n")).to.match(/node [abc] ended by itself: SIGSEGV/);
  });

  it("is invalid, and so no good, when the clients have hardly done anything", async () => {
    const { result } = await play({ paceMs: 100_000 });
    expect(result.violations).to.deep.equal([]);
    expect(result.invalid.join("\n")).to.match(/client operations, at least 15 are needed/);
    expect(isGood(result)).to.equal(false);
  });

  it("ends early when it is told to, without a verdict", async () => {
    const interrupt = new AbortController();
    let thrown: unknown;
    await play({
      durationMs: 60_000,
      signal: interrupt.signal,
      onFault: () => setImmediate(() => interrupt.abort()),
    }).catch((error: unknown) => {
      thrown = error;
    });
    expect(thrown).to.be.instanceOf(InterruptedError);
  });
});
