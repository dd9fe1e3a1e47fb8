/**
 * Process identifiers: `node/incarnation/serial`.
 *
 * A pid names one incarnation of one process on one incarnation of one node and is never used again,
 * so whoever holds it can tell a restarted process from the one it knew. It is a string: it compares
 * with `===`, keys a Map and travels in any codec.
 */

export type Pid = `${string}/${string}/${number}`;

export interface PidParts {
  readonly node: string;
  readonly incarnation: string;
  readonly serial: number;
}

export function makePid(node: string, incarnation: string, serial: number): Pid {
  return `${node}/${incarnation}/${serial}`;
}

const PID = /^([A-Za-z0-9_-]{1,64})\/([a-z0-9]{1,64})\/(\d{1,15})$/;

/** The parts of a pid, or undefined when `text` is not one. */
export function parsePid(text: string): PidParts | undefined {
  const match = PID.exec(text);
  const [, node, incarnation, serial] = match ?? [];
  if (node === undefined || incarnation === undefined || serial === undefined) {
    return undefined;
  }
  return { node, incarnation, serial: Number(serial) };
}

export function isPid(value: unknown): value is Pid {
  return typeof value === "string" && PID.test(value);
}

/** The serial of a pid that is known to be one. */
export function serialOf(pid: Pid): number {
  return Number(pid.slice(pid.lastIndexOf("/") + 1));
}
