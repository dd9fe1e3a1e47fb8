/**
 * Links, monitors and exit signals between processes, here and on other nodes.
 *
 * Signals between local processes take effect at once; those that a death sets off are worked off in
 * a queue, so that a long chain of links does not become a deep stack. What concerns another node goes
 * to the node floor through `Remote`.
 */
import type { ExitReason } from "../base/reason.ts";
import type { Down, MonitorRef } from "./info.ts";
import type { Pid } from "./pid.ts";
import type { Process } from "./process.ts";
import type { ActorSystem } from "./system.ts";
import type { Ties, Watcher } from "./ties.ts";

export class Signals {
  readonly #system: ActorSystem;
  readonly #queue: (() => void)[] = [];
  #working = false;
  #lastRef = 0;

  constructor(system: ActorSystem) {
    this.#system = system;
  }

  nextRef(): MonitorRef {
    this.#lastRef += 1;
    return this.#lastRef;
  }

  // --- links ------------------------------------------------------------------------------------

  /** Links `process` with `pid`. A dead process answers with exit `noproc`. Linking twice is once. */
  link(process: Process, pid: Pid): void {
    if (!process.alive || pid === process.pid || process.ties.links.has(pid)) {
      return;
    }
    process.ties.links.add(pid);
    if (this.#isRemote(pid)) {
      this.#system.remote.link(process.pid, pid);
      return;
    }
    const peer = this.#system.processAt(pid);
    if (peer === undefined) {
      this.linkBroken(process, pid, "noproc");
    } else {
      peer.ties.links.add(process.pid);
    }
  }

  /** After this returns no exit from that link arrives, not even one that waits in the mailbox. */
  unlink(process: Process, pid: Pid): void {
    process.existingTies?.dropExits(pid);
    if (process.existingTies?.links.delete(pid) !== true) {
      return;
    }
    if (this.#isRemote(pid)) {
      this.#system.remote.unlink(process.pid, pid);
    } else {
      this.#system.processAt(pid)?.ties.links.delete(process.pid);
    }
  }

  /** A link of `process` ended with `reason`. */
  linkBroken(process: Process, peer: Pid, reason: ExitReason): void {
    if (process.existingTies?.links.delete(peer) === true) {
      this.#receiveExit(process, peer, reason, false);
    }
  }

  untieFromParent(child: Process): void {
    if (child.parent !== null) {
      child.parent.existingTies?.links.delete(child.pid);
      child.existingTies?.links.delete(child.parent.pid);
    }
  }

  // --- exit signals -----------------------------------------------------------------------------

  /** Sends an exit signal; `kill` cannot be trapped and shows as `killed`. */
  exit(from: Pid, target: Pid, reason: ExitReason): void {
    if (this.#isRemote(target)) {
      this.#system.remote.exit(from, target, reason);
      return;
    }
    const process = this.#system.processAt(target);
    if (process !== undefined) {
      this.#receiveExit(process, from, reason, true);
    }
  }

  #receiveExit(process: Process, from: Pid, reason: ExitReason, explicit: boolean): void {
    if (!process.alive) {
      return;
    }
    if (explicit && reason === "kill") {
      process.finish("killed");
    } else if (process.trapExit) {
      this.#trapExit(process, from, reason, explicit);
    } else if (reason !== "normal" || from === process.pid) {
      process.finish(reason);
    }
  }

  #trapExit(process: Process, from: Pid, reason: ExitReason, explicit: boolean): void {
    if (process.parent !== null && process.parent.pid === from) {
      this.#orderToEnd(process, reason);
    } else if (explicit) {
      process.pushInfo({ type: "exit", from, reason });
    } else {
      process.deliverLinkExit({ type: "exit", from, reason });
    }
  }

  /** The parent's exit: an order that no user message delays. */
  #orderToEnd(process: Process, reason: ExitReason): void {
    if (process.status !== "starting") {
      process.pushSystem(() => process.end(reason));
    } else if (process.behaviour.abortStart === undefined) {
      process.finish(reason);
    } else {
      process.behaviour.abortStart(reason);
    }
  }

  // --- monitors ---------------------------------------------------------------------------------

  /**
   * Monitors a local process for `watcher`; DOWN `noproc` comes at once when there is none.
   * Returns what takes the monitor back.
   */
  watchLocal(
    process: Process | undefined,
    watcher: Watcher,
    ref: MonitorRef,
    target: Down["target"],
  ): () => void {
    if (process === undefined || !process.alive) {
      watcher.deliverDown({ type: "down", ref, target, reason: "noproc" });
      return nothing;
    }
    process.ties.watchedBy.set(ref, { watcher, target });
    return () => process.existingTies?.watchedBy.delete(ref);
  }

  // --- the end of a process ---------------------------------------------------------------------

  /** Takes back its own monitors, then tells those that monitor it and its links, in that order. */
  processEnded(process: Process, ties: Ties, reason: ExitReason): void {
    for (const withdraw of ties.watching.values()) {
      withdraw();
    }
    for (const [ref, { watcher, target }] of ties.watchedBy) {
      this.#enqueue(() => {
        // Looked up again, because what this end sets off may take monitors back.
        if (ties.watchedBy.delete(ref)) {
          watcher.deliverDown({ type: "down", ref, target, reason });
        }
      });
    }
    // The parent last: when it starts a successor, the children of this one have been told to end.
    const parent = process.parent?.pid;
    for (const peer of ties.links) {
      if (peer !== parent) {
        this.#enqueue(() => this.#tellLink(process, peer, reason));
      }
    }
    if (parent !== undefined && ties.links.has(parent)) {
      this.#enqueue(() => this.#tellLink(process, parent, reason));
    }
    ties.watching.clear();
    ties.links.clear();
    this.#work();
  }

  #tellLink(process: Process, peer: Pid, reason: ExitReason): void {
    if (this.#isRemote(peer)) {
      this.#system.remote.linkExit(process.pid, peer, reason);
      return;
    }
    const linked = this.#system.processAt(peer);
    if (linked !== undefined) {
      this.linkBroken(linked, process.pid, reason);
    }
  }

  #enqueue(signal: () => void): void {
    this.#queue.push(signal);
  }

  #work(): void {
    if (this.#working) {
      return; // the loop below, further up the stack, comes to it
    }
    this.#working = true;
    for (let index = 0; index < this.#queue.length; index++) {
      try {
        this.#queue[index]?.();
      } catch (thrown) {
        this.#system.log.error("a signal's receiver threw", { error: thrown });
      }
    }
    this.#queue.length = 0;
    this.#working = false;
  }

  #isRemote(pid: Pid): boolean {
    return !this.#system.isLocal(pid);
  }
}

function nothing(): void {
  // The DOWN has been delivered; there is nothing to take back.
}
