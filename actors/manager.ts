/**
 * Manager: membership and the partition map of this node's view.
 *
 * The map follows from the live nodes by rotation (`lib/cluster/placement.ts`), so nodes that see the
 * same list compute the same map. Every change goes out on the cluster-event subject.
 *
 * When it is restarted it has all of its view back: NodeMonitor, restarted after it, declares again, the
 * node floor knows who is up, and what was done by hand is kept outside of the process.
 */
import { z } from "zod";
import { Actor } from "../lib/actor/actor.ts";
import type { From } from "../lib/actor/from.ts";
import type { Info } from "../lib/actor/info.ts";
import {
  type CallMessage,
  type CastMessage,
  defineProtocol,
  type ProtocolOf,
} from "../lib/actor/protocol.ts";
import type { CallResult } from "../lib/actor/result.ts";
import { messageOf, SupercastError } from "../lib/base/errors.ts";
import {
  type ByHand,
  liveNodes,
  type Membership,
  type MembershipEvent,
  newMembership,
  stepMembership,
  wantedNodes,
} from "../lib/cluster/membership.ts";
import { type Placement, placePartitions } from "../lib/cluster/placement.ts";
import { LOG_LEVELS } from "../lib/telemetry/log.ts";
import { type NodeServices, nodeName, noFields, REPLICATION_MODES } from "./services.ts";

const placement = z.object({
  partition: z.int(),
  primary: z.string(),
  replicas: z.array(z.string()).readonly(),
});

export const managerProtocol = defineProtocol({
  liveNodes: {
    call: noFields,
    reply: z.array(z.string()).readonly(),
    help: "the nodes that are declared here and up, sorted; this node's view",
  },
  nodeUp: {
    call: z.strictObject({ node: nodeName }),
    reply: z.literal(true),
    help: "puts a node in by hand, after checking that it runs Supercast; error nodedown when it does not answer",
  },
  nodeDown: {
    call: z.strictObject({ node: nodeName }),
    reply: z.literal(true),
    help: "takes a node out by hand until nodeUp, or until it comes up as a new incarnation",
  },
  getReplicas: {
    call: z.strictObject({ partition: z.int().min(0) }),
    reply: z.object({ primary: z.string(), replicas: z.array(z.string()).readonly() }),
    help: "the primary and the replicas of a partition",
  },
  partitionMap: {
    call: noFields,
    reply: z.array(placement).readonly(),
    help: "the placement of all partitions",
  },
  replicationMode: {
    call: noFields,
    reply: z.enum(REPLICATION_MODES),
    help: "the cluster's replication mode",
  },
  status: {
    call: noFields,
    reply: z.object({
      node: z.string(),
      incarnation: z.string(),
      wanted: z.array(z.string()).readonly(),
      live: z.array(z.string()).readonly(),
      nodes: z.array(z.object({ node: z.string(), incarnation: z.string(), status: z.string() })).readonly(),
    }),
    help: "this node, the nodes it wants and sees, each with its incarnation and status",
  },
  setLogLevel: {
    call: z.strictObject({ level: z.enum(LOG_LEVELS) }),
    reply: z.enum(LOG_LEVELS),
    help: "switches this node's log level while it runs",
  },
  declared: {
    cast: z.strictObject({ nodes: z.union([z.array(z.string()).readonly(), z.literal("all")]) }),
    help: "NodeMonitor tells which nodes are declared",
    from: "node",
  },
});

export type ManagerProtocol = ProtocolOf<typeof managerProtocol>;

export interface ManagerArgs {
  readonly services: NodeServices;
  /** The nodes put in and taken out by hand. They outlive the process, so that a restart undoes no command. */
  readonly kept: { byHand: ByHand };
}

interface ManagerState {
  readonly membership: Membership;
  readonly live: readonly string[];
  readonly map: readonly Placement[];
}

/** How long `nodeUp` waits for the other node's word. */
const VERIFY_TIMEOUT_MS = 2_000;

export class Manager extends Actor<ManagerProtocol, ManagerState, ManagerArgs> {
  static override readonly protocol = managerProtocol;
  #args: ManagerArgs | undefined;

  init(args: ManagerArgs): ManagerState {
    this.#args = args;
    const { services, kept } = args;
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
        return this.reply(message, map);
      case "replicationMode":
        return this.reply(message, this.#use.cluster.replicationMode);
      case "getReplicas": {
        const found = map[message.partition];
        if (found === undefined) {
          from.fail(
            new SupercastError(
              "invalid_message",
              `partition ${message.partition}; allowed: 0 to ${map.length - 1}`,
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
        this.#step({ type: "removed", node: message.node });
        return this.reply(message, true);
      case "status":
        return this.reply(message, this.#status(live));
    }
  }

  override handleCast(message: CastMessage<ManagerProtocol>): void {
    this.#step(message);
  }

  override handleInfo(info: Info): void {
    if (info.type === "nodeUp" || info.type === "nodeDown") {
      this.#step(info);
      const { floor, subjects } = this.#use;
      const { type, node, incarnation } = info;
      const reason = info.type === "nodeDown" ? { reason: info.reason } : {};
      this.#use.publishJson(subjects.clusterEvent(floor.system.node), { type, node, incarnation, ...reason });
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
  #verify(
    message: Extract<CallMessage<ManagerProtocol>, { type: "nodeUp" }>,
    from: From<ManagerProtocol>,
  ): void {
    const { node } = message;
    if (node === this.state.membership.self) {
      from.reply(message, true);
      return;
    }
    this.call({ name: "manager", node }, { type: "replicationMode" }, { timeoutMs: VERIFY_TIMEOUT_MS }).then(
      () => {
        if (this.process.alive) {
          this.#step({ type: "added", node });
          from.reply(message, true);
        }
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
