/**
 * Who is in which group, the deciding half: a table that takes joins and leaves and says what changed.
 *
 * Members of this node and of each other node are kept apart, because a node speaks for its own
 * processes only: what node b knows about c never travels on to a (pg's membership is not transitive).
 */
import type { Pid } from "./pid.ts";

/** A change of one group. A process that joined twice must leave twice, so a pid may occur repeatedly. */
export interface GroupEvent {
  readonly type: "join" | "leave";
  readonly group: string;
  readonly pids: readonly Pid[];
}

/** All members of one node, as data. */
export type GroupSnapshot = readonly (readonly [group: string, pids: readonly Pid[]])[];

/** What another node tells of its members: all of them, or one change. */
export type RemoteGroups = { readonly type: "snapshot"; readonly groups: GroupSnapshot } | GroupEvent;

/** The members of one node: group -> pid -> how often it has joined. */
class Roster {
  readonly #groups = new Map<string, Map<Pid, number>>();

  add(group: string, pid: Pid): void {
    const members = this.#groups.get(group);
    if (members === undefined) {
      this.#groups.set(group, new Map([[pid, 1]]));
    } else {
      members.set(pid, (members.get(pid) ?? 0) + 1);
    }
  }

  /** Takes one membership away; false when there was none. */
  remove(group: string, pid: Pid): boolean {
    const members = this.#groups.get(group);
    const count = members?.get(pid);
    if (members === undefined || count === undefined) {
      return false;
    }
    if (count > 1) {
      members.set(pid, count - 1);
      return true;
    }
    members.delete(pid);
    if (members.size === 0) {
      this.#groups.delete(group);
    }
    return true;
  }

  count(group: string, pid: Pid): number {
    return this.#groups.get(group)?.get(pid) ?? 0;
  }

  members(group: string): Pid[] {
    return [...(this.#groups.get(group) ?? [])].flatMap(([pid, count]) => repeated(pid, count));
  }

  groups(): IterableIterator<string> {
    return this.#groups.keys();
  }

  snapshot(): GroupSnapshot {
    return [...this.#groups.keys()].map((group) => [group, this.members(group)] as const);
  }
}

export class GroupTable {
  readonly #local = new Roster();
  readonly #groupsOf = new Map<Pid, Set<string>>();
  readonly #remote = new Map<string, Roster>();

  joinLocal(group: string, pids: readonly Pid[]): readonly GroupEvent[] {
    for (const pid of pids) {
      this.#local.add(group, pid);
      const groups = this.#groupsOf.get(pid);
      if (groups === undefined) {
        this.#groupsOf.set(pid, new Set([group]));
      } else {
        groups.add(group);
      }
    }
    return change("join", group, pids);
  }

  /** One membership of each pid ends; pids that are not members are passed over. */
  leaveLocal(group: string, pids: readonly Pid[]): readonly GroupEvent[] {
    const left = pids.filter((pid) => this.#local.remove(group, pid));
    for (const pid of left) {
      if (this.#local.count(group, pid) === 0) {
        this.#groupsOf.get(pid)?.delete(group);
      }
    }
    return change("leave", group, left);
  }

  /** All memberships of a process end. */
  endLocal(pid: Pid): readonly GroupEvent[] {
    const groups = [...(this.#groupsOf.get(pid) ?? [])];
    const events = groups.flatMap((group) =>
      this.leaveLocal(group, repeated(pid, this.#local.count(group, pid))),
    );
    this.#groupsOf.delete(pid);
    return events;
  }

  /** Whether the process has joined some group since it started, even if it has left again. */
  hasJoined(pid: Pid): boolean {
    return this.#groupsOf.has(pid);
  }

  /**
   * Takes what `origin` tells of its members. A snapshot replaces all that was known and gives the
   * differences. Undefined for a single change of an origin that has not given its snapshot yet.
   */
  applyRemote(origin: string, update: RemoteGroups): readonly GroupEvent[] | undefined {
    if (update.type === "snapshot") {
      return this.#replace(origin, update.groups);
    }
    const roster = this.#remote.get(origin);
    if (roster === undefined) {
      return undefined;
    }
    const { type, group, pids } = update;
    if (type === "leave") {
      const left = pids.filter((pid) => roster.remove(group, pid));
      return change("leave", group, left);
    }
    for (const pid of pids) {
      roster.add(group, pid);
    }
    return change("join", group, pids);
  }

  /** Forgets all members of `origin`. */
  dropOrigin(origin: string): readonly GroupEvent[] {
    const events = this.#remote.has(origin) ? this.#replace(origin, []) : [];
    this.#remote.delete(origin);
    return events;
  }

  members(group: string): Pid[] {
    return [this.#local, ...this.#remote.values()].flatMap((roster) => roster.members(group));
  }

  localMembers(group: string): Pid[] {
    return this.#local.members(group);
  }

  which(): string[] {
    return [...new Set([this.#local, ...this.#remote.values()].flatMap((roster) => [...roster.groups()]))];
  }

  localSnapshot(): GroupSnapshot {
    return this.#local.snapshot();
  }

  #replace(origin: string, groups: GroupSnapshot): readonly GroupEvent[] {
    const before = this.#remote.get(origin) ?? new Roster();
    const after = new Roster();
    for (const [group, pids] of groups) {
      for (const pid of pids) {
        after.add(group, pid);
      }
    }
    this.#remote.set(origin, after);
    const touched = [...new Set([...before.groups(), ...after.groups()])];
    return touched.flatMap((group) => [
      ...change("leave", group, surplus(before, after, group)),
      ...change("join", group, surplus(after, before, group)),
    ]);
  }
}

/** The memberships of `group` that `one` has beyond those of `other`. */
function surplus(one: Roster, other: Roster, group: string): Pid[] {
  return [...new Set(one.members(group))].flatMap((pid) =>
    repeated(pid, one.count(group, pid) - other.count(group, pid)),
  );
}

function repeated(pid: Pid, count: number): Pid[] {
  return count > 0 ? new Array<Pid>(count).fill(pid) : [];
}

function change(type: GroupEvent["type"], group: string, pids: readonly Pid[]): readonly GroupEvent[] {
  return pids.length === 0 ? [] : [{ type, group, pids }];
}
