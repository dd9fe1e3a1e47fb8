/** What patterns and guards have in common: values as they are checked, and errors that name the place. */
import { messageOf, SupercastError } from "./errors.ts";
import { isPlainObject } from "./term.ts";
import { termKey } from "./term-key.ts";

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && isPlainObject(value);
}

export function malformed(path: string, problem: string): SupercastError {
  return new SupercastError("invalid_message", `${path}: ${problem}`);
}

/** `value`, when it is a term. */
export function checkedTerm(value: unknown, path: string): unknown {
  try {
    termKey(value);
  } catch (error) {
    throw malformed(path, messageOf(error));
  }
  return value;
}
