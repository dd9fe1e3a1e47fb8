/**
 * The replica of a stream as a pure function: one state and one event give the next state and effects.
 *
 * This is the protocol as a whole; its parts stand in `follower.ts` (taking a log), `voter.ts` (promises),
 * `claim.ts` (becoming the writer, changing members), `writer.ts` (owning an epoch) and `reads.ts`. `step`
 * is deterministic and changes nothing it is given. It throws `InvariantError` when the state would break a
 * rule that everything rests on; such a replica must not go on as the same one.
 */

import { unreachable } from "../base/invariant.ts";
import { EPOCH_ZERO } from "../journal/epoch.ts";
import {
  adopt,
  ask,
  onEntries,
  onPresealNo,
  onPresealOk,
  onSealNo,
  onSealOk,
  promiseStored,
} from "./claim.ts";
import { type Configuration, isMember } from "./configuration.ts";
import { acknowledge, onAppend, onHeartbeat, onSnapshot } from "./follower.ts";
import { checkStep } from "./invariants.ts";
import { Log } from "./log.ts";
import { loseEpoch } from "./lose-epoch.ts";
import type { HandOver, Message } from "./messages.ts";
import { onRead, onReadIndex, onReadIndexNo, onReadIndexOk } from "./reads.ts";
import { ownerOf, type ReplicaId } from "./replica-id.ts";
import type { HardState, ReplicaState, Stepped, StreamEvent, StreamSettings } from "./replica-state.ts";
import { onTick } from "./tick.ts";
import { isSame, Turn } from "./turn.ts";
import { learnActivated, onActivate, onFetch, onPreseal, onSeal } from "./voter.ts";
import { advance, onAck, onJoin, onNack, onNudged, onRetireOk, onSnapshotSent, propose } from "./writer.ts";

/** What a replica begins with besides its id and settings. */
export interface ReplicaOrigin {
  /** A replica that was here from the stream's beginning: its first configuration. */
  readonly genesis?: Configuration | null;
  /** What storage held: the same replica after a restart. */
  readonly stored?: {
    readonly hard: HardState;
    readonly log: Log;
    readonly commitSeq: number;
    readonly tailCertain: boolean;
  };
  /** The own clock; a lease granted before a restart is taken to have been granted just now. */
  readonly nowMs?: number;
  /** Another one at each start: a replica with an uncertain log goes by what is said to this life alone. */
  readonly life?: string;
}

/** A replica's first state: of a new stream, from storage, or, with neither, empty and waiting to be fed. */
export function createReplica(
  self: ReplicaId,
  settings: StreamSettings,
  origin: ReplicaOrigin = {},
): ReplicaState {
  const { stored } = origin;
  const genesis = origin.genesis ?? null;
  const activated = genesis === null ? null : { epoch: EPOCH_ZERO, configuration: genesis };
  const hard = stored?.hard ?? { promise: EPOCH_ZERO, activated, successors: [] };
  const log = stored?.log ?? Log.empty();
  const members = hard.activated?.configuration;
  const member = members !== undefined && isMember(members, self);
  const restarted = stored !== undefined;
  return {
    self,
    owner: ownerOf(self),
    settings,
    role: member ? (restarted ? "sealed" : "follower") : log.lastSeq > 0 ? "learner" : "empty",
    hard,
    primary: null,
    log,
    commitSeq: stored?.commitSeq ?? 0,
    matchSeq: 0,
    durableSeq: log.lastSeq,
    tailCertain: stored?.tailCertain ?? true,
    life: origin.life ?? "",
    certainFrom: null,
    mark: 0,
    storedMark: 0,
    stores: [],
    promiseMark: 0,
    held: [],
    silentTicks: 0,
    heard: null,
    patienceTicks: 0,
    primaryDown: !restarted || members?.members.length === 1,
    preseal: null,
    claim: null,
    writer: null,
    askedReads: [],
    leaseUntilMs: restarted ? (origin.nowMs ?? 0) + settings.leaseMs * (1 + settings.clockDrift) : 0,
    seenCounter: hard.promise.counter,
  };
}

/** `nowMs`: the replica's own clock, used for leases only. */
export function step(state: ReplicaState, event: StreamEvent, nowMs: number): Stepped {
  const turn = new Turn(state, nowMs);
  dispatch(turn, event);
  turn.gatherStore();
  if (turn.acknowledges) {
    acknowledge(turn);
  }
  const stepped = turn.finish();
  checkStep(state, stepped);
  return stepped;
}

