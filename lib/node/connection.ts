/**
 * The connection between two incarnations, as numbers: pure.
 *
 * NATS loses messages without a word; Erlang's distribution does not lose one without breaking the
 * connection. So every batch carries the connection's number and a running count, and heartbeats
 * repeat the count of what was sent. Whoever misses something breaks the connection by raising its
 * number; the other side follows when it sees the higher number. Both sides then treat all that was
 * under way as lost, and both counts begin anew, so that no DOWN and no exit is ever waited for in
 * vain (otp 89).
 */

export interface ConnectionState {
  /** Raised at each break; both sides settle on the higher one. */
  number: number;
  /** Batches sent and received under the present number. */
  sent: number;
  received: number;
  /**
   * What `received` was when a heartbeat first told of more, and when that was: a heartbeat that says the same
   * after `proofMs` proves a loss. Not the next one at once: a node beats out of turn, too, when something has
   * happened to it, while the batch is still under way.
   */
  behind: { readonly received: number; readonly since: number } | undefined;
}

export type BatchVerdict =
  /** In order: handle it. */
  | "accept"
  /** From before a break: drop it. */
  | "late"
  /** Already had: drop it. */
  | "duplicate"
  /** The peer broke the connection before this batch, which is the first of the new number. */
  | "renewed"
  /** Something is missing before this batch: the connection has been broken, the batch is dropped. */
  | "gap";

/** Numbers above this are no number of ours: no connection breaks that often. */
export const NUMBER_MAX = 2 ** 31;

/** `number`: above all that this incarnation of the peer may remember of us. */
export function newConnection(number: number = 1): ConnectionState {
  return { number, sent: 0, received: 0, behind: undefined };
}

/** Whether nothing was sent or received under the present number, so that a break has nothing to tell. */
export function isUntouched({ sent, received }: ConnectionState): boolean {
  return sent === 0 && received === 0;
}

/** Breaks the connection from this side, or follows the peer to `number`. */
export function breakConnection(state: ConnectionState, number: number = state.number + 1): void {
  state.number = number;
  state.sent = 0;
  state.received = 0;
  state.behind = undefined;
}

/** Judges a batch that arrived. On "renewed" and "gap" the state is already that of the new connection. */
export function receiveBatch(state: ConnectionState, number: number, count: number): BatchVerdict {
  if (number < state.number) {
    return "late";
  }
  if (number > state.number) {
    breakConnection(state, number);
    if (count !== 0) {
      breakConnection(state);
      return "gap";
    }
    state.received = 1;
    return "renewed";
  }
  if (count < state.received) {
    return "duplicate";
  }
  if (count > state.received) {
    breakConnection(state);
    return "gap";
  }
  state.received += 1;
  return "accept";
}

/** What a peer's heartbeat says at `nowMs` of what it sent us. Answers whether the connection broke by it. */
export function receiveCount(
  state: ConnectionState,
  number: number,
  sent: number,
  nowMs: number,
  proofMs: number,
): "intact" | "renewed" | "gap" {
  if (number < state.number) {
    return "intact"; // the peer has yet to learn of our break
  }
  if (number > state.number) {
    breakConnection(state, number);
    state.behind = sent > 0 ? { received: 0, since: nowMs } : undefined;
    return "renewed";
  }
  const { behind, received } = state;
  if (sent <= received) {
    state.behind = undefined;
    return "intact";
  }
  if (behind?.received !== received) {
    state.behind = { received, since: nowMs };
    return "intact";
  }
  if (nowMs - behind.since < proofMs) {
    return "intact";
  }
  breakConnection(state);
  return "gap";
}
