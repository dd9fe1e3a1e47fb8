/**
 * The home of a replica: all of it that outlives the actor in front.
 *
 * An actor that crashes outside the pure step finds here the last state that a step has returned and the
 * effects that have not been performed; its successor performs them, some perhaps for the second time, which
 * does no harm, and goes on. When the step itself, or the applying of an entry, throws, the replica has a bug
 * or bad memory and must not vouch for anything it has said: in memory it becomes another replica, empty, with
 * a new incarnation; with a disk it is damaged until somebody repairs it.
 */
import { SupercastError } from "../base/errors.ts";
import { Fifo } from "../base/fifo.ts";
import { invariant } from "../base/invariant.ts";
import { nameProblem } from "../base/names.ts";
import type { Random } from "../base/random.ts";
import { publishEvent } from "../telemetry/events.ts";
import { Batches, type BatchRequest, type Superseded } from "./batches.ts";
import { problemOf, quorumValue } from "./configuration.ts";
import type { ResolvedBatch, StreamRequest } from "./definition.ts";
import type { Entry, Position } from "./entry.ts";
import type { Log } from "./log.ts";
import { replicaId } from "./replica-id.ts";
import type { ReplicaOptions, ReplicaPorts } from "./replica-options.ts";
import type { ReplicaState, StreamEffect, StreamEvent } from "./replica-state.ts";
import { ReplicatedState } from "./replicated-state.ts";
import { type ReplicaStatus, streamActorName } from "./requests.ts";
import { roleAfter } from "./role-chart.ts";
import { checkStreamSettings, coreSettings, type ReplicaSettings } from "./settings.ts";
import { firstTransferOf } from "./snapshot-messages.ts";
import { loadState, saveState } from "./state-file.ts";
import { createReplica, step } from "./step.ts";
import type { OpenStorage, StoredState } from "./storage.ts";
import { Transfers } from "./transfers.ts";
import { canPropose } from "./writer.ts";

/** An effect that has not been performed, with what it refers to. */
export interface Unfinished {
  readonly effect: StreamEffect;
  /** The log of the state that came with it. */
  readonly log: Log;
  /** With an `install`: what is to be installed. */
  readonly staged: ReplicatedState | null;
}

/** A batch that the state has resolved and the log does not have yet. */
export interface ResolvedEntry {
  readonly payload: Uint8Array;
  readonly requests: readonly BatchRequest[];
}

const INCARNATION_LENGTH = 20;
/** Clients that one entry forgets. */
const EXPIRED_AT_ONCE = 256;

export class ReplicaHome {
  readonly options: ReplicaOptions;
  readonly ports: ReplicaPorts;
  readonly settings: ReplicaSettings;
  readonly random: Random;
  readonly batches: Batches;
  readonly unfinished: Fifo<Unfinished> = new Fifo<Unfinished>();
  replica: ReplicaState;
  replicated: ReplicatedState;
  transfers: Transfers;
  storage: OpenStorage | null = null;
  resolved: ResolvedEntry | null = null;
  /** Tells the actor, while there is one, that storage has news. */
  onStorage: (() => void) | null = null;
  readonly #lost = { batches: 0, answered: 0 };
  #lookedForIdleAtMs = Number.NEGATIVE_INFINITY;
  #lastReadId: number;
  /** Since when, and from which entry on, clients are watched for being idle; the last entry that forgot some. */
  #idle: { readonly seq: number; readonly atMs: number; readonly expirySeq: number } | null = null;

