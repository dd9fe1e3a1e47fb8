/**
 * Another incarnation of a node, as this one deals with it: the batch being filled for it, the state of
 * the connection, and all that hangs on that connection on our side (open calls, monitors, links).
 *
 * When the connection breaks, all of it is told so at once: `noconnection` (otp 89).
 */

import { makePid, type Pid, serialOf } from "../actor/pid.ts";
import { asInvalidMessage } from "../actor/refusals.ts";
import type { ActorSystem } from "../actor/system.ts";
import { messageOf, SupercastError } from "../base/errors.ts";
import { abnormal, type ExitReason } from "../base/reason.ts";
import { publishEvent } from "../telemetry/events.ts";
import { BatchWriter } from "../wire/batch.ts";
import { breakConnection, type ConnectionState, isUntouched, newConnection } from "./connection.ts";
import { headerBytes, type Item, OP, type WireTarget, writeHeader } from "./envelope.ts";
import { PeerTies } from "./peer-ties.ts";
import { OutgoingCall } from "./remote-call.ts";
import type { Subjects } from "./subjects.ts";

/** What a peer needs of the node it belongs to. */
export interface PeerHost {
  readonly system: ActorSystem;
  /** "node/incarnation" of this node, in ascii. */
  readonly sender: Buffer;
  readonly maxBatchBytes: number;
  readonly subjects: Subjects;
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
  /** The subject on which it listens. */
  readonly inbound: string;
  readonly connection: ConnectionState;
  readonly #host: PeerHost;
  readonly #writer: BatchWriter;
  #flushing = false;
  #lastCallId = 0;
  readonly #calls = new Map<number, OutgoingCall>();
  /** Monitors and links over this connection. */
  readonly ties: PeerTies;

  /** `number`: the connection's first, see `newConnection`. */
  constructor(host: PeerHost, node: string, incarnation: string, number: number = 1) {
    this.connection = newConnection(number);
    this.#host = host;
    this.node = node;
    this.incarnation = incarnation;
    this.inbound = host.subjects.inbound(node, incarnation);
    this.ties = new PeerTies(host.system, this);
    this.#writer = new BatchWriter(host.maxBatchBytes, headerBytes(host.sender));
  }

  get openCalls(): number {
    return this.#calls.size;
  }

  pidOf(serial: number): Pid {
    return makePid(this.node, this.incarnation, serial);
  }

  // --- sending ----------------------------------------------------------------------------------

  /** A cast that is lost because there is no connection breaks what connection there was. */
  cast(op: typeof OP.cast | typeof OP.send, target: WireTarget, message: unknown): void {
    const { system } = this.#host;
    const problem = this.#host.sendProblem();
    if (problem !== undefined) {
      system.drop(problem, this.label(target));
      if (problem === "noconnection") {
        this.break("not connected to NATS");
      }
      return;
    }
    try {
      if (!this.#add([op, target, message])) {
        system.drop("noconnection", this.label(target));
      }
    } catch (thrown) {
      const error = asInvalidMessage(thrown);
      const why = error.code === "payload_too_large" ? "payload_too_large" : "invalid_message";
      system.drop(why, this.label(target));
      system.log.warn(`a cast to ${this.label(target)} was dropped: ${error.message}`);
    }
  }

  call(target: WireTarget, message: object, timeoutMs: number, caller: Pid | undefined): Promise<unknown> {
    const serial = caller === undefined ? null : serialOf(caller);
    const id = this.#nextCallId();
    return this.#ask(id, target, [OP.call, id, target, message, serial], timeoutMs, caller);
  }

  /** Ends a process there in good order; settles when it has ended. */
  stop(target: WireTarget, reason: ExitReason, timeoutMs: number): Promise<unknown> {
    const id = this.#nextCallId();
    return this.#ask(id, target, [OP.stop, id, target, reason], timeoutMs, undefined);
  }

  #nextCallId(): number {
    this.#lastCallId += 1;
    return this.#lastCallId;
  }

  #ask(
    id: number,
    target: WireTarget,
    item: Item,
    timeoutMs: number,
    caller: Pid | undefined,
  ): Promise<unknown> {
    const { system } = this.#host;
    const problem = this.#calls.size >= system.limits.openCalls ? "overload" : this.#host.sendProblem();
    if (problem !== undefined) {
      return Promise.reject(new SupercastError(problem, `${this.label(target)}: nothing was sent`));
    }
    try {
      if (!this.#add(item)) {
        return Promise.reject(new SupercastError("noconnection", `${this.label(target)}: nothing was sent`));
      }
    } catch (thrown) {
      return Promise.reject(asInvalidMessage(thrown));
    }
    return new Promise((resolve, reject) => {
      const call = new OutgoingCall(this, id, target, caller, resolve, reject);
      this.#calls.set(id, call);
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

  /** The same for an exit reason, which always gets through the codec, if need be as another one. */
  signalReason(op: number, fields: readonly unknown[], reason: ExitReason): void {
    try {
      this.signal([op, ...fields, reason]);
    } catch (thrown) {
      this.#host.system.log.warn(`an exit reason cannot travel: ${String(thrown)}`);
      this.signal([op, ...fields, abnormal("reason_cannot_travel", String(thrown).slice(0, 1024))]);
    }
  }

  /** False when the connection broke on the way: the item is as lost as all that was before it. */
  #add(item: Item): boolean {
    if (!this.#writer.add(item)) {
      if (!this.flush()) {
        return false;
      }
      this.#writer.add(item); // alone in its batch it fits, or add throws
    }
    if (!this.#flushing) {
      this.#flushing = true;
      this.#host.scheduleFlush(this);
    }
    return true;
  }

  /** Publishes what has gathered. A batch that cannot be published breaks the connection: false. */
  flush(): boolean {
    this.#flushing = false;
    const items = this.#writer.count;
    if (items === 0) {
      return true;
    }
    const { connection } = this;
    const batch = this.#writer.take();
    writeHeader(batch, this.#host.sender, connection.number, connection.sent);
    try {
      this.#host.publish(this, batch);
    } catch (thrown) {
      this.#host.system.drop("noconnection", this.node, items);
      this.break(`a batch could not be published: ${messageOf(thrown)}`);
      return false;
    }
    connection.sent += 1;
    return true;
  }

  /** How a target there reads. */
  label(target: WireTarget): string {
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

  // --- the end of a connection ------------------------------------------------------------------

  /**
   * Breaks the connection from this side and tells the other by the raised number. Where nothing was sent
   * or received under the present number, the other side has nothing to be told.
   */
  break(why: string): void {
    const error = new SupercastError("noconnection", `the connection to ${this.node} broke: ${why}`);
    if (isUntouched(this.connection)) {
      this.#release(error);
      return;
    }
    breakConnection(this.connection);
    this.broken(why, error);
    this.#host.connectionBroken(this);
  }

  /** Breaks the connection to a node that is down: there is nobody to tell. */
  breakQuietly(why: string, error: SupercastError): void {
    breakConnection(this.connection);
    this.broken(why, error);
  }

  /** The connection is broken, or the node down: everything that hangs on it learns so. */
  broken(why: string, error: SupercastError): void {
    publishEvent("supercast:node:connectionBroken", () => ({
      node: this.#host.system.node,
      peer: this.node,
      why,
    }));
    this.#release(error);
  }

  #release(error: SupercastError): void {
    const { system } = this.#host;
    const lost = this.#writer.count;
    this.#writer.clear();
    if (lost > 0) {
      system.drop("noconnection", this.node, lost);
    }
    this.failCalls(error);
    this.ties.release();
  }
}
