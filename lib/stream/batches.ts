/**
 * The batches of a writer and who waits for them: one batch is one entry of the log and one run of the batch
 * chart, whatever the number of its requests.
 *
 * A batch stays until its fate is known, beyond the end of its epoch; only its callers are answered `unknown`
 * when time runs out. Epochs along a log never decrease, so one committed entry decides all batches of older
 * epochs: those that it does not follow are superseded.
 */
import { Fifo } from "../base/fifo.ts";
import { invariant } from "../base/invariant.ts";
import { compareEpochs, type Epoch } from "../journal/epoch.ts";
import { type BatchEventType, type BatchState, batchAfter } from "./batch-chart.ts";
import type { StoredAnswer } from "./definition.ts";
import type { Position } from "./entry.ts";
import { REQUEST_MODES, type RequestAnswer, type RequestMode, type StreamMode } from "./requests.ts";

/** A request as it stands in a batch, with the answer that its resolution gave. */
export interface BatchRequest {
  readonly clientId: string;
  readonly requestSeq: number;
  readonly value: unknown;
}

/** Someone who waits for the answer to a request. */
export interface Caller {
  /** When the answer may leave. */
  readonly mode: RequestMode;
  answer(answer: RequestAnswer): void;
}

/** What a replica's state says about a request: its answer, that it is below what its client needs, or nothing. */
export type Known = StoredAnswer | "belowDone" | null;

/** Own batches that turned out to have no effect. */
export interface Superseded {
  readonly epoch: Epoch;
  readonly seq: number;
  /** Requests in it whose callers had been told `ok`. */
  readonly answered: number;
}

class Waiter {
  readonly caller: Caller;
  readonly request: BatchRequest;
  readonly deadlineAt: number;
  settled = false;

  constructor(caller: Caller, request: BatchRequest, deadlineAt: number) {
    this.caller = caller;
    this.request = request;
    this.deadlineAt = deadlineAt;
  }
}

/** A committed request whose caller waits for every member to hold it. */
interface AwaitsAll {
  readonly waiter: Waiter;
  readonly seq: number;
  readonly epoch: Epoch;
  /** Answered when every member holds this; no less than what those before it wait for. */
  readonly untilSeq: number;
}

class Batch {
  readonly seq: number;
  readonly epoch: Epoch;
  readonly requests: readonly BatchRequest[];
  state: BatchState = "appended";
  waiters: Waiter[] = [];
  held = false;
  answered = 0;

  constructor(seq: number, epoch: Epoch, requests: readonly BatchRequest[]) {
    this.seq = seq;
    this.epoch = epoch;
    this.requests = requests;
  }

  take(event: BatchEventType): void {
    this.state = batchAfter(this.state, event);
  }
}

export class Batches {
  /** In order of epoch, then seq. */
  readonly #undecided = new Fifo<Batch>();
  /** Of the youngest epoch. */
  #bySeq = new Map<number, Batch>();
  /** Of the youngest epoch: not known to be held by a write quorum. */
  readonly #unheld = new Fifo<Batch>();
  readonly #waiters = new Fifo<Waiter>();
  /** Beyond the end of the epoch: the next one's owner may be this replica again, with other members. */
  readonly #awaitingAll = new Fifo<AwaitsAll>();
  #awaitedSeq = 0;
  #waiting = 0;
  readonly #timeoutMs: number;
  readonly #onSuperseded: (batch: Superseded) => void;

  constructor(timeoutMs: number, onSuperseded: (batch: Superseded) => void) {
    this.#timeoutMs = timeoutMs;
    this.#onSuperseded = onSuperseded;
  }

  /** Batches whose fate is not known. */
  get undecided(): number {
    return this.#undecided.length;
  }

  /** Callers that have not been answered. */
  get waiting(): number {
    return this.#waiting;
  }

  // --- the writer's side ------------------------------------------------------------------------

  /** A new entry of the own open epoch. */
  add(seq: number, epoch: Epoch, requests: readonly BatchRequest[]): void {
    const batch = new Batch(seq, epoch, requests);
    this.#undecided.push(batch);
    this.#bySeq.set(seq, batch);
    this.#unheld.push(batch);
  }

