/**
 * Who is alive: a pure failure detector over heartbeats.
 *
 * A silent node is first *suspect* and is asked on its incarnation's own subject. It is down
 *  - as soon as NATS has answered "no responders" twice, `probeIntervalMs` apart, on a connection of
 *    our own that has stood for `reconnectGraceMs` (after a nats-server restart, or while routes
 *    spread, live peers get that answer too);
 *  - else after `failureTimeoutMs` of silence;
 *  - at once when it said goodbye, or when a newer incarnation of it is heard.
 * Time counts in one's own ticks: when our own loop was late, everybody gets that time back before
 * anyone is suspected, and so it is while our own connection is away, up to `reconnectGraceMs`. Down means "connection lost": the same incarnation may come back.
 *
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
  /** Since when "no responders" has been the answer. */
  deafSince: number | undefined;
  /** When it was last asked. */
  askedAt: number;
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
  | { readonly type: "ask"; readonly node: string; readonly incarnation: string };

export type DownReason = "left" | "replaced" | "no_responders" | "silent";

type LivenessLimits = Pick<
  Limits,
  "heartbeatMs" | "suspectAfterMs" | "failureTimeoutMs" | "probeIntervalMs" | "reconnectGraceMs"
>;

/** A peer that is down is remembered this many failure timeouts, so that a late heartbeat is not news. */
const REMEMBERED_TIMEOUTS = 30;

export class Liveness {
  readonly #limits: LivenessLimits;
  readonly #peers = new Map<string, PeerLife>();
  #lastTickAt: number | undefined;
  #connectedForMs: number | undefined;
  #disconnectedAt: number | undefined;

  constructor(limits: LivenessLimits) {
    this.#limits = limits;
  }

  peers(): IterableIterator<PeerLife> {
    return this.#peers.values();
  }

  get(node: string): PeerLife | undefined {
    return this.#peers.get(node);
  }

  step(event: LivenessEvent, nowMs: number): LivenessEffect[] {
    switch (event.type) {
      case "heard":
        return this.#heard(event.node, event.incarnation, nowMs);
      case "goodbye":
        return this.#goodbye(event.node, event.incarnation);
      case "noResponders":
        return this.#noResponders(event.node, event.incarnation, nowMs);
      case "tick":
        return this.#tick(event.connectedForMs, nowMs);
    }
  }

  #heard(node: string, incarnation: string, nowMs: number): LivenessEffect[] {
    const known = this.#peers.get(node);
    if (known !== undefined && known.incarnation !== incarnation) {
      if (known.status !== "down" && known.incarnation > incarnation) {
        return []; // late words of an incarnation that was replaced
      }
      const effects = known.status === "down" ? [] : [this.#down(known, "replaced")];
      this.#peers.delete(node);
      return [...effects, ...this.#heard(node, incarnation, nowMs)];
    }
    const peer = known ?? {
      node,
      incarnation,
      status: "down",
      heardAt: nowMs,
      deafSince: undefined,
      askedAt: 0,
    };
    peer.heardAt = nowMs;
    peer.deafSince = undefined;
    this.#peers.set(node, peer);
    const wasDown = peer.status === "down";
    peer.status = "up";
    return wasDown ? [{ type: "up", node, incarnation }] : [];
  }

  #goodbye(node: string, incarnation: string): LivenessEffect[] {
    const peer = this.#peers.get(node);
    return peer === undefined || peer.incarnation !== incarnation || peer.status === "down"
      ? []
      : [this.#down(peer, "left")];
  }

  #noResponders(node: string, incarnation: string, nowMs: number): LivenessEffect[] {
    const peer = this.#peers.get(node);
    if (peer === undefined || peer.incarnation !== incarnation || peer.status !== "suspect") {
      return [];
    }
    if (this.#connectedForMs === undefined || this.#connectedForMs < this.#limits.reconnectGraceMs) {
      return [];
    }
    if (peer.deafSince === undefined) {
      peer.deafSince = nowMs;
      return [];
    }
    return nowMs - peer.deafSince >= this.#limits.probeIntervalMs ? [this.#down(peer, "no_responders")] : [];
  }

  #tick(connectedForMs: number | undefined, nowMs: number): LivenessEffect[] {
    const { heartbeatMs } = this.#limits;
    const lateMs = this.#lastTickAt === undefined ? 0 : nowMs - this.#lastTickAt - heartbeatMs;
    this.#lastTickAt = nowMs;
    this.#connectedForMs = connectedForMs;
    this.#disconnectedAt = connectedForMs === undefined ? (this.#disconnectedAt ?? nowMs) : undefined;
    const away =
      this.#disconnectedAt !== undefined && nowMs - this.#disconnectedAt <= this.#limits.reconnectGraceMs;
    const effects: LivenessEffect[] = [];
    for (const peer of this.#peers.values()) {
      // What we did not hear while we did not listen, or could not, is no one's silence.
      if (lateMs > heartbeatMs) {
        peer.heardAt += lateMs;
      } else if (away) {
        peer.heardAt += heartbeatMs;
      }
      effects.push(...this.#judge(peer, nowMs));
    }
    return effects;
  }

  #judge(peer: PeerLife, nowMs: number): LivenessEffect[] {
    const { suspectAfterMs, failureTimeoutMs, probeIntervalMs } = this.#limits;
    const { node, incarnation } = peer;
    const silentMs = nowMs - peer.heardAt;
    if (peer.status === "down") {
      if (silentMs > REMEMBERED_TIMEOUTS * failureTimeoutMs) {
        this.#peers.delete(node);
      }
      return [];
    }
    if (silentMs < suspectAfterMs) {
      return [];
    }
    if (silentMs >= failureTimeoutMs) {
      return [this.#down(peer, "silent")];
    }
    const effects: LivenessEffect[] = [];
    if (peer.status === "up") {
      peer.status = "suspect";
      effects.push({ type: "suspect", node, incarnation });
    }
    if (nowMs - peer.askedAt >= probeIntervalMs) {
      peer.askedAt = nowMs;
      effects.push({ type: "ask", node, incarnation });
    }
    return effects;
  }

  #down(peer: PeerLife, reason: DownReason): LivenessEffect {
    peer.status = "down";
    peer.deafSince = undefined;
    return { type: "down", node: peer.node, incarnation: peer.incarnation, reason };
  }
}
