/** What the scripts share about their flags. */

/** A flag that cannot be: the message names it, its value, and what is allowed. Exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The whole number that `--name` was given as; throws UsageError outside `least` to `most`. */
export function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value) || value < least || value > most) {
    throw new UsageError(
      `--${name} is ${JSON.stringify(text)}; allowed: a whole number from ${least} to ${most}`,
    );
  }
  return value;
}
