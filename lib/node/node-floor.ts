/**
 * The node floor: this node among the others.
 *
 * It beats and listens to beats (`pulse.ts`), keeps one `Peer` per incarnation it has heard of, takes in
 * what they send (`inbound.ts`), and is what the actor floor reaches other nodes through (`reach.ts`).
 * When what is bound for a peer leaves, `departures.ts` says.
 */
import { Listeners } from "../actor/listeners.ts";
import type { Process } from "../actor/process.ts";
import type { ActorSystem } from "../actor/system.ts";
import { messageOf, SupercastError } from "../base/errors.ts";
import { publishEvent } from "../telemetry/events.ts";
import type { IncomingMessage, Subscription, Transport } from "../transport/transport.ts";
import { receiveCount } from "./connection.ts";
import { Departures } from "./departures.ts";
import type { ItemHandlers } from "./dispatch.ts";
import { OP } from "./envelope.ts";
import type { ConnectionCount, Heartbeat } from "./heartbeat.ts";
import { Inbound } from "./inbound.ts";
import type { DownReason, LivenessEffect } from "./liveness.ts";
import { Peer, type PeerHost } from "./peer.ts";
import { Pulse } from "./pulse.ts";
import { Reach } from "./reach.ts";
import type { Subjects } from "./subjects.ts";

export type NodeEvent =
  | { readonly type: "nodeUp"; readonly node: string; readonly incarnation: string }
  | { readonly type: "nodeSuspect"; readonly node: string; readonly incarnation: string }
  | {
      readonly type: "nodeDown";
      readonly node: string;
      readonly incarnation: string;
      readonly reason: DownReason;
    }
  /** Something was lost on the way from or to that node, or could have been. */
  | { readonly type: "connectionBroken"; readonly node: string; readonly incarnation: string }
  /** A younger incarnation runs under this node's own name: this one has to give way. */
  | { readonly type: "nameConflict"; readonly incarnation: string };

export interface NodeFloorOptions {
  readonly system: ActorSystem;
  readonly transport: Transport;
  readonly subjects: Subjects;
  readonly handlers?: ItemHandlers;
}

export interface NodeFloorStats {
  readonly batchesIn: number;
  readonly batchesOut: number;
  readonly itemsIn: number;
  /** Batches and items that could not be read or made no sense. */
  readonly invalid: number;
  /** Batches from before a break, or had already. */
  readonly stale: number;
  readonly connectionBreaks: number;
}

/** Room that a NATS message needs beside the batch. */
const PAYLOAD_RESERVE_BYTES = 1024;
/** Forgotten incarnations whose connection numbers are kept, should they come back after all. */
const RETIRED_NUMBERS = 10_000;

export class NodeFloor {
  readonly system: ActorSystem;
  readonly #transport: Transport;
  readonly #subjects: Subjects;
  readonly #pulse: Pulse;
  readonly #inbound: Inbound;
  readonly #peerHost: PeerHost;
  /** By name: the incarnation that counts at present. */
  readonly #peers = new Map<string, Peer>();
  readonly #retired = new Map<string, number>();
  readonly #listeners: Listeners<NodeEvent>;
  readonly #reconnectListeners: Listeners<undefined>;
  readonly #subscriptions: Subscription[] = [];
  readonly #departures: Departures;
  #stopTransportEvents: (() => void) | undefined;
  #stopped = false;
  readonly #stats = { batchesOut: 0, invalid: 0, connectionBreaks: 0 };

