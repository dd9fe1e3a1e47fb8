/** Calls between nodes, as each side holds them. */

import { OpenCall } from "../actor/from.ts";
import type { Pid } from "../actor/pid.ts";
import type { SupercastError } from "../base/errors.ts";
import type { WireTarget } from "./envelope.ts";
import type { Peer } from "./peer.ts";

/** A call this node made: settles its caller's promise when the answer, an error or the deadline comes. */
export class OutgoingCall extends OpenCall {
  readonly id: number;
  readonly #peer: Peer;
  readonly #target: WireTarget;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: SupercastError) => void;

  constructor(
    peer: Peer,
    id: number,
    target: WireTarget,
    caller: Pid | undefined,
    resolve: (value: unknown) => void,
    reject: (error: SupercastError) => void,
  ) {
    super(caller);
    this.#peer = peer;
    this.id = id;
    this.#target = target;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  protected describeTarget(): string {
    return this.#peer.label(this.#target);
  }

  protected deliverReply(value: unknown): void {
    this.#peer.forgetCall(this);
    this.#resolve(value);
  }

  protected deliverError(error: SupercastError): void {
    this.#peer.forgetCall(this);
    this.#reject(error);
  }
}

/** A call from another node: its answer goes back as an item, if the connection is still the same. */
export class IncomingCall extends OpenCall {
  readonly #peer: Peer;
  readonly #id: number;
  readonly #connection: number;

  constructor(peer: Peer, id: number, caller: Pid | undefined) {
    super(caller);
    this.#peer = peer;
    this.#id = id;
    this.#connection = peer.connection.number;
  }

  protected describeTarget(): string {
    return `call ${this.#id} of ${this.#peer.node}`;
  }

  protected deliverReply(value: unknown): void {
    if (this.#isAwaited()) {
      this.#peer.sendReply(this.#id, value);
    }
  }

  protected deliverError(error: SupercastError): void {
    if (this.#isAwaited()) {
      this.#peer.sendError(this.#id, error);
    }
  }

  /** When the connection breaks the caller is told `noconnection`; its ids may begin anew. */
  #isAwaited(): boolean {
    return this.#peer.connection.number === this.#connection;
  }
}
