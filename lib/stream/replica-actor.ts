/**
 * StreamReplica: the mailbox around a pure replica.
 *
 * It turns calls, casts, ticks and news of nodes and storage into events of `step`, and performs the effects
 * in order. What it holds itself is who waits for an answer; all that must outlive it is in its `ReplicaHome`,
 * so that it may crash at any effect and its successor goes on.
 */
import { Actor } from "../actor/actor.ts";
import { type ChildSpec, child } from "../actor/child-spec.ts";
import type { From } from "../actor/from.ts";
import type { Info } from "../actor/info.ts";
import type { CallMessage, CastMessage } from "../actor/protocol.ts";
import { type CallResult, type InitResultOf, NoReply } from "../actor/result.ts";
import { unreachable } from "../base/invariant.ts";
import { AnswerPace } from "./answer-pace.ts";
import { EffectPerformer } from "./effect-performer.ts";
import { isMessage } from "./message-check.ts";
import type { Letter } from "./messages.ts";
import { NodeWatch } from "./node-watch.ts";
import { OrderDesk } from "./order-desk.ts";
import { ReadDesk } from "./read-desk.ts";
import type { ReplicaHome } from "./replica-home.ts";
import { nodeOf, type ReplicaId } from "./replica-id.ts";
import type { WatchNodes } from "./replica-options.ts";
import type { StreamEvent } from "./replica-state.ts";
import type { ReplicatedState } from "./replicated-state.ts";
import { RequestIntake } from "./request-intake.ts";
import {
  isLetter,
  isParcel,
  type Parcel,
  type ReplicaStatus,
  type StreamProtocol,
  streamActorName,
  streamProtocol,
} from "./requests.ts";
import type { TransferEffect } from "./transfers.ts";
import { WriterFound, WriterSearch } from "./writer-search.ts";

export interface ReplicaArgs {
  readonly home: ReplicaHome;
  /** The node floor's events: whose incarnation is gone. */
  readonly watchNodes: WatchNodes;
}

/** Plain messages of the actor to itself; nobody else can make one. */
const TICK = Symbol("tick");
const FLUSH = Symbol("flush");
const READ = Symbol("read");
const NUDGE = Symbol("nudge");
const STORAGE = Symbol("storage");
const CUT = Symbol("cut");

/** What an actor makes of its args when it starts. */
interface Parts {
  readonly watch: NodeWatch;
  readonly search: WriterSearch;
  readonly intake: RequestIntake;
  readonly reads: ReadDesk;
  readonly orders: OrderDesk;
  readonly performer: EffectPerformer;
}

/** The child spec of a replica, under the name by which other nodes reach it. */
export function replicaChild(home: ReplicaHome, watchNodes: WatchNodes): ChildSpec {
  return child(StreamReplica, { home, watchNodes }, { name: streamActorName(home.options.stream) });
}

export class StreamReplica extends Actor<StreamProtocol, ReplicaHome, ReplicaArgs> {
  static override readonly protocol = streamProtocol;
  #parts: Parts | null = null;
  #cutting = false;
  #nudging = false;
  #performing = false;

