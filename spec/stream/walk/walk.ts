/**
 * A random walk over pure replicas: no clock, no actors, no codec. Messages are delivered in random order,
 * lost and repeated; replicas tick, crash and come back, with what they had stored or as somebody else;
 * configurations change at random. A god's view watches every step (witness.ts).
 */
import { InvariantError } from "../../../lib/base/invariant.ts";
import { type Random, seededRandom } from "../../../lib/base/random.ts";
import { majorityOf } from "../../../lib/stream/configuration.ts";
import { type ReplicaId, replicaId } from "../../../lib/stream/replica-id.ts";
import type { StreamEvent, StreamSettings } from "../../../lib/stream/replica-state.ts";
import { createReplica } from "../../../lib/stream/step.ts";
import { describeHost, type Host, localMs, loseTail } from "./host.ts";
import { LeaseWatch } from "./lease-watch.ts";
import { SETTINGS, type WalkOptions, type WalkOutcome } from "./options.ts";
import { type Parcel, Post } from "./post.ts";
import { Replicas, type ReplicasPorts } from "./replicas.ts";
import { isAtRest, isStranded } from "./rest.ts";
import { Witness } from "./witness.ts";

/** In leases' walks: what a step takes at most, so that a tick of a host takes about a heartbeat. */
const STEP_MS = 8;
const ROUND_MS = 100;
/** A claim must be able to outlast a lease. */
const LEASE_SETTINGS = { leaseMs: 1_600, claimTicks: 21 } as const;

export class Walk {
  readonly #options: WalkOptions;
  readonly #random: Random;
  readonly #settings: StreamSettings;
  readonly #replicas: Replicas<Host>;
  readonly #witness = new Witness();
  #births = 0;
  #crashes = 0;
  #snapshots = 0;
  #proposals = 0;
  #stranded = false;
  #nowMs = 0;
  readonly #leases = new LeaseWatch();
  #tailsLost = 0;
  readonly #post: Post;
  /** Drawn for each walk: with many ticks messages pile up, with few of them silence is rare. */
  readonly #tickShare: number;
  readonly #memberShare: number;
  readonly #loss: number;

  constructor(options: WalkOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#post = new Post(this.#random);
    this.#tickShare = 0.05 + 0.17 * this.#random.next();
    this.#memberShare = 0.2 + 0.6 * this.#random.next();
    this.#loss = 0.2 * this.#random.next();
    this.#settings = {
      ...SETTINGS,
      durability: options.durability,
      ...(options.leases === true ? LEASE_SETTINGS : {}),
      ...options.settings,
    };
    this.#replicas = new Replicas(this.#settings, this.#ports());
    const names = Array.from({ length: options.nodes }, (_, index) => String.fromCharCode(97 + index));
    const founders = names.slice(0, options.members).map((node) => this.#newId(node));
    const genesis = majorityOf(founders);
    for (const [index, node] of names.entries()) {
      const id = founders[index] ?? this.#newId(node);
      const state = createReplica(id, this.#settings, { genesis: index < options.members ? genesis : null });
      const stored = { hard: state.hard, log: state.log, commitSeq: 0, tailCertain: true };
      this.#hosts.push({ node, clock: this.#drawClock(), id, state, pending: [], stored });
    }
  }

  get #hosts(): Host[] {
    return this.#replicas.hosts;
  }

  #ports(): ReplicasPorts<Host> {
    return {
      localMs: (host) => localMs(host, this.#nowMs),
      saw: (host, before, event, stepped, durable) =>
        this.#witness.see(host.id, before, event, stepped, durable),
      send: ({ id: from }, to, message) => this.#post.push({ kind: "message", from, to, message }),
      sendSnapshot: ({ id: from }, to, base) => this.#post.push({ kind: "snapshot", from, to, base }),
      asksStore: () => undefined,
      nudge: () => undefined,
      fed: () => this.#look(),
    };
  }

