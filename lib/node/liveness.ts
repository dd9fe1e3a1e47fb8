/**
 * Who is alive: a pure failure detector over heartbeats.
 *
 * A silent node is first *suspect* and is asked on its incarnation's own subject. It is down
 *  - as soon as NATS has answered "no responders" to two questions, `probeIntervalMs` apart, on a
 *    connection of our own that has stood for `reconnectGraceMs` (after a nats-server restart, or while
 *    routes spread, live peers get that answer too);
 *  - else after `failureTimeoutMs` of silence;
 *  - at once when it said goodbye, or when a newer incarnation of it is heard.
 *
 * Silence counts only while we could have heard something. When our own loop was late, everybody gets
 * that time back before anyone is suspected. While our own connection is away nobody is suspected for
 * `reconnectGraceMs`, and when it is back silence begins anew.
 *
 * Down means "connection lost": the same incarnation may come back, unless it said goodbye.
 * Nothing of this is needed for safety anywhere; it makes failover quick and lists honest.
 */
import type { Limits } from "../base/limits.ts";

export type PeerStatus = "up" | "suspect" | "down";

export interface PeerLife {
  readonly node: string;
  readonly incarnation: string;
  status: PeerStatus;
  /** When it last gave a sign of life, on our clock. */
  heardAt: number;
  /** When the first question was asked to which "no responders" has been the answer since. */
  deafSince: number | undefined;
  /** When it was last asked. */
  askedAt: number;
  /** It said goodbye: whatever still arrives of it was sent before that. */
  left: boolean;
}

export type LivenessEvent =
  | { readonly type: "heard"; readonly node: string; readonly incarnation: string }
  | { readonly type: "goodbye"; readonly node: string; readonly incarnation: string }
  | { readonly type: "noResponders"; readonly node: string; readonly incarnation: string }
  /** Comes every `heartbeatMs`. `connectedForMs`: age of our own connection; undefined while there is none. */
  | { readonly type: "tick"; readonly connectedForMs: number | undefined };

export type LivenessEffect =
  | { readonly type: "up"; readonly node: string; readonly incarnation: string }
  | { readonly type: "suspect"; readonly node: string; readonly incarnation: string }
  | {
      readonly type: "down";
      readonly node: string;
      readonly incarnation: string;
      readonly reason: DownReason;
    }
  | { readonly type: "ask"; readonly node: string; readonly incarnation: string }
  /** Down for so long that nothing of it is remembered any more. */
  | { readonly type: "forgotten"; readonly node: string; readonly incarnation: string };

export type DownReason = "left" | "replaced" | "no_responders" | "silent";

type LivenessLimits = Pick<
  Limits,
  "heartbeatMs" | "suspectAfterMs" | "failureTimeoutMs" | "probeIntervalMs" | "reconnectGraceMs"
>;

/** A peer that is down is remembered this many failure timeouts, so that a late heartbeat is not news. */
const REMEMBERED_TIMEOUTS = 30;
/** Timers of whole milliseconds may fire this much early on a clock with fractions. */
const TIMER_GRAIN_MS = 1;

export class Liveness {
  readonly #limits: LivenessLimits;
  readonly #peers = new Map<string, PeerLife>();
  #lastTickAt: number | undefined;
  #connectedForMs: number | undefined;
  /** Nobody's silence counts from before this. */
  #listeningSince = Number.NEGATIVE_INFINITY;

  constructor(limits: LivenessLimits) {
    this.#limits = limits;
  }

  peers(): IterableIterator<PeerLife> {
    return this.#peers.values();
  }

  get(node: string): PeerLife | undefined {
    return this.#peers.get(node);
  }

  /** "heard" without an event, for every message: false, and nothing done, when more changes than the time. */
  heardAgain(node: string, incarnation: string, nowMs: number): boolean {
    const known = this.#peers.get(node);
    if (known?.status !== "up" || known.incarnation !== incarnation || known.left) {
      return false;
    }
    known.heardAt = nowMs;
    return true;
  }

  step(event: LivenessEvent, nowMs: number): LivenessEffect[] {
    switch (event.type) {
      case "heard":
        return this.#heard(event.node, event.incarnation, nowMs);
      case "goodbye":
        return this.#goodbye(event.node, event.incarnation);
      case "noResponders":
        return this.#noResponders(event.node, event.incarnation);
      case "tick":
        return this.#tick(event.connectedForMs, nowMs);
    }
  }

