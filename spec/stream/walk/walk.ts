/**
 * A random walk over pure replicas: no clock, no actors, no codec. Messages are delivered in random order,
 * lost and repeated; replicas tick, crash and come back, with what they had stored or as somebody else;
 * configurations change at random. A god's view watches every step (witness.ts).
 */
import { type Random, seededRandom } from "../../../lib/base/random.ts";
import { EPOCH_ZERO } from "../../../lib/journal/epoch.ts";
import { type Configuration, hasQuorum, majorityOf } from "../../../lib/stream/configuration.ts";
import type { Position } from "../../../lib/stream/entry.ts";
import { Log } from "../../../lib/stream/log.ts";
import type { Message } from "../../../lib/stream/messages.ts";
import { type ReplicaId, replicaId } from "../../../lib/stream/replica-id.ts";
import type {
  HardState,
  ReplicaState,
  StreamEffect,
  StreamEvent,
  StreamSettings,
} from "../../../lib/stream/replica-state.ts";
import { createReplica, step } from "../../../lib/stream/step.ts";
import { Witness } from "./witness.ts";

export interface WalkOptions {
  readonly seed: number;
  readonly nodes: number;
  /** How many of the nodes are members at first. */
  readonly members: number;
  readonly durability: "memory" | "disk";
  readonly steps: number;
  readonly reconfigures: boolean;
}

export interface WalkOutcome {
  readonly violations: readonly string[];
  readonly committed: number;
  readonly opened: number;
  readonly reconfigured: number;
  readonly crashes: number;
  readonly snapshots: number;
  /** It could not come to rest, because a proposal lost its members. */
  readonly stranded: boolean;
  readonly trace: readonly string[];
}

const SETTINGS: Omit<StreamSettings, "durability"> = {
  failureTicks: 6,
  stepDownTicks: 6,
  claimTicks: 12,
  retryTicks: 2,
  pendingMax: 20,
  windowEntries: 6,
  appendEntries: 3,
  appendBytes: 1_000,
  keptEntries: 8,
  learnersMax: 3,
  acknowledgeHeld: false,
  leaseMs: 0,
  clockDrift: 0.25,
};

type Parcel =
  | { readonly kind: "message"; readonly from: ReplicaId; readonly to: ReplicaId; readonly message: Message }
  | { readonly kind: "snapshot"; readonly from: ReplicaId; readonly to: ReplicaId; readonly base: Position };

type Store = Extract<StreamEffect, { type: "store" }>;

/** What a disk holds of a replica. */
interface Stored {
  hard: HardState;
  log: Log;
}

interface Host {
  readonly node: string;
  id: ReplicaId;
  state: ReplicaState;
  pending: Store[];
  stored: Stored;
}

export class Walk {
  readonly #options: WalkOptions;
  readonly #random: Random;
  readonly #settings: StreamSettings;
  readonly #hosts: Host[] = [];
  readonly #witness = new Witness();
  #parcels: Parcel[] = [];
  #births = 0;
  #crashes = 0;
  #snapshots = 0;
  #proposals = 0;
  #stranded = false;
  readonly #loss = 0.14;
  readonly #repeat = 0.1;

