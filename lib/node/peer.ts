/**
 * Another incarnation of a node, as this one deals with it: the batch being filled for it, the state of
 * the connection, and all that hangs on that connection on our side (open calls, monitors, links).
 *
 * When the connection breaks, all of it is told so at once: `noconnection` (otp 89).
 */

import type { Down, MonitorRef } from "../actor/info.ts";
import { makePid, type Pid } from "../actor/pid.ts";
import { type ActorSystem, asInvalidMessage } from "../actor/system.ts";
import type { Watcher } from "../actor/ties.ts";
import { SupercastError } from "../base/errors.ts";
import { abnormal, type ExitReason } from "../base/reason.ts";
import { publishEvent } from "../telemetry/events.ts";
import { BatchWriter } from "../wire/batch.ts";
import { breakConnection, type ConnectionState, newConnection } from "./connection.ts";
import { headerBytes, type Item, OP, type WireTarget, writeHeader } from "./envelope.ts";
import { OutgoingCall } from "./remote-call.ts";

/** What a peer needs of the node it belongs to. */
export interface PeerHost {
  readonly system: ActorSystem;
  /** "node/incarnation" of this node, in ascii. */
  readonly sender: Buffer;
  readonly maxBatchBytes: number;
  /** Whether something can be sent at present: "noconnection" or "overload" when not. */
  sendProblem(): "noconnection" | "overload" | undefined;
  /** Puts a batch on the peer's in-bound subject; throws a SupercastError when it cannot. */
  publish(peer: Peer, batch: Uint8Array): void;
  /** Asks for `flush()` at the end of this turn. */
  scheduleFlush(peer: Peer): void;
  /** The connection broke: the other side must learn of it soon. */
  connectionBroken(peer: Peer): void;
}

export class Peer {
  readonly node: string;
  readonly incarnation: string;
  readonly connection: ConnectionState = newConnection();
  readonly #host: PeerHost;
  readonly #writer: BatchWriter;
  #flushing = false;
  #lastCallId = 0;
  readonly #calls = new Map<number, OutgoingCall>();
  readonly #monitors = new Map<MonitorRef, { readonly watcher: Watcher; readonly target: Down["target"] }>();
  /** Monitors of the peer's processes on ours, each with what takes it back. */
  readonly #watchedByPeer = new Map<MonitorRef, () => void>();
  /** Our processes' links into the peer: local serial to remote pids. */
  readonly #links = new Map<number, Set<Pid>>();

  constructor(host: PeerHost, node: string, incarnation: string) {
    this.#host = host;
    this.node = node;
    this.incarnation = incarnation;
    this.#writer = new BatchWriter(host.maxBatchBytes, headerBytes(host.sender));
  }

  get openCalls(): number {
    return this.#calls.size;
  }

  pidOf(serial: number): Pid {
    return makePid(this.node, this.incarnation, serial);
  }

  // --- sending ----------------------------------------------------------------------------------

