/**
 * A running node, as its users hold it: start actors, send messages, watch nodes and processes, stop.
 */

import { ACTORS } from "../../supervisors/root.ts";
import type { ActorClass, ArgsOf, ProtocolOfActor } from "../actor/actor.ts";
import { type ChildOptions, type ChildSpec, child } from "../actor/child-spec.ts";
import type { Groups } from "../actor/groups.ts";
import type { Down } from "../actor/info.ts";
import { LocalRef } from "../actor/local-ref.ts";
import { makePid, type Pid } from "../actor/pid.ts";
import type { CallMessage, CastMessage, ProtocolAt, ReplyTo } from "../actor/protocol.ts";
import type { Address, CallOptions } from "../actor/ref.ts";
import { superviseUnder } from "../actor/supervise.ts";
import type { ActorSystem } from "../actor/system.ts";
import { SupercastError } from "../base/errors.ts";
import type { ExitReason } from "../base/reason.ts";
import type { ClusterMap } from "../cluster/cluster-map-schema.ts";
import type { Commits } from "../cluster/commits.ts";
import type { MapView } from "../cluster/map-view.ts";
import type { NodeEvent, NodeFloor } from "../node/node-floor.ts";
import { processTree, type TreeNode } from "../node/process-tree.ts";
import type { Shutdown, StopReport } from "./shutdown.ts";

export interface NodeParts {
  readonly system: ActorSystem;
  readonly floor: NodeFloor;
  readonly groups: Groups;
  readonly cluster: string;
  /** The NATS servers in use; empty when this node runs alone, without NATS. */
  readonly servers: readonly string[];
  readonly shutdown: Shutdown;
  /** Null: this node takes no part in the replicated data. */
  readonly map: MapView | null;
  readonly wal: Commits | null;
}

export class Node {
  readonly name: string;
  readonly incarnation: string;
  readonly cluster: string;
  readonly servers: readonly string[];
  /** The actor system beneath, for what is rarely needed: sys functions, registries, tasks. */
  readonly system: ActorSystem;
  /** Process groups, shared with all nodes of the cluster. */
  readonly groups: Groups;
  /** Settles when the node has ended: with nothing when it was stopped, else with why. */
  readonly closed: Promise<Error | undefined>;
  readonly #floor: NodeFloor;
  readonly #shutdown: Shutdown;
  readonly #map: MapView | null;
  readonly #wal: Commits | null;

  constructor(parts: NodeParts) {
    this.name = parts.system.node;
    this.incarnation = parts.system.incarnation;
    this.cluster = parts.cluster;
    this.servers = parts.servers;
    this.system = parts.system;
    this.groups = parts.groups;
    this.#floor = parts.floor;
    this.#shutdown = parts.shutdown;
    this.#map = parts.map;
    this.#wal = parts.wal;
    this.closed = parts.shutdown.closed;
  }

  /**
   * Starts an actor under this node's supervisor for user actors and resolves when its init is done.
   * It is restarted by its restart type (default permanent); the reference then is `noproc`, so address
   * it by name when it shall outlive restarts.
   * Rejects with `already_started` (details `{ pid }`), or `start_failed` (details `{ reason }`; also when
   * init said `ignore`).
   */
  async start<C extends ActorClass>(
    actorClass: C,
    args: ArgsOf<C>,
    options: ChildOptions = {},
  ): Promise<LocalRef<ProtocolOfActor<C>>> {
    const pid = await this.supervise(child(actorClass, args, options));
    const process = this.system.processAt(pid);
    if (process === undefined) {
      throw new SupercastError("start_failed", `${actorClass.name} started and ended at once`);
    }
    return new LocalRef(process);
  }

  /** Starts a child by its spec under the supervisor of user actors, and answers its pid. */
  async supervise(spec: ChildSpec): Promise<Pid> {
    return await superviseUnder(this.system, ACTORS, spec);
  }

  /** Asks. `target`: a pid, a reference, `{ name, node? }`, or `{ via, name }`. Rejects with a SupercastError. */
  call<const T extends Address, const M extends CallMessage<ProtocolAt<T>>>(
    target: T,
    message: M,
    options?: CallOptions,
  ): Promise<ReplyTo<ProtocolAt<T>, M>>;
  call(target: Address, message: object, options?: CallOptions): Promise<unknown> {
    return this.system.call(target, message, options);
  }

  /** Tells. Never throws; what cannot be delivered is counted. */
  cast<const T extends Address, const M extends CastMessage<ProtocolAt<T>>>(target: T, message: M): void;
  cast(target: Address, message: object): void {
    this.system.cast(target, message);
  }

