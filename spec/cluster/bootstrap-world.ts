/** Nodes that bootstrap over a network that loses, delays, repeats and reorders, and that crash and come back. */
import { type Random, seededRandom } from "../../lib/base/random.ts";
import { createBootstrap, stepBootstrap } from "../../lib/cluster/bootstrap.ts";
import {
  type BootstrapMessage,
  type BootstrapRecord,
  type Expected,
  isBootstrapMessage,
  type Kept,
  lineageOf,
} from "../../lib/cluster/bootstrap-messages.ts";
import type { BootstrapEvent, BootstrapState, BootstrapStep } from "../../lib/cluster/bootstrap-state.ts";
import type { MapSettings } from "../../lib/cluster/cluster-map-schema.ts";
import { majorityOf } from "../../lib/stream/configuration.ts";

export const SETTINGS: MapSettings = {
  partitions: 8,
  replicationFactor: 3,
  replicationMode: "strong",
  durability: "memory",
};

export interface Host {
  readonly node: string;
  readonly expected: Expected;
  readonly settings: MapSettings;
  life: number;
  /** Null while it is down. */
  state: BootstrapState | null;
  /** What a crash leaves. */
  disk: Kept;
}

export interface WorldOptions {
  readonly nodes: readonly string[];
  readonly expected: (node: string) => Expected;
  readonly durability: "memory" | "disk";
  readonly settings?: (node: string) => Partial<MapSettings>;
}

interface Parcel {
  readonly to: string;
  readonly message: BootstrapMessage;
}

const PARCELS_MAX = 400;
/** Every so many messages one is checked against its schema. */
const CHECKED_EVERY = 17;
const EMPTY: Kept = { phase: "empty" };

export function incarnationOf(life: number): string {
  return String(life).padStart(4, "0");
}

export class World {
  readonly hosts: readonly Host[];
  readonly random: Random;
  readonly log: string[] = [];
  readonly violations: string[] = [];
  readonly refusals: { readonly node: string; readonly text: string }[] = [];
  /** Lineages that were begun, with their records. */
  readonly begun = new Map<string, BootstrapRecord>();
  #parcels: Parcel[] = [];
  #sent = 0;
  readonly #durability: "memory" | "disk";
  /** The chance that a host crashes between two effects. */
  crashInside = 0;

  constructor(seed: number | string, { nodes, expected, durability, settings = () => ({}) }: WorldOptions) {
    this.random = seededRandom(seed);
    this.#durability = durability;
    this.hosts = nodes.map((node) => ({
      node,
      expected: expected(node),
      settings: { ...SETTINGS, durability, ...settings(node) },
      life: 0,
      state: null,
      disk: EMPTY,
    }));
  }

  host(node: string): Host {
    const found = this.hosts.find((host) => host.node === node);
    if (found === undefined) {
      throw new Error(`no host ${node}`);
    }
    return found;
  }

  boot(host: Host): void {
    host.life += 1;
    const self = { node: host.node, incarnation: incarnationOf(host.life) };
    const { settings, expected } = host;
    this.log.push(`${host.node}/${host.life} boots with ${describe(host.disk)}`);
    this.#perform(host, createBootstrap({ self, settings, expected }, host.disk));
    if (host.state !== null) {
      this.step(host, { type: "up", nodes: this.hosts.map(({ node }) => node) });
    }
  }

  crash(host: Host, withDisk: boolean): void {
    this.log.push(`${host.node}/${host.life} crashes${withDisk ? "" : " and loses its disk"}`);
    host.state = null;
    if (!withDisk || this.#durability === "memory") {
      host.disk = EMPTY;
    }
  }

  step(host: Host, event: BootstrapEvent): void {
    if (host.state !== null) {
      this.#perform(host, stepBootstrap(host.state, event));
    }
  }

  get inFlight(): number {
    return this.#parcels.length;
  }

