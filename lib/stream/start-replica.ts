/** Starting a replica of a stream on a node. */
import type { ChildSpec } from "../actor/child-spec.ts";
import type { Pid } from "../actor/pid.ts";
import { replicaChild } from "./replica-actor.ts";
import { ReplicaHome } from "./replica-home.ts";
import type { ReplicaOptions, ReplicaPorts, WatchNodes } from "./replica-options.ts";

/** What a replica needs to live on; a Node has all of it. */
export interface ReplicaHost {
  readonly system: ReplicaPorts;
  readonly onNodeEvent: WatchNodes;
  /** Starts a child under a supervisor, which restarts it when it crashes. */
  supervise(spec: ChildSpec): Promise<Pid>;
}

/**
 * Opens the home of a replica and starts its actor, supervised, as `stream-<name>`. Rejects with
 * `config_mismatch`, with what storage rejects with, or with `already_started`. Whoever started it closes the
 * home when the actor has ended, before the journal's folder.
 */
export async function startReplica(host: ReplicaHost, options: ReplicaOptions): Promise<ReplicaHome> {
  const home = await ReplicaHome.open(host.system, options);
  try {
    await host.supervise(replicaChild(home, (listener) => host.onNodeEvent(listener)));
  } catch (thrown) {
    await home.close();
    throw thrown;
  }
  return home;
}
