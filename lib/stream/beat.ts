/** When the replicas of a process tick: all at the same moments, and each process at moments of its own. */
import { ownerOf } from "./replica-id.ts";

const HEX_DIGITS = 8;

/**
 * Milliseconds from `nowMs` to the next beat that is at least half an interval away. `process`: whose beats they
 * are; two processes that have begun at the same moment do not beat at the same moments.
 */
export function untilNextBeat(nowMs: number, intervalMs: number, process: string): number {
  const share = Number.parseInt(ownerOf(process).slice(0, HEX_DIGITS), 16) / 16 ** HEX_DIGITS;
  const phaseMs = share * intervalMs;
  const beats = Math.floor((nowMs - phaseMs) / intervalMs + 0.5) + 1;
  return phaseMs + beats * intervalMs - nowMs;
}