function dispatch(turn: Turn, event: StreamEvent): void {
  switch (event.type) {
    case "message":
      onMessage(turn, event.from, event.message);
      break;
    case "tick":
      onTick(turn, event.draw);
      break;
    case "propose":
      propose(turn, event.payloads);
      break;
    case "claim":
      ask(turn, event.configuration, event.force);
      break;
    case "handOver":
      handOver(turn, event.to);
      break;
    case "stored":
      onStored(turn, event.mark);
      break;
    case "storeFailed":
      loseEpoch(turn);
      turn.role("damaged");
      break;
    case "replicaDown":
      onReplicaDown(turn, event.replica);
      break;
    case "replicaUp":
      onReplicaUp(turn, event.replica);
      break;
    case "read":
      onRead(turn, event.id);
      break;
    case "snapshotReceived":
      onSnapshot(turn, event.base);
      adopt(turn);
      break;
    case "snapshotSent":
      onSnapshotSent(turn, event.to, event.seq);
      break;
    case "nudged":
      onNudged(turn);
      break;
    case "join":
      turn.send(event.to, { type: "join" });
      break;
    default:
      unreachable(event);
  }
}

function onMessage(turn: Turn, from: ReplicaId, message: Message): void {
  switch (message.type) {
    case "append":
      onAppend(turn, from, message);
      break;
    case "ack":
      onAck(turn, from, message);
      break;
    case "nack":
      onNack(turn, from, message);
      break;
    case "heartbeat":
      onHeartbeat(turn, from, message);
      break;
    case "preseal":
      onPreseal(turn, from, message);
      break;
    case "presealOk":
      onPresealOk(turn, from, message);
      break;
    case "presealNo":
      onPresealNo(turn, message);
      break;
    case "seal":
      onSeal(turn, from, message);
      break;
    case "sealOk":
      onSealOk(turn, from, message);
      break;
    case "sealNo":
      onSealNo(turn, message);
      break;
    case "fetch":
      onFetch(turn, from, message);
      break;
    case "entries":
      onEntries(turn, from, message);
      break;
    case "activate":
      onActivate(turn, from, message);
      break;
    case "retireOk":
      onRetireOk(turn, from, message);
      break;
    case "who":
      onWho(turn, from);
      break;
    case "whoOk":
      learnActivated(turn, message.activated);
      break;
    case "join":
      onJoin(turn, from);
      break;
    case "readIndex":
      onReadIndex(turn, from, message);
      break;
    case "readIndexOk":
      onReadIndexOk(turn, message.id, message.seq);
      break;
    case "readIndexNo":
      onReadIndexNo(turn, message.id);
      break;
    case "handOver":
      onHandOver(turn, from, message);
      break;
    default:
      unreachable(message);
  }
}

function onStored(turn: Turn, mark: number): void {
  const { stores, held, durableSeq } = turn.state;
  const done = stores.filter((store) => store.mark <= mark);
  turn.set({
    storedMark: mark,
    stores: stores.filter((store) => store.mark > mark),
    durableSeq: Math.max(durableSeq, ...done.map(({ lastSeq }) => lastSeq)),
    held: held.filter((message) => message.mark > mark),
  });
  for (const { mark: due, to, message } of held) {
    if (due <= mark) {
      turn.send(to, message);
    }
  }
  promiseStored(turn);
  advance(turn);
  const { writer, claim, role } = turn.state;
  turn.acknowledges =
    writer === null && claim === null && (role === "follower" || role === "syncing" || role === "learner");
}

function handOver(turn: Turn, to: ReplicaId): void {
  const { role, writer } = turn.state;
  if (role === "open" && writer !== null && isMember(writer.configuration, to)) {
    turn.send(to, { type: "handOver", epoch: writer.epoch });
  }
}

function onHandOver(turn: Turn, from: ReplicaId, { epoch }: HandOver): void {
  const { hard, primary } = turn.state;
  if (isSame(hard.promise, epoch) && primary === from) {
    ask(turn, null, true);
  }
}

function onReplicaDown(turn: Turn, replica: ReplicaId): void {
  if (turn.state.primary === replica && !turn.state.primaryDown) {
    turn.set({ primaryDown: true, silentTicks: 0, patienceTicks: 0 });
  }
}

function onReplicaUp(turn: Turn, replica: ReplicaId): void {
  if (turn.state.primary === replica) {
    turn.set({ primaryDown: false });
  }
}

function onWho(turn: Turn, from: ReplicaId): void {
  const { hard, primary, log } = turn.state;
  turn.send(from, {
    type: "whoOk",
    promise: hard.promise,
    primary,
    activated: hard.activated,
    last: log.last,
  });
}