  cast(op: typeof OP.cast | typeof OP.send, target: WireTarget, message: unknown): void {
    const problem = this.#host.sendProblem();
    if (problem !== undefined) {
      this.#host.system.drop(problem, this.#label(target));
      return;
    }
    try {
      this.#add([op, target, message]);
    } catch (thrown) {
      const error = asInvalidMessage(thrown);
      this.#host.system.drop(
        error.code === "payload_too_large" ? "payload_too_large" : "invalid_message",
        this.#label(target),
      );
      this.#host.system.log.warn(`a cast to ${this.#label(target)} was dropped: ${error.message}`);
    }
  }

  call(target: WireTarget, message: object, timeoutMs: number, caller: Pid | undefined): Promise<unknown> {
    const { system } = this.#host;
    const problem = this.#calls.size >= system.limits.openCalls ? "overload" : this.#host.sendProblem();
    if (problem !== undefined) {
      return Promise.reject(new SupercastError(problem, `${this.#label(target)}: nothing was sent`));
    }
    return new Promise((resolve, reject) => {
      this.#lastCallId += 1;
      const call = new OutgoingCall(this, this.#lastCallId, this.#label(target), caller, resolve, reject);
      try {
        this.#add([OP.call, call.id, target, message, caller === undefined ? null : serialOf(caller)]);
      } catch (thrown) {
        reject(asInvalidMessage(thrown));
        return;
      }
      this.#calls.set(call.id, call);
      system.deadlines.add(call, timeoutMs);
    });
  }

  sendReply(id: number, value: unknown): void {
    try {
      this.signal([OP.reply, id, value]);
    } catch (thrown) {
      this.sendError(id, asInvalidMessage(thrown));
    }
  }

  /** An error answer always gets through the codec, if need be without its details. */
  sendError(id: number, error: SupercastError): void {
    try {
      this.signal([OP.error, id, error.toData()]);
    } catch (thrown) {
      this.#host.system.log.warn(`the details of an error answer cannot travel: ${String(thrown)}`);
      this.signal([OP.error, id, { code: error.code, message: error.message.slice(0, 1024) }]);
    }
  }

  /** Sends what must arrive or break the connection. Throws only what the codec throws. */
  signal(item: Item): void {
    if (this.#host.sendProblem() === "noconnection") {
      this.break("not connected to NATS");
    } else {
      this.#add(item);
    }
  }

  #signalReason(op: number, fields: readonly unknown[], reason: ExitReason): void {
    try {
      this.signal([op, ...fields, reason]);
    } catch (thrown) {
      this.#host.system.log.warn(`an exit reason cannot travel: ${String(thrown)}`);
      this.signal([op, ...fields, abnormal("reason_cannot_travel", String(thrown).slice(0, 1024))]);
    }
  }

  #add(item: Item): void {
    if (!this.#writer.add(item)) {
      this.flush();
      this.#writer.add(item);
    }
    if (!this.#flushing) {
      this.#flushing = true;
      this.#host.scheduleFlush(this);
    }
  }

  /** Publishes what has gathered. A batch that cannot be published breaks the connection. */
  flush(): void {
    this.#flushing = false;
    if (this.#writer.count === 0) {
      return;
    }
    const { connection } = this;
    const batch = this.#writer.take();
    writeHeader(batch, this.#host.sender, connection.number, connection.sent);
    try {
      this.#host.publish(this, batch);
      connection.sent += 1;
    } catch (thrown) {
      this.break(`a batch could not be published: ${String(thrown)}`);
    }
  }

  #label(target: WireTarget): string {
    return typeof target === "string" ? `${target}@${this.node}` : this.pidOf(target);
  }

  // --- calls ------------------------------------------------------------------------------------

  forgetCall(call: OutgoingCall): void {
    this.#calls.delete(call.id);
    this.#host.system.deadlines.remove(call);
  }

  replied(id: number, value: unknown): void {
    this.#calls.get(id)?.settle(value); // a late answer finds nobody
  }

  failed(id: number, error: SupercastError): void {
    this.#calls.get(id)?.fail(error);
  }

  failCalls(error: SupercastError): void {
    for (const call of [...this.#calls.values()]) {
      call.fail(error);
    }
  }

  // --- monitors ---------------------------------------------------------------------------------

  monitor(watcher: Watcher, ref: MonitorRef, target: Down["target"], wireTarget: WireTarget): () => void {
    this.#monitors.set(ref, { watcher, target });
    this.signal([OP.monitor, ref, wireTarget]);
    return () => {
      if (this.#monitors.delete(ref)) {
        this.signal([OP.demonitor, ref]);
      }
    };
  }

  downArrived(ref: MonitorRef, reason: ExitReason): void {
    const monitor = this.#monitors.get(ref);
    this.#monitors.delete(ref);
    monitor?.watcher.deliverDown({ type: "down", ref, target: monitor.target, reason });
  }

  /** The peer monitors one of our processes, or one that we do not have. */
  watchFor(ref: MonitorRef, target: WireTarget): void {
    const { system } = this.#host;
    const process = typeof target === "number" ? system.processWithSerial(target) : system.whereis(target);
    const watcher: Watcher = {
      deliverDown: (down) => {
        this.#watchedByPeer.delete(ref);
        this.#signalReason(OP.down, [ref], down.reason);
      },
    };
    const withdraw = system.signals.watchLocal(process, watcher, system.signals.nextRef(), this.pidOf(0));
    if (process?.alive === true) {
      this.#watchedByPeer.set(ref, withdraw);
    }
  }

  unwatchFor(ref: MonitorRef): void {
    this.#watchedByPeer.get(ref)?.();
    this.#watchedByPeer.delete(ref);
  }

  // --- links ------------------------------------------------------------------------------------

  link(from: number, to: Pid): void {
    this.#noteLink(from, to);
    this.signal([OP.link, from, serialOf(to)]);
  }

  unlink(from: number, to: Pid): void {
    this.#forgetLink(from, to);
    this.signal([OP.unlink, from, serialOf(to)]);
  }

  linkExit(from: number, to: Pid, reason: ExitReason): void {
    this.#forgetLink(from, to);
    this.#signalReason(OP.linkExit, [from, serialOf(to)], reason);
  }

  exit(from: number, to: Pid, reason: ExitReason): void {
    this.#signalReason(OP.exit, [from, serialOf(to)], reason);
  }

  linkArrived(from: number, to: number): void {
    const process = this.#host.system.processWithSerial(to);
    if (process === undefined) {
      this.signal([OP.linkExit, to, from, "noproc"]);
      return;
    }
    process.ties.links.add(this.pidOf(from));
    this.#noteLink(to, this.pidOf(from));
  }

  unlinkArrived(from: number, to: number): void {
    this.#forgetLink(to, this.pidOf(from));
    this.#host.system.processWithSerial(to)?.existingTies?.links.delete(this.pidOf(from));
  }

  linkExitArrived(from: number, to: number, reason: ExitReason): void {
    const pid = this.pidOf(from);
    this.#forgetLink(to, pid);
    const process = this.#host.system.processWithSerial(to);
    if (process !== undefined) {
      this.#host.system.signals.linkBroken(process, pid, reason);
    }
  }

  #noteLink(local: number, remote: Pid): void {
    const links = this.#links.get(local) ?? new Set();
    this.#links.set(local, links.add(remote));
  }

  #forgetLink(local: number, remote: Pid): void {
    const links = this.#links.get(local);
    links?.delete(remote);
    if (links?.size === 0) {
      this.#links.delete(local);
    }
  }

  // --- the end of a connection ------------------------------------------------------------------

  /** Breaks the connection from this side and tells the other by the raised number. */
  break(why: string): void {
    breakConnection(this.connection);
    this.broken(why, new SupercastError("noconnection", `the connection to ${this.node} broke: ${why}`));
    this.#host.connectionBroken(this);
  }

  /** Breaks the connection to a node that is down: there is nobody to tell. */
  breakQuietly(why: string, error: SupercastError): void {
    breakConnection(this.connection);
    this.broken(why, error);
  }

  /** The connection is broken, or the node down: everything that hangs on it learns so. */
  broken(why: string, error: SupercastError): void {
    const { system } = this.#host;
    publishEvent("supercast:node:connectionBroken", () => ({ node: system.node, peer: this.node, why }));
    const lost = this.#writer.count;
    this.#writer.clear();
    if (lost > 0) {
      system.drop("noconnection", this.node, lost);
    }
    for (const withdraw of this.#watchedByPeer.values()) {
      withdraw();
    }
    this.#watchedByPeer.clear();
    this.failCalls(error);
    for (const [ref] of [...this.#monitors]) {
      this.downArrived(ref, "noconnection");
    }
    const links = [...this.#links];
    this.#links.clear();
    for (const [serial, peers] of links) {
      const process = system.processWithSerial(serial);
      for (const pid of peers) {
        if (process?.alive === true) {
          system.signals.linkBroken(process, pid, "noconnection");
        }
      }
    }
  }
}

function serialOf(pid: Pid): number {
  return Number(pid.slice(pid.lastIndexOf("/") + 1));
}
