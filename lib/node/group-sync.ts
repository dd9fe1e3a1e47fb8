/**
 * Process groups across nodes (otp 84): every node tells the others of its own members.
 *
 * A node that comes up gets a full snapshot, later changes one by one; after a broken connection a
 * snapshot again, because a change may have been lost. A lost node's members disappear.
 */
import type { GroupSnapshot, RemoteGroups } from "../actor/group-table.ts";
import type { Groups } from "../actor/groups.ts";
import { isPid, type Pid } from "../actor/pid.ts";
import { SupercastError } from "../base/errors.ts";
import type { NodeFloor } from "./node-floor.ts";
import type { Peer } from "./peer.ts";

/** Connects the groups of a system with its node floor. */
export function syncGroups(groups: Groups, floor: NodeFloor): void {
  groups.attachSync({
    onLocalJoin: (group, pids) => floor.sendGroups({ type: "join", group, pids }),
    onLocalLeave: (group, pids) => floor.sendGroups({ type: "leave", group, pids }),
  });
  floor.onNodeEvent((event) => {
    if (event.type === "nodeUp" || event.type === "connectionBroken") {
      floor.sendGroups({ type: "snapshot", groups: groups.localSnapshot() }, event.node);
    } else if (event.type === "nodeDown") {
      groups.dropNode(event.node, event.incarnation);
    }
  });
}

/** Takes what a peer tells of its members; throws `invalid_message` for what makes no sense. */
export function receiveGroups(groups: Groups, floor: NodeFloor, peer: Peer, change: unknown): void {
  if (typeof change === "object" && change !== null && "type" in change && change.type === "ask") {
    floor.sendGroups({ type: "snapshot", groups: groups.localSnapshot() }, peer.node);
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
