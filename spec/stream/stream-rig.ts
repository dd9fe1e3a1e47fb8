/** Replicas of one stream on a simulated cluster, in memory or on simulated disks. */

import { SupercastError } from "../../lib/base/errors.ts";
import { SimulatedDisk } from "../../lib/disk/simulated-disk.ts";
import type { JournalFolder } from "../../lib/journal/folder.ts";
import { openFolder } from "../../lib/journal/open.ts";
import { type Configuration, majorityOf } from "../../lib/stream/configuration.ts";
import type { Change, ReadView, StreamDefinition } from "../../lib/stream/definition.ts";
import type { ReplicaHome } from "../../lib/stream/replica-home.ts";
import { replicaId } from "../../lib/stream/replica-id.ts";
import type { ReplicaOptions } from "../../lib/stream/replica-options.ts";
import { startReplica } from "../../lib/stream/start-replica.ts";
import { journalStorage } from "../../lib/stream/storage.ts";
import { StreamClient } from "../../lib/stream/stream-client.ts";
import { SimCluster } from "../support/sim-cluster.ts";

export type CounterOperation =
  | { readonly op: "put"; readonly key: string; readonly value: unknown }
  | { readonly op: "add"; readonly key: string; readonly n: number };

/** Values by key; `add` counts. */
export const counters: StreamDefinition<CounterOperation, { readonly key: string }> = {
  resolve: (view: ReadView, operation: CounterOperation) => {
    if (operation.op === "put") {
      return { answer: null, changes: [{ key: operation.key, value: operation.value }] };
    }
    if (typeof operation.n !== "number") {
      throw new SupercastError("invalid_message", "n: must be a number");
    }
    const sum = Number(view.get(operation.key) ?? 0) + operation.n;
    const change: Change = { key: operation.key, value: sum };
    return { answer: sum, changes: [change] };
  },
  query: (view: ReadView, { key }: { readonly key: string }) => view.get(key) ?? null,
};

export const STREAM = "orders";

/** Small, so that snapshots are due soon. */
const JOURNAL = { recordsPerSegment: 64, segmentBytes: 32 * 1024, preallocateBytes: 32 * 1024 } as const;

export class StreamRig {
  readonly cluster: SimCluster;
  readonly names: readonly string[];
  readonly homes = new Map<string, ReplicaHome>();
  readonly genesis: Configuration;
  readonly #options: Partial<ReplicaOptions>;
  readonly #disks = new Map<string, SimulatedDisk>();
  readonly #folders = new Map<string, JournalFolder>();
  readonly #durable: boolean;
  #incarnations = 1;

  constructor(
    seed: number,
    names: readonly string[],
    options: Partial<ReplicaOptions> & { readonly durable?: boolean } = {},
  ) {
    const { durable = false, ...rest } = options;
    this.cluster = new SimCluster(seed);
    this.names = names;
    this.genesis = majorityOf(names.slice(0, 3).map((name) => replicaId(name, "first")));
    this.#options = rest;
    this.#durable = durable;
  }

  async begin(): Promise<void> {
    await this.cluster.startAll(this.names);
    for (const name of this.names) {
      await this.start(name, "first");
    }
  }

  /** Starts a replica on a node that is up; on its disk, where it has one. */
  async start(name: string, incarnation?: string): Promise<ReplicaHome> {
    this.#incarnations += 1;
    const given = incarnation ?? `later${this.#incarnations}`;
    const sim = this.cluster.get(name);
    const folder = this.#durable ? await this.#openFolder(name) : null;
    const home = await this.cluster.run(
      startReplica(sim.node, {
        stream: STREAM,
        lineage: "life1",
        definition: counters,
        mode: "strong",
        incarnation: given,
        genesis: given === "first" && this.names.indexOf(name) < 3 ? this.genesis : null,
        nodes: this.names,
        storage: folder === null ? null : journalStorage(folder),
        ...this.#options,
      }),
    );
    this.homes.set(name, home);
    return home;
  }

  home(name: string): ReplicaHome {
    const home = this.homes.get(name);
    if (home === undefined) {
      throw new Error(`no replica on ${name}`);
    }
    return home;
  }

  client(on: string, timeoutMs = 10_000): StreamClient {
    const { system } = this.cluster.get(on).node;
    return new StreamClient(system, { stream: STREAM, nodes: this.names, timeoutMs });
  }

  /** The node whose replica is the open writer; waits for there to be one. */
  async writer(): Promise<string> {
    await this.cluster.until(() => this.#writers().length === 1, 20_000);
    return this.#writers()[0] ?? "";
  }

  others(name: string): string[] {
    return this.#alive().filter((each) => each !== name);
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.cluster.run(promise);
  }

  kill(name: string): void {
    this.cluster.kill(name);
    this.#disks.get(name)?.crash();
    this.#folders.delete(name);
    this.homes.delete(name);
  }

  /** Whether all replicas have applied the same and have the same state. */
  agree(): boolean {
    const states = [...this.homes.values()].map(({ status }) => `${status.appliedSeq} ${status.stateHash}`);
    return new Set(states).size === 1;
  }

  async end(): Promise<void> {
    await this.cluster.stopAll();
    for (const home of this.homes.values()) {
      await this.run(home.close());
    }
    for (const folder of this.#folders.values()) {
      await this.run(folder.close());
    }
  }

  #alive(): string[] {
    return [...this.homes.keys()];
  }

  #writers(): string[] {
    return this.#alive().filter((name) => this.home(name).replica.role === "open");
  }

  disk(name: string): SimulatedDisk {
    const { clock, random } = this.cluster;
    const disk =
      this.#disks.get(name) ?? new SimulatedDisk(random.fork(`disk ${name}`), { clock, latencyMsMax: 2 });
    this.#disks.set(name, disk);
    return disk;
  }

  async #openFolder(name: string): Promise<JournalFolder> {
    const { clock } = this.cluster.get(name);
    const random = this.cluster.random.fork(`journal ${name} ${this.#incarnations}`);
    const options = { disk: this.disk(name).mount(), clock, random, ...JOURNAL };
    const folder = await this.run(openFolder("/data", options));
    this.#folders.set(name, folder);
    return folder;
  }
}
