/**
 * What the benchmark makes of its samples: medians, spreads, and whether a target is met. Pure.
 *
 * Two systems are measured in the same rounds, so that what disturbs the machine disturbs both; the ratio is
 * the median of the rounds' ratios. Ours is measured twice in every round: how far those two lie apart (A
 * against A) is what chance alone does here, and a target that is met by less than that is not met.
 */
import { invariant } from "../../lib/base/invariant.ts";

export interface Target {
  readonly bound: "atLeast" | "atMost";
  /** Of ours / baseline. */
  readonly ratio: number;
}

export const atLeast = (ratio: number): Target => ({ bound: "atLeast", ratio });
export const atMost = (ratio: number): Target => ({ bound: "atMost", ratio });

/** From the first to the third quartile. */
export type Spread = readonly [low: number, high: number];

/** The value below which `fraction` of `values` lie, between two of them by proportion. */
export function quantile(values: readonly number[], fraction: number): number {
  invariant(values.length > 0, "there is something to take a quantile of");
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function spread(values: readonly number[]): Spread {
  return [quantile(values, 0.25), quantile(values, 0.75)];
}

/** Round by round, `values[i] / others[i]`. Both come from the same rounds. */
export function ratios(values: readonly number[], others: readonly number[]): number[] {
  invariant(values.length === others.length, "ratios are taken within a round");
  return values.map((value, round) => value / (others[round] ?? Number.NaN));
}

/** The factor by which two measurements of one thing differ by chance, from their ratios; at least 1. */
export function noiseOf(sameAgainstSame: readonly number[]): number {
  const [low, high] = spread(sameAgainstSame);
  return Math.max(high, 1 / low, 1);
}

/** Whether `ratio` meets `target` by more than the factor `noise`. */
export function meets(target: Target, ratio: number, noise: number): boolean {
  return target.bound === "atLeast" ? ratio >= target.ratio * noise : ratio <= target.ratio / noise;
}