  #heard(node: string, incarnation: string, nowMs: number): LivenessEffect[] {
    const known = this.#peers.get(node);
    if (known === undefined || known.incarnation !== incarnation) {
      return this.#heardNew(known, node, incarnation, nowMs);
    }
    if (known.left) {
      return [];
    }
    known.heardAt = nowMs;
    known.deafSince = undefined;
    const wasDown = known.status === "down";
    known.status = "up";
    return wasDown ? [{ type: "up", node, incarnation }] : [];
  }

  #heardNew(known: PeerLife | undefined, node: string, incarnation: string, nowMs: number): LivenessEffect[] {
    if (known !== undefined && known.status !== "down" && known.incarnation > incarnation) {
      return []; // late words of an incarnation that was replaced
    }
    const effects = known === undefined || known.status === "down" ? [] : [this.#down(known, "replaced")];
    this.#peers.set(node, {
      node,
      incarnation,
      status: "up",
      heardAt: nowMs,
      deafSince: undefined,
      askedAt: Number.NEGATIVE_INFINITY,
      left: false,
    });
    return [...effects, { type: "up", node, incarnation }];
  }

  #goodbye(node: string, incarnation: string): LivenessEffect[] {
    const peer = this.#peers.get(node);
    if (peer === undefined || peer.incarnation !== incarnation || peer.left) {
      return [];
    }
    peer.left = true;
    return peer.status === "down" ? [] : [this.#down(peer, "left")];
  }

  #noResponders(node: string, incarnation: string): LivenessEffect[] {
    const peer = this.#peers.get(node);
    if (peer === undefined || peer.incarnation !== incarnation || peer.status !== "suspect") {
      return [];
    }
    if (this.#connectedForMs === undefined || this.#connectedForMs < this.#limits.reconnectGraceMs) {
      return [];
    }
    if (peer.deafSince === undefined) {
      peer.deafSince = peer.askedAt;
      return [];
    }
    return peer.askedAt > peer.deafSince ? [this.#down(peer, "no_responders")] : [];
  }

  #tick(connectedForMs: number | undefined, nowMs: number): LivenessEffect[] {
    const { heartbeatMs, reconnectGraceMs } = this.#limits;
    const lateMs = this.#lastTickAt === undefined ? 0 : nowMs - this.#lastTickAt - heartbeatMs;
    this.#lastTickAt = nowMs;
    if (connectedForMs === undefined) {
      if (this.#connectedForMs !== undefined) {
        this.#listeningSince = nowMs + reconnectGraceMs;
      }
    } else {
      this.#listeningSince = nowMs - connectedForMs;
    }
    this.#connectedForMs = connectedForMs;
    const effects: LivenessEffect[] = [];
    for (const peer of this.#peers.values()) {
      if (lateMs > heartbeatMs) {
        peer.heardAt = Math.min(nowMs, peer.heardAt + lateMs);
      }
      this.#judge(peer, nowMs, effects);
    }
    return effects;
  }

  #judge(peer: PeerLife, nowMs: number, effects: LivenessEffect[]): void {
    const { suspectAfterMs, failureTimeoutMs, probeIntervalMs } = this.#limits;
    const { node, incarnation } = peer;
    const silentMs = nowMs - Math.max(peer.heardAt, this.#listeningSince) + TIMER_GRAIN_MS;
    if (peer.status === "down") {
      if (silentMs > REMEMBERED_TIMEOUTS * failureTimeoutMs) {
        this.#peers.delete(node);
        effects.push({ type: "forgotten", node, incarnation });
      }
      return;
    }
    if (silentMs < suspectAfterMs) {
      return;
    }
    if (silentMs >= failureTimeoutMs) {
      effects.push(this.#down(peer, "silent"));
      return;
    }
    if (peer.status === "up") {
      peer.status = "suspect";
      effects.push({ type: "suspect", node, incarnation });
    }
    if (nowMs - peer.askedAt + TIMER_GRAIN_MS >= probeIntervalMs) {
      peer.askedAt = nowMs;
      effects.push({ type: "ask", node, incarnation });
    }
  }

  #down(peer: PeerLife, reason: DownReason): LivenessEffect {
    peer.status = "down";
    peer.deafSince = undefined;
    return { type: "down", node: peer.node, incarnation: peer.incarnation, reason };
  }
}
