/** Drawing from a random source: the few shapes that plans are made of. */
import type { Random } from "../../../lib/base/random.ts";

/** A whole number from `least` to `most`, both included. */
export function between(random: Random, least: number, most: number): number {
  return least + random.below(most - least + 1);
}

/** As `between`, with small ones as likely as large ones: the logarithm is drawn evenly. `least` is positive. */
export function spread(random: Random, least: number, most: number): number {
  return Math.round(least * (most / least) ** random.next());
}

export function chance(random: Random, probability: number): boolean {
  return random.next() < probability;
}

/** One of `items`; undefined when there are none, and then nothing is drawn. */
export function pick<T>(random: Random, items: readonly T[]): T | undefined {
  return items.length === 0 ? undefined : items[random.below(items.length)];
}

/** The one that `draw`, from [0, 1), falls on. */
export function at<T>(items: readonly T[], draw: number): T | undefined {
  return items[Math.floor(draw * items.length)];
}

export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const rest = [...items];
  for (let index = rest.length - 1; index > 0; index--) {
    const other = random.below(index + 1);
    const [left, right] = [rest[index], rest[other]];
    if (left !== undefined && right !== undefined) {
      rest[index] = right;
      rest[other] = left;
    }
  }
  return rest;
}

/** One of `weighted` by weight; weights are not negative, and one of them at least is positive. */
export function weighted<T>(random: Random, choices: readonly (readonly [item: T, weight: number])[]): T {
  const total = choices.reduce((sum, [, weight]) => sum + weight, 0);
  let left = random.next() * total;
  for (const [item, weight] of choices) {
    left -= weight;
    if (left < 0) {
      return item;
    }
  }
  throw new Error("nothing to choose from");
}
