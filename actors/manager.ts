/**
 * Manager: membership and the partition map of this node's view.
 *
 * The map follows from the live nodes by rotation (`lib/cluster/placement.ts`), so nodes that see the
 * same list compute the same map. Every change goes out on the cluster-event subject.
 *
 * When it is restarted it has all of its view back: NodeMonitor, restarted after it, declares again, the
 * node floor knows who is up, and what was done by hand is kept outside of the process.
 */
import { Actor } from "../lib/actor/actor.ts";
import type { From } from "../lib/actor/from.ts";
import type { Info } from "../lib/actor/info.ts";
import type { CallMessage, CastMessage } from "../lib/actor/protocol.ts";
import type { CallResult } from "../lib/actor/result.ts";
import { messageOf, SupercastError, toSupercastError } from "../lib/base/errors.ts";
import type { MapOperation } from "../lib/cluster/cluster-map-schema.ts";
import type { ClusterRoot } from "../lib/cluster/cluster-root.ts";
import {
  type ByHand,
  liveNodes,
  type Membership,
  type MembershipEvent,
  newMembership,
  stepMembership,
  wantedNodes,
} from "../lib/cluster/membership.ts";
import { partitionStream } from "../lib/cluster/partition-streams.ts";
import { type Placement, placePartitions } from "../lib/cluster/placement.ts";
import type { DataServices } from "./data-services.ts";
import { type ManagerProtocol, managerProtocol } from "./manager-protocol.ts";
import type { NodeServices } from "./services.ts";

type MessageOf<Type extends CallMessage<ManagerProtocol>["type"]> = Extract<
  CallMessage<ManagerProtocol>,
  { readonly type: Type }
>;

export interface ManagerArgs {
  readonly services: NodeServices;
  /** The nodes put in and taken out by hand. They outlive the process, so that a restart undoes no command. */
  readonly kept: { byHand: ByHand };
  /** Null: this node takes no part in the replicated data. */
  readonly data: DataServices | null;
}

interface ManagerState {
  readonly membership: Membership;
  readonly live: readonly string[];
  readonly map: readonly Placement[];
}

/** Between two ticks of this node's part in the root stream. */
const ROOT_TICK_MS = 200;
const SYNC_TIMEOUT_MS = 60_000;
/** How long `resetPartition` gives a partition to show that it is alive. */
const ALIVE_TIMEOUT_MS = 3_000;
/** How long nodeUp and nodeDown wait for the cluster map; shorter than their callers. */
const AGREE_TIMEOUT_MS = 4_000;
/** How long `nodeUp` waits for the other node's word. */
const VERIFY_TIMEOUT_MS = 2_000;

export class Manager extends Actor<ManagerProtocol, ManagerState, ManagerArgs> {
  static override readonly protocol = managerProtocol;
  #args: ManagerArgs | undefined;

  init(args: ManagerArgs): ManagerState {
    this.#args = args;
    const { services, kept, data } = args;
    if (data !== null) {
      this.process.onEnd(data.view.onChange((map) => this.process.pushInfo({ type: "message", body: map })));
      this.#tickLater(data.cluster);
    }
    services.floor.monitorNodes(this.process);
    let membership = newMembership(services.floor.system.node, kept.byHand);
    for (const { node, incarnation } of services.floor.liveNodes()) {
      membership = stepMembership(membership, { type: "nodeUp", node, incarnation });
    }
    this.#keep(membership);
    return this.#derive(membership, services);
  }

