/** The heartbeat: what each node says of itself, to all, every `heartbeatMs`. */
import { SupercastError } from "../base/errors.ts";
import { decode, encode } from "../wire/codec.ts";
import { NUMBER_MAX } from "./connection.ts";
import { WIRE_VERSION } from "./envelope.ts";

/** hello: just started or reconnected, please beat at once; bye: leaving in good order. */
export type HeartbeatKind = "hello" | "beat" | "bye";

/** The state of one connection as its sender sees it. */
export interface ConnectionCount {
  readonly node: string;
  readonly incarnation: string;
  readonly number: number;
  readonly sent: number;
}

export interface Heartbeat {
  readonly kind: HeartbeatKind;
  readonly node: string;
  readonly incarnation: string;
  readonly connections: readonly ConnectionCount[];
}

export function encodeHeartbeat(beat: Heartbeat): Uint8Array {
  const connections = beat.connections.map((each) => [each.node, each.incarnation, each.number, each.sent]);
  return encode([WIRE_VERSION, beat.kind, beat.node, beat.incarnation, connections]);
}

/** Throws `invalid_message` for anything that is no heartbeat of this version. */
export function decodeHeartbeat(bytes: Uint8Array): Heartbeat {
  const value = decode(bytes);
  const [version, kind, node, incarnation, connections] = Array.isArray(value) ? value : [];
  if (version !== WIRE_VERSION) {
    throw new SupercastError(
      "invalid_message",
      `a heartbeat of wire version ${version}; this node speaks ${WIRE_VERSION}`,
    );
  }
  if (
    (kind !== "hello" && kind !== "beat" && kind !== "bye") ||
    typeof node !== "string" ||
    typeof incarnation !== "string" ||
    !Array.isArray(connections)
  ) {
    throw new SupercastError("invalid_message", "a heartbeat is malformed");
  }
  return { kind, node, incarnation, connections: connections.map(toConnectionCount) };
}

function toConnectionCount(value: unknown): ConnectionCount {
  const [node, incarnation, number, sent] = Array.isArray(value) ? value : [];
  if (
    typeof node !== "string" ||
    typeof incarnation !== "string" ||
    !isCount(number, NUMBER_MAX) ||
    !isCount(sent, Number.MAX_SAFE_INTEGER)
  ) {
    throw new SupercastError("invalid_message", "a heartbeat's connection is malformed");
  }
  return { node, incarnation, number, sent };
}

function isCount(value: unknown, max: number): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= max;
}
