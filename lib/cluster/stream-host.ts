/**
 * StreamHost: the replicas that live on this node, and the journal they share.
 *
 * It outlives the actors: a replica's home stays here whatever becomes of the actor in front of it, and one
 * that is asked for again gets a new actor around the same home. It decides nothing; the cluster map says
 * which streams should be here, and its callers carry that out.
 */
import { LocalRef } from "../actor/local-ref.ts";
import type { CallMessage } from "../actor/protocol.ts";
import { endUnder, superviseUnder } from "../actor/supervise.ts";
import type { ActorSystem } from "../actor/system.ts";
import { SupercastError } from "../base/errors.ts";
import type { JournalFolder } from "../journal/folder.ts";
import { Beat } from "../stream/beat.ts";
import type { Configuration } from "../stream/configuration.ts";
import type { StreamDefinition } from "../stream/definition.ts";
import { replicaChild } from "../stream/replica-actor.ts";
import { ReplicaHome } from "../stream/replica-home.ts";
import { replicaId } from "../stream/replica-id.ts";
import type { WatchNodes } from "../stream/replica-options.ts";
import {
  type OrderAnswer,
  type StreamMode,
  type StreamProtocol,
  streamActorName,
} from "../stream/requests.ts";
import { DEFAULT_STREAM_SETTINGS, type ReplicaSettings } from "../stream/settings.ts";
import { journalStorage } from "../stream/storage.ts";
import type { StreamWire } from "./stream-wire.ts";

/** The name of the supervisor of all replicas of a node. */
export const STREAMS = "streams";

/** A stream of which a replica should be here. */
export interface HostedStream {
  readonly stream: string;
  readonly lineage: string;
  /** In which this copy begins, where that has been agreed upon; else this node's. */
  readonly incarnation?: string;
  readonly definition: StreamDefinition<unknown, unknown>;
  readonly mode: StreamMode;
  /** The stream's first configuration, whether or not this node is in it. */
  readonly genesis: Configuration | null;
  /** Where replicas may live at present. */
  readonly nodes: () => readonly string[];
  /** Whether the replica here should follow the stream also when it is no member. */
  readonly isWanted: () => boolean;
  readonly settings: Partial<ReplicaSettings>;
  /** Entries have been applied. */
  readonly applied?: () => void;
  /** The role has changed, or a learner has caught up. */
  readonly changed: () => void;
}

export type StreamOrder = Extract<
  CallMessage<StreamProtocol>,
  { readonly type: "reconfigure" | "handOver" | "claim" }
>;

export interface StreamHostParts {
  readonly system: ActorSystem;
  readonly watchNodes: WatchNodes;
  /** Null: replicas live in memory only. */
  readonly folder: JournalFolder | null;
  readonly wire: StreamWire;
}

const AT = "@";

export class StreamHost {
  readonly #parts: StreamHostParts;
  readonly #beat: Beat;
  readonly #homes = new Map<string, ReplicaHome>();
  /** Of each home: what ends listening to its stream. */
  readonly #listening = new Map<string, () => void>();
  /** Of each stream: what is being done to it, one after the other. */
  readonly #work = new Map<string, Promise<unknown>>();
  /** Of each lineage: how many copies this process has begun. */
  readonly #copies = new Map<string, number>();

  constructor(parts: StreamHostParts) {
    this.#parts = parts;
    this.#beat = new Beat(parts.system.clock, DEFAULT_STREAM_SETTINGS.heartbeatMs);
  }

  get durability(): "memory" | "disk" {
    return this.#parts.folder === null ? "memory" : "disk";
  }

  /** The home of this node's replica of a stream, if it has one. */
  home(stream: string): ReplicaHome | undefined {
    return this.#homes.get(stream);
  }

