/**
 * The ties of one process to others: its links, who monitors it, and whom it monitors.
 *
 * Made on first use, because most processes of a large system have few ties.
 */
import type { ExitReason } from "../base/reason.ts";
import type { Down, Exit, MonitorRef } from "./info.ts";
import type { Pid } from "./pid.ts";

/** Whoever wants to know that a process ended. */
export interface Watcher {
  deliverDown(down: Down): void;
}

export interface WatchedBy {
  readonly watcher: Watcher;
  /** What the DOWN will name: the pid, or the name through which it was monitored. */
  readonly target: Down["target"];
}

/** Each collection is made on first use: most processes have one link, to their supervisor, and nothing else. */
export class Ties {
  #links: Set<Pid> | null = null;
  #watchedBy: Map<MonitorRef, WatchedBy> | null = null;
  #watching: Map<MonitorRef, () => void> | null = null;
  /** Exits of links that wait in the mailbox, by the linked process, so that `unlink` can take them back. */
  #waitingExits: Map<Pid, Exit[]> | null = null;

  /** Linked processes, local and remote alike. */
  get links(): Set<Pid> {
    this.#links ??= new Set();
    return this.#links;
  }

  /** Monitors on this process. */
  get watchedBy(): Map<MonitorRef, WatchedBy> {
    this.#watchedBy ??= new Map();
    return this.#watchedBy;
  }

  /** This process's monitors on others, each with what takes it back. */
  get watching(): Map<MonitorRef, () => void> {
    this.#watching ??= new Map();
    return this.#watching;
  }

  holdExit(exit: Exit): void {
    this.#waitingExits ??= new Map();
    const held = this.#waitingExits.get(exit.from);
    if (held === undefined) {
      this.#waitingExits.set(exit.from, [exit]);
    } else {
      held.push(exit);
    }
  }

  /** The reason of the oldest exit of `peer` that waits. */
  waitingReason(peer: Pid): ExitReason | undefined {
    return this.#waitingExits?.get(peer)?.[0]?.reason;
  }

  /** Takes back all exits of `peer` that wait. */
  dropExits(peer: Pid): void {
    this.#waitingExits?.delete(peer);
  }

  /** Takes an exit that is being handled off the list; false when it was taken back. */
  takeExit(exit: Exit): boolean {
    const held = this.#waitingExits?.get(exit.from);
    const index = held?.indexOf(exit) ?? -1;
    if (held === undefined || index < 0) {
      return false;
    }
    held.splice(index, 1);
    if (held.length === 0) {
      this.#waitingExits?.delete(exit.from);
    }
    return true;
  }
}
