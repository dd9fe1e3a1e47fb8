/** The errors with which the actor floor refuses a call or message, each made in one place. */
import { SupercastError } from "../base/errors.ts";

export function noproc(target: string): SupercastError {
  return new SupercastError("noproc", `no process: ${target}`);
}

export function callingSelf(target: string): SupercastError {
  return new SupercastError("calling_self", `${target} called itself and would wait for ever`);
}

export function badTimeout(timeoutMs: number): SupercastError {
  return new SupercastError(
    "invalid_message",
    `timeoutMs is ${timeoutMs}; allowed: milliseconds from 0, Infinity`,
  );
}

export function mailboxFull(target: string): SupercastError {
  return new SupercastError("mailbox_full", `the mailbox of ${target} is full`);
}

export function asInvalidMessage(thrown: unknown): SupercastError {
  if (thrown instanceof SupercastError) {
    return thrown;
  }
  return new SupercastError("invalid_message", `the message cannot travel: ${String(thrown)}`, {
    cause: thrown,
  });
}
