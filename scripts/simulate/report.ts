/** What a run of many seeds comes to: sums, medians, failures. */
import type { Colours } from "../../lib/cli/output.ts";
import { FAULT_KINDS, type FaultClass } from "../../spec/simulation/stream/plan.ts";
import type { SeedResult } from "../../spec/simulation/stream/result.ts";
import type { SeedOutcome } from "./pool.ts";

/** More invalid seeds than this share fail a run: it would prove too little. */
export const INVALID_SHARE_MAX = 0.02;
const FAILURES_SHOWN = 10;
const SMALLEST_CLUSTER = 3;

interface Failure {
  readonly seed: number;
  readonly rule: string;
  readonly message: string;
}

type Median =
  | "operations"
  | "faults"
  | "epochs"
  | "reconfigurations"
  | "inFlight"
  | "cpuMs"
  | "acknowledgedShare";

/** The sums of many seeds, without keeping their results. */
export class Summary {
  seeds = 0;
  passed = 0;
  failed = 0;
  broken = 0;
  invalid = 0;
  replayed = 0;
  operations = 0;
  acknowledged = 0;
  unknown = 0;
  cpuMs = 0;
  virtualMs = 0;
  /** Of the seeds with the smallest cluster, which can be compared with others' figures. */
  readonly smallest = { seeds: 0, cpuMs: 0, virtualMs: 0 };
  events = 0;
  epochs = 0;
  reconfigurations = 0;
  snapshots = 0;
  truncations = 0;
  searchSteps = 0;
  readonly faults = new Map<string, number>();
  readonly faultClasses = new Map<FaultClass, number>();
  readonly crashesAt = new Map<string, number>();
  readonly failures: Failure[] = [];
  readonly invalidReasons = new Map<string, number>();
  readonly #perSeed: Readonly<Record<Median, number[]>> = {
    operations: [],
    faults: [],
    epochs: [],
    reconfigurations: [],
    inFlight: [],
    cpuMs: [],
    acknowledgedShare: [],
  };

  add(outcome: SeedOutcome, replayed: boolean): void {
    this.seeds += 1;
    if ("broken" in outcome) {
      this.broken += 1;
      this.failures.push({ seed: outcome.seed, rule: "simulator", message: outcome.broken });
      return;
    }
    const { result } = outcome;
    this[result.verdict] += 1;
    this.replayed += replayed ? 1 : 0;
    const [first] = result.violations;
    if (result.verdict === "failed") {
      this.failures.push({ seed: result.seed, rule: first?.rule ?? "?", message: first?.message ?? "" });
    }
    for (const reason of result.verdict === "invalid" ? result.invalid : []) {
      addTo(this.invalidReasons, reason.replace(/[\d.]+/g, "#"), 1);
    }
    this.#sum(result);
  }

  #sum({ figures }: SeedResult): void {
    const { coverage } = figures;
    this.operations += figures.operations;
    this.acknowledged += figures.acknowledged;
    this.unknown += figures.unknown;
    this.cpuMs += figures.cpuMs;
    this.virtualMs += figures.virtualMs;
    if (figures.nodes === SMALLEST_CLUSTER) {
      this.smallest.seeds += 1;
      this.smallest.cpuMs += figures.cpuMs;
      this.smallest.virtualMs += figures.virtualMs;
    }
    this.events += figures.events;
    this.epochs += coverage.epochsOpened;
    this.reconfigurations += coverage.reconfigurations;
    this.snapshots += coverage.snapshots;
    this.truncations += coverage.truncations;
    this.searchSteps += figures.checked.steps;
    let faults = 0;
    for (const [kind, count] of Object.entries(figures.faults)) {
      addTo(this.faults, kind, count);
      faults += count;
    }
    for (const each of CLASSES) {
      addTo(this.faultClasses, each, figures.faultsByClass[each]);
    }
    for (const [effect, count] of Object.entries(coverage.crashesAt)) {
      addTo(this.crashesAt, effect, count);
    }
    const perSeed = this.#perSeed;
    perSeed.operations.push(figures.operations);
    perSeed.faults.push(faults);
    perSeed.epochs.push(coverage.epochsOpened);
    perSeed.reconfigurations.push(coverage.reconfigurations);
    perSeed.inFlight.push(figures.inFlight);
    perSeed.cpuMs.push(figures.cpuMs);
    perSeed.acknowledgedShare.push(figures.acknowledged / Math.max(1, figures.operations));
  }

  get medians(): Readonly<Record<string, number>> {
    const entries = Object.entries(this.#perSeed).map(([name, values]) => [name, median(values)] as const);
    return Object.fromEntries(entries);
  }

  /** Virtual time per time of one core. */
  get speed(): number {
    return speedOf(this);
  }

  /** The same over the seeds of three nodes; 0 when there were none. */
  get speedOfThree(): number {
    return speedOf(this.smallest);
  }

  get ok(): boolean {
    return this.failed === 0 && this.broken === 0 && this.invalid <= INVALID_SHARE_MAX * this.seeds;
  }

  toJson(tookMs: number): object {
    const { seeds, passed, failed, broken, invalid, replayed, operations, acknowledged, unknown } = this;
    const { epochs, reconfigurations, snapshots, truncations, events, searchSteps, medians, failures } = this;
    return {
      ok: this.ok,
      ...{ seeds, passed, failed, broken, invalid, replayed, operations, acknowledged, unknown },
      ...{ epochs, reconfigurations, snapshots, truncations, events, searchSteps, medians },
      faults: Object.fromEntries(this.faults),
      faultClasses: Object.fromEntries(this.faultClasses),
      crashesAt: Object.fromEntries(this.crashesAt),
      invalidReasons: Object.fromEntries(this.invalidReasons),
      speed: Math.round(this.speed),
      speedOfThree: Math.round(this.speedOfThree),
      tookMs: Math.round(tookMs),
      failures: failures.toSorted((left, right) => left.seed - right.seed),
    };
  }
}

