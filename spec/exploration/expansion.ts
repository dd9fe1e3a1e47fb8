/**
 * All worlds that can follow from a world in one move: a message arrives, a replica claims, writes, tells what
 * is committed, or dies and somebody else starts in its place with nothing.
 *
 * A claim may bring an epoch with the counter of one that can be seen. Which of the two owners is the higher has
 * never been asked for then, unless both own epochs of another counter; the claim is made once for each answer
 * that there can be, with the names exchanged as the answer wants.
 */
import { compareEpochs } from "../../lib/journal/epoch.ts";
import { mayClaim } from "../../lib/stream/claim.ts";
import { majorityOf } from "../../lib/stream/configuration.ts";
import { ORIGIN } from "../../lib/stream/entry.ts";
import type { StreamSettings } from "../../lib/stream/replica-state.ts";
import { createReplica } from "../../lib/stream/step.ts";
import { canPropose } from "../../lib/stream/writer.ts";
import { membersOf } from "./ballots.ts";
import { idleness, isOver, LIVE, REFUSED, TOLD } from "./idle.ts";
import { type Move, Moves, type Outcome, type StepFunction } from "./moves.ts";
import { allowedFor, found, IDENTITY, idOf, ownersOf, permutation, SLOTS } from "./names.ts";
import type { Facts, Things } from "./things.ts";
import { violationOf } from "./watch.ts";
import { BUDGET, budgetOf, budgetWord, COMMIT, PACKETS, UNBORN, World } from "./world.ts";

export interface Bounds {
  readonly epochs: number;
  readonly writes: number;
  readonly crashes: number;
  /** Claims in all, of whatever counter. */
  readonly claims: number;
  /** Whether the questions before claims are explored too. Without them each is answered yes at once. */
  readonly questions: boolean;
}

/** Nobody waits in an exploration; the windows are wide enough never to be full, and no entry is compacted. */
const SETTINGS: StreamSettings = {
  durability: "memory",
  failureTicks: 6,
  stepDownTicks: 6,
  claimTicks: 12,
  retryTicks: 2,
  pendingMax: 100,
  windowEntries: 100,
  appendEntries: 8,
  appendBytes: 10_000,
  keptEntries: 1_000,
  learnersMax: 1,
  acknowledgeHeld: false,
  leaseMs: 0,
  clockDrift: 0.25,
};

const REPLICAS = 3;

/** What a move does, for whoever watches: with names as in the world before, exchanged by `renaming` first. */
export interface Taken {
  readonly slot: number;
  readonly move: Move | null;
  readonly renaming: number;
  /** Null when the replica died. */
  readonly outcome: Outcome | null;
  readonly violation: string | null;
}

export class Expansion {
  readonly #things: Things;
  readonly #moves: Moves;
  readonly #bounds: Bounds;
  readonly #idle: Map<number, number>[] = [];
  readonly #next = new World();
  readonly #renamed = new World();
  #folds = true;
  /** Messages that were taken for idle and are not: to be none. */
  surprises = 0;

  constructor(things: Things, step: StepFunction, bounds: Bounds) {
    this.#things = things;
    this.#moves = new Moves(things, step, bounds.questions);
    this.#bounds = bounds;
  }

  get steps(): number {
    return this.#moves.steps;
  }

  /** Three members of a stream that has just been created, and a name for one more replica. */
  root(): World {
    const world = new World();
    const founders = Array.from({ length: REPLICAS }, (_, slot) => idOf(slot));
    const genesis = majorityOf(founders);
    for (let slot = 0; slot < SLOTS; slot++) {
      world.words[slot] =
        slot < REPLICAS ? this.#things.replica(createReplica(idOf(slot), SETTINGS, { genesis })) : UNBORN;
    }
    const { writes, crashes, claims } = this.#bounds;
    world.words[BUDGET] = budgetWord({ writes, crashes, claims, counter: 0 });
    world.words[COMMIT] = this.#things.commit(ORIGIN.chain);
    return world;
  }

  /** Calls `visit` with every next world, in an order that depends on the world alone. */
  each(world: World, visit: (next: World, taken: Taken) => void): void {
    this.#eachWith(world, visit, true);
  }

  /** The same where names mean what they are called: no order of owners but the one there is. */
  eachAsNamed(world: World, visit: (next: World, taken: Taken) => void): void {
    this.#eachWith(world, visit, false);
  }