  /** Often as fast or as slow as is allowed. */
  #drawClock(): Host["clock"] {
    const { clockDrift } = this.#settings;
    const share = [-1, 1, 2 * this.#random.next() - 1][this.#random.below(3)] ?? 0;
    return { rate: 1 + clockDrift * share, offsetMs: this.#random.below(10_000) };
  }

  run(): WalkOutcome {
    try {
      for (let count = 0; count < this.#options.steps && this.#witness.violations.length === 0; count++) {
        this.#stray();
      }
      if (this.#witness.violations.length === 0 && this.#options.restless !== true) {
        this.#settle();
      }
    } catch (thrown) {
      const line = thrown instanceof Error ? `${thrown.message}\n${thrown.stack ?? ""}` : String(thrown);
      this.#witness.violate(line, thrown instanceof InvariantError ? "invariant" : "crash");
    }
    const { violations, trace, committed, opened, reconfigured, reads } = this.#witness;
    return {
      violations,
      trace,
      committed,
      opened,
      reconfigured,
      crashes: this.#crashes,
      snapshots: this.#snapshots,
      reads: reads.answered,
      leased: this.#leases.leased,
      tailsLost: this.#tailsLost,
      stranded: this.#stranded,
    };
  }

  // --- the walk -----------------------------------------------------------------------------------

  #stray(): void {
    this.#nowMs += this.#options.leases === true ? this.#random.below(STEP_MS) : 0;
    const { cutEvery } = this.#options;
    if (cutEvery !== undefined && this.#random.next() * cutEvery < 1) {
      const writer = this.#hosts.find(({ state }) => state.role === "open");
      this.#post.cut(
        this.#hosts.map(({ node }) => node),
        writer?.node,
      );
    }
    const dice = this.#random.next();
    if (dice < this.#tickShare) {
      this.#tick(this.#pick(this.#hosts));
    } else {
      this.#happen(this.#random.next());
    }
  }

  #happen(dice: number): void {
    if (dice < 0.75) {
      this.#deliverAny();
    } else if (dice < 0.78) {
      this.#readAnywhere();
    } else if (dice < 0.85) {
      this.#propose();
    } else if (dice < 0.945) {
      this.#finishStores(this.#pick(this.#hosts));
    } else if (dice < 0.96 && this.#options.reconfigures) {
      this.#reconfigure();
    } else if (dice < 0.966) {
      this.#ask(this.#pick(this.#hosts));
    } else if (dice < 0.973) {
      this.#crash(this.#pick(this.#hosts));
    } else {
      this.#join(this.#pick(this.#hosts));
    }
  }

  #deliverAny(): void {
    const parcel = this.#post.takeAny();
    if (parcel !== undefined) {
      this.#deliver(parcel, this.#random.next() < this.#loss);
    }
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
    const draw = this.#random.next();
    if (!this.#post.isAsleep(host.node)) {
      this.#feed(host, { type: "tick", draw });
    }
  }

  #propose(): void {
    const writers = this.#hosts.filter(({ state }) => state.role === "open");
    if (writers.length > 0) {
      const count = this.#random.below(4) === 0 ? 1 + this.#random.below(6) : 1;
      const payloads = Array.from({ length: count }, (_, index) =>
        new TextEncoder().encode(`p${this.#proposals + index}`),
      );
      this.#proposals += count;
      this.#feed(this.#pick(writers), { type: "propose", payloads });
    }
  }

  #readAnywhere(): void {
    const writers = this.#hosts.filter(({ state }) => state.role === "open");
    const host = this.#pick(
      writers.length > 1 || (writers.length > 0 && this.#random.next() < 0.5) ? writers : this.#hosts,
    );
    const id = this.#witness.reads.begin(host.id, this.#witness.committedSeq);
    this.#feed(host, { type: "read", id });
  }

  #ask(host: Host): void {
    this.#feed(host, { type: "claim", configuration: null, force: this.#random.next() < 0.5 });
  }

  /** A random set of members; with the one who proposes it, as the rule wants. */
  #reconfigure(): void {
    const host = this.#pick(this.#hosts);
    const others = this.#hosts.filter((each) => each !== host && this.#random.next() < this.#memberShare);
    const members = [host, ...others].map(({ id }) => id).slice(0, 5);
    const force = this.#random.next() < 0.8;
    this.#feed(host, { type: "claim", configuration: majorityOf(members), force });
  }

  #join(host: Host): void {
    if (host.state.role === "empty" || host.state.role === "learner") {
      this.#feed(host, { type: "join", to: this.#pick(this.#hosts).id });
    }
  }

  // --- crash and restart ------------------------------------------------------------------------

  #crash(host: Host): void {
    const { durability, immortal } = this.#options;
    const keeps = durability === "disk" && (this.#random.next() < 0.8 || immortal === true);
    if (!keeps && (immortal === true || !this.#mayLose(host))) {
      return;
    }
    this.#crashes += 1;
    this.#witness.note(`crash ${host.id}`);
    this.#replicas.crash(host, this.#random.below(host.pending.length + 1));
    if (keeps) {
      this.#return(host);
    } else {
      this.#replicas.replace(host, this.#newId(host.node));
    }
  }

  #return(host: Host): void {
    if (this.#options.losesTails === true && this.#random.next() < 0.5 && this.#mayLose(host)) {
      loseTail(host.stored, 1 + this.#random.below(6));
      this.#tailsLost += 1;
    }
    // Nothing else says what is committed: it has to be found out anew.
    this.#replicas.comeBack(host, host.stored.log.base.seq, String(this.#crashes));
    this.#witness.returned(host.id, host.state);
  }

  /** A copy may be lost for good while every configuration that counts keeps its quorums without it. */
  #mayLose(host: Host): boolean {
    return this.#witness.configurations(this.#hosts.map(({ state }) => state)).every((configuration) => {
      const left = configuration.members.filter(
        (member) => member !== host.id && this.#hosts.some((each) => each.id === member && isCertain(each)),
      );
      return (
        !configuration.members.includes(host.id) ||
        left.length >= Math.max(configuration.writeQuorum, configuration.sealQuorum)
      );
    });
  }

  /** Some of them, in order. */
  #finishStores(host: Host): void {
    for (let left = 1 + this.#random.below(host.pending.length + 1); left > 0; left--) {
      this.#finishStore(host);
    }
  }

  #finishStore(host: Host): void {
    this.#replicas.finishStore(host);
  }

  // --- the end: no more faults, and everything comes to rest ------------------------------------

  #settle(): void {
    this.#witness.note("settle");
    this.#post.heal();
    for (let round = 0; round < 400; round++) {
      this.#nowMs += this.#options.leases === true ? ROUND_MS : 0;
      for (const host of this.#hosts) {
        this.#tick(host);
        this.#join(host);
        while (host.pending.length > 0) {
          this.#finishStore(host);
        }
      }
      for (const parcel of this.#post.takeAll()) {
        this.#deliver(parcel, false);
        for (const host of this.#hosts) {
          this.#finishStore(host);
        }
      }
      if (round % 20 === 19) {
        this.#propose();
      }
      if (round > 100 && isAtRest(this.#hosts)) {
        return;
      }
    }
    if (isStranded(this.#hosts)) {
      this.#stranded = true;
      return;
    }
    this.#witness.violate(`no rest: ${this.#hosts.map((host) => describeHost(host)).join("; ")}`, "liveness");
  }

  // --- steps --------------------------------------------------------------------------------------

  #feed(host: Host, event: StreamEvent): void {
    this.#replicas.feed(host, event);
  }

  #look(): void {
    if (this.#options.leases === true) {
      const wrong = this.#leases.check(this.#hosts, this.#nowMs, this.#witness.committedSeq);
      if (wrong !== null) {
        this.#witness.violate(wrong);
      }
    }
    this.#post.bound();
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

function isCertain({ state, stored }: Host): boolean {
  return state.tailCertain && stored.tailCertain;
}
