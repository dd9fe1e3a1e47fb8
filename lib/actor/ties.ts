/**
 * The ties of one process to others: its links, who monitors it, and whom it monitors.
 *
 * Made on first use, because most processes of a large system have few ties.
 */
import type { Down, MonitorRef } from "./info.ts";
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

export class Ties {
  /** Linked processes, local and remote alike. */
  readonly links: Set<Pid> = new Set();
  /** Monitors on this process. */
  readonly watchedBy: Map<MonitorRef, WatchedBy> = new Map();
  /** This process's monitors on others, each with what takes it back. */
  readonly watching: Map<MonitorRef, () => void> = new Map();
  /** Exits of links that wait in the mailbox, so that `unlink` can take them back. */
  readonly waitingExits: Set<Pid> = new Set();
}
