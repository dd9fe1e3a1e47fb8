/**
 * `from`: the handle through which a call is answered, by whoever holds it, now or later.
 *
 * A call is settled once; later answers are dropped. While it is open it hangs in a list of the
 * process that was called, so that the caller fails at once, with the reason, when that process ends.
 */
import { SupercastError } from "../base/errors.ts";
import { type ExitReason, formatReason } from "../base/reason.ts";
import { Expiring } from "./deadlines.ts";
import type { Pid } from "./pid.ts";
import type { CallMessage, ReplyTo, Untyped } from "./protocol.ts";

export interface From<P = Untyped> {
  /** The calling process, where there is one. */
  readonly caller: Pid | undefined;
  /** Whether the call has been answered, has failed or has expired. */
  readonly settled: boolean;
  /** Answers the call. `message` is the call's own message: it fixes the type of `value`. */
  reply<M extends CallMessage<P>>(message: M, value: ReplyTo<P, M>): void;
  /** Answers the call, for those who cannot name its message any more. */
  settle(value: unknown): void;
  /** Answers the call with an error. */
  fail(error: SupercastError): void;
}

/** A call that waits for its answer. How the answer gets back to the caller is the subclass's part. */
export abstract class OpenCall extends Expiring implements From {
  readonly caller: Pid | undefined;
  settled = false;
  /** The callee's list of open calls. */
  openList: OpenCalls | null = null;
  openPrevious: OpenCall | null = null;
  openNext: OpenCall | null = null;

  constructor(caller: Pid | undefined) {
    super();
    this.caller = caller;
  }

  reply(_message: unknown, value: unknown): void {
    this.settle(value);
  }

  fail(error: SupercastError): void {
    if (this.#claim()) {
      this.deliverError(error);
    }
  }

  settle(value: unknown): void {
    if (this.#claim()) {
      this.deliverReply(value);
    }
  }

  expire(): void {
    this.fail(new SupercastError("timeout", `no answer from ${this.describeTarget()} in time`));
  }

  /** Who was called, for messages. */
  protected abstract describeTarget(): string;
  protected abstract deliverReply(value: unknown): void;
  protected abstract deliverError(error: SupercastError): void;

  #claim(): boolean {
    if (this.settled) {
      return false;
    }
    this.settled = true;
    this.openList?.remove(this);
    return true;
  }
}

/** The open calls of one process. */
export class OpenCalls {
  #head: OpenCall | null = null;

  add(call: OpenCall): void {
    call.openList = this;
    call.openNext = this.#head;
    if (this.#head !== null) {
      this.#head.openPrevious = call;
    }
    this.#head = call;
  }

  remove(call: OpenCall): void {
    if (call.openPrevious === null) {
      this.#head = call.openNext;
    } else {
      call.openPrevious.openNext = call.openNext;
    }
    if (call.openNext !== null) {
      call.openNext.openPrevious = call.openPrevious;
    }
    call.openList = null;
    call.openPrevious = null;
    call.openNext = null;
  }

  /** Fails every open call, because the process ended with `reason`. */
  failAll(error: () => SupercastError): void {
    for (let call = this.#head; call !== null; call = this.#head) {
      call.fail(error());
      if (this.#head === call) {
        this.remove(call);
      }
    }
  }
}

/** The error of a call whose callee ended with `reason` before it answered. */
export function exitError(target: string, reason: ExitReason): SupercastError {
  if (reason === "noproc" || reason === "noconnection") {
    return new SupercastError(reason, `${target}: ${reason}`);
  }
  return new SupercastError("exit", `${target} ended before it answered: ${formatReason(reason)}`, {
    details: { reason },
  });
}
