/**
 * References and addresses: how a message finds a process.
 *
 * - a `Pid` names one incarnation for ever;
 * - an `ActorRef<P>` is a pid with its protocol, and calls and casts by itself;
 * - `{ name, node? }` is looked up at each use, on this node or another;
 * - `{ via, name }` asks a registry of one's own at each use.
 */
import type { Pid } from "./pid.ts";
import type { CallMessage, CastMessage, ReplyTo, Untyped } from "./protocol.ts";

export interface CallOptions {
  /** Milliseconds; Infinity waits for ever. Default `limits.callTimeoutMs` (5000). */
  readonly timeoutMs?: number;
}

/** Carries a protocol in a type; no value has it. */
export declare const PROTOCOL: unique symbol;

export interface ActorRef<P = Untyped> {
  readonly [PROTOCOL]?: P;
  readonly pid: Pid;
  /** Asks, and answers what the process answers. Rejects with a SupercastError, see its `code`. */
  call<const M extends CallMessage<P>>(message: M, options?: CallOptions): Promise<ReplyTo<P, M>>;
  /** Tells. Never throws; what cannot be delivered is counted as a dead letter. */
  cast<const M extends CastMessage<P>>(message: M): void;
}

/** By name, on this node unless `node` says otherwise. */
export interface NamedAddress {
  readonly name: string;
  readonly node?: string;
}

/** A registry that can resolve names: Registry, or one of your own (OTP's `via`). */
export interface Via {
  whereis(name: string): Pid | undefined;
  register(name: string, pid: Pid): ViaRegistration;
  unregister(name: string, pid: Pid): void;
}

export type ViaRegistration = { readonly ok: true } | { readonly ok: false; readonly owner: Pid };

export interface ViaAddress {
  readonly via: Via;
  readonly name: string;
}

/** A reference whatever its protocol. */
export interface AnyRef {
  readonly [PROTOCOL]?: unknown;
  readonly pid: Pid;
}

export type Address = Pid | AnyRef | NamedAddress | ViaAddress;

/** For messages to people: how an address reads. */
export function formatAddress(
  address: Pid | { readonly name: string; readonly node?: string } | { pid: Pid },
): string {
  if (typeof address === "string") {
    return address;
  }
  if ("pid" in address) {
    return address.pid;
  }
  return address.node === undefined ? address.name : `${address.name}@${address.node}`;
}