  private constructor(ports: ReplicaPorts, options: ReplicaOptions) {
    this.options = options;
    this.ports = ports;
    this.settings = checkStreamSettings(options.settings);
    this.random = ports.random.fork(`stream ${options.stream} ${options.incarnation}`);
    this.replicated = new ReplicatedState(options.definition, options.stateLimits);
    this.transfers = new Transfers(options, firstTransferOf(this.random));
    // Answers to reads of a life before a restart must not be taken for answers to those of this one.
    this.#lastReadId = firstTransferOf(this.random);
    this.batches = new Batches(this.settings.majorityTimeoutMs, (batch) => this.#superseded(batch));
    this.replica = this.#create(options.incarnation);
  }

  /**
   * Makes the home of a replica, from storage where that holds one. Rejects with `config_mismatch` for options
   * that cannot be, and with what storage rejects with: a damaged log keeps no incarnation.
   */
  static async open(ports: ReplicaPorts, options: ReplicaOptions): Promise<ReplicaHome> {
    checkOptions(options);
    const home = new ReplicaHome(ports, options);
    if (options.storage !== null) {
      await home.#restore(options.storage);
    }
    return home;
  }

  get status(): ReplicaStatus {
    const { options, replica, replicated, batches } = this;
    const { hard, log, writer } = replica;
    const fed = [...(writer?.progress ?? [])].filter(([, { member }]) => !member);
    return {
      stream: options.stream,
      lineage: options.lineage,
      self: replica.self,
      mode: options.mode,
      role: replica.role,
      epoch: hard.promise,
      primary: this.primary,
      activated: hard.activated,
      members: hard.activated?.configuration.members ?? [],
      lastSeq: log.lastSeq,
      commitSeq: replica.commitSeq,
      appliedSeq: replicated.appliedSeq,
      durableSeq: replica.durableSeq,
      tailCertain: replica.tailCertain,
      stateHash: replicated.stateHash(),
      learners: fed.map(([each, { caughtUp }]) => ({ replica: each, caughtUp })),
      undecided: batches.undecided,
      lost: { ...this.#lost },
    };
  }

  /** The replica to ask for the writer's services, as far as known here. */
  get primary(): string | null {
    const { role, primary, self } = this.replica;
    return primary === self && role !== "open" ? null : primary;
  }

  /** Whether the writer's uncommitted effects are to be seen here. */
  get showsUncommitted(): boolean {
    return this.options.mode !== "strong" && this.replica.role === "open";
  }

  /** At the open writer: up to here every member of its configuration durably holds its log; else 0. */
  get heldByAllSeq(): number {
    const { role, writer, self, durableSeq } = this.replica;
    if (role !== "open" || writer === null) {
      return 0;
    }
    const { configuration, progress } = writer;
    const durable = (member: string): number =>
      member === self ? durableSeq : (progress.get(member)?.matchSeq ?? 0);
    return quorumValue(configuration, configuration.members.length, durable);
  }

  /** Ends the storage when what was asked of it is done; after the actor has ended. */
  async close(): Promise<void> {
    await this.storage?.close();
  }

  nextReadId(): number {
    this.#lastReadId += 1;
    return this.#lastReadId;
  }

  // --- steps ------------------------------------------------------------------------------------

  /** Takes one step; its effects wait in `unfinished`. What the step throws ends this replica as it was. */
  step(event: StreamEvent, staged: ReplicatedState | null = null): void {
    const before = this.replica;
    const { state, effects } = this.#guard(() => step(before, event, this.ports.clock.now()));
    this.replica = state;
    for (const effect of inOrder(effects)) {
      this.unfinished.push({ effect, log: state.log, staged: effect.type === "install" ? staged : null });
    }
    this.options.probe?.(before, event, state, effects);
  }

  /**
   * At the open writer, once in `expiryIntervalMs`: resolves an entry that forgets clients that have been idle for
   * `clientIdleMs` of this writer's clock. False when there is nothing to forget.
   */
  resolveExpiry(): boolean {
    const { replica, replicated, settings } = this;
    const nowMs = this.ports.clock.now();
    if (!canPropose(replica)) {
      this.#idle = null;
      return false;
    }
    if (nowMs - this.#lookedForIdleAtMs < settings.expiryIntervalMs) {
      return false;
    }
    this.#lookedForIdleAtMs = nowMs;
    const { seq, atMs, expirySeq } = this.#idle ?? { seq: replicated.appliedSeq, atMs: nowMs, expirySeq: 0 };
    this.#idle = { seq, atMs, expirySeq };
    if (nowMs - atMs < settings.clientIdleMs || replicated.appliedSeq < expirySeq) {
      return false;
    }
    const idle = replicated.idleClients(seq, EXPIRED_AT_ONCE);
    if (idle.length === 0) {
      this.#idle = { seq: replicated.appliedSeq, atMs: nowMs, expirySeq: 0 };
      return false;
    }
    const next = replica.log.lastSeq + 1;
    this.#idle = { seq, atMs, expirySeq: next };
    const payload = this.#guard(() => replicated.expire(next, idle, seq));
    this.resolved = { payload, requests: [] };
    return true;
  }

  /** Appends what is `resolved` as one entry, the batch of its requests; its seq, or null when that cannot be. */
  propose(): number | null {
    const { resolved, replica } = this;
    this.resolved = null;
    if (resolved === null || replica.writer === null) {
      return null;
    }
    const seq = replica.log.lastSeq + 1;
    try {
      this.step({ type: "propose", payloads: [resolved.payload] });
    } finally {
      if (this.replica.log.lastSeq === seq) {
        this.batches.add(seq, replica.writer.epoch, resolved.requests);
      }
    }
    return this.replica.log.lastSeq === seq ? seq : null;
  }

  /** Applies the committed entries of `log` up to `seq`, each before `applied` is called with it. */
  apply(log: Log, seq: number, applied: (entry: Entry) => void): void {
    const { appliedSeq } = this.replicated;
    for (const entry of log.slice(appliedSeq + 1, seq)) {
      this.#guard(() => this.replicated.apply(entry));
      applied(entry);
    }
    invariant(this.replicated.appliedSeq >= seq, "what is committed is at hand to be applied");
  }

  /** At the open writer: resolves requests for the next entry, up to one that releases a key if so wanted. */
  resolve(requests: readonly StreamRequest[], endsAtRelease: boolean): ResolvedBatch {
    const next = this.replica.log.lastSeq + 1;
    return this.#guard(() => this.replicated.resolve(next, requests, endsAtRelease));
  }

  #superseded({ epoch, seq, answered }: Superseded): void {
    this.#lost.batches += 1;
    this.#lost.answered += answered;
    publishEvent("supercast:stream:superseded", () => ({
      node: this.ports.node,
      stream: this.options.stream,
      replica: this.replica.self,
      epoch: epoch.counter,
      seq,
      answered,
    }));
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (thrown) {
      this.#broken(thrown);
      throw thrown;
    }
  }

  #broken(thrown: unknown): void {
    const { self } = this.replica;
    this.unfinished.clear();
    this.resolved = null;
    this.batches.abandon();
    this.transfers = new Transfers(this.options, this.transfers.lastTransfer);
    if (this.storage === null) {
      this.replicated = new ReplicatedState(this.options.definition, this.options.stateLimits);
      const next = this.options.nextIncarnation?.() ?? this.random.token(INCARNATION_LENGTH);
      this.replica = this.#create(next, false);
    } else {
      const role = roleAfter(this.replica.role, "damaged");
      this.replica = { ...this.replica, role, writer: null, claim: null, preseal: null };
      this.replicated.dropOverlay();
    }
    const now = this.storage === null ? `goes on as ${this.replica.self}` : "is damaged";
    this.ports.log.error(`the replica ${self} broke a rule and ${now}`, { error: thrown });
  }

