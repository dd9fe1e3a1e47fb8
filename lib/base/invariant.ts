/**
 * Assertions that stay on in production.
 *
 * An invariant is a fact that the surrounding code has already made true; when it does not hold the
 * program is wrong, not its input. Bad input gets a `SupercastError` instead.
 */

/** Thrown when an invariant does not hold: a bug in Supercast or in the code that uses it. */
export class InvariantError extends Error {
  override readonly name: string = "InvariantError";
}

/** Throws an InvariantError with `message` unless `condition` holds. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) {
    throw new InvariantError(message);
  }
}

/** For the default branch of an exhaustive switch: compiles only when every case has been handled. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable value: ${JSON.stringify(value)}`);
}
