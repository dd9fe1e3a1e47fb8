/**
 * Subjects and headers: what may be used, and which pattern matches what. The rules are NATS's, made strict:
 * the server checks little of it, and a line break in a subject would be read as a command.
 */
import { SupercastError } from "../base/errors.ts";
import type { Headers } from "./transport.ts";

/** Space, control characters, wildcards, an empty token. */
const NOT_PUBLISHABLE = /[\0- \x7f*>]|^\.|\.\.|\.$|^$/;
const NOT_A_TOKEN = /[\0- \x7f]|^$|.[*>]|[*>]./;
const NOT_A_HEADER_NAME = /[^!-9;-~]|^$/;
const NOT_A_HEADER_VALUE = /[\r\n]/;

/** Subjects that were found good: a node publishes on few of them, again and again. */
const publishable = new Set<string>();
const PUBLISHABLE_MAX = 1024;

/** Throws `invalid_message` unless a message may be published on `subject`. */
export function checkSubject(subject: string): void {
  if (publishable.has(subject)) {
    return;
  }
  if (NOT_PUBLISHABLE.test(subject)) {
    throw new SupercastError(
      "invalid_message",
      `subject ${JSON.stringify(subject)} is not allowed: use tokens without space, "*" and ">", with a dot between`,
    );
  }
  if (publishable.size === PUBLISHABLE_MAX) {
    publishable.clear();
  }
  publishable.add(subject);
}

/** Throws `invalid_message` unless `pattern` may be subscribed to. */
export function checkPattern(pattern: string): void {
  const tokens = pattern.split(".");
  const sound = tokens.every(
    (token, index) => !NOT_A_TOKEN.test(token) && (token !== ">" || index === tokens.length - 1),
  );
  if (!sound) {
    throw new SupercastError(
      "invalid_message",
      `subject ${JSON.stringify(pattern)} is not allowed: tokens hold no space, "*" stands alone, ">" alone at the end`,
    );
  }
}

/** Throws `invalid_message` unless `queue` may name a queue group. */
export function checkQueue(queue: string): void {
  if (NOT_PUBLISHABLE.test(queue)) {
    throw new SupercastError("invalid_message", `queue group ${JSON.stringify(queue)} is not allowed`);
  }
}

/** The bytes that `headers` take in a message. Throws `invalid_message` for what cannot stand in one. */
export function checkedHeaderBytes(headers: Headers): number {
  let bytes = "NATS/1.0\r\n\r\n".length;
  for (const [name, value] of Object.entries(headers)) {
    if (NOT_A_HEADER_NAME.test(name)) {
      throw new SupercastError(
        "invalid_message",
        `header ${JSON.stringify(name)}: use printable ASCII without ":"`,
      );
    }
    if (NOT_A_HEADER_VALUE.test(value)) {
      throw new SupercastError("invalid_message", `header ${name}: its value holds a line break`);
    }
    bytes += name.length + Buffer.byteLength(value.trim()) + ": \r\n".length;
  }
  return bytes;
}

export function isPattern(subject: string): boolean {
  return subject.includes("*") || subject.includes(">");
}

/** Whether the tokens of a pattern match those of a subject. */
export function matches(pattern: readonly string[], subject: readonly string[]): boolean {
  for (const [index, token] of pattern.entries()) {
    if (token === ">") {
      return subject.length > index;
    }
    if (index >= subject.length || (token !== "*" && token !== subject[index])) {
      return false;
    }
  }
  return pattern.length === subject.length;
}