  init({ home, watchNodes }: ReplicaArgs): InitResultOf<ReplicaHome> {
    const { process } = this;
    home.batches.forgetCallers();
    home.onStorage = () => this.#tell(STORAGE);
    const stop = watchNodes((event) => {
      if (event.type === "nodeUp" || event.type === "nodeDown") {
        process.pushInfo(event);
      }
    });
    process.onEnd(stop);
    const stopBeat = home.options.beat?.add(() => this.#tell(TICK));
    process.onEnd(() => stopBeat?.());
    this.#parts = this.#assemble(home);
    return this.started(home).continue("resume");
  }

  override formatState(home: ReplicaHome): ReplicaStatus {
    return home.status;
  }

  /** Performs what a predecessor left undone, then begins to tick. */
  override handleContinue(): void {
    this.#perform();
    if (this.state.resolved !== null) {
      this.#propose(() => undefined);
    }
    this.#storageNews();
    this.#event({ type: "nudged" });
    this.#cutLater();
    this.#tickLater();
  }

  // --- messages ---------------------------------------------------------------------------------

  override handleCall(message: CallMessage<StreamProtocol>, from: From<StreamProtocol>): CallResult {
    const { intake, reads, orders } = this.#use;
    switch (message.type) {
      case "request":
        if (intake.take(message, from)) {
          this.#tell(FLUSH);
        }
        break;
      case "read":
        if (reads.take(message, from)) {
          this.#tell(READ);
        }
        break;
      case "status":
        return this.reply(message, this.state.status);
      case "reconfigure":
      case "claim":
      case "handOver": {
        const event = orders.take(message, from);
        if (event !== null) {
          this.#event(event);
        }
        break;
      }
      default:
        return unreachable(message);
    }
    return new NoReply();
  }

  override handleCast(message: CastMessage<StreamProtocol>): void {
    const { state } = this;
    if (message.type === "letter") {
      const { letter } = message;
      const mine = isLetter(letter) && this.#isHere(letter) && letter.to.includes(state.replica.self);
      if (mine && isMessage(letter.message)) {
        this.#event({ type: "message", from: letter.from, message: letter.message });
      } else if (mine) {
        this.process.system.drop("invalid_message", this.process.label);
      }
    } else {
      const { parcel } = message;
      if (isParcel(parcel) && this.#isHere(parcel) && parcel.to === state.replica.self) {
        this.#transfer(state.transfers.receive(parcel.from, parcel.message));
        this.#cutLater();
      }
    }
  }

  override handleInfo(info: Info): void {
    if (info.type === "nodeUp" || info.type === "nodeDown") {
      for (const event of this.#use.watch.events(info, this.state.replica)) {
        this.#event(event);
      }
    } else if (info.type === "message" && info.body instanceof WriterFound) {
      this.#writerFound(info.body.primary);
    } else if (info.type === "message" && typeof info.body === "symbol") {
      this.#told(info.body);
    } else {
      this.process.system.drop("invalid_message", this.process.label);
    }
  }

  /** Of this stream and this life of it, and not from this replica's own node. */
  #isHere({ stream, lineage, from }: Letter | Parcel): boolean {
    const { options, ports } = this.state;
    return stream === options.stream && lineage === options.lineage && nodeOf(from) !== ports.node;
  }