  override handleCall(message: CallMessage<ManagerProtocol>, from: From<ManagerProtocol>): CallResult {
    const { live, map, membership } = this.state;
    switch (message.type) {
      case "liveNodes":
        return this.reply(message, live);
      case "partitionMap":
        return this.reply(message, this.#placements(map));
      case "clusterMap":
        return this.reply(message, this.#given.data?.view.map ?? null);
      case "fullSync":
        this.#fullSync(message, from);
        return this.noReply();
      case "resetPartition":
        this.#reset(message).then(
          (generation) => from.reply(message, { generation }),
          (thrown: unknown) => from.fail(toSupercastError(thrown)),
        );
        return this.noReply();
      case "joinCluster":
        this.#letIn(message, from);
        return this.noReply();
      case "replicationMode":
        return this.reply(message, this.#use.cluster.replicationMode);
      case "getReplicas": {
        const placements = this.#placements(map);
        const found = placements[message.partition];
        if (found === undefined) {
          from.fail(
            new SupercastError(
              "invalid_message",
              `partition ${message.partition}; allowed: 0 to ${placements.length - 1}`,
            ),
          );
          return this.noReply();
        }
        return this.reply(message, { primary: found.primary, replicas: found.replicas });
      }
      case "setLogLevel":
        this.log.setLevel(message.level);
        return this.reply(message, message.level);
      case "nodeUp":
        this.#verify(message, from);
        return this.noReply();
      case "nodeDown":
        if (message.node === membership.self) {
          from.fail(
            new SupercastError("invalid_message", `node: ${message.node} is this node; stop it instead`),
          );
          return this.noReply();
        }
        this.#takeOut(message, from);
        return this.noReply();
      case "status":
        return this.reply(message, this.#status(live));
    }
  }

  override handleCast(message: CastMessage<ManagerProtocol>): void {
    switch (message.type) {
      case "declared":
        this.#step(message);
        break;
      case "byHand":
        this.#step({ type: message.event, node: message.node });
        break;
      case "bootstrap":
        this.#given.data?.cluster.receive(message.message);
        break;
    }
  }

  override handleInfo(info: Info): void {
    if (info.type === "nodeUp" || info.type === "nodeDown") {
      this.#step(info);
      const { floor, subjects } = this.#use;
      const { type, node, incarnation } = info;
      const reason = info.type === "nodeDown" ? { reason: info.reason } : {};
      this.#use.publishJson(subjects.clusterEvent(floor.system.node), { type, node, incarnation, ...reason });
    } else if (info.type === "message" && info.body === this.#given.data?.view.map) {
      this.#mapChanged();
    }
  }

  get #use(): NodeServices {
    return this.#given.services;
  }

  get #given(): ManagerArgs {
    if (this.#args === undefined) {
      throw new SupercastError("internal", "the manager has not been initialised");
    }
    return this.#args;
  }

  #keep({ added, removed }: Membership): void {
    this.#given.kept.byHand = { added, removed };
  }