  constructor(options: WalkOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#settings = { ...SETTINGS, durability: options.durability };
    const names = Array.from({ length: options.nodes }, (_, index) => String.fromCharCode(97 + index));
    const founders = names.slice(0, options.members).map((node) => this.#newId(node));
    const genesis = majorityOf(founders);
    for (const [index, node] of names.entries()) {
      const id = founders[index] ?? this.#newId(node);
      const state = createReplica(id, this.#settings, { genesis: index < options.members ? genesis : null });
      this.#hosts.push({ node, id, state, pending: [], stored: { hard: state.hard, log: state.log } });
    }
  }

  run(): WalkOutcome {
    try {
      for (let count = 0; count < this.#options.steps && this.#witness.violations.length === 0; count++) {
        this.#stray();
      }
      if (this.#witness.violations.length === 0) {
        this.#settle();
      }
    } catch (thrown) {
      this.#witness.violate(
        thrown instanceof Error ? `${thrown.message}\n${thrown.stack ?? ""}` : String(thrown),
      );
    }
    const { violations, trace, committed, opened, reconfigured } = this.#witness;
    const counted = { committed, opened, reconfigured, crashes: this.#crashes, snapshots: this.#snapshots };
    return { violations, trace, ...counted, stranded: this.#stranded };
  }

  // --- the walk -----------------------------------------------------------------------------------

  #stray(): void {
    const dice = this.#random.next();
    if (dice < 0.62) {
      this.#deliverAny();
    } else if (dice < 0.82) {
      this.#tick(this.#pick(this.#hosts));
    } else if (dice < 0.9) {
      this.#propose();
    } else if (dice < 0.96) {
      this.#finishStore(this.#pick(this.#hosts));
    } else if (dice < 0.975 && this.#options.reconfigures) {
      this.#reconfigure();
    } else if (dice < 0.982) {
      this.#ask(this.#pick(this.#hosts));
    } else if (dice < 0.987) {
      this.#crash(this.#pick(this.#hosts));
    } else {
      this.#join(this.#pick(this.#hosts));
    }
  }

  #deliverAny(): void {
    const index = this.#random.below(Math.max(1, this.#parcels.length));
    const parcel = this.#parcels[index];
    if (parcel === undefined) {
      return;
    }
    if (this.#random.next() >= this.#repeat) {
      this.#parcels[index] = this.#parcels[this.#parcels.length - 1] ?? parcel;
      this.#parcels.pop();
    }
    this.#deliver(parcel, this.#random.next() < this.#loss);
  }

  #deliver(parcel: Parcel, lost: boolean): void {
    const host = this.#hosts.find(({ id }) => id === parcel.to);
    if (parcel.kind === "snapshot") {
      this.#transfer(parcel, lost ? undefined : host);
    } else if (host !== undefined && !lost) {
      this.#feed(host, { type: "message", from: parcel.from, message: parcel.message });
    }
  }

