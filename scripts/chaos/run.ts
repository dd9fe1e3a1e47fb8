/**
 * A chaos run from the first write to the verdict, over whatever stage and targets it is given.
 *
 * The cluster must be whole; then clients work while the nemesis does its rounds; then, with everything healed and
 * whole once more, every key is read by quorum reads and the histories are judged.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../lib/base/errors.ts";
import { seededRandom } from "../../lib/base/random.ts";
import { ask, Clients, readAll } from "./clients.ts";
import { FaultDeck, type FaultSetting, kindOf } from "./faults.ts";
import { judge, type Recorded, Recorder } from "./history.ts";
import { Nemesis, PATIENCES, type Patiences, type Round } from "./nemesis.ts";
import type { Stage } from "./stage.ts";
import type { ClusterView, Patience, Target } from "./target.ts";
import { type Traffic, whyInvalid } from "./validity.ts";
import { Workload } from "./workload.ts";

const REGISTERS = 4;
const PAIRS = 2;
/** Of a run, before the first fault, so that there is something to lose. */
const WARM_UP_SHARE = 0.05;
const WARM_UP_MAX_MS = 1_000;
const PROBE_ATTEMPT_MS = 250;

export interface ChaosSettings extends FaultSetting {
  readonly seed: number;
  /** Of faults and load; starting, settling and checking come on top. */
  readonly durationMs: number;
  readonly partitions: number;
  /** Between two operations of a client, on the average. */
  readonly paceMs: number;
}

export interface ChaosParts {
  readonly stage: Stage;
  readonly view: ClusterView;
  /** One for each client. */
  readonly targets: readonly Target[];
  /** Of the nemesis, to see when writes are accepted. */
  readonly probe: Target;
  readonly log: (text: string) => void;
  /** Called now and then with how far the run is. */
  readonly onProgress: (progress: Progress) => void;
  /** Ends the run early. */
  readonly signal: AbortSignal;
  /** Default: what the product promises. */
  readonly patiences?: Patiences;
}

export interface Progress {
  readonly phase: string;
  readonly elapsedMs: number;
  readonly operations: number;
  readonly faults: number;
}

export interface ChaosResult {
  readonly faults: number;
  readonly faultsByKind: Readonly<Record<string, number>>;
  readonly operations: number;
  readonly acknowledged: number;
  readonly refused: number;
  readonly unknown: number;
  readonly lost: number;
  readonly linearizable: boolean;
  readonly slowestRecoveryMs: number;
  readonly medianRecoveryMs: number;
  readonly slowestWholeMs: number;
  /** What was promised and not kept, for people; empty: nothing. */
  readonly violations: readonly string[];
  /** Why the run proves too little; empty: it does not. */
  readonly invalid: readonly string[];
  readonly records: readonly Recorded[];
}

const PROGRESS_EVERY_MS = 200;

/** Rejects when the cluster does not come up, or the run is ended by its signal. */
export async function runChaos(parts: ChaosParts, settings: ChaosSettings): Promise<ChaosResult> {
  const { signal, onProgress, targets, log } = parts;
  const random = seededRandom(settings.seed);
  const recorder = new Recorder();
  const workload = new Workload(random.fork("workload"), {
    partitions: settings.partitions,
    registers: REGISTERS,
    pairs: PAIRS,
  });
  const patiences = parts.patiences ?? PATIENCES;
  const nemesis = new Nemesis({
    ...parts,
    patiences,
    deck: new FaultDeck(random.fork("faults"), settings),
    random: random.fork("nemesis"),
    accepts: (deadlineMs) => accepts(parts.probe, { recorder, workload, settings }, deadlineMs),
  });
  const startedAt = performance.now();
  let phase = "waiting for the cluster";
  const tell = (): void => {
    const elapsedMs = performance.now() - startedAt;
    onProgress({
      phase,
      elapsedMs,
      operations: recorder.records.length,
      faults: faultsOf(nemesis.rounds).length,
    });
  };
  const ticker = setInterval(tell, PROGRESS_EVERY_MS);
  const clients = new Clients({
    recorder,
    workload,
    random: random.fork("clients"),
    targets,
    paceMs: settings.paceMs,
    patience: patiences.operation,
  });
  try {
    const lacking = await nemesis.untilWhole();
    throwIfAborted(signal);
    if (lacking !== undefined) {
      throw new Error(`the cluster did not come up: ${lacking}`);
    }
    log(`the cluster is whole after ${Math.round(performance.now() - startedAt)} ms`);
    phase = "faults";
    clients.begin();
    const until = performance.now() + settings.durationMs;
    await sleep(Math.min(WARM_UP_MAX_MS, WARM_UP_SHARE * settings.durationMs));
    await nemesis.run(until);
    phase = "settling";
    await clients.end();
    throwIfAborted(signal);
    const violations = [...nemesis.violations];
    const final = await finalState(nemesis, recorder, targets, violations, patiences);
    phase = "checking";
    tell();
    return conclude({ recorder, nemesis, settings, violations, final, clients: targets.length });
  } finally {
    clearInterval(ticker);
    clients.stop();
  }
}

