/**
 * How the actor floor reaches other nodes: finds the peer behind a target and hands the message or signal
 * to it, or says at once why nobody can be reached.
 */
import type { MonitorRef } from "../actor/info.ts";
import { type Pid, parsePid, serialOf } from "../actor/pid.ts";
import { nodeOf, type Remote, type RemoteTarget } from "../actor/remote.ts";
import type { ActorSystem } from "../actor/system.ts";
import type { Watcher } from "../actor/ties.ts";
import { SupercastError } from "../base/errors.ts";
import type { ExitReason } from "../base/reason.ts";
import { OP, type WireTarget } from "./envelope.ts";
import type { Peer } from "./peer.ts";

/** Where a target is, as its node knows it; noproc: that incarnation is gone. */
type Found = { readonly peer: Peer; readonly target: WireTarget } | "noproc" | "noconnection";

export class Reach implements Remote {
  readonly #system: ActorSystem;
  /** The peer of a node that is up. */
  readonly #peerOf: (node: string) => Peer | undefined;

  constructor(system: ActorSystem, peerOf: (node: string) => Peer | undefined) {
    this.#system = system;
    this.#peerOf = peerOf;
  }

  cast(target: RemoteTarget, message: object): void {
    this.#cast(OP.cast, target, message);
  }

  send(target: RemoteTarget, body: unknown): void {
    this.#cast(OP.send, target, body);
  }

  #cast(op: typeof OP.cast | typeof OP.send, target: RemoteTarget, message: unknown): void {
    const found = this.#find(target);
    if (typeof found === "string") {
      this.#system.drop(found, nodeOf(target));
    } else {
      found.peer.cast(op, found.target, message);
    }
  }

  call(target: RemoteTarget, message: object, timeoutMs: number, caller: Pid | undefined): Promise<unknown> {
    const found = this.#find(target);
    return typeof found === "string"
      ? Promise.reject(unreachable(found, target))
      : found.peer.call(found.target, message, timeoutMs, caller);
  }

  async stop(target: RemoteTarget, reason: ExitReason, timeoutMs: number): Promise<void> {
    const found = this.#find(target);
    if (typeof found === "string") {
      throw unreachable(found, target);
    }
    await found.peer.stop(found.target, reason, timeoutMs);
  }

  link(from: Pid, to: Pid): void {
    const found = this.#find(to);
    if (typeof found !== "string") {
      found.peer.ties.link(serialOf(from), to);
      return;
    }
    const process = this.#system.processAt(from);
    if (process !== undefined) {
      this.#system.signals.linkBroken(process, to, found);
    }
  }

  unlink(from: Pid, to: Pid): void {
    this.#withPeer(to, (peer) => peer.ties.unlink(serialOf(from), to));
  }

  linkExit(from: Pid, to: Pid, reason: ExitReason): void {
    this.#withPeer(to, (peer) => peer.ties.linkExit(serialOf(from), to, reason));
  }

  exit(from: Pid, to: Pid, reason: ExitReason): void {
    this.#withPeer(to, (peer) => peer.ties.exit(serialOf(from), to, reason));
  }

  monitor(watcher: Watcher, ref: MonitorRef, target: RemoteTarget): () => void {
    const found = this.#find(target);
    if (typeof found === "string") {
      watcher.deliverDown({ type: "down", ref, target, reason: found });
      return () => undefined;
    }
    return found.peer.ties.monitor(watcher, ref, target, found.target);
  }

  #withPeer(target: Pid, act: (peer: Peer) => void): void {
    const found = this.#find(target);
    if (typeof found !== "string") {
      act(found.peer);
    }
  }

  #find(target: RemoteTarget): Found {
    if (typeof target !== "string") {
      const peer = this.#peerOf(target.node);
      return peer === undefined ? "noconnection" : { peer, target: target.name };
    }
    const parts = parsePid(target);
    if (parts === undefined || parts.node === this.#system.node) {
      return "noproc"; // an earlier incarnation of this node
    }
    const peer = this.#peerOf(parts.node);
    if (peer === undefined) {
      return "noconnection";
    }
    return peer.incarnation === parts.incarnation ? { peer, target: parts.serial } : "noproc";
  }
}

function unreachable(why: "noproc" | "noconnection", target: RemoteTarget): SupercastError {
  if (why === "noconnection") {
    return new SupercastError("nodedown", `node ${nodeOf(target)} is not up`);
  }
  const named = typeof target === "string" ? target : `${target.name}@${target.node}`;
  return new SupercastError("noproc", `${named}: that incarnation is gone`);
}