  /** The sender of a snapshot hears in any case what has become of it. */
  #transfer({ from, to, base }: Extract<Parcel, { kind: "snapshot" }>, host: Host | undefined): void {
    this.#snapshots += 1;
    if (host !== undefined) {
      this.#feed(host, { type: "snapshotReceived", base });
    }
    const sender = this.#hosts.find(({ id }) => id === from);
    if (sender !== undefined) {
      this.#feed(sender, { type: "snapshotSent", to, seq: host === undefined ? null : base.seq });
    }
  }

  #tick(host: Host): void {
    this.#feed(host, { type: "tick", draw: this.#random.next() });
  }

  #propose(): void {
    const writers = this.#hosts.filter(({ state }) => state.role === "open");
    if (writers.length > 0) {
      this.#proposals += 1;
      const payload = new TextEncoder().encode(`p${this.#proposals}`);
      this.#feed(this.#pick(writers), { type: "propose", payloads: [payload] });
    }
  }

  #ask(host: Host): void {
    this.#feed(host, { type: "claim", configuration: null, force: this.#random.next() < 0.5 });
  }

  /** A random set of members; with the one who proposes it, as the rule wants. */
  #reconfigure(): void {
    const host = this.#pick(this.#hosts);
    const others = this.#hosts.filter((each) => each !== host && this.#random.next() < 0.6);
    const members = [host, ...others].map(({ id }) => id).slice(0, 5);
    const force = this.#random.next() < 0.5;
    this.#feed(host, { type: "claim", configuration: majorityOf(members), force });
  }

  #join(host: Host): void {
    if (host.state.role === "empty" || host.state.role === "learner") {
      this.#feed(host, { type: "join", to: this.#pick(this.#hosts).id });
    }
  }

  // --- crash and restart ------------------------------------------------------------------------

  #crash(host: Host): void {
    const keeps = this.#options.durability === "disk" && this.#random.next() < 0.8;
    if (!keeps && !this.#mayLose(host)) {
      return;
    }
    this.#crashes += 1;
    this.#witness.note(`crash ${host.id}`);
    const kept = this.#random.below(host.pending.length + 1);
    for (const store of host.pending.slice(0, kept)) {
      persist(host.stored, store);
    }
    host.pending = [];
    if (keeps) {
      const { hard, log } = host.stored;
      const stored = { hard, log, commitSeq: log.base.seq, tailCertain: true };
      host.state = createReplica(host.id, this.#settings, { stored });
      return;
    }
    host.id = this.#newId(host.node);
    host.state = createReplica(host.id, this.#settings, {});
    host.stored = { hard: { promise: EPOCH_ZERO, activated: null, successors: [] }, log: Log.empty() };
  }

  /** A copy may be lost for good while every configuration that counts keeps its quorums without it. */
  #mayLose(host: Host): boolean {
    return this.#witness.configurations(this.#hosts.map(({ state }) => state)).every((configuration) => {
      const left = configuration.members.filter(
        (member) => member !== host.id && this.#hosts.some(({ id }) => id === member),
      );
      return (
        !configuration.members.includes(host.id) ||
        left.length >= Math.max(configuration.writeQuorum, configuration.sealQuorum)
      );
    });
  }

  #finishStore(host: Host): void {
    const store = host.pending.shift();
    if (store !== undefined) {
      persist(host.stored, store);
      this.#feed(host, { type: "stored", mark: store.mark });
    }
  }

  // --- the end: no more faults, and everything comes to rest ------------------------------------

  #settle(): void {
    this.#witness.note("settle");
    for (let round = 0; round < 400; round++) {
      for (const host of this.#hosts) {
        this.#tick(host);
        this.#join(host);
        while (host.pending.length > 0) {
          this.#finishStore(host);
        }
      }
      for (const parcel of this.#parcels.splice(0)) {
        this.#deliver(parcel, false);
        for (const host of this.#hosts) {
          this.#finishStore(host);
        }
      }
      if (round % 20 === 19) {
        this.#propose();
      }
      if (round > 100 && this.#isAtRest()) {
        return;
      }
    }
    if (this.#isStranded()) {
      this.#stranded = true;
      return;
    }
    this.#witness.violate(`no rest: ${this.#hosts.map((host) => describeHost(host)).join("; ")}`);
  }

  /**
   * Whether a proposal is open whose seal quorum is dead: its members died between the question and the seal.
   * Nobody can know that it committed nothing, so the stream stands still, as it must.
   */
  #isStranded(): boolean {
    const lives = (member: ReplicaId): boolean => this.#hosts.some(({ id }) => id === member);
    const open = this.#hosts.flatMap(({ state }) => state.hard.successors);
    return open.some(({ configuration }) => !hasQuorum(configuration, configuration.sealQuorum, lives));
  }

  #isAtRest(): boolean {
    const writers = this.#hosts.filter(({ state }) => state.role === "open");
    const writer = writers[0]?.state;
    if (writer === undefined || writers.length > 1 || writer.commitSeq < writer.log.lastSeq) {
      return false;
    }
    const { members }: Configuration = writer.writer?.configuration ?? {
      members: [],
      writeQuorum: 1,
      sealQuorum: 1,
    };
    return this.#hosts.every(
      ({ id, state }) => !members.includes(id) || state.commitSeq === writer.commitSeq,
    );
  }

  // --- steps --------------------------------------------------------------------------------------

  #feed(host: Host, event: StreamEvent): void {
    const before = host.state;
    const { state, effects } = step(before, event, 0);
    host.state = state;
    this.#witness.see(host.id, before, event, state, effects);
    for (const effect of effects) {
      if (effect.type === "send") {
        for (const to of effect.to) {
          this.#parcels.push({ kind: "message", from: host.id, to, message: effect.message });
        }
      } else if (effect.type === "store") {
        host.pending.push(effect);
      } else if (effect.type === "sendSnapshot") {
        const base = state.log.position(state.commitSeq) ?? state.log.base;
        const { seq, epoch, chain } = base;
        this.#parcels.push({ kind: "snapshot", from: host.id, to: effect.to, base: { seq, epoch, chain } });
      }
    }
    if (this.#parcels.length > 400) {
      // The oldest messages are lost.
      this.#parcels = this.#parcels.filter(({ kind }, index) => kind === "snapshot" || index >= 100);
    }
  }

  #newId(node: string): ReplicaId {
    this.#births += 1;
    return replicaId(node, String(this.#births));
  }

  #pick<T>(from: readonly T[]): T {
    const found = from[this.#random.below(from.length)];
    if (found === undefined) {
      throw new Error("nothing to pick from");
    }
    return found;
  }
}

function persist(stored: Stored, { reset, truncateAfter, entries, hard }: Store): void {
  let { log } = stored;
  if (reset !== null) {
    log = Log.empty(reset);
  }
  if (truncateAfter !== null) {
    log = log.truncateAfter(truncateAfter);
  }
  stored.log = log.append(entries);
  stored.hard = hard ?? stored.hard;
}

function describeHost({ id, state }: Host): string {
  const { role, hard, log, commitSeq } = state;
  return `${id} ${role} promise ${hard.promise.counter} last ${log.lastSeq} commit ${commitSeq}`;
}
