/**
 * How a command fails: one clear line on standard error and an exit code.
 *
 *     0  done
 *     1  failed: an error answer, a timeout, no node, a node that ended by itself
 *     2  used wrongly: flags, arguments, configuration
 */
import { CommanderError } from "commander";
import { type ErrorCode, messageOf, SupercastError } from "../base/errors.ts";
import { printable } from "./output.ts";

export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
/** Ctrl-C, twice: what shells expect of a program that SIGINT ended. */
export const EXIT_INTERRUPTED = 130;

/** An error for the person at the keyboard: what is wrong and, in `hint`, what to do about it. */
export class CliError extends Error {
  override readonly name: string = "CliError";
  readonly exitCode: number;
  readonly code: string;
  readonly hint: string | undefined;

  constructor(
    message: string,
    options: { exitCode?: number; code?: string; hint?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.exitCode = options.exitCode ?? EXIT_FAILED;
    this.code = options.code ?? "failed";
    this.hint = options.hint;
  }
}

/** An error that a node answered. */
export class AnsweredError extends CliError {
  override readonly name: string = "AnsweredError";

  constructor(code: string, message: string) {
    super(message, { code });
  }
}

export function usageError(message: string, hint?: string): CliError {
  return new CliError(message, { exitCode: EXIT_USAGE, code: "usage", hint });
}

/** Reports what a command threw and returns the exit code it deserves. */
export function reportFailure(
  thrown: unknown,
  { json, command }: { readonly json: boolean; readonly command: string },
): number {
  if (thrown instanceof CommanderError) {
    // commander has told it already, help texts included.
    return thrown.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
  }
  const { code, message, hint, exitCode } = explain(thrown, command);
  if (json) {
    process.stderr.write(`${JSON.stringify({ error: { code, message } })}\n`);
  } else {
    const said = thrown instanceof AnsweredError ? `${code}: ${message}` : message;
    const lines = said.split("\n").map((line) => `error: ${printable(line)}`);
    process.stderr.write(`${[...lines, ...(hint === undefined ? [] : [`  ${hint}`])].join("\n")}\n`);
  }
  return exitCode;
}

interface Explained {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly exitCode: number;
}

function explain(thrown: unknown, command: string): Explained {
  if (thrown instanceof CliError) {
    return thrown;
  }
  if (thrown instanceof SupercastError) {
    const { code, message } = thrown;
    const exitCode = code === "config_mismatch" ? EXIT_USAGE : EXIT_FAILED;
    return { code, message, hint: hintFor(code, command), exitCode };
  }
  const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : messageOf(thrown);
  return { code: "internal", message: text, hint: "this is a defect in Supercast", exitCode: EXIT_FAILED };
}

function hintFor(code: ErrorCode, command: string): string | undefined {
  switch (code) {
    case "config_mismatch":
      return `supercast ${command} --help lists what is allowed`;
    case "forbidden":
      return `credentials: --user with --password, --token, --nkey-file or --creds; see supercast ${command} --help`;
    default:
      return undefined;
  }
}
