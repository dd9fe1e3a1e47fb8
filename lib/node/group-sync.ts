/**
 * Process groups across nodes (otp 84): every node tells the others of its own members.
 *
 * A node that comes up gets a full snapshot, later changes one by one; after a broken connection, or when
 * this node was cut off, a snapshot again, because a change may have been lost. A lost node's members
 * disappear.
 */
import type { GroupSnapshot, RemoteGroups } from "../actor/group-table.ts";
import type { Groups } from "../actor/groups.ts";
import { isPid, type Pid } from "../actor/pid.ts";
import { SupercastError } from "../base/errors.ts";
import type { NodeFloor } from "./node-floor.ts";
import type { Peer } from "./peer.ts";

/** Connects the groups of a system with its node floor. */
export function syncGroups(groups: Groups, floor: NodeFloor): void {
  const bound = Math.floor(floor.maxBatchBytes / 2);
  const sendSnapshot = (node?: string): void => {
    for (const update of snapshotUpdates(groups.localSnapshot(), bound)) {
      floor.sendGroups(update, node);
    }
  };
  const sendChange = (type: "join" | "leave", group: string, pids: readonly Pid[]): void => {
    for (const part of splitPids(group, pids, bound)) {
      floor.sendGroups({ type, group, pids: part });
    }
  };
  groups.attachSync({
    onLocalJoin: (group, pids) => sendChange("join", group, pids),
    onLocalLeave: (group, pids) => sendChange("leave", group, pids),
  });
  floor.onNodeEvent((event) => {
    if (event.type === "nodeUp" || event.type === "connectionBroken") {
      sendSnapshot(event.node);
    } else if (event.type === "nodeDown") {
      groups.dropNode(event.node, event.incarnation);
    }
  });
  floor.onReconnected(() => sendSnapshot());
}

/** A snapshot as items that fit a batch each: a snapshot of the groups that fit, then joins of the rest. */
export function snapshotUpdates(snapshot: GroupSnapshot, boundBytes: number): readonly RemoteGroups[] {
  const first: (readonly [group: string, pids: readonly Pid[]])[] = [];
  const rest: RemoteGroups[] = [];
  let leftBytes = boundBytes;
  for (const [group, pids] of snapshot) {
    leftBytes -= bytesOf(group, pids);
    if (leftBytes >= 0) {
      first.push([group, pids]);
    } else {
      rest.push(
        ...splitPids(group, pids, boundBytes).map((part) => ({ type: "join", group, pids: part }) as const),
      );
    }
  }
  return [{ type: "snapshot", groups: first }, ...rest];
}

function splitPids(group: string, pids: readonly Pid[], boundBytes: number): (readonly Pid[])[] {
  const parts: Pid[][] = [];
  let part: Pid[] = [];
  let bytes = 0;
  for (const pid of pids) {
    bytes += pid.length + FIELD_BYTES;
    if (part.length === 0 || bytes > boundBytes - 4 * group.length) {
      part = [];
      parts.push(part);
      bytes = pid.length + FIELD_BYTES;
    }
    part.push(pid);
  }
  return parts;
}

/** What msgpack adds to a string, and some. */
const FIELD_BYTES = 6;

function bytesOf(group: string, pids: readonly Pid[]): number {
  return pids.reduce((sum, pid) => sum + pid.length + FIELD_BYTES, 4 * group.length + FIELD_BYTES);
}

/** Takes what a peer tells of its members; throws `invalid_message` for what makes no sense. */
export function receiveGroups(groups: Groups, floor: NodeFloor, peer: Peer, change: unknown): void {
  if (typeof change === "object" && change !== null && "type" in change && change.type === "ask") {
    for (const update of snapshotUpdates(groups.localSnapshot(), Math.floor(floor.maxBatchBytes / 2))) {
      floor.sendGroups(update, peer.node);
    }
    return;
  }
  if (!groups.applyRemote(peer.node, peer.incarnation, toUpdate(change))) {
    floor.sendGroups({ type: "ask" }, peer.node);
  }
}

function toUpdate(change: unknown): RemoteGroups {
  if (typeof change === "object" && change !== null && "type" in change) {
    if (change.type === "snapshot" && "groups" in change && isSnapshot(change.groups)) {
      return { type: "snapshot", groups: change.groups };
    }
    const isChange = change.type === "join" || change.type === "leave";
    if (
      isChange &&
      "group" in change &&
      typeof change.group === "string" &&
      "pids" in change &&
      isPids(change.pids)
    ) {
      return { type: change.type === "join" ? "join" : "leave", group: change.group, pids: change.pids };
    }
  }
  throw new SupercastError("invalid_message", "a change of groups is malformed");
}

function isPids(value: unknown): value is readonly Pid[] {
  return Array.isArray(value) && value.every(isPid);
}

function isSnapshot(value: unknown): value is GroupSnapshot {
  return (
    Array.isArray(value) &&
    value.every(
      (entry) =>
        Array.isArray(entry) && entry.length === 2 && typeof entry[0] === "string" && isPids(entry[1]),
    )
  );
}
