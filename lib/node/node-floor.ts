/**
 * The node floor: this node among the others.
 *
 * It beats, listens to beats, keeps one `Peer` per incarnation it has heard of, and is the `Remote`
 * through which the actor floor reaches other nodes. What is bound for one peer in one turn of the
 * event loop leaves as one NATS message.
 */
import type { MonitorRef } from "../actor/info.ts";
import { type Pid, parsePid } from "../actor/pid.ts";
import type { Process } from "../actor/process.ts";
import { nodeOf, type Remote, type RemoteTarget } from "../actor/remote.ts";
import type { ActorSystem } from "../actor/system.ts";
import type { Watcher } from "../actor/ties.ts";
import type { Timer } from "../base/clock.ts";
import { messageOf, SupercastError } from "../base/errors.ts";
import type { ExitReason } from "../base/reason.ts";
import { publishEvent } from "../telemetry/events.ts";
import type { IncomingMessage, Subscription, Transport } from "../transport/transport.ts";
import { readBatch } from "../wire/batch.ts";
import { receiveBatch, receiveCount } from "./connection.ts";
import { handleItem, type ItemHandlers } from "./dispatch.ts";
import { OP, readHeader, type WireTarget } from "./envelope.ts";
import { decodeHeartbeat, encodeHeartbeat, type Heartbeat, type HeartbeatKind } from "./heartbeat.ts";
import { type DownReason, Liveness, type LivenessEffect, type LivenessEvent } from "./liveness.ts";
import { Peer, type PeerHost } from "./peer.ts";
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

export class NodeFloor implements Remote, PeerHost {
  readonly system: ActorSystem;
  readonly sender: Buffer;
  readonly #transport: Transport;
  readonly #subjects: Subjects;
  readonly #handlers: ItemHandlers;
  readonly #liveness: Liveness;
  /** By name: the incarnation that counts at present. */
  readonly #peers = new Map<string, Peer>();
  readonly #listeners = new Set<(event: NodeEvent) => void>();
  readonly #subscriptions: Subscription[] = [];
  #flushQueue: Peer[] = [];
  #beatTimer: Timer | undefined;
  #beatSoon = false;
  #stopTransportEvents: (() => void) | undefined;
  #stopped = false;
  readonly #stats = { batchesIn: 0, batchesOut: 0, itemsIn: 0, invalid: 0, stale: 0, connectionBreaks: 0 };