/** Whether a write that is begun now is acknowledged in every partition in time. */
async function accepts(
  probe: Target,
  run: { readonly recorder: Recorder; readonly workload: Workload; readonly settings: ChaosSettings },
  deadlineMs: number,
): Promise<boolean> {
  const { recorder, workload, settings } = run;
  const patience: Patience = { attemptMs: PROBE_ATTEMPT_MS, deadlineMs };
  const partitions = Array.from({ length: settings.partitions }, (_, index) => index);
  const records = await Promise.all(
    partitions.map((partition) => {
      const draw = workload.entry("probe", partition);
      return ask(recorder, `probe${partition}`, probe, draw, patience);
    }),
  );
  return records.every(({ outcome }) => outcome === "ok");
}

async function finalState(
  nemesis: Nemesis,
  recorder: Recorder,
  targets: readonly Target[],
  violations: string[],
  { finalRead }: Patiences,
): Promise<Map<string, string | null> | undefined> {
  const lacking = await nemesis.untilWhole();
  if (lacking !== undefined) {
    violations.push(`the cluster did not become whole at the end: ${lacking}`);
  }
  try {
    return await readAll(recorder, targets, finalRead);
  } catch (thrown) {
    violations.push(messageOf(thrown));
    return undefined;
  }
}

function conclude(run: {
  readonly recorder: Recorder;
  readonly nemesis: Nemesis;
  readonly settings: ChaosSettings;
  readonly violations: readonly string[];
  readonly final: ReadonlyMap<string, string | null> | undefined;
  readonly clients: number;
}): ChaosResult {
  const { recorder, nemesis, settings, final } = run;
  const { records } = recorder;
  const verdict =
    final === undefined
      ? { lost: 0, linearizable: false, violations: ["nothing is proved: the final state is not known"] }
      : judge(records, final);
  const count = (outcome: Recorded["outcome"]): number =>
    records.filter((record) => record.outcome === outcome).length;
  const faults = faultsOf(nemesis.rounds);
  const working = records.filter(({ clientId }) => clientId.startsWith("c"));
  const traffic: Traffic = {
    durationMs: settings.durationMs,
    operations: working.length,
    acknowledged: working.filter(({ outcome }) => outcome === "ok").length,
    clients: run.clients,
    clientsAcknowledged: new Set(
      working.filter(({ outcome }) => outcome === "ok").map(({ clientId }) => clientId),
    ).size,
    faults: faults.length,
    faultKinds: new Set(faults).size,
  };
  const recoveries = nemesis.rounds.map(({ recoveryMs }) => recoveryMs).sort((left, right) => left - right);
  return {
    faults: faults.length,
    faultsByKind: countBy(faults),
    operations: records.length,
    acknowledged: count("ok"),
    refused: count("refused"),
    unknown: count("unknown"),
    lost: verdict.lost,
    linearizable: verdict.linearizable,
    slowestRecoveryMs: Math.round(recoveries.at(-1) ?? 0),
    medianRecoveryMs: Math.round(recoveries[Math.floor(recoveries.length / 2)] ?? 0),
    slowestWholeMs: Math.round(Math.max(0, ...nemesis.rounds.map(({ wholeMs }) => wholeMs))),
    violations: [...run.violations, ...verdict.violations],
    invalid: whyInvalid(traffic),
    records,
  };
}

/** The kind of each fault of these rounds. */
function faultsOf(rounds: readonly Round[]): string[] {
  return rounds.flatMap(({ faults }) => faults.map(kindOf));
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) {
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** The run was ended from outside; there is no verdict. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
}

function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) {
    throw new InterruptedError("the run was ended before its time");
  }
}