function speedOf({ virtualMs, cpuMs }: { readonly virtualMs: number; readonly cpuMs: number }): number {
  return cpuMs === 0 ? 0 : virtualMs / cpuMs;
}

const CLASSES: readonly FaultClass[] = [...new Set(Object.values(FAULT_KINDS))];

/** The report for people. */
export function formatSummary(summary: Summary, tookMs: number, colours: Colours): string {
  const { seeds, passed, failed, broken, invalid, medians } = summary;
  const share = (100 * summary.acknowledged) / Math.max(1, summary.operations);
  const median = (name: string): string => String(Math.round((medians[name] ?? 0) * 100) / 100);
  const lines = [
    `${count(seeds)} seeds in ${(tookMs / 1_000).toFixed(1)} s: ${count(passed)} passed, ${count(failed + broken)} failed, ${count(invalid)} invalid; ${count(summary.replayed)} ran twice and were equal`,
    `operations   ${count(summary.operations)}, ${share.toFixed(1)} % acknowledged, ${count(summary.unknown)} of unknown outcome`,
    `epochs       ${count(summary.epochs)} opened, ${count(summary.reconfigurations)} with other members; ${count(summary.snapshots)} snapshots installed, ${count(summary.truncations)} logs cut`,
    `faults       ${[...summary.faultClasses].map(([name, n]) => `${name} ${count(n)}`).join(", ")}`,
    `             ${sorted(summary.faults)}`,
    `per seed     (medians) ${median("operations")} operations, ${median("inFlight")} in flight, ${median("faults")} faults, ${median("epochs")} epochs, ${median("reconfigurations")} reconfigurations, ${median("cpuMs")} ms of one core`,
    `speed        ${Math.round(summary.speed)} x real time on one core, ${Math.round(summary.speedOfThree)} x over the ${count(summary.smallest.seeds)} seeds of ${SMALLEST_CLUSTER} nodes; ${count(summary.events)} events`,
  ];
  for (const [reason, times] of summary.invalidReasons) {
    lines.push(`invalid      ${times} x ${reason}`);
  }
  const failures = summary.failures.toSorted((left, right) => left.seed - right.seed);
  for (const { seed, rule, message } of failures.slice(0, FAILURES_SHOWN)) {
    const first = message.split("\n")[0] ?? "";
    lines.push(colours.red(`seed ${seed}: ${rule}: ${first}`));
    lines.push(`  npm run simulate -- --seed ${seed}`);
  }
  if (failures.length > FAILURES_SHOWN) {
    lines.push(`and ${failures.length - FAILURES_SHOWN} more; --json has them all`);
  }
  return lines.join("\n");
}

/** One seed for people: what it was, what it did, what was wrong, its last events. */
export function formatSeed(result: SeedResult, colours: Colours): string {
  const { seed, verdict, violations, violationCount, invalid, figures, trace, setting, hash } = result;
  const { coverage } = figures;
  const colour = verdict === "passed" ? colours.green : verdict === "invalid" ? colours.yellow : colours.red;
  const lines = [
    ...trace,
    "",
    `seed ${seed}: ${setting}`,
    `${count(figures.operations)} operations, ${count(figures.acknowledged)} acknowledged, ${count(figures.unknown)} unknown, ${count(figures.refused)} refused`,
    `${coverage.epochsOpened} epochs opened, ${coverage.reconfigurations} reconfigurations, ${coverage.snapshots} snapshots, ${coverage.truncations} cuts`,
    `faults: ${sorted(new Map(Object.entries(figures.faults)))}`,
    `${count(figures.events)} events, trace ${hash}, ${Math.round(figures.cpuMs)} ms of one core`,
    ...violations.map(({ rule, message, atMs }) => colours.red(`${atMs.toFixed(3)} ${rule}: ${message}`)),
    ...(violationCount > violations.length ? [`${violationCount} violations in all`] : []),
    ...invalid.map((reason) => `invalid: ${reason}`),
    colour(verdict),
  ];
  return lines.join("\n");
}

function sorted(counts: ReadonlyMap<string, number>): string {
  const entries = [...counts].sort((left, right) => right[1] - left[1]);
  return entries.map(([name, n]) => `${name} ${count(n)}`).join(", ");
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

export function median(values: readonly number[]): number {
  const ordered = values.toSorted((left, right) => left - right);
  const middle = Math.floor(ordered.length / 2);
  const upper = ordered[middle] ?? 0;
  return ordered.length % 2 === 1 ? upper : ((ordered[middle - 1] ?? upper) + upper) / 2;
}

function addTo<Key>(counts: Map<Key, number>, key: Key, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}