  readonly #flushAll = (): void => {
    const queue = this.#flushQueue;
    this.#flushQueue = [];
    for (const peer of queue) {
      peer.flush();
    }
  };

  constructor(options: NodeFloorOptions) {
    this.system = options.system;
    this.#transport = options.transport;
    this.#subjects = options.subjects;
    this.#handlers = options.handlers ?? { groups: () => undefined };
    this.sender = Buffer.from(`${this.system.node}/${this.system.incarnation}`, "latin1");
    this.#liveness = new Liveness(this.system.limits);
  }

  get stats(): NodeFloorStats {
    return { ...this.#stats };
  }

  // --- start and stop ---------------------------------------------------------------------------

  /** Subscribes, says hello, and begins to beat. From now on other nodes can reach this one. */
  start(): void {
    const { node, incarnation } = this.system;
    const subjects = this.#subjects;
    this.system.remote = this;
    const listen = (subject: string, handler: (message: IncomingMessage) => void): void => {
      this.#subscriptions.push(this.#transport.subscribe(subject, handler));
    };
    listen(subjects.inbound(node, incarnation), (message) => this.#receive(message));
    listen(subjects.probe(node, incarnation), (message) => message.respond(message.payload));
    listen(subjects.who(node), (message) => message.respond(Buffer.from(incarnation)));
    listen(subjects.heartbeat("*"), (message) => this.#receiveHeartbeat(message));
    this.#stopTransportEvents = this.#transport.onEvent((event) => {
      if (event.type === "disconnected") {
        this.#disconnected();
      } else if (event.type === "connected" || event.type === "reconnected") {
        this.#publishHeartbeat("hello");
      }
    });
    this.#publishHeartbeat("hello");
    this.#scheduleBeat();
  }

  /** Says goodbye, so that nobody has to find out, and lets go of every peer. */
  stop(): void {
    if (this.#stopped) {
      return;
    }
    this.#flushAll();
    this.#publishHeartbeat("bye");
    this.#stopped = true;
    if (this.#beatTimer !== undefined) {
      this.system.clock.clearTimer(this.#beatTimer);
    }
    this.#stopTransportEvents?.();
    for (const subscription of this.#subscriptions) {
      subscription.unsubscribe();
    }
    for (const peer of this.#peers.values()) {
      peer.broken("this node stops", new SupercastError("noconnection", "this node stops"));
    }
  }

  /** Peers that are up or merely suspect. */
  liveNodes(): { readonly node: string; readonly incarnation: string; readonly status: "up" | "suspect" }[] {
    return [...this.#liveness.peers()].flatMap(({ node, incarnation, status }) =>
      status === "down" ? [] : [{ node, incarnation, status }],
    );
  }

  isUp(node: string): boolean {
    return node === this.system.node || this.#upPeer(node) !== undefined;
  }

  onNodeEvent(listener: (event: NodeEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
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

  /** Sends a change of group membership to every live peer, or to one. */
  sendGroups(change: unknown, only?: string): void {
    for (const peer of this.#peers.values()) {
      if ((only === undefined || only === peer.node) && this.isUp(peer.node)) {
        peer.signal([OP.groups, change]);
      }
    }
  }

  // --- heartbeats -------------------------------------------------------------------------------

  #scheduleBeat(): void {
    this.#beatTimer = this.system.clock.setTimer(() => {
      this.#beat();
      if (!this.#stopped) {
        this.#scheduleBeat();
      }
    }, this.system.limits.heartbeatMs);
  }

  #beat(): void {
    this.#publishHeartbeat("beat");
    const { connectedAt } = this.#transport;
    const connectedForMs = connectedAt === undefined ? undefined : this.system.clock.now() - connectedAt;
    this.#live({ type: "tick", connectedForMs });
  }

  #publishHeartbeat(kind: HeartbeatKind): void {
    if (!this.#transport.connected || this.#stopped) {
      return;
    }
    const { node, incarnation } = this.system;
    const connections = [...this.#peers.values()].map(
      ({ node, incarnation, connection: { number, sent } }) => ({
        node,
        incarnation,
        number,
        sent,
      }),
    );
    try {
      this.#transport.publish(
        this.#subjects.heartbeat(node),
        encodeHeartbeat({ kind, node, incarnation, connections }),
      );
    } catch (thrown) {
      this.system.log.warn(`a heartbeat could not be published: ${messageOf(thrown)}`);
    }
  }

  /** Beats once more in this turn, because somebody should know something at once. */
  #beatNow(): void {
    if (!this.#beatSoon) {
      this.#beatSoon = true;
      this.system.clock.immediate(() => {
        this.#beatSoon = false;
        this.#publishHeartbeat("beat");
      });
    }
  }

  #receiveHeartbeat(message: IncomingMessage): void {
    let beat: Heartbeat;
    try {
      beat = decodeHeartbeat(message.payload);
    } catch (thrown) {
      this.#invalid(`heartbeat on ${message.subject}`, thrown);
      return;
    }
    const { node, incarnation } = beat;
    if (node === this.system.node) {
      if (incarnation > this.system.incarnation) {
        this.#emit({ type: "nameConflict", incarnation });
      }
      return;
    }
    if (beat.kind === "bye") {
      this.#live({ type: "goodbye", node, incarnation });
      return;
    }
    this.#live({ type: "heard", node, incarnation });
    const peer = this.#peers.get(node);
    if (peer?.incarnation !== incarnation) {
      return;
    }
    const ours = beat.connections.find(
      (each) => each.node === this.system.node && each.incarnation === this.system.incarnation,
    );
    if (ours !== undefined) {
      this.#judge(peer, receiveCount(peer.connection, ours.number, ours.sent));
    }
    if (beat.kind === "hello") {
      this.#beatNow();
    }
  }

  // --- liveness ---------------------------------------------------------------------------------

  #live(event: LivenessEvent): void {
    for (const effect of this.#liveness.step(event, this.system.clock.now())) {
      this.#applyLiveness(effect);
    }
  }

  #applyLiveness(effect: LivenessEffect): void {
    const { node, incarnation } = effect;
    const about = { node: this.system.node, peer: node, incarnation };
    switch (effect.type) {
      case "up":
        if (this.#peers.get(node)?.incarnation !== incarnation) {
          this.#peers.set(node, new Peer(this, node, incarnation));
        }
        publishEvent("supercast:node:up", () => about);
        this.system.log.info(`node ${node} is up`, { incarnation });
        this.#emit({ type: "nodeUp", node, incarnation });
        this.#beatNow();
        break;
      case "suspect":
        publishEvent("supercast:node:suspect", () => about);
        this.#emit({ type: "nodeSuspect", node, incarnation });
        break;
      case "down":
        publishEvent("supercast:node:down", () => ({ ...about, reason: effect.reason }));
        this.system.log[effect.reason === "left" ? "info" : "warn"](
          `node ${node} is down: ${effect.reason}`,
          {
            incarnation,
          },
        );
        this.#peerDown(node, incarnation, effect.reason);
        this.#emit({ type: "nodeDown", node, incarnation, reason: effect.reason });
        break;
      case "ask":
        this.#ask(node, incarnation);
        break;
    }
  }

  #peerDown(node: string, incarnation: string, reason: DownReason): void {
    const peer = this.#peers.get(node);
    if (peer === undefined || peer.incarnation !== incarnation) {
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

  #ask(node: string, incarnation: string): void {
    const { failureTimeoutMs } = this.system.limits;
    this.#transport
      .request(this.#subjects.probe(node, incarnation), EMPTY, { timeoutMs: failureTimeoutMs })
      .then(
        () => this.#live({ type: "heard", node, incarnation }),
        (error: unknown) => {
          // Only "nobody subscribes" says something; a timeout or a lost connection leaves it to the clock.
          if (error instanceof SupercastError && error.code === "noproc") {
            this.#live({ type: "noResponders", node, incarnation });
          }
        },
      );
  }

  #emit(event: NodeEvent): void {
    for (const listener of [...this.#listeners]) {
      listener(event);
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

  #receive(message: IncomingMessage): void {
    const { payload } = message;
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    try {
      const header = readHeader(bytes);
      const peer = this.#senderOf(header.sender);
      if (peer === undefined) {
        this.#stats.stale += 1;
        return;
      }
      this.#stats.batchesIn += 1;
      if (this.#judge(peer, receiveBatch(peer.connection, header.number, header.count))) {
        this.#receiveItems(peer, bytes, header.itemsAt);
      }
    } catch (thrown) {
      this.#invalid("batch", thrown);
    }
  }

  #receiveItems(peer: Peer, bytes: Buffer, itemsAt: number): void {
    readBatch(bytes, itemsAt, {
      onValue: (item) => {
        this.#stats.itemsIn += 1;
        if (!Array.isArray(item) || !handleItem(this.system, peer, item, this.#handlers)) {
          this.#invalid(`item of ${peer.node}`, new SupercastError("invalid_message", "it makes no sense"));
        }
      },
      onFailure: (error) => this.#invalid(`item of ${peer.node}`, error),
    });
  }

  /** The peer a batch came from; undefined for words of an incarnation that counts no more. */
  #senderOf(sender: string): Peer | undefined {
    const slash = sender.indexOf("/");
    const node = sender.slice(0, slash);
    const incarnation = sender.slice(slash + 1);
    if (slash <= 0 || incarnation === "") {
      throw new SupercastError("invalid_message", `a batch from ${JSON.stringify(sender)}`);
    }
    if (node === this.system.node) {
      return undefined;
    }
    this.#live({ type: "heard", node, incarnation });
    const peer = this.#peers.get(node);
    return peer?.incarnation === incarnation ? peer : undefined;
  }

  /** Acts on what the counts say; answers whether the batch that brought them is to be handled. */
  #judge(peer: Peer, verdict: ReturnType<typeof receiveBatch> | "intact"): boolean {
    switch (verdict) {
      case "accept":
      case "intact":
        return true;
      case "late":
      case "duplicate":
        this.#stats.stale += 1;
        return false;
      case "renewed":
      case "gap": {
        const why = verdict === "gap" ? "a message was lost" : "the other side noticed a loss";
        peer.broken(why, new SupercastError("noconnection", `the connection to ${peer.node} broke: ${why}`));
        this.connectionBroken(peer);
        return verdict === "renewed";
      }
    }
  }

  #invalid(what: string, thrown: unknown): void {
    this.#stats.invalid += 1;
    this.system.drop("invalid_message", what);
    this.system.log.warn(`${what} is invalid and was dropped: ${messageOf(thrown)}`);
  }

  // --- PeerHost ---------------------------------------------------------------------------------

  get maxBatchBytes(): number {
    return Math.min(this.system.limits.batchBytes, this.#transport.maxPayload - PAYLOAD_RESERVE_BYTES);
  }

  sendProblem(): "noconnection" | "overload" | undefined {
    if (!this.#transport.connected || this.#stopped) {
      return "noconnection";
    }
    const { outboundBytes, batchBytes } = this.system.limits;
    return this.#transport.pendingBytes > outboundBytes - 2 * batchBytes ? "overload" : undefined;
  }

  publish(peer: Peer, batch: Uint8Array): void {
    this.#transport.publish(this.#subjects.inbound(peer.node, peer.incarnation), batch);
    this.#stats.batchesOut += 1;
  }

  scheduleFlush(peer: Peer): void {
    if (this.#flushQueue.push(peer) === 1) {
      this.system.clock.immediate(this.#flushAll);
    }
  }

  connectionBroken(peer: Peer): void {
    this.#stats.connectionBreaks += 1;
    const { node, incarnation, connection } = peer;
    this.system.log.warn(`the connection to ${node} broke`, { number: connection.number });
    this.#emit({ type: "connectionBroken", node, incarnation });
    this.#beatNow();
  }

  // --- Remote -----------------------------------------------------------------------------------

  cast(target: RemoteTarget, message: object): void {
    this.#castOr(OP.cast, target, message);
  }

  send(target: RemoteTarget, body: unknown): void {
    this.#castOr(OP.send, target, body);
  }

  #castOr(op: typeof OP.cast | typeof OP.send, target: RemoteTarget, message: unknown): void {
    const found = this.#find(target);
    if (typeof found === "string") {
      this.system.drop(found, nodeOf(target));
    } else {
      found.peer.cast(op, found.target, message);
    }
  }

  call(target: RemoteTarget, message: object, timeoutMs: number, caller: Pid | undefined): Promise<unknown> {
    const found = this.#find(target);
    if (found === "noproc") {
      return Promise.reject(new SupercastError("noproc", `${describe(target)}: that incarnation is gone`));
    }
    if (found === "noconnection") {
      return Promise.reject(new SupercastError("nodedown", `node ${nodeOf(target)} is not up`));
    }
    return found.peer.call(found.target, message, timeoutMs, caller);
  }

  link(from: Pid, to: Pid): void {
    const found = this.#find(to);
    if (typeof found !== "string") {
      found.peer.link(serial(from), to);
      return;
    }
    const process = this.system.processAt(from);
    if (process !== undefined) {
      this.system.signals.linkBroken(process, to, found);
    }
  }

  unlink(from: Pid, to: Pid): void {
    this.#withPeer(to, (peer) => peer.unlink(serial(from), to));
  }

  linkExit(from: Pid, to: Pid, reason: ExitReason): void {
    this.#withPeer(to, (peer) => peer.linkExit(serial(from), to, reason));
  }

  exit(from: Pid, to: Pid, reason: ExitReason): void {
    this.#withPeer(to, (peer) => peer.exit(serial(from), to, reason));
  }

  monitor(watcher: Watcher, ref: MonitorRef, target: RemoteTarget): () => void {
    const found = this.#find(target);
    if (typeof found === "string") {
      watcher.deliverDown({ type: "down", ref, target, reason: found });
      return () => undefined;
    }
    return found.peer.monitor(watcher, ref, target, found.target);
  }

  #withPeer(target: Pid, act: (peer: Peer) => void): void {
    const found = this.#find(target);
    if (typeof found !== "string") {
      act(found.peer);
    }
  }

  /** The peer behind a target and how the target is named there, or why there is none. */
  #find(
    target: RemoteTarget,
  ): { readonly peer: Peer; readonly target: WireTarget } | "noproc" | "noconnection" {
    if (typeof target !== "string") {
      const peer = this.#upPeer(target.node);
      return peer === undefined ? "noconnection" : { peer, target: target.name };
    }
    const parts = parsePid(target);
    if (parts === undefined || parts.node === this.system.node) {
      return "noproc"; // an earlier incarnation of this node
    }
    const peer = this.#upPeer(parts.node);
    if (peer === undefined) {
      return "noconnection";
    }
    return peer.incarnation === parts.incarnation ? { peer, target: parts.serial } : "noproc";
  }

  #upPeer(node: string): Peer | undefined {
    const status = this.#liveness.get(node)?.status;
    return status === "up" || status === "suspect" ? this.#peers.get(node) : undefined;
  }
}

const EMPTY = new Uint8Array(0);

function serial(pid: Pid): number {
  return Number(pid.slice(pid.lastIndexOf("/") + 1));
}

function describe(target: RemoteTarget): string {
  return typeof target === "string" ? target : `${target.name}@${target.node}`;
}
