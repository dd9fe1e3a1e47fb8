/**
 * What the actor floor needs of the node floor: messages and signals to other nodes.
 *
 * A system without a node floor has `noRemote`, for which every other node is unreachable.
 */
import { SupercastError } from "../base/errors.ts";
import type { ExitReason } from "../base/reason.ts";
import type { MonitorRef } from "./info.ts";
import type { Pid } from "./pid.ts";
import type { Watcher } from "./ties.ts";

/** A process on another node: a pid, or a name at a node. */
export type RemoteTarget = Pid | { readonly name: string; readonly node: string };

export interface Remote {
  cast(target: RemoteTarget, message: object): void;
  /** A plain message, for the target's handleInfo. */
  send(target: RemoteTarget, body: unknown): void;
  call(target: RemoteTarget, message: object, timeoutMs: number, caller: Pid | undefined): Promise<unknown>;
  /** gen_server:stop; settles when the process has ended, or rejects as a call does. */
  stop(target: RemoteTarget, reason: ExitReason, timeoutMs: number): Promise<void>;
  link(from: Pid, to: Pid): void;
  unlink(from: Pid, to: Pid): void;
  /** The process `from` ended; `to` is linked to it. */
  linkExit(from: Pid, to: Pid, reason: ExitReason): void;
  /** An exit signal sent on purpose. */
  exit(from: Pid, to: Pid, reason: ExitReason): void;
  /** Monitors; returns what takes the monitor back. DOWN comes exactly once, unless taken back. */
  monitor(watcher: Watcher, ref: MonitorRef, target: RemoteTarget): () => void;
}

/** No other node can be reached. */
export function noRemote(system: {
  countDrop(why: "noconnection", target: RemoteTarget): void;
  breakLink(process: Pid, peer: Pid): void;
}): Remote {
  return {
    cast: (target) => system.countDrop("noconnection", target),
    send: (target) => system.countDrop("noconnection", target),
    call: (target) => Promise.reject(unreachableNode(target)),
    stop: (target) => Promise.reject(unreachableNode(target)),
    link: (from, to) => system.breakLink(from, to),
    unlink: () => undefined,
    linkExit: () => undefined,
    exit: (_from, to) => system.countDrop("noconnection", to),
    monitor: (watcher, ref, target) => {
      watcher.deliverDown({ type: "down", ref, target, reason: "noconnection" });
      return () => undefined;
    },
  };
}

export function nodeOf(target: RemoteTarget): string {
  return typeof target === "string" ? (target.split("/", 1)[0] ?? target) : target.node;
}

function unreachableNode(target: RemoteTarget): SupercastError {
  return new SupercastError(
    "nodedown",
    `node ${nodeOf(target)} cannot be reached: this system has no connection`,
  );
}