  /** An epoch begins or ends: batches of older ones are neither joined nor held any more. */
  epochChanged(): void {
    this.#bySeq = new Map();
    this.#unheld.clear();
  }

  sent(seq: number): void {
    this.#bySeq.get(seq)?.take("sent");
  }

  /**
   * `caller` waits for a request that the undecided batch at `seq` carries, and is answered at once where its
   * mode allows that. False when there is no such request there.
   */
  wait(seq: number, clientId: string, requestSeq: number, caller: Caller, nowMs: number): boolean {
    const batch = this.#bySeq.get(seq);
    const request = batch?.requests.find(
      (each) => each.clientId === clientId && each.requestSeq === requestSeq,
    );
    if (batch === undefined || request === undefined) {
      return false;
    }
    this.join(seq, request, caller, nowMs);
    return true;
  }

  /** The same for a request that is at hand. */
  join(seq: number, request: BatchRequest, caller: Caller, nowMs: number): void {
    const batch = this.#bySeq.get(seq);
    invariant(batch !== undefined, "a caller joins a batch of the open epoch");
    const waiter = new Waiter(caller, request, nowMs + this.#timeoutMs);
    this.#waiting += 1;
    if (caller.mode === "async" || (caller.mode === "sync" && batch.held)) {
      this.#settleOk(batch, waiter);
    } else {
      batch.waiters.push(waiter);
      this.#waiters.push(waiter);
    }
  }

  /** A write quorum holds the open epoch's entries up to `seq` in memory. */
  held(seq: number): void {
    for (let { first } = this.#unheld; first !== undefined && first.seq <= seq; first = this.#unheld.first) {
      this.#unheld.shift();
      first.held = true;
      first.take("held");
      const early = first.waiters.filter(({ caller }) => caller.mode === "sync");
      first.waiters = first.waiters.filter(({ caller }) => caller.mode !== "sync");
      for (const waiter of early) {
        this.#settleOk(first, waiter);
      }
    }
  }

  /** Whether somebody waits for every member to hold a committed entry. */
  get awaitsAll(): boolean {
    return this.#awaitingAll.length > 0;
  }

  /**
   * `caller`, in mode `all`, waits for every member to hold the committed entry at `seq`, which carries its
   * request. Answered by `heldByAll`.
   */
  waitForAll(seq: number, epoch: Epoch, request: BatchRequest, caller: Caller, nowMs: number): void {
    const waiter = new Waiter(caller, request, nowMs + this.#timeoutMs);
    this.#waiting += 1;
    this.#waiters.push(waiter);
    this.#awaitAll(waiter, seq, epoch);
  }

  /** Every member of the open epoch's configuration holds its log up to `seq`, as durably as it promises. */
  heldByAll(seq: number): void {
    const fifo = this.#awaitingAll;
    for (let { first } = fifo; first !== undefined && first.untilSeq <= seq; { first } = fifo) {
      fifo.shift();
      const { waiter, epoch } = first;
      this.#settle(waiter, { status: "ok", value: waiter.request.value, seq: first.seq, epoch });
    }
  }

  // --- fate -------------------------------------------------------------------------------------

  /** An entry has been committed and applied. `redirect`: what callers of superseded batches are told. */
  committed(entry: { readonly seq: number; readonly epoch: Epoch }, redirect: RequestAnswer): void {
    const decided = ({ epoch, seq }: Batch): boolean => {
      const order = compareEpochs(epoch, entry.epoch);
      return order < 0 || (order === 0 && seq <= entry.seq);
    };
    for (let batch = this.#shiftIf(decided); batch !== undefined; batch = this.#shiftIf(decided)) {
      if (compareEpochs(batch.epoch, entry.epoch) === 0) {
        this.#commit(batch);
      } else {
        this.#supersede(batch, redirect);
      }
    }
  }

  /**
   * A snapshot at `base` has taken the place of the state: its client table tells what took effect. A batch did if
   * one of its requests took effect in its very entry; the same request elsewhere is another attempt, perhaps with
   * another answer. Where the table does not say any more, because all its clients are done with their answers,
   * it is not called lost: seed 2083 denied an entry that stood in the log.
   */
  installed(base: Position, known: (request: BatchRequest) => Known, redirect: RequestAnswer): void {
    const decided = ({ epoch, seq }: Batch): boolean => {
      const order = compareEpochs(epoch, base.epoch);
      return order < 0 || (order === 0 && seq <= base.seq);
    };
    for (let batch = this.#shiftIf(decided); batch !== undefined; batch = this.#shiftIf(decided)) {
      if (batch.seq <= base.seq && isIn(batch, known)) {
        this.#commit(batch);
      } else {
        this.#supersede(batch, redirect);
      }
    }
  }

  /** Answers callers whose time is over. */
  tick(nowMs: number): void {
    const over = (waiter: Waiter): boolean => waiter.settled || waiter.deadlineAt <= nowMs;
    for (
      let waiter = this.#waiters.first;
      waiter !== undefined && over(waiter);
      waiter = this.#waiters.first
    ) {
      this.#waiters.shift();
      this.#settle(waiter, { status: "unknown" });
    }
    for (let { first } = this.#awaitingAll; first?.waiter.settled === true; { first } = this.#awaitingAll) {
      this.#awaitingAll.shift();
    }
  }

  /** The callers are gone, with the actor that they had called. The batches go on. */
  forgetCallers(): void {
    for (let waiter = this.#waiters.shift(); waiter !== undefined; waiter = this.#waiters.shift()) {
      waiter.settled = true;
    }
    this.#awaitingAll.clear();
    this.#waiting = 0;
  }

  /** This replica is not the same one any more: nobody here will learn what becomes of its batches. */
  abandon(): void {
    for (let waiter = this.#waiters.shift(); waiter !== undefined; waiter = this.#waiters.shift()) {
      this.#settle(waiter, { status: "unknown" });
    }
    this.#undecided.clear();
    this.#awaitingAll.clear();
    this.epochChanged();
  }

  #commit(batch: Batch): void {
    batch.take("committed");
    this.#forget(batch);
    for (const waiter of batch.waiters) {
      if (waiter.caller.mode === "all") {
        this.#awaitAll(waiter, batch.seq, batch.epoch);
      } else {
        this.#settleOk(batch, waiter);
      }
    }
  }

  #awaitAll(waiter: Waiter, seq: number, epoch: Epoch): void {
    this.#awaitedSeq = Math.max(seq, this.#awaitingAll.length === 0 ? 0 : this.#awaitedSeq);
    this.#awaitingAll.push({ waiter, seq, epoch, untilSeq: this.#awaitedSeq });
  }