  /** One message, any of those in flight; it may be lost or stay for another time. */
  deliver(lossRate: number, repeatRate: number): void {
    const index = this.random.below(this.#parcels.length);
    const parcel = this.#parcels[index];
    if (parcel === undefined) {
      return;
    }
    if (this.random.next() >= repeatRate) {
      this.#parcels.splice(index, 1);
    }
    if (this.random.next() >= lossRate) {
      this.step(this.host(parcel.to), { type: "message", message: parcel.message });
    }
  }

  /** Every message in flight, in order, and those that they cause. */
  deliverAll(): void {
    for (let count = 0; count < 10_000 && this.#parcels.length > 0; count++) {
      const [parcel, ...rest] = this.#parcels;
      this.#parcels = rest;
      if (parcel !== undefined) {
        this.step(this.host(parcel.to), { type: "message", message: parcel.message });
      }
    }
  }

  /** All nodes up, no faults: `ticks` rounds. */
  calm(ticks: number): void {
    this.crashInside = 0;
    for (const host of this.hosts.filter(({ state }) => state === null)) {
      this.boot(host);
    }
    for (let tick = 0; tick < ticks; tick++) {
      for (const host of this.hosts) {
        this.step(host, { type: "tick" });
      }
      this.deliverAll();
      this.settle();
    }
  }

  /** Tells nodes of a lineage that has a write quorum that their stream has a writer. */
  settle(): void {
    for (const [lineage, record] of this.begun) {
      const running = record.members.filter((member) => this.#runs(member.node, member.incarnation, lineage));
      const first = running.filter((member) =>
        record.genesis.includes(`${member.node}/${member.incarnation}`),
      );
      if (first.length >= majorityOf(record.genesis).writeQuorum) {
        for (const host of this.hosts) {
          if (host.state?.kept.phase === "running" && lineageOf(host.state.kept) === lineage) {
            this.step(host, { type: "settled" });
          }
        }
      }
    }
  }

  /** Whether a first replica still exists: the same life, or the record on its disk. */
  isGone(node: string, incarnation: string, lineage: string): boolean {
    const host = this.host(node);
    const kept = host.state?.kept ?? host.disk;
    const wasKept = this.#durability === "disk" && lineageOf(kept) === lineage && isOfRecord(kept, node);
    return incarnationOf(host.life) !== incarnation && !wasKept;
  }

  #runs(node: string, incarnation: string, lineage: string): boolean {
    const { state } = this.host(node);
    return (
      state?.kept.phase === "running" &&
      state.kept.lineage === lineage &&
      !this.isGone(node, incarnation, lineage)
    );
  }

  #perform(host: Host, { state, effects }: BootstrapStep): void {
    host.state = state;
    for (const effect of effects) {
      if (this.crashInside > 0 && this.random.next() < this.crashInside) {
        this.crash(host, this.random.next() < 0.7);
        return;
      }
      switch (effect.type) {
        case "send":
          this.#sent += 1;
          if (this.#sent % CHECKED_EVERY === 0 && !isBootstrapMessage(effect.message)) {
            this.violations.push(`${host.node} sends what is no message: ${JSON.stringify(effect.message)}`);
          }
          if (this.#parcels.length < PARCELS_MAX) {
            this.#parcels.push({ to: effect.to, message: effect.message });
          }
          break;
        case "keep":
          this.log.push(`${host.node}/${host.life} keeps ${describe(effect.kept)}`);
          host.disk = this.#durability === "disk" ? effect.kept : EMPTY;
          break;
        case "start":
          this.log.push(`${host.node}/${host.life} starts ${effect.record.lineage}`);
          this.#checkStart(host, effect.record);
          this.begun.set(effect.record.lineage, effect.record);
          break;
        case "join":
          this.log.push(`${host.node}/${host.life} joins ${effect.lineage}`);
          break;
        case "refuse":
          this.refusals.push({ node: host.node, text: effect.error.message });
          break;
        case "halt":
        case "log":
          this.log.push(`${host.node}/${host.life}: ${effect.type}`);
          break;
      }
    }
    this.#checkNobodyEmpty();
  }

  /** No two lineages of one set of nodes. */
  #checkStart(host: Host, record: BootstrapRecord): void {
    for (const { node } of record.members) {
      const { state, disk } = this.host(node);
      const kept = state?.kept ?? disk;
      if (kept.phase === "running" && kept.lineage !== record.lineage) {
        this.violations.push(`${host.node} starts ${record.lineage} while ${node} runs ${kept.lineage}`);
      }
    }
  }

  /** Nobody can say "empty" in the incarnation of a record that somebody has begun. */
  #checkNobodyEmpty(): void {
    for (const { state } of this.hosts) {
      const record = state?.kept.phase === "running" ? state.kept.record : null;
      for (const member of record?.members ?? []) {
        const host = this.host(member.node);
        const isSameLife = incarnationOf(host.life) === member.incarnation;
        if (isSameLife && host.state !== null && host.state.kept.phase === "empty") {
          this.violations.push(`${record?.lineage} was begun while ${host.node}/${host.life} held nothing`);
        }
      }
    }
  }
}

function isOfRecord(kept: Kept, node: string): boolean {
  return (
    kept.phase !== "empty" &&
    kept.record !== null &&
    kept.record.members.some((member) => member.node === node)
  );
}

export function describe(kept: Kept): string {
  return kept.phase === "empty" ? "nothing" : `${kept.phase} ${lineageOf(kept)}`;
}
