/**
 * Monitors and links between processes of this node and those of one peer.
 *
 * Each side notes what hangs on the connection for its own processes. When the connection breaks every
 * monitor gives DOWN `noconnection`, once, and every link an exit `noconnection` (otp 89).
 *
 * Both ends may link and unlink at the same moment. As in Erlang's distribution every unlink bears an id
 * that the other side acknowledges; what arrives of that link before the acknowledgement was sent before
 * the other side knew, and does not count. Messages of a connection arrive in order, so when all of them
 * have arrived both sides agree whether there is a link, and the answer is that of some order of what
 * both did.
 */
import type { Down, MonitorRef } from "../actor/info.ts";
import { type Pid, serialOf } from "../actor/pid.ts";
import type { ActorSystem } from "../actor/system.ts";
import type { Watcher } from "../actor/ties.ts";
import type { ExitReason } from "../base/reason.ts";
import { type Item, OP, type WireTarget } from "./envelope.ts";

/** What carries the signals: the peer. */
export interface TiesCarrier {
  pidOf(serial: number): Pid;
  /** Sends what must arrive or break the connection. */
  signal(item: Item): void;
  signalReason(op: number, fields: readonly unknown[], reason: ExitReason): void;
}

export class PeerTies {
  readonly #system: ActorSystem;
  readonly #peer: TiesCarrier;
  readonly #monitors = new Map<MonitorRef, { readonly watcher: Watcher; readonly target: Down["target"] }>();
  /** Monitors of the peer's processes on ours, each with what takes it back. */
  readonly #watchedByPeer = new Map<MonitorRef, () => void>();
  /** Our processes' links into the peer: local serial to remote pids. */
  readonly #links = new Map<number, Set<Pid>>();
  /** Unlinks that the peer has not acknowledged yet: the id of the last one, by both ends. */
  readonly #unlinking = new Map<string, number>();
  #lastUnlinkId = 0;

  constructor(system: ActorSystem, peer: TiesCarrier) {
    this.#system = system;
    this.#peer = peer;
  }

  /** How many monitors, watches of the peer, processes with links, and unacknowledged unlinks there are. */
  get size(): number {
    return this.#monitors.size + this.#watchedByPeer.size + this.#links.size + this.#unlinking.size;
  }

  // --- monitors ---------------------------------------------------------------------------------

  monitor(watcher: Watcher, ref: MonitorRef, target: Down["target"], wireTarget: WireTarget): () => void {
    this.#monitors.set(ref, { watcher, target });
    this.#peer.signal([OP.monitor, ref, wireTarget]);
    return () => {
      if (this.#monitors.delete(ref)) {
        this.#peer.signal([OP.demonitor, ref]);
      }
    };
  }

  downArrived(ref: MonitorRef, reason: ExitReason): void {
    const monitor = this.#monitors.get(ref);
    this.#monitors.delete(ref);
    if (monitor === undefined) {
      return; // taken back meanwhile
    }
    try {
      monitor.watcher.deliverDown({ type: "down", ref, target: monitor.target, reason });
    } catch (thrown) {
      this.#system.log.error("the receiver of a DOWN threw", { error: thrown });
    }
  }

  /** The peer monitors one of our processes, or one that we do not have. */
  watchFor(ref: MonitorRef, target: WireTarget): void {
    const system = this.#system;
    const process = typeof target === "number" ? system.processWithSerial(target) : system.whereis(target);
    const watcher: Watcher = {
      deliverDown: (down) => {
        this.#watchedByPeer.delete(ref);
        this.#peer.signalReason(OP.down, [ref], down.reason);
      },
    };
    const withdraw = system.signals.watchLocal(
      process,
      watcher,
      system.signals.nextRef(),
      this.#peer.pidOf(0),
    );
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
    this.#unlinking.delete(ends(from, to)); // a later acknowledgement concerns the old link
    this.#noteLink(from, to);
    this.#peer.signal([OP.link, from, serialOf(to)]);
  }

  unlink(from: number, to: Pid): void {
    this.#forgetLink(from, to);
    this.#lastUnlinkId += 1;
    this.#unlinking.set(ends(from, to), this.#lastUnlinkId);
    this.#peer.signal([OP.unlink, from, serialOf(to), this.#lastUnlinkId]);
  }

  linkExit(from: number, to: Pid, reason: ExitReason): void {
    this.#forgetLink(from, to);
    this.#peer.signalReason(OP.linkExit, [from, serialOf(to)], reason);
  }

  exit(from: number, to: Pid, reason: ExitReason): void {
    this.#peer.signalReason(OP.exit, [from, serialOf(to)], reason);
  }

  linkArrived(from: number, to: number): void {
    const pid = this.#peer.pidOf(from);
    if (this.#unlinking.has(ends(to, pid))) {
      return; // it crossed our unlink, which ends it there as well
    }
    const process = this.#system.processWithSerial(to);
    if (process === undefined) {
      this.#peer.signal([OP.linkExit, to, from, "noproc"]);
      return;
    }
    process.ties.links.add(pid);
    this.#noteLink(to, pid);
  }

  /** Acknowledged always: the peer waits for it, also when the link or our process is gone already. */
  unlinkArrived(from: number, to: number, id: number): void {
    const pid = this.#peer.pidOf(from);
    this.#forgetLink(to, pid);
    this.#system.processWithSerial(to)?.existingTies?.links.delete(pid);
    this.#peer.signal([OP.unlinkAck, to, from, id]);
  }

  unlinkAckArrived(from: number, to: number, id: number): void {
    const key = ends(to, this.#peer.pidOf(from));
    if (this.#unlinking.get(key) === id) {
      this.#unlinking.delete(key);
    }
  }

  linkExitArrived(from: number, to: number, reason: ExitReason): void {
    const pid = this.#peer.pidOf(from);
    this.#forgetLink(to, pid);
    const process = this.#system.processWithSerial(to);
    if (process !== undefined) {
      this.#system.signals.linkBroken(process, pid, reason);
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

  // --- the end of the connection ----------------------------------------------------------------

  /** The connection is gone: whoever hangs on it is told. */
  release(): void {
    const system = this.#system;
    for (const withdraw of this.#watchedByPeer.values()) {
      withdraw();
    }
    this.#watchedByPeer.clear();
    for (const ref of [...this.#monitors.keys()]) {
      this.downArrived(ref, "noconnection");
    }
    const links = [...this.#links];
    this.#links.clear();
    this.#unlinking.clear();
    for (const [serial, pids] of links) {
      const process = system.processWithSerial(serial);
      for (const pid of pids) {
        if (process?.alive === true) {
          system.signals.linkBroken(process, pid, "noconnection");
        }
      }
    }
  }
}

/** The two ends of a link, as one key. */
function ends(local: number, remote: Pid): string {
  return `${local} ${remote}`;
}
