/**
 * Process groups (OTP's pg): named sets of processes that anyone can read without asking anyone.
 *
 * Only processes of this node join and leave here; a process may join repeatedly and must leave as
 * often; a dead one leaves by itself, before anyone is told of its end. A group without members does
 * not exist. Members on other nodes are put in and taken out by the node floor, which hears of local
 * changes through `GroupSync`: groups agree between nodes eventually, never at a given moment.
 */
import { SupercastError } from "../base/errors.ts";
import { type GroupEvent, type GroupSnapshot, GroupTable, type RemoteGroups } from "./group-table.ts";
import { Listeners } from "./listeners.ts";
import type { Pid } from "./pid.ts";
import type { Process } from "./process.ts";
import { type ActorSystem, noproc } from "./system.ts";

/** What the node floor is told, so that it can tell other nodes; called at once, after the change. */
export interface GroupSync {
  onLocalJoin(group: string, pids: readonly Pid[]): void;
  onLocalLeave(group: string, pids: readonly Pid[]): void;
}

export class Groups {
  readonly #system: ActorSystem;
  readonly #table = new GroupTable();
  readonly #listeners: Listeners<GroupEvent>;
  #sync: GroupSync | null = null;

  constructor(system: ActorSystem) {
    this.#system = system;
    this.#listeners = new Listeners(system.log);
  }

  /** Joins all of `pids`, or none: throws `noproc` when one of them does not live on this node. */
  join(group: string, pids: Pid | readonly Pid[]): void {
    const joining = typeof pids === "string" ? [pids] : pids;
    const processes = joining.map((pid) => this.#localProcess(pid));
    for (const process of new Set(processes)) {
      if (!this.#table.hasJoined(process.pid)) {
        process.onEnd(() => this.#announce(this.#table.endLocal(process.pid)));
      }
    }
    this.#announce(this.#table.joinLocal(group, joining));
  }

  /** Ends one membership of each pid. False when none of them was a member (OTP's not_joined). */
  leave(group: string, pids: Pid | readonly Pid[]): boolean {
    const events = this.#table.leaveLocal(group, typeof pids === "string" ? [pids] : pids);
    this.#announce(events);
    return events.length > 0;
  }

  /** All members, those of this node first; who joined twice comes twice. */
  members(group: string): readonly Pid[] {
    return this.#table.members(group);
  }

  localMembers(group: string): readonly Pid[] {
    return this.#table.localMembers(group);
  }

  /** The names of all groups that have a member. */
  which(): readonly string[] {
    return this.#table.which();
  }

  /**
   * Tells `listener` of each join and leave from now on, on this node and others; returns what stops
   * it. With `group`, of that group only. `members` read in the same breath is the state it begins from.
   */
  subscribe(listener: (event: GroupEvent) => void, group?: string): () => void {
    return this.#listeners.add((event) => {
      if (group === undefined || event.group === group) {
        listener(event);
      }
    });
  }

  // --- for the node floor -------------------------------------------------------------------------

  /** Attaches the node floor; null detaches it. What happened before is in `localSnapshot`. */
  attachSync(sync: GroupSync | null): void {
    this.#sync = sync;
  }

  /** All members of this node: what another node is told when it connects. */
  localSnapshot(): GroupSnapshot {
    return this.#table.localSnapshot();
  }

  /**
   * Takes what a node's incarnation tells of its own members. False for a single change before the
   * first snapshot: ask for one. Throws `invalid_message`, and changes nothing, when it speaks for
   * processes that are not its own.
   */
  applyRemote(node: string, incarnation: string, update: RemoteGroups): boolean {
    const origin = `${node}/${incarnation}/`;
    const pids = update.type === "snapshot" ? update.groups.flatMap(([, members]) => members) : update.pids;
    const foreign = pids.find((pid) => !pid.startsWith(origin));
    if (foreign !== undefined) {
      throw new SupercastError(
        "invalid_message",
        `${node} cannot tell the groups of ${foreign}: not its own process`,
      );
    }
    const events = this.#table.applyRemote(origin, update);
    this.#emit(events ?? []);
    return events !== undefined;
  }

  /** A node's incarnation is lost: all its members leave. */
  dropNode(node: string, incarnation: string): void {
    this.#emit(this.#table.dropOrigin(`${node}/${incarnation}/`));
  }

  #localProcess(pid: Pid): Process {
    const process = this.#system.processAt(pid);
    if (process === undefined) {
      throw noproc(`${pid}, which should join a group on node ${this.#system.node}`);
    }
    return process;
  }

  #announce(events: readonly GroupEvent[]): void {
    for (const { type, group, pids } of events) {
      if (type === "join") {
        this.#sync?.onLocalJoin(group, pids);
      } else {
        this.#sync?.onLocalLeave(group, pids);
      }
    }
    this.#emit(events);
  }

  #emit(events: readonly GroupEvent[]): void {
    for (const event of events) {
      this.#listeners.emit(event);
    }
  }
}