  constructor({ system, transport, subjects, handlers = { groups: () => undefined } }: NodeFloorOptions) {
    this.system = system;
    this.#transport = transport;
    this.#subjects = subjects;
    this.#departures = new Departures(system.clock);
    this.#listeners = new Listeners(system.log);
    this.#reconnectListeners = new Listeners(system.log);
    const invalid = (what: string, thrown: unknown): void => this.#invalid(what, thrown);
    const connectionBroken = (peer: Peer): void => this.#connectionBroken(peer);
    this.#peerHost = {
      system,
      sender: Buffer.from(`${system.node}/${system.incarnation}`, "latin1"),
      subjects,
      maxBatchBytes: Math.min(system.limits.batchBytes, transport.maxPayload - PAYLOAD_RESERVE_BYTES),
      sendProblem: () => this.#sendProblem(),
      publish: (peer, batch) => this.#publish(peer, batch),
      scheduleFlush: (peer) => this.#departures.add(peer),
      connectionBroken,
    };
    this.#inbound = new Inbound({
      system,
      handlers,
      invalid,
      connectionBroken,
      sender: (node, incarnation) => this.#senderOf(node, incarnation),
    });
    this.#pulse = new Pulse({
      system,
      transport,
      subjects,
      invalid,
      connections: () => this.#connections(),
      liveness: (effect) => this.#onLiveness(effect),
      heartbeat: (beat) => this.#onHeartbeat(beat),
      namesake: (incarnation) => this.#onNamesake(incarnation),
    });
  }

  get stats(): NodeFloorStats {
    return { ...this.#inbound.stats, ...this.#stats };
  }

  // --- start and stop ---------------------------------------------------------------------------

  /** Subscribes, says hello, and begins to beat. From now on other nodes can reach this one. */
  start(): void {
    const { node, incarnation } = this.system;
    const subjects = this.#subjects;
    this.system.remote = new Reach(this.system, (name) => this.#upPeer(name));
    const listen = (subject: string, handler: (message: IncomingMessage) => void): void => {
      this.#subscriptions.push(this.#transport.subscribe(subject, handler));
    };
    listen(subjects.inbound(node, incarnation), (message) => this.#receive(message));
    listen(subjects.probe(node, incarnation), (message) => message.respond(message.payload));
    listen(subjects.who(node), (message) => message.respond(Buffer.from(incarnation)));
    listen(subjects.heartbeat("*"), (message) => this.#pulse.receive(message));
    this.#stopTransportEvents = this.#transport.onEvent((event) => {
      if (event.type === "disconnected" || event.type === "closed") {
        this.#disconnected();
      } else if (event.type === "connected" || event.type === "reconnected") {
        this.#pulse.publish("hello");
        this.#reconnectListeners.emit(undefined);
      }
    });
    this.#pulse.start();
  }

  /** Says goodbye, so that nobody has to find out, and lets go of every peer. Harmless when repeated. */
  stop(): void {
    if (this.#stopped) {
      return;
    }
    this.#departures.leave();
    this.#pulse.stop();
    this.#stopped = true;
    this.#stopTransportEvents?.();
    for (const subscription of this.#subscriptions) {
      subscription.unsubscribe();
    }
    for (const peer of this.#peers.values()) {
      peer.breakQuietly("this node stops", new SupercastError("noconnection", "this node stops"));
    }
  }

  // --- who is there -----------------------------------------------------------------------------

  /** Peers that are up or merely suspect. */
  liveNodes(): { readonly node: string; readonly incarnation: string; readonly status: "up" | "suspect" }[] {
    return [...this.#pulse.peers()].flatMap(({ node, incarnation, status }) =>
      status === "down" ? [] : [{ node, incarnation, status }],
    );
  }

  isUp(node: string): boolean {
    return node === this.system.node || this.#pulse.isUp(node);
  }

  /** Calls `listener` for every event from now on; returns what stops it. One that throws is logged. */
  onNodeEvent(listener: (event: NodeEvent) => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Calls `listener` when this node's own connection to NATS stands again. */
  onReconnected(listener: () => void): () => void {
    return this.#reconnectListeners.add(listener);
  }

  /** Sends nodeUp and nodeDown of all nodes to `process` as infos, until it ends. */
  monitorNodes(process: Process): void {
    const stop = this.onNodeEvent((event) => {
      if (event.type === "nodeUp" || event.type === "nodeDown") {
        process.pushInfo(event);
      }
    });
    process.onEnd(stop);
  }

  /**
   * Sends a change of group membership to every live peer, or to one. What cannot be sent while this node
   * is cut off is made up for by the snapshots after its return.
   */
  sendGroups(change: unknown, only?: string): void {
    if (this.#sendProblem() === "noconnection") {
      return;
    }
    for (const peer of this.#peers.values()) {
      if ((only === undefined || only === peer.node) && this.#pulse.isUp(peer.node)) {
        peer.signal([OP.groups, change]);
      }
    }
  }

  /** Bytes that one batch between nodes may take. */
  get maxBatchBytes(): number {
    return this.#peerHost.maxBatchBytes;
  }

  #upPeer(node: string): Peer | undefined {
    return this.#pulse.isUp(node) ? this.#peers.get(node) : undefined;
  }

  // --- liveness ---------------------------------------------------------------------------------

  #onLiveness(effect: Exclude<LivenessEffect, { type: "ask" }>): void {
    const { node, incarnation } = effect;
    const about = { node: this.system.node, peer: node, incarnation };
    switch (effect.type) {
      case "up":
        this.#keepPeer(node, incarnation);
        publishEvent("supercast:node:up", () => about);
        this.system.log.info(`node ${node} is up`, { incarnation });
        this.#listeners.emit({ type: "nodeUp", node, incarnation });
        this.#pulse.beatNow();
        break;
      case "suspect":
        publishEvent("supercast:node:suspect", () => about);
        this.#listeners.emit({ type: "nodeSuspect", node, incarnation });
        break;
      case "down":
        publishEvent("supercast:node:down", () => ({ ...about, reason: effect.reason }));
        this.system.log.warn(`node ${node} is down: ${effect.reason}`, { incarnation });
        this.#peerDown(node, incarnation, effect.reason);
        this.#listeners.emit({ type: "nodeDown", node, incarnation, reason: effect.reason });
        break;
      case "forgotten":
        this.#forget(node, incarnation);
        break;
    }
  }

  #keepPeer(node: string, incarnation: string): void {
    if (this.#peers.get(node)?.incarnation !== incarnation) {
      const key = `${node}/${incarnation}`;
      const number = this.#retired.get(key);
      this.#retired.delete(key);
      this.#peers.set(node, new Peer(this.#peerHost, node, incarnation, number));
    }
  }

  #peerDown(node: string, incarnation: string, reason: DownReason): void {
    const peer = this.#peers.get(node);
    if (peer?.incarnation !== incarnation) {
      return;
    }
    peer.breakQuietly(
      `node down: ${reason}`,
      new SupercastError("nodedown", `node ${node} went down (${reason})`),
    );
    if (reason === "replaced" || reason === "left") {
      this.#peers.delete(node);
    }
  }

  /** Should that incarnation come back all the same, it must not mistake our new count for the old one. */
  #forget(node: string, incarnation: string): void {
    const peer = this.#peers.get(node);
    if (peer?.incarnation !== incarnation) {
      return;
    }
    this.#peers.delete(node);
    this.#retired.set(`${node}/${incarnation}`, peer.connection.number);
    for (const oldest of this.#retired.keys()) {
      if (this.#retired.size <= RETIRED_NUMBERS) {
        return;
      }
      this.#retired.delete(oldest);
    }
  }

  // --- heartbeats -------------------------------------------------------------------------------

  #connections(): ConnectionCount[] {
    return [...this.#peers.values()].map(({ node, incarnation, connection: { number, sent } }) => ({
      node,
      incarnation,
      number,
      sent,
    }));
  }

  #onHeartbeat({ node, incarnation, connections }: Heartbeat): void {
    const peer = this.#peers.get(node);
    if (peer?.incarnation !== incarnation) {
      return;
    }
    const { system } = this;
    const ours = connections.find(
      (each) => each.node === system.node && each.incarnation === system.incarnation,
    );
    if (ours !== undefined) {
      const proofMs = system.limits.heartbeatMs / 2;
      const verdict = receiveCount(peer.connection, ours.number, ours.sent, system.clock.now(), proofMs);
      this.#inbound.judge(peer, verdict);
    }
  }

  #onNamesake(incarnation: string): void {
    if (incarnation > this.system.incarnation) {
      this.#listeners.emit({ type: "nameConflict", incarnation });
    }
  }

  #disconnected(): void {
    for (const peer of this.#peers.values()) {
      peer.failCalls(
        new SupercastError("noconnection", "the connection to NATS broke; the outcome is unknown"),
      );
    }
  }

  // --- batches ----------------------------------------------------------------------------------

  #senderOf(node: string, incarnation: string): Peer | undefined {
    this.#pulse.heard(node, incarnation);
    const peer = this.#upPeer(node);
    return peer?.incarnation === incarnation ? peer : undefined;
  }

  #sendProblem(): "noconnection" | "overload" | undefined {
    if (!this.#transport.connected || this.#stopped) {
      return "noconnection";
    }
    const { outboundBytes, batchBytes } = this.system.limits;
    return this.#transport.pendingBytes > outboundBytes - 2 * batchBytes ? "overload" : undefined;
  }

  #publish(peer: Peer, batch: Uint8Array): void {
    this.#transport.publish(peer.inbound, batch);
    this.#stats.batchesOut += 1;
  }

  /** Takes in a batch and runs whom it made ready. */
  #receive(message: IncomingMessage): void {
    const { scheduler } = this.system;
    scheduler.hold();
    try {
      this.#inbound.receive(message);
    } finally {
      scheduler.release();
    }
  }

  #connectionBroken({ node, incarnation, connection }: Peer): void {
    this.#stats.connectionBreaks += 1;
    this.system.log.warn(`the connection to ${node} broke`, { number: connection.number });
    this.#listeners.emit({ type: "connectionBroken", node, incarnation });
    this.#pulse.beatNow();
  }

  #invalid(what: string, thrown: unknown): void {
    this.#stats.invalid += 1;
    this.system.drop("invalid_message", what);
    this.system.log.warn(`${what} is invalid and was dropped: ${messageOf(thrown)}`);
  }
}
