/** Arguments of commands, checked before anything is dialled. */

import { messageOf } from "../base/errors.ts";
import { nameProblem } from "../base/names.ts";
import type { ForeignMessage } from "./client.ts";
import { usageError } from "./failure.ts";

/** The name of one node. Throws a usage error; `source` says where it stood. */
export function checkNodeName(name: string, source: string): string {
  const problem = nameProblem("node", name);
  if (problem !== undefined) {
    throw usageError(`${source}: ${problem}`);
  }
  return name;
}

/** As `checkNodeName`, with "any" allowed: whichever node answers. */
export function checkTarget(name: string, source: string): string {
  return name === "any" ? name : checkNodeName(name, source);
}

export function checkActorName(name: string, source: string): string {
  const problem = nameProblem("actor", name);
  if (problem !== undefined) {
    throw usageError(`${source}: ${problem}`);
  }
  return name;
}

/** Names with commas between. */
export function nameList(text: string, source: string): readonly string[] {
  const names = text
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
  if (names.length === 0) {
    throw usageError(
      `${source} is ${JSON.stringify(text)}; allowed: node names with commas between, as in a,b,c`,
    );
  }
  return names.map((name) => checkNodeName(name, source));
}

/** A message as a JSON object with `type`; a bare word stands for a message of that type without fields. */
export function parseMessage(text: string): ForeignMessage {
  if (/^[A-Za-z_]\w*$/.test(text)) {
    return { type: text };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw usageError(`MESSAGE is ${JSON.stringify(text)}, which is not JSON: ${messageOf(error)}`, EXAMPLE);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw usageError(`MESSAGE is ${JSON.stringify(text)}; allowed: a JSON object`, EXAMPLE);
  }
  if (!("type" in value) || typeof value.type !== "string") {
    throw usageError(`MESSAGE has no "type", or one that is no text`, EXAMPLE);
  }
  return { ...value, type: value.type };
}

const EXAMPLE = `as in '{"type":"getReplicas","partition":0}', or a bare word as in liveNodes`;