  #supersede(batch: Batch, answer: RequestAnswer): void {
    batch.take("superseded");
    this.#forget(batch);
    for (const waiter of batch.waiters) {
      this.#settle(waiter, answer);
    }
    this.#onSuperseded({ epoch: batch.epoch, seq: batch.seq, answered: batch.answered });
  }

  #settleOk(batch: Batch, waiter: Waiter): void {
    if (!waiter.settled) {
      batch.answered += 1;
    }
    const { seq, epoch } = batch;
    this.#settle(waiter, { status: "ok", value: waiter.request.value, seq, epoch });
  }

  #settle(waiter: Waiter, answer: RequestAnswer): void {
    if (!waiter.settled) {
      waiter.settled = true;
      this.#waiting -= 1;
      waiter.caller.answer(answer);
    }
  }

  #shiftIf(matches: (batch: Batch) => boolean): Batch | undefined {
    const { first } = this.#undecided;
    return first !== undefined && matches(first) ? this.#undecided.shift() : undefined;
  }

  #forget(batch: Batch): void {
    if (this.#bySeq.get(batch.seq) === batch) {
      this.#bySeq.delete(batch.seq);
    }
  }
}

function isIn({ seq, epoch, requests }: Batch, known: (request: BatchRequest) => Known): boolean {
  const found = requests.map(known);
  const isHere = (each: Known): boolean =>
    each !== null && each !== "belowDone" && each.seq === seq && compareEpochs(each.epoch, epoch) === 0;
  return found.some(isHere) || found.every((each) => each === "belowDone");
}

/** The later of two answers' moments. */
export function laterMode(left: StreamMode, right: RequestMode | undefined): RequestMode {
  return right !== undefined && REQUEST_MODES.indexOf(right) > REQUEST_MODES.indexOf(left) ? right : left;
}