  // --- beginnings -------------------------------------------------------------------------------

  #create(incarnation: string, withGenesis: boolean = true): ReplicaState {
    const { genesis, storage, mode } = this.options;
    const settings = coreSettings(this.settings, storage === null ? "memory" : "disk", mode);
    const self = replicaId(this.ports.node, incarnation);
    return createReplica(self, settings, {
      genesis: withGenesis ? genesis : null,
      nowMs: this.ports.clock.now(),
    });
  }

  async #restore(source: NonNullable<ReplicaOptions["storage"]>): Promise<void> {
    const { stream, lineage, incarnation, faultPoint } = this.options;
    const storage = await source.open({
      stream,
      lineage,
      incarnation,
      keptEntries: this.settings.keptEntries,
      state: this.#storedState(),
      changed: () => this.onStorage?.(),
      faultPoint: faultPoint ?? (() => undefined),
      log: this.ports.log,
    });
    this.storage = storage;
    const { stored } = storage;
    if (stored === null) {
      await storage.begin(this.replica.hard);
      return;
    }
    invariant(this.replicated.appliedSeq === stored.commitSeq, "all that is known committed is applied");
    const { settings } = this.replica;
    const self = replicaId(this.ports.node, storage.incarnation);
    this.replica = createReplica(self, settings, {
      stored,
      nowMs: this.ports.clock.now(),
      life: this.random.token(INCARNATION_LENGTH),
    });
  }

  #storedState(): StoredState {
    return {
      save: () => saveState(this.replicated, this.ports.clock),
      load: async (pieces): Promise<Position> => {
        const { state, base } = await loadState(pieces, this.options.definition, this.options.stateLimits);
        this.replicated = state;
        return base;
      },
      apply: (entry) => {
        this.replicated.apply(entry);
      },
    };
  }
}

/** A snapshot takes its place in memory before storage is asked to write it from there. */
function inOrder(effects: readonly StreamEffect[]): readonly StreamEffect[] {
  const installs = effects.filter(({ type }) => type === "install");
  return installs.length === 0 ? effects : [...installs, ...effects.filter(({ type }) => type !== "install")];
}

function checkOptions({ stream, lineage, incarnation, genesis }: ReplicaOptions): void {
  const problem =
    nameProblem("stream", streamActorName(stream)) ??
    tokenProblem("lineage", lineage) ??
    tokenProblem("incarnation", incarnation) ??
    (genesis === null ? null : problemOf(genesis));
  if (problem !== null) {
    throw new SupercastError("config_mismatch", `stream ${JSON.stringify(stream)}: ${problem}`);
  }
}

const TOKEN = /^[A-Za-z0-9._-]{1,100}$/;

function tokenProblem(what: string, token: string): string | null {
  return TOKEN.test(token) ? null : `${what} ${JSON.stringify(token)} must be 1 to 100 of A-Z a-z 0-9 . _ -`;
}
