/** From samples to the rows of the table and of `--json`. Pure. */
import { median, meets, noiseOf, ratios, type Spread, spread, type Target } from "./statistics.ts";
import type { Baseline, Bench, Samples } from "./suite.ts";

/** A row of `--json`. The first eight fields are the contract; null stands for what there is not. */
export interface Row {
  readonly measure: string;
  readonly unit: string;
  /** Medians over the rounds. */
  readonly ours: number | null;
  readonly baseline: number | null;
  readonly baselineName: string | null;
  /** The median of the rounds' ratios ours / baseline. */
  readonly ratio: number | null;
  readonly target: number | null;
  /** Whether the target is met by more than chance; for rows without one, whether there are figures. */
  readonly met: boolean;
  readonly bound: Target["bound"] | null;
  /** Of the rounds' ratios; where there is no baseline, of ours. */
  readonly spread: Spread | null;
  /** The factor that chance alone makes here: ours against ours in the same rounds. */
  readonly noise: number | null;
  readonly rounds: number;
  readonly settings: string;
  readonly baselineSettings: string | null;
  readonly notes: readonly string[];
}

/** What became of a bench: its samples, or why there are none. */
export type Outcome =
  | { readonly bench: Bench; readonly samples: Samples }
  | { readonly bench: Bench; readonly failure: string };

/** All rows, and among them, last, the one of A against A. */
export function rowsOf(outcomes: readonly Outcome[]): Row[] {
  const sameAgainstSame = outcomes.flatMap((outcome) =>
    "samples" in outcome ? againstItself(outcome.samples) : [],
  );
  const common = sameAgainstSame.length === 0 ? 1 : noiseOf(sameAgainstSame);
  const rows = outcomes.flatMap((outcome) =>
    "samples" in outcome
      ? measuredRows(outcome.bench, outcome.samples, common)
      : failedRows(outcome.bench, outcome.failure),
  );
  return sameAgainstSame.length === 0 ? rows : [...rows, againstItselfRow(sameAgainstSame, common)];
}

function againstItself(samples: Samples): number[] {
  return samples.again.length === 0 ? [] : ratios(samples.again, samples.ours);
}

function measuredRows(bench: Bench, samples: Samples, commonNoise: number): Row[] {
  const own = againstItself(samples);
  const noise = own.length === 0 ? commonNoise : noiseOf(own);
  const { ours, shortened = false } = samples;
  const notes = shortened ? [...samples.notes, SHORTENED] : samples.notes;
  const base = { ...described(bench), ours: median(ours), rounds: ours.length, noise, notes };
  if (bench.baselines.length === 0) {
    return [{ ...base, ...NO_BASELINE, spread: spread(ours), met: true }];
  }
  return bench.baselines.flatMap((baseline): Row[] => {
    const values =
      baseline.constant === undefined
        ? samples.baselines[baseline.name]
        : ours.map(() => baseline.constant ?? 0);
    if (values === undefined) {
      return baseline.optional === undefined ? [{ ...base, ...withBaseline(baseline), met: false }] : [];
    }
    const verdict = compared(baseline, ours, values, noise);
    const met = verdict.met && !(shortened && baseline.target !== undefined);
    return [{ ...base, ...withBaseline(baseline), ...verdict, met }];
  });
}

const SHORTENED = "a shortened run (--short): no target is met by it";

function compared(baseline: Baseline, ours: readonly number[], values: readonly number[], noise: number) {
  const perRound = ratios(ours, values);
  const ratio = median(perRound);
  return {
    baseline: median(values),
    ratio,
    spread: spread(perRound),
    met: baseline.target === undefined || meets(baseline.target, ratio, noise),
  };
}

/** A bench that could not be measured has all its rows, none of them met. */
function failedRows(bench: Bench, failure: string): Row[] {
  const base = { ...described(bench), ours: null, rounds: 0, noise: null, notes: [failure], met: false };
  if (bench.baselines.length === 0) {
    return [{ ...base, ...NO_BASELINE }];
  }
  return bench.baselines
    .filter((baseline) => baseline.optional === undefined)
    .map((baseline) => ({ ...base, ...withBaseline(baseline) }));
}

function againstItselfRow(perRound: readonly number[], noise: number): Row {
  return {
    measure: "A against A: ours against itself, in every round of every row that has a peer",
    unit: "x",
    ours: median(perRound),
    baseline: 1,
    baselineName: "ours",
    ratio: median(perRound),
    target: null,
    met: true,
    bound: null,
    spread: spread(perRound),
    noise,
    rounds: perRound.length,
    settings: "a target counts as met when it is met by more than this spread, taken row by row",
    baselineSettings: null,
    notes: [],
  };
}

function described({ measure, unit, settings }: Bench) {
  return { measure, unit, settings };
}

const NO_BASELINE = {
  baseline: null,
  baselineName: null,
  ratio: null,
  target: null,
  bound: null,
  spread: null,
  baselineSettings: null,
} as const;

function withBaseline({ name, settings, target }: Baseline) {
  return {
    ...NO_BASELINE,
    baselineName: name,
    target: target?.ratio ?? null,
    bound: target?.bound ?? null,
    baselineSettings: settings,
  };
}
