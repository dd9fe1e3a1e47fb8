/**
 * ClusterRoot: this node's part in the root stream, from the first question to the others until it runs.
 *
 * It performs what `bootstrap.ts` decides, keeps the node's view of the map up to date, and does the duties of
 * the root stream's writer when that is here. It outlives the Manager in front of it, which brings it messages
 * and ticks; it has neither mailbox nor timer of its own.
 */
import type { ActorSystem } from "../actor/system.ts";
import { messageOf, type SupercastError, toSupercastError } from "../base/errors.ts";
import { majorityOf } from "../stream/configuration.ts";
import { nodeOf } from "../stream/replica-id.ts";
import type { ReplicaSettings } from "../stream/settings.ts";
import type { StreamClient } from "../stream/stream-client.ts";
import { createBootstrap, stepBootstrap } from "./bootstrap.ts";
import {
  type BootstrapMessage,
  type BootstrapRecord,
  type Expected,
  type Kept,
  lineageOf,
} from "./bootstrap-messages.ts";
import { lostText } from "./bootstrap-refusals.ts";
import {
  askedNodes,
  type BootstrapEffect,
  type BootstrapEvent,
  type BootstrapState,
} from "./bootstrap-state.ts";
import { clusterMapDefinition, readClusterMap } from "./cluster-map.ts";
import type { ClusterMap, MapSettings } from "./cluster-map-schema.ts";
import type { MapView } from "./map-view.ts";
import { rootMembers } from "./reconcile.ts";
import { NOTHING_WATCHED, type RootWatch, rootDuties } from "./root-duties.ts";
import type { StreamHost } from "./stream-host.ts";
import { StreamSteward } from "./stream-steward.ts";

export const ROOT_STREAM = "root";

export interface ClusterRootParts {
  readonly system: ActorSystem;
  readonly host: StreamHost;
  readonly view: MapView;
  readonly client: StreamClient;
  /** Nodes that are up, without this one, with their incarnations. */
  readonly up: () => ReadonlyMap<string, string>;
  readonly expected: Expected;
  readonly settings: MapSettings;
  readonly streamSettings: Partial<ReplicaSettings>;
  readonly evictAfterMs: number;
  /** What this node kept of its cluster. */
  readonly kept: Kept;
  /** Keeps it; durable when it resolves. */
  readonly keep: (kept: Kept) => Promise<void>;
  /** To the manager of another node. */
  readonly send: (node: string, message: BootstrapMessage) => void;
  /** This node must not go on. */
  readonly refuse: (error: SupercastError) => void;
}

/** What became of a wish to join. */
export type JoinAnswer =
  | { readonly status: "joined" }
  /** The map's writer is elsewhere. */
  | { readonly status: "redirect"; readonly writer: string | null };

const JOIN_TIMEOUT_MS = 5_000;
/** Longer than any change of writers takes. */
const LOST_MS = 30_000;
/** Heartbeats that were missed, before it is asked whether there is a writer. */
const SILENT_TICKS = 5;
const PROBE_TIMEOUT_MS = 4_000;
/** Nodes that take no part in the data never say what they hold. */
const SETTLE_TICKS = 10;

export class ClusterRoot {
  readonly #parts: ClusterRootParts;
  readonly #steward: StreamSteward;
  #bootstrap: BootstrapState;
  /** Effects are performed in order, each when the one before it is done. */
  #performed: Promise<void> = Promise.resolve();
  #watch: RootWatch = NOTHING_WATCHED;
  #leaving = false;
  #ticksWithWriter = 0;
  /** Since when no writer of the map has been heard; null while there is one, or no cluster. */
  #silentSince: number | null = null;
  #lost: string | null = null;