  /** Asks the node's own manager before believing that it runs us. */
  #verify(message: MessageOf<"nodeUp">, from: From<ManagerProtocol>): void {
    const { node } = message;
    if (node === this.state.membership.self) {
      from.reply(message, true);
      return;
    }
    this.call({ name: "manager", node }, { type: "replicationMode" }, { timeoutMs: VERIFY_TIMEOUT_MS }).then(
      () => {
        this.#agree({ type: "allow", node }, message, from, "added");
      },
      (error: unknown) => {
        from.fail(
          new SupercastError(
            "nodedown",
            `node ${node} does not answer as a node of this cluster: ${messageOf(error)}`,
          ),
        );
      },
    );
  }

  // --- the cluster ------------------------------------------------------------------------------

  #tickLater(cluster: ClusterRoot): void {
    this.after(ROOT_TICK_MS, () => {
      cluster.tick();
      this.#tickLater(cluster);
    });
  }

  #takeOut(message: MessageOf<"nodeDown">, from: From<ManagerProtocol>): void {
    this.#agree({ type: "leave", node: message.node, reason: "byHand" }, message, from, "removed");
  }

  /** First the map, which remembers it for the whole cluster (a node without data has none); then what the managers see. */
  #agree(
    operation: MapOperation,
    message: MessageOf<"nodeUp"> | MessageOf<"nodeDown">,
    from: From<ManagerProtocol>,
    event: "added" | "removed",
  ): void {
    const { data } = this.#given;
    if (data !== null && data.view.map === null) {
      const text = "this node does not know the cluster map yet; nothing was done";
      from.fail(new SupercastError("quorum_not_reached", text));
      return;
    }
    const agreed = data?.root.request(operation, { timeoutMs: AGREE_TIMEOUT_MS }) ?? Promise.resolve();
    agreed.then(
      () => {
        if (this.process.alive) {
          this.#byHand(event, message.node);
          from.reply(message, true);
        }
      },
      (thrown: unknown) => from.fail(toSupercastError(thrown)),
    );
  }

  /** All managers are told, so that whichever of them writes the map, now or later, knows. */
  #byHand(event: "added" | "removed", node: string): void {
    this.#step({ type: event, node });
    const { floor } = this.#use;
    for (const peer of floor.liveNodes()) {
      this.cast({ name: "manager", node: peer.node }, { type: "byHand", event, node });
    }
  }

  #letIn(message: MessageOf<"joinCluster">, from: From<ManagerProtocol>): void {
    const { data } = this.#given;
    const { node, incarnation } = message;
    if (data === null || !this.state.live.includes(node)) {
      from.fail(new SupercastError("forbidden", `${node} is not declared at ${this.#use.floor.system.node}`));
      return;
    }
    data.cluster.join(node, incarnation).then(
      (answer) => from.reply(message, answer),
      (thrown: unknown) => from.fail(toSupercastError(thrown)),
    );
  }

  /** A partition that still answers has lost nothing, and nobody may throw it away by a slip of the pen. */
  async #reset({ partition }: MessageOf<"resetPartition">): Promise<number> {
    const { data, services } = this.#given;
    const map = data?.view.map ?? null;
    if (data === null || map === null) {
      throw new SupercastError("quorum_not_reached", "there is no cluster map; nothing was done");
    }
    const entry = map.partitions[partition];
    if (entry === undefined) {
      const allowed = `0 to ${map.partitions.length - 1}`;
      throw new SupercastError("invalid_message", `partition: ${partition}; allowed: ${allowed}`);
    }
    if (entry.founded && (await answers(data, partition))) {
      throw new SupercastError("invalid_message", `partition: ${partition} answers; it is not lost`);
    }
    const { system } = services.floor;
    const up = new Set([system.node, ...services.floor.liveNodes().map(({ node }) => node)]);
    const nodes = map.members.map(({ node }) => node).filter((node) => up.has(node));
    const { generation } = entry;
    this.log.warn(`partition ${partition} is given up by hand, with all that it held`, { generation, nodes });
    await data.root.request({ type: "reset", partition, generation, nodes });
    return generation + 1;
  }

  #mapChanged(): void {
    const { floor, subjects, publishJson } = this.#use;
    const { map = null } = this.#given.data?.view ?? {};
    if (map !== null) {
      this.#step({ type: "agreed", left: map.left });
      const members = map.members.map(({ node }) => node);
      const { lineage, version } = map;
      publishJson(subjects.clusterEvent(floor.system.node), { type: "mapAgreed", lineage, version, members });
    }
  }

  /** As the cluster has agreed; before that, as it follows from what this node sees. */
  #placements(seen: readonly Placement[]): readonly Placement[] {
    const map = this.#given.data?.view.map ?? null;
    if (map === null) {
      return seen;
    }
    const nodes = map.members.map(({ node }) => node);
    return placePartitions(nodes, map.settings.partitions, map.settings.replicationFactor);
  }

  #fullSync(message: MessageOf<"fullSync">, from: From<ManagerProtocol>): void {
    const { data } = this.#given;
    const { node } = this.#use.floor.system;
    const copies = (data?.view.map?.partitions ?? []).filter(
      ({ partition }) => data?.host.home(partitionStream(partition)) !== undefined,
    );
    const synced = copies.map(async ({ partition }) => {
      const push = { type: "pushPartition", partition, node, timeoutMs: SYNC_TIMEOUT_MS } as const;
      const { seq } = await this.call({ name: "replicator" }, push, { timeoutMs: SYNC_TIMEOUT_MS });
      return { partition, seq };
    });
    Promise.all(synced).then(
      (partitions) => from.reply(message, { partitions }),
      (thrown: unknown) => from.fail(toSupercastError(thrown)),
    );
  }

  #step(event: MembershipEvent): void {
    const before = this.state;
    this.state = this.#derive(stepMembership(before.membership, event), this.#use);
    this.#keep(this.state.membership);
    const joined = this.state.live.filter((node) => !before.live.includes(node));
    const left = before.live.filter((node) => !this.state.live.includes(node));
    if (joined.length > 0 || left.length > 0) {
      const { floor, subjects, publishJson } = this.#use;
      const { live } = this.state;
      this.log.info(`live nodes: ${live.join(", ")}`);
      publishJson(subjects.clusterEvent(floor.system.node), { type: "mapChanged", live, joined, left });
    }
  }

  #derive(membership: Membership, { cluster }: NodeServices): ManagerState {
    const live = liveNodes(membership);
    return { membership, live, map: placePartitions(live, cluster.partitions, cluster.replicationFactor) };
  }

  #status(live: readonly string[]): {
    node: string;
    incarnation: string;
    wanted: readonly string[];
    live: readonly string[];
    nodes: { node: string; incarnation: string; status: string }[];
  } {
    const { system } = this.#use.floor;
    return {
      node: system.node,
      incarnation: system.incarnation,
      wanted: wantedNodes(this.state.membership),
      live,
      nodes: [
        { node: system.node, incarnation: system.incarnation, status: "up" },
        ...this.#use.floor.liveNodes(),
      ],
    };
  }
}

/** Whether a majority of a partition's copies confirms a read. */
async function answers({ partitions }: DataServices, partition: number): Promise<boolean> {
  try {
    await partitions.client(partition).readAt({ type: "count" }, { timeoutMs: ALIVE_TIMEOUT_MS });
    return true;
  } catch (thrown) {
    if (toSupercastError(thrown).code === "quorum_not_reached") {
      return false;
    }
    throw thrown;
  }
}