  #eachWith(world: World, visit: (next: World, taken: Taken) => void, folds: boolean): void {
    this.#folds = folds;
    const ballots = world.ballots(this.#things);
    for (let index = PACKETS; index < world.length; index++) {
      const packet = world.at(index);
      this.#move(world, ballots, this.#things.of(packet).slot, { type: "deliver", packet }, visit);
    }
    for (let slot = 0; slot < SLOTS; slot++) {
      if (world.at(slot) !== UNBORN && this.#things.of(world.at(slot)).thing.kind === "replica") {
        for (const move of this.#movesOf(world, slot)) {
          this.#move(world, ballots, slot, move, visit);
        }
        this.#crash(world, slot, visit);
      }
    }
  }

  #movesOf(world: World, slot: number): Move[] {
    const { thing } = this.#things.of(world.at(slot));
    const { writes, claims, counter } = budgetOf(world.at(BUDGET));
    const moves: Move[] = [];
    if (thing.kind !== "replica") {
      return moves;
    }
    const { state } = thing;
    if (canPropose(state) && writes > 0) {
      moves.push({ type: "propose", write: this.#bounds.writes - writes });
    }
    if (state.writer !== null && state.writer.toldCommitSeq < state.commitSeq) {
      moves.push({ type: "nudge" });
    }
    const activated = state.hard.activated?.configuration;
    const ready = mayClaim(state.claim === null ? state : { ...state, role: "sealed", claim: null });
    if (activated === undefined || claims === 0 || !ready || state.preseal !== null) {
      return moves;
    }
    const highest = Math.min(this.#bounds.epochs, counter + 1);
    for (let next = state.hard.promise.counter + 1; next <= highest; next++) {
      for (const members of [0, ...this.#replacements(world, slot, membersOf(activated))]) {
        moves.push({ type: "claim", counter: next, members, force: true });
        if (this.#bounds.questions) {
          moves.push({ type: "claim", counter: next, members, force: false });
        }
      }
    }
    return moves;
  }

  /** The members with one other than the claimant replaced by one who is alive. */
  #replacements(world: World, claimant: number, members: number): number[] {
    const found: number[] = [];
    for (let newcomer = 0; newcomer < SLOTS; newcomer++) {
      const replica = world.at(newcomer);
      const free = replica !== UNBORN && (members & (1 << newcomer)) === 0;
      if (free && this.#things.of(replica).thing.kind === "replica") {
        for (let old = 0; old < SLOTS; old++) {
          if (old !== claimant && (members & (1 << old)) !== 0) {
            found.push((members & ~(1 << old)) | (1 << newcomer));
          }
        }
      }
    }
    return found;
  }

  #move(
    world: World,
    ballots: number,
    slot: number,
    move: Move,
    visit: (next: World, taken: Taken) => void,
  ): void {
    const outcome = this.#take(world, slot, move, IDENTITY, visit);
    const fresh = this.#things.of(outcome.next).ballots & ~ballots;
    const counter = fresh === 0 ? 0 : 1 + Math.floor((31 - Math.clz32(fresh)) / SLOTS);
    const rivals = counter === 0 ? 0 : ownersOf(ballots, counter) & ~(1 << slot);
    if (rivals === 0 || !this.#folds) {
      return;
    }
    const seen = new Set([lowerThan(permutation(IDENTITY), rivals, slot)]);
    for (const number of allowedFor(ballots)) {
      const map = permutation(number);
      const lower = lowerThan(map, rivals, slot);
      if (!seen.has(lower)) {
        seen.add(lower);
        world.renameInto(this.#things, number, this.#renamed);
        this.#take(this.#renamed, found(map[slot], "slot"), this.#renamedMove(move, number), number, visit);
      }
    }
  }

  #renamedMove(move: Move, by: number): Move {
    switch (move.type) {
      case "deliver":
        return { type: "deliver", packet: this.#things.renamed(move.packet, by) };
      case "claim": {
        let members = 0;
        for (const [from, to] of permutation(by).entries()) {
          members |= (move.members & (1 << from)) === 0 ? 0 : 1 << to;
        }
        return { ...move, members };
      }
      default:
        return move;
    }
  }

  #take(
    world: World,
    slot: number,
    move: Move,
    renaming: number,
    visit: (next: World, taken: Taken) => void,
  ): Outcome {
    const before = world.at(slot);
    const outcome = this.#moves.outcome(before, move);
    const violation = violationOf(this.#things, world, slot, outcome);
    const next = this.#next;
    next.copyFrom(world);
    if (move.type === "deliver") {
      next.removePacketAt(world.words.indexOf(move.packet, PACKETS));
    }
    next.words[slot] = outcome.next;
    for (const packet of outcome.sends) {
      next.addPacket(packet);
    }
    this.#spend(next, slot, move);
    const committed = outcome.commit < 0 ? 0 : this.#things.of(outcome.commit).path.length;
    if (committed > this.#things.of(world.at(COMMIT)).path.length) {
      next.words[COMMIT] = outcome.commit;
    }
    this.#removeIdle(next, slot);
    visit(next, { slot, move, renaming, outcome, violation });
    return outcome;
  }

  #spend(next: World, slot: number, move: Move): void {
    const budget = budgetOf(next.at(BUDGET));
    const { thing } = this.#things.of(next.at(slot));
    const promised = thing.kind === "replica" ? thing.state.hard.promise.counter : 0;
    const asked = move.type === "claim" ? move.counter : 0;
    const counter = Math.max(budget.counter, promised, asked);
    const writes = budget.writes - (move.type === "propose" ? 1 : 0);
    const claims = budget.claims - (move.type === "claim" ? 1 : 0);
    next.words[BUDGET] = budgetWord({ ...budget, writes, claims, counter });
  }

  /** Dies for good; who starts in its place knows nothing and has another name. */
  #crash(world: World, slot: number, visit: (next: World, taken: Taken) => void): void {
    const budget = budgetOf(world.at(BUDGET));
    const { thing } = this.#things.of(world.at(slot));
    const free = world.words.subarray(0, SLOTS).indexOf(UNBORN);
    if (budget.crashes === 0 || free < 0 || thing.kind !== "replica") {
      return;
    }
    const next = this.#next;
    next.copyFrom(world);
    next.words[slot] = this.#things.dead(thing.state);
    next.words[free] = this.#things.replica(createReplica(idOf(free), SETTINGS, {}));
    next.words[BUDGET] = budgetWord({ ...budget, crashes: budget.crashes - 1 });
    this.#removeIdle(next, slot);
    visit(next, { slot, move: null, renaming: IDENTITY, outcome: null, violation: null });
  }