  constructor(parts: ClusterRootParts) {
    const { system, settings, expected, kept } = parts;
    this.#parts = parts;
    this.#steward = new StreamSteward({
      log: system.log,
      order: (message, timeoutMs) => parts.host.order(ROOT_STREAM, message, timeoutMs),
      done: () => undefined, // the next tick comes soon
    });
    const self = { node: system.node, incarnation: system.incarnation };
    const { state, effects } = createBootstrap({ self, settings, expected }, kept);
    this.#bootstrap = state;
    this.#perform(effects);
  }

  /** The lineage of the cluster that this node belongs to, or is about to found; null while there is none. */
  get lineage(): string | null {
    return lineageOf(this.#bootstrap.kept);
  }

  /** What only a person can help with. */
  get halted(): string | null {
    return this.#bootstrap.halted ?? this.#lost;
  }

  /** The node that writes the map, as far as is known here. */
  get writer(): string | null {
    const primary = this.#home?.primary ?? null;
    return primary === null ? null : nodeOf(primary);
  }

  receive(message: BootstrapMessage): void {
    this.#event({ type: "message", message });
  }

  /** Every few hundred milliseconds. */
  tick(): void {
    const { up, view } = this.#parts;
    const nodes = [...up().keys()];
    if (nodes.sort().join() !== this.#bootstrap.up.join()) {
      this.#event({ type: "up", nodes });
    }
    this.#event({ type: "tick" });
    if (!this.#bootstrap.settled && this.#hasWriter() && this.#hasHeardAll()) {
      this.#event({ type: "settled" });
    }
    this.#watchWriter();
    if (this.#isWriter()) {
      this.#found();
      this.#duties();
    } else {
      this.#watch = NOTHING_WATCHED;
    }
    if (view.map !== null && !this.#leaving && !this.#isIn(view.map)) {
      this.#askToJoin();
    }
  }

  /** Another node wants to be in the map; the caller has checked that it may. */
  async join(node: string, incarnation: string): Promise<JoinAnswer> {
    if (!this.#isWriter()) {
      return { status: "redirect", writer: this.writer };
    }
    await this.#parts.client.request({ type: "join", node, incarnation }, { timeoutMs: JOIN_TIMEOUT_MS });
    return { status: "joined" };
  }

  /** Takes this node out of the map, for good: it does not ask to be let in again. Rejects as a request does. */
  async leave(timeoutMs: number): Promise<void> {
    const { client, system } = this.#parts;
    const { node, incarnation } = system;
    this.#leaving = true;
    await client.request({ type: "leave", node, incarnation, reason: "stopped" }, { timeoutMs });
  }

  // --- bootstrap --------------------------------------------------------------------------------

  #event(event: BootstrapEvent): void {
    const { state, effects } = stepBootstrap(this.#bootstrap, event);
    this.#bootstrap = state;
    this.#perform(effects);
  }

  #perform(effects: readonly BootstrapEffect[]): void {
    for (const effect of effects) {
      this.#performed = this.#performed
        .then(() => this.#performOne(effect))
        .catch((thrown: unknown) => this.#parts.refuse(toSupercastError(thrown)));
    }
  }

  async #performOne(effect: BootstrapEffect): Promise<void> {
    const { system, send, keep, refuse } = this.#parts;
    switch (effect.type) {
      case "send":
        send(effect.to, effect.message);
        break;
      case "keep":
        await keep(effect.kept);
        break;
      case "start":
        await this.#host(effect.record.lineage, effect.record, effect.incarnation);
        break;
      case "join":
        await this.#host(effect.lineage, null, system.incarnation);
        break;
      case "refuse":
        refuse(effect.error);
        break;
      case "halt":
        system.log.error(effect.error.message);
        break;
      case "log":
        system.log.warn(effect.text);
        break;
    }
  }

  async #host(lineage: string, record: BootstrapRecord | null, incarnation: string): Promise<void> {
    const { host, streamSettings } = this.#parts;
    await host.ensure({
      stream: ROOT_STREAM,
      lineage,
      incarnation,
      definition: clusterMapDefinition,
      mode: "strong",
      genesis: record === null ? null : majorityOf(record.genesis),
      nodes: () => this.#nodes(),
      isWanted: () => !this.#leaving,
      settings: streamSettings,
      applied: () => this.#readMap(),
      changed: () => this.#readMap(),
    });
    this.#readMap();
  }

  #nodes(): readonly string[] {
    const members = this.#parts.view.map?.members.map(({ node }) => node) ?? [];
    return [...new Set([...members, ...askedNodes(this.#bootstrap)])];
  }

  get #home(): ReturnType<StreamHost["home"]> {
    return this.#parts.host.home(ROOT_STREAM);
  }

  #isWriter(): boolean {
    return this.#home?.replica.role === "open";
  }

  /** Whether the root replica here has heard an open writer since this node has come up. */
  #hasWriter(): boolean {
    const home = this.#home;
    const { role, primary, hard } = home?.replica ?? { role: "empty", primary: null, hard: null };
    const follows = (role === "follower" || role === "learner") && primary !== null;
    return hard !== null && hard.activated !== null && (role === "open" || follows);
  }

  /**
   * Whether all nodes that are up have said what they hold, or had the time to. Before that one of them may run
   * another cluster under the same name, and who comes up later is the one that must not go on.
   */
  #hasHeardAll(): boolean {
    const { seen, up } = this.#bootstrap;
    this.#ticksWithWriter += 1;
    return this.#ticksWithWriter > SETTLE_TICKS || up.every((node) => seen.has(node));
  }

  /** Without a writer for long, says so: when a majority of its members is gone for good, nobody but a person can help. */
  #watchWriter(): void {
    const { system, client } = this.#parts;
    const { lineage } = this;
    const home = this.#home;
    const isHeard = this.#hasWriter() && (home?.replica.silentTicks ?? 0) <= SILENT_TICKS;
    if (lineage === null || home === undefined || (isHeard && this.#silentSince === null)) {
      return;
    }
    const nowMs = system.clock.now();
    this.#silentSince ??= nowMs;
    // Who follows hears nothing of a writer that is gone, and counts its silence anew after each question.
    this.#steward.once("writer", async () => {
      await client.readAt({ type: "map" }, { mode: "quorum", timeoutMs: PROBE_TIMEOUT_MS });
      this.#silentSince = null;
      this.#lost = null;
    });
    if (this.#lost === null && nowMs - this.#silentSince >= LOST_MS) {
      this.#lost = lostText(lineage, LOST_MS);
      system.log.error(this.#lost);
    }
  }

  // --- the map ----------------------------------------------------------------------------------

  #readMap(): void {
    const map = this.#home?.replicated.look(readClusterMap) ?? null;
    if (map !== null) {
      this.#parts.view.take(map);
    }
  }

  /** The first thing that is written. */
  #found(): void {
    const { client, view } = this.#parts;
    const { kept } = this.#bootstrap;
    if (view.map === null && kept.phase === "running" && kept.record !== null) {
      const { lineage, settings, members } = kept.record;
      this.#steward.once("found", () => client.request({ type: "found", lineage, settings, members }));
    }
  }

  #duties(): void {
    const { view, client, evictAfterMs, system, up } = this.#parts;
    const { map } = view;
    const home = this.#home;
    if (map === null || home === undefined) {
      return;
    }
    const present = new Map([...up(), [system.node, system.incarnation]]);
    const nowMs = system.clock.now();
    const { watch, operations } = rootDuties(this.#watch, { map, up: present, nowMs }, evictAfterMs);
    this.#watch = watch;
    for (const operation of operations) {
      this.#steward.once(JSON.stringify(operation), async () => {
        system.log.warn(`the cluster map: ${operation.type}`, operation);
        await client.request(operation);
      });
    }
    const upNodes = new Set(present.keys());
    const members = home.replica.hard.activated?.configuration.members ?? [];
    this.#steward.step(home, rootMembers(map, upNodes, members.map(nodeOf)), upNodes);
  }

  // --- joining ----------------------------------------------------------------------------------

  #isIn({ members }: ClusterMap): boolean {
    const { node, incarnation } = this.#parts.system;
    return members.some((member) => member.node === node && member.incarnation >= incarnation);
  }

  #askToJoin(): void {
    const { system } = this.#parts;
    const { node, incarnation } = system;
    const writer = this.writer;
    if (writer === null) {
      return;
    }
    this.#steward.once("join", async () => {
      try {
        if (writer === node) {
          await this.join(node, incarnation);
        } else {
          const target = { name: "manager", node: writer };
          await system.call(
            target,
            { type: "joinCluster", node, incarnation },
            { timeoutMs: JOIN_TIMEOUT_MS },
          );
        }
      } catch (thrown) {
        system.log.debug(`${writer} does not let ${node} into the map: ${messageOf(thrown)}`);
      }
    });
  }
}