  get streams(): readonly string[] {
    return [...this.#homes.keys()].sort();
  }

  /** The lineages under which the journal holds a stream, sorted. */
  storedLineages(stream: string): readonly string[] {
    const names = this.#parts.folder === null ? [] : [...this.#parts.folder.streams.keys()];
    return names
      .filter((name) => name.startsWith(`${stream}${AT}`))
      .map((name) => name.slice(stream.length + AT.length))
      .sort();
  }

  /**
   * Sees to it that this node has a replica of the stream and an actor in front of it; one of another lineage
   * goes first. Rejects with what storage and the supervisor reject with.
   */
  ensure(wanted: HostedStream): Promise<ReplicaHome> {
    return this.#next(wanted.stream, async () => {
      const present = this.#homes.get(wanted.stream);
      if (present !== undefined && present.options.lineage !== wanted.lineage) {
        await this.#remove(wanted.stream);
      }
      const home = this.#homes.get(wanted.stream) ?? (await this.#open(wanted));
      this.#keep(home);
      await this.#host(home);
      return home;
    });
  }

  /** Gives an order to the replica of a stream here. Rejects with `noproc` when there is none, or `timeout`. */
  async order(stream: string, message: StreamOrder, timeoutMs: number): Promise<OrderAnswer> {
    const process = this.#parts.system.whereis(streamActorName(stream));
    if (process === undefined) {
      throw new SupercastError("noproc", `there is no replica of ${stream} on this node`);
    }
    return await new LocalRef<StreamProtocol>(process).call(message, { timeoutMs });
  }

  /** Ends the replica of a stream, if there is one, and forgets it. */
  remove(stream: string): Promise<void> {
    return this.#next(stream, () => this.#remove(stream));
  }

  /** Closes all homes, after their actors have ended. */
  async close(): Promise<void> {
    for (const stream of this.streams) {
      await this.#next(stream, async () => {
        await this.#letGo(stream);
      });
    }
  }

  async #open({ stream, lineage, genesis, nodes, ...rest }: HostedStream): Promise<ReplicaHome> {
    const { system, folder, wire } = this.#parts;
    const incarnation = this.#nextIncarnation(lineage, rest.incarnation);
    const self = replicaId(system.node, incarnation);
    return await ReplicaHome.open(system, {
      ...rest,
      settings: { ...rest.settings, ...wire.settings },
      stream,
      lineage,
      incarnation,
      genesis: genesis?.members.includes(self) === true ? genesis : null,
      get nodes() {
        return nodes();
      },
      nextIncarnation: () => this.#nextIncarnation(lineage),
      storage: folder === null ? null : journalStorage(folder),
      beat: this.#beat,
      fanOut: (letter) => wire.fanOut(letter),
      stateLimits: { entryBytes: wire.entryBytes },
      transferLimits: { chunkBytes: wire.chunkBytes },
    });
  }

  /** Of this process's next copy of a lineage: they sort by age, also against those of later processes. */
  #nextIncarnation(lineage: string, first: string = this.#parts.system.incarnation): string {
    const copy = (this.#copies.get(lineage) ?? 0) + 1;
    this.#copies.set(lineage, copy);
    return copy === 1 ? first : `${this.#parts.system.incarnation}-${copy}`;
  }

  /** The actor in front of a home: the one that runs, or a new one. */
  async #host(home: ReplicaHome): Promise<void> {
    const { system, watchNodes } = this.#parts;
    if (system.whereis(streamActorName(home.options.stream)) !== undefined) {
      return;
    }
    try {
      await superviseUnder(system, STREAMS, replicaChild(home, watchNodes));
    } catch (thrown) {
      if (!(thrown instanceof SupercastError && thrown.code === "already_started")) {
        throw thrown; // otherwise its supervisor has restarted it meanwhile
      }
    }
  }

  async #remove(stream: string): Promise<void> {
    const { system } = this.#parts;
    const actor = system.whereis(streamActorName(stream));
    if (actor !== undefined) {
      await endUnder(system, STREAMS, actor.pid);
    }
    await this.#letGo(stream);
  }

  #keep(home: ReplicaHome): void {
    const { stream } = home.options;
    if (!this.#homes.has(stream)) {
      this.#homes.set(stream, home);
      this.#listening.set(stream, this.#parts.wire.listen(stream));
    }
  }

  async #letGo(stream: string): Promise<void> {
    this.#listening.get(stream)?.();
    this.#listening.delete(stream);
    await this.#homes.get(stream)?.close();
    this.#homes.delete(stream);
  }

  #next<T>(stream: string, work: () => Promise<T>): Promise<T> {
    const before = this.#work.get(stream) ?? Promise.resolve();
    const run = before.then(work, work);
    this.#work.set(stream, run);
    return run;
  }
}