  /** Takes out what can change nothing any more, now that the replica at `slot` is what it is. */
  #removeIdle(next: World, slot: number): void {
    for (let index = next.length - 1; index >= PACKETS; index--) {
      const packet = next.at(index);
      const { slot: to, from } = this.#things.of(packet);
      // A refusal sent just now may find its receiver beyond caring, too.
      if ((to === slot || from === slot) && this.#isIdle(next, packet, to, from)) {
        next.removePacketAt(index);
      }
    }
  }

  #isIdle(next: World, packet: number, to: number, from: number): boolean {
    const idle = this.#idleAt(next.at(to), packet);
    if (idle !== REFUSED) {
      return idle !== LIVE;
    }
    const { thing } = this.#things.of(packet);
    const { message } = thing.kind === "packet" ? thing : { message: null };
    const sender = this.#things.of(next.at(from)).thing;
    return message !== null && "epoch" in message && isOver(sender, message.epoch);
  }

  #idleAt(receiver: number, packet: number): number {
    let row = this.#idle[receiver];
    if (row === undefined) {
      row = new Map();
      this.#idle[receiver] = row;
    }
    let idle = row.get(packet);
    if (idle === undefined) {
      idle = this.#tried(receiver, packet);
      row.set(packet, idle);
    }
    return idle;
  }

  /** What the rules say, when a delivery bears it out. */
  #tried(receiver: number, packet: number): number {
    const facts: Facts = this.#things.of(receiver);
    const { thing } = this.#things.of(packet);
    const idle = thing.kind === "packet" ? idleness(facts.thing, thing.message) : LIVE;
    if (idle === LIVE || idle === TOLD || facts.thing.kind !== "replica" || thing.kind !== "packet") {
      return idle;
    }
    const { next, sends } = this.#moves.outcome(receiver, { type: "deliver", packet });
    const refusals =
      idle === REFUSED ? sends.every((sent) => this.#isRefusal(sent, packet)) : sends.length === 0;
    if (next !== receiver || !refusals) {
      this.surprises += 1;
      return LIVE;
    }
    return idle;
  }

  #isRefusal(sent: number, packet: number): boolean {
    const answer = this.#things.of(sent).thing;
    const asked = this.#things.of(packet).thing;
    return (
      answer.kind === "packet" &&
      asked.kind === "packet" &&
      answer.to === asked.from &&
      (answer.message.type === "sealNo" ||
        (answer.message.type === "nack" && answer.message.reason === "stale")) &&
      "epoch" in asked.message &&
      compareEpochs(answer.message.epoch, asked.message.epoch) === 0
    );
  }
}

function lowerThan(map: readonly number[], rivals: number, slot: number): number {
  let lower = 0;
  for (const [rival, to] of map.entries()) {
    if ((rivals & (1 << rival)) !== 0 && to < (map[slot] ?? 0)) {
      lower |= 1 << rival;
    }
  }
  return lower;
}