  #told(what: symbol): void {
    const { intake, reads } = this.#use;
    switch (what) {
      case TICK:
        this.#tick();
        break;
      case FLUSH:
        intake.flush();
        break;
      case READ:
        this.#event({ type: "read", id: reads.ask() });
        break;
      case NUDGE:
        this.#nudging = false;
        this.#event({ type: "nudged" });
        break;
      case STORAGE:
        this.#storageNews();
        break;
      case CUT:
        this.#cutting = false;
        this.#cut();
        break;
    }
  }

  #tell(what: symbol): void {
    this.process.pushInfo({ type: "message", body: what });
  }

  // --- steps ------------------------------------------------------------------------------------

  #event(event: StreamEvent, staged: ReplicatedState | null = null): void {
    this.state.step(event, staged);
    this.#fault("stepped");
    this.#perform();
  }

  /** In order, the effects of events that come up in between after those that wait. */
  #perform(): void {
    if (this.#performing) {
      return;
    }
    this.#performing = true;
    const { unfinished } = this.state;
    for (let next = unfinished.first; next !== undefined; next = unfinished.first) {
      this.#fault(`effect:${next.effect.type}`);
      this.#use.performer.perform(next);
      this.#fault("performed");
      unfinished.shift();
    }
    this.#performing = false; // after a throw this actor performs nothing any more
    if (this.state.batches.awaitsAll) {
      this.state.batches.heldByAll(this.state.heldByAllSeq);
    }
  }

  /** Appends the batch that has been resolved. It stands with the home: a crash here loses none of it. */
  #propose(joined: () => void): void {
    const home = this.state;
    this.#fault("resolved");
    const seq = home.propose();
    if (seq === null) {
      return;
    }
    this.#fault("stepped");
    joined();
    this.#perform();
    home.batches.sent(seq);
  }

  #tick(): void {
    const home = this.state;
    this.#tickLater();
    this.#event({ type: "tick", draw: home.random.next() });
    home.batches.tick(this.now());
    this.#use.intake.tick();
    this.#use.reads.tick();
    this.#use.orders.tick();
    this.#transfer(home.transfers.tick());
    this.#cutLater();
    if (home.resolveExpiry()) {
      this.#propose(() => undefined);
    }
    this.#search();
  }

  /** By the beat of the process, if there is one. */
  #tickLater(): void {
    if (this.state.options.beat === undefined) {
      this.after(this.state.settings.heartbeatMs, () => this.#tell(TICK));
    }
  }

  /** What storage has done, or that it cannot any more. */
  #storageNews(): void {
    const { storage, replica } = this.state;
    if (storage === null || replica.role === "damaged") {
      return;
    }
    this.#fault("storageNews");
    if (storage.failure !== null) {
      this.log.error(`the storage of ${replica.self} failed`, { error: storage.failure });
      this.#event({ type: "storeFailed" });
    } else if (storage.storedMark > replica.storedMark) {
      this.#event({ type: "stored", mark: storage.storedMark });
    }
  }

  // --- transfers --------------------------------------------------------------------------------

  #transfer(effects: readonly TransferEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "send":
          this.#use.performer.sendParcel(effect.to, effect.message);
          break;
        case "sent":
          this.#event({ type: "snapshotSent", to: effect.to, seq: effect.seq });
          break;
        case "received":
          this.#event({ type: "snapshotReceived", base: effect.base }, effect.state);
          break;
      }
    }
  }

  /** Chunks are cut one at a time, so that whoever waits in the mailbox comes in between. */
  #cutLater(): void {
    if (!this.#cutting && this.state.transfers.sending) {
      this.#cutting = true;
      this.#tell(CUT);
    }
  }

  #cut(): void {
    const effects = this.state.transfers.cut();
    if (effects.length > 0) {
      this.#transfer(effects);
      this.#cutLater();
    }
  }

  // --- an empty replica looks for the writer ----------------------------------------------------

  #search(): void {
    const node = this.#use.search.tick(this.state.replica);
    if (node === null) {
      return;
    }
    const { stream, lineage } = this.state.options;
    const timeoutMs = this.state.settings.heartbeatMs * this.state.settings.joinTicks;
    this.call({ name: streamActorName(stream), node }, { type: "status" }, { timeoutMs }).then(
      (status) => this.process.pushInfo({ type: "message", body: WriterFound.in(status, lineage) }),
      (error: unknown) => this.log.debug(`${node} does not tell who writes ${stream}`, { error }),
    );
  }

  #writerFound(primary: ReplicaId | null): void {
    const { replica } = this.state;
    if (primary !== null && primary !== replica.self && this.#use.search.seeks(replica)) {
      this.#event({ type: "join", to: primary });
    }
  }

  // --- parts ------------------------------------------------------------------------------------

  #assemble(home: ReplicaHome): Parts {
    const { system } = this.process;
    const pace = new AnswerPace(system.clock, home.settings.batchRequests);
    const reads = new ReadDesk(home);
    const orders = new OrderDesk(home);
    const intake = new RequestIntake({
      home,
      send: (early, answer) => {
        this.#fault("answer");
        if (early) {
          pace.send(answer);
        } else {
          answer();
        }
      },
      propose: (joined) => this.#propose(joined),
    });
    const performer = new EffectPerformer({
      home,
      reads,
      orders,
      redirect: () => intake.redirect(),
      closed: () => intake.closed(),
      cast: (node, message) => this.cast({ name: streamActorName(home.options.stream), node }, message),
      nudgeLater: () => this.#nudgeLater(),
      transfer: (effects) => this.#transfer(effects),
      cutLater: () => this.#cutLater(),
    });
    const { joinTicks } = home.settings;
    const { isWanted } = home.options;
    const search = new WriterSearch(() => home.options.nodes, home.ports.node, joinTicks, isWanted);
    return { watch: new NodeWatch(), search, intake, reads, orders, performer };
  }

  get #use(): Parts {
    if (this.#parts === null) {
      throw new TypeError("the actor has been started");
    }
    return this.#parts;
  }

  #nudgeLater(): void {
    if (!this.#nudging) {
      this.#nudging = true;
      this.after(this.state.settings.commitDelayMs, () => this.#tell(NUDGE));
    }
  }

  #fault(point: Parameters<NonNullable<ReplicaHome["options"]["faultPoint"]>>[0]): void {
    this.state.options.faultPoint?.(point);
  }
}