  /**
   * Asks a named process on several nodes at once. Resolves, at the latest after the timeout, with the
   * replies by node and the nodes that gave none, each with its error.
   */
  async multiCall(
    nodes: readonly string[],
    name: string,
    message: { readonly type: string; readonly [field: string]: unknown },
    options?: CallOptions,
  ): Promise<{
    readonly replies: ReadonlyMap<string, unknown>;
    readonly failed: ReadonlyMap<string, Error>;
  }> {
    const replies = new Map<string, unknown>();
    const failed = new Map<string, Error>();
    await Promise.all(
      nodes.map((node) =>
        this.system.call({ name, node }, message, options).then(
          (reply) => replies.set(node, reply),
          (error: unknown) => failed.set(node, error instanceof Error ? error : new Error(String(error))),
        ),
      ),
    );
    return { replies, failed };
  }

  /** Calls `onDown` once when `target` ends, is not there or cannot be reached. Returns what takes it back. */
  monitor(target: Address, onDown: (down: Down) => void): () => void {
    const { clock, log } = this.system;
    let active = true;
    const tell = (down: Down): void => {
      if (!active) {
        return; // taken back meanwhile
      }
      active = false;
      try {
        onDown(down);
      } catch (thrown) {
        log.error("a monitor's function threw", { error: thrown });
      }
    };
    const watcher = { deliverDown: (down: Down): void => clock.microtask(() => tell(down)) };
    const { demonitor } = this.system.monitor(watcher, target);
    return () => {
      active = false;
      demonitor();
    };
  }

  /** The pid behind a name on this node. */
  whereis(name: string): Pid | undefined {
    return this.system.whereis(name)?.pid;
  }

  /** Sends an exit signal; `"kill"` cannot be trapped. */
  exit(pid: Pid, reason: ExitReason): void {
    // Serial 0 is nobody's: a signal from outside all processes.
    this.system.signals.exit(makePid(this.name, this.incarnation, 0), pid, reason);
  }

  /** Commits to partitions and questions to them. Throws `config_mismatch` on a node for actors only. */
  get wal(): Commits {
    if (this.#wal === null) {
      throw new SupercastError(
        "config_mismatch",
        `actorsOnly: ${this.name} takes no part in the replicated data`,
      );
    }
    return this.#wal;
  }

  /** The map that the cluster has agreed upon, as far as this node knows it; null before it is founded. */
  get clusterMap(): ClusterMap | null {
    return this.#map?.map ?? null;
  }

  /**
   * Resolves when this node knows a map in which every partition is founded, so that data may be written.
   * Rejects with `timeout`, saying what is missing; default 30000 ms.
   */
  async ready({ timeoutMs = READY_TIMEOUT_MS }: { readonly timeoutMs?: number } = {}): Promise<void> {
    const view = this.#map;
    if (view === null || isFounded(view.map)) {
      return;
    }
    const { clock } = this.system;
    await new Promise<void>((resolve, reject) => {
      const stop = view.onChange((map) => {
        if (isFounded(map)) {
          finish();
          resolve();
        }
      });
      const timer = clock.setTimer(() => {
        finish();
        reject(
          new SupercastError("timeout", `${this.name}: ${whatIsMissing(view.map)} after ${timeoutMs} ms`),
        );
      }, timeoutMs);
      const finish = (): void => {
        stop();
        clock.clearTimer(timer);
      };
    });
  }

  /** The nodes that are up, this one first. */
  nodes(): readonly string[] {
    return [this.name, ...this.#floor.liveNodes().map(({ node }) => node)];
  }

  /** Calls `listener` at every nodeUp, nodeSuspect, nodeDown and broken connection; returns what stops it. */
  onNodeEvent(listener: (event: NodeEvent) => void): () => void {
    return this.#floor.onNodeEvent(listener);
  }

  /** The supervision tree. */
  tree(): readonly TreeNode[] {
    return processTree(this.system);
  }

  /** Stops in good order: no more foreign messages, mailboxes emptied, tree ended, goodbye said. */
  stop(): Promise<StopReport> {
    return this.#shutdown.stop();
  }
}

const READY_TIMEOUT_MS = 30_000;

function isFounded(map: ClusterMap | null): boolean {
  return map?.partitions.every(({ founded }) => founded) === true;
}

function whatIsMissing(map: ClusterMap | null): string {
  const missing = map?.partitions.filter(({ founded }) => !founded).map(({ partition }) => partition);
  return missing === undefined
    ? "no cluster was founded or found"
    : `partitions ${missing.join(", ")} are not founded`;
}
