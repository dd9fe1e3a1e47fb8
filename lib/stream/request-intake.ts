/**
 * The way of requests into the log: those that arrive in one turn are gathered and become one entry, or as
 * few as its bounds allow. A request that cannot be taken is answered before anything has happened. One that
 * meets a locked key is parked and goes on, before all that came later, when the key is released.
 */
import type { From } from "../actor/from.ts";
import type { CallMessage } from "../actor/protocol.ts";
import { SupercastError } from "../base/errors.ts";
import { type BatchRequest, type Caller, laterMode } from "./batches.ts";
import { KeyLocked, type RequestOutcome, type StreamRequest } from "./definition.ts";
import { type Parked, ParkedRequests } from "./parked-requests.ts";
import type { ReplicaHome } from "./replica-home.ts";
import { CLIENT_ID_MAX, type RequestAnswer, type StreamProtocol } from "./requests.ts";
import { canPropose } from "./writer.ts";

export type RequestMessage = Extract<CallMessage<StreamProtocol>, { readonly type: "request" }>;

interface Gathered extends Parked {
  readonly request: StreamRequest;
  readonly caller: Caller;
  /** Whether nobody waits for the answer any more. */
  isOver(): boolean;
  fail(error: SupercastError): void;
}

/** What the intake asks of the actor. */
export interface IntakeHost {
  readonly home: ReplicaHome;
  /** Sees an answer off; `async` answers of a long run of them wait for the loop's next round. */
  send(early: boolean, answer: () => void): void;
  /** Appends what `home.resolved` holds, calls `joined` when its batch has begun, and performs the effects. */
  propose(joined: () => void): void;
}

export class RequestIntake {
  readonly #host: IntakeHost;
  readonly #parked = new ParkedRequests<Gathered>();
  #gathered: Gathered[] = [];
  #taken = 0;

  constructor(host: IntakeHost) {
    this.#host = host;
  }

  /** Takes a request in. True for the first of a turn: `flush` is to be called at the end of it. */
  take(message: RequestMessage, from: From<StreamProtocol>): boolean {
    const { home } = this.#host;
    const problem = problemOfRequest(message);
    if (problem !== null) {
      from.fail(new SupercastError("invalid_message", problem));
      return false;
    }
    const { clientId, requestSeq, doneBelow, operation } = message;
    const caller = this.#caller(message, from);
    if (home.replica.role !== "open") {
      caller.answer(this.redirect());
      return false;
    }
    const waiting = home.batches.waiting + this.#gathered.length + this.#parked.count;
    if (waiting >= home.settings.waitingRequests) {
      caller.answer({ status: "overload" });
      return false;
    }
    this.#taken += 1;
    const { lockWaitMs, heartbeatMs } = home.settings;
    const waitMs = Math.min(lockWaitMs, message.lockWaitMs ?? lockWaitMs);
    const gathered: Gathered = {
      request: { clientId, requestSeq, doneBelow, operation },
      caller,
      order: this.#taken,
      // The first tick behind this comes no later than the wait is over.
      lockDeadlineAt: home.ports.clock.now() + waitMs - heartbeatMs,
      isOver: () => from.settled,
      fail: (error) => from.fail(error),
    };
    return this.#gathered.push(gathered) === 1;
  }

  /** Makes entries of what has been gathered, and of what may go on since. */
  flush(): void {
    let rest: readonly Gathered[] = this.#gathered;
    this.#gathered = [];
    for (;;) {
      rest = [...this.#released(), ...rest];
      if (rest.length === 0) {
        return;
      }
      rest = this.#flushSome(rest);
    }
  }

  /** Answers those that have waited for a locked key for too long. */
  tick(): void {
    for (const { caller } of this.#parked.expired(this.#host.home.ports.clock.now())) {
      caller.answer({ status: "locked" });
    }
  }

  /** The own epoch has ended: what is parked is to be asked of its successor. */
  closed(): void {
    for (const { caller } of this.#parked.clear()) {
      caller.answer(this.redirect());
    }
  }

  redirect(): RequestAnswer {
    return { status: "redirect", primary: this.#host.home.primary };
  }

  /** Those whose callers still wait, and whose key is free. */
  #released(): Gathered[] {
    if (this.#parked.count === 0) {
      return [];
    }
    const { replicated } = this.#host.home;
    return this.#parked.released((key) => replicated.isLocked(key)).filter((each) => !each.isOver());
  }

  /** One entry; returns what found no room in it. */
  #flushSome(gathered: readonly Gathered[]): readonly Gathered[] {
    const { home } = this.#host;
    if (!canPropose(home.replica)) {
      const answer: RequestAnswer = home.replica.role === "open" ? { status: "overload" } : this.redirect();
      for (const { caller } of gathered) {
        caller.answer(answer);
      }
      return [];
    }
    const some = gathered.slice(0, roomFor(gathered, home.settings.batchRequests, home.settings.batchBytes));
    const { payload, outcomes } = home.resolve(
      some.map(({ request }) => request),
      this.#parked.count > 0,
    );
    const deferred = some.filter((_, index) => outcomes[index]?.kind === "deferred");
    if (payload === null) {
      this.#settle(some, outcomes);
    } else {
      home.resolved = { payload, requests: requestsOf(some, outcomes) };
      this.#host.propose(() => this.#settle(some, outcomes));
    }
    if (payload === null && deferred.length === some.length) {
      throw new SupercastError("internal", "a batch of requests found no room in an empty entry");
    }
    return [...deferred, ...gathered.slice(some.length)];
  }

  #settle(gathered: readonly Gathered[], outcomes: readonly RequestOutcome[]): void {
    const { home } = this.#host;
    const own = home.replica.log.lastSeq;
    const nowMs = home.ports.clock.now();
    for (const [index, each] of gathered.entries()) {
      const { request, caller } = each;
      const { clientId, requestSeq } = request;
      const outcome = outcomes[index];
      switch (outcome?.kind) {
        case "new":
          home.batches.join(own, { clientId, requestSeq, value: outcome.answer }, caller, nowMs);
          break;
        case "inFlight":
          if (!home.batches.wait(outcome.seq, clientId, requestSeq, caller, nowMs)) {
            caller.answer({ status: "unknown" });
          }
          break;
        case "applied": {
          const { answer, seq, epoch } = outcome;
          if (caller.mode === "all" && seq > home.heldByAllSeq) {
            home.batches.waitForAll(seq, epoch, { clientId, requestSeq, value: answer }, caller, nowMs);
          } else {
            caller.answer({ status: "ok", value: answer, seq, epoch });
          }
          break;
        }
        case "belowDone":
          caller.answer({ status: "belowDone" });
          break;
        case "refused":
          this.#refuse(each, outcome.error);
          break;
        default:
          break; // deferred: it comes with the next entry
      }
    }
  }

  #refuse(gathered: Gathered, error: SupercastError): void {
    const { settings, ports } = this.#host.home;
    if (error instanceof KeyLocked && gathered.lockDeadlineAt <= ports.clock.now()) {
      gathered.caller.answer({ status: "locked" });
    } else if (error instanceof KeyLocked && this.#parked.count < settings.parkedRequests) {
      this.#parked.park(error.key, gathered);
    } else if (error instanceof KeyLocked || error.code === "overload") {
      gathered.caller.answer({ status: "overload" });
    } else {
      gathered.fail(error);
    }
  }

  #caller(message: RequestMessage, from: From<StreamProtocol>): Caller {
    const mode = laterMode(this.#host.home.options.mode, message.mode);
    const answer = (value: RequestAnswer): void =>
      this.#host.send(mode === "async" && value.status === "ok", () => from.reply(message, value));
    return { mode, answer };
  }
}

function requestsOf(gathered: readonly Gathered[], outcomes: readonly RequestOutcome[]): BatchRequest[] {
  return gathered.flatMap(({ request: { clientId, requestSeq } }, index) => {
    const outcome = outcomes[index];
    return outcome?.kind === "new" ? [{ clientId, requestSeq, value: outcome.answer }] : [];
  });
}

function problemOfRequest({ clientId, requestSeq, doneBelow, lockWaitMs }: RequestMessage): string | null {
  if (typeof clientId !== "string" || clientId === "" || clientId.length > CLIENT_ID_MAX) {
    return `clientId: must be a string of 1 to ${CLIENT_ID_MAX} characters`;
  }
  if (!Number.isSafeInteger(requestSeq) || requestSeq < 1) {
    return "requestSeq: must be an integer from 1";
  }
  if (!Number.isSafeInteger(doneBelow) || doneBelow < 0 || doneBelow > requestSeq) {
    return "doneBelow: must be an integer from 0 to requestSeq";
  }
  if (lockWaitMs !== undefined && !(Number.isFinite(lockWaitMs) && lockWaitMs >= 0)) {
    return "lockWaitMs: must be a number of milliseconds from 0";
  }
  return null;
}

/** How many of `gathered` fit one entry, at least one, by a rough measure of their operations. */
function roomFor(gathered: readonly Gathered[], requestsMax: number, bytesMax: number): number {
  let bytes = 0;
  let count = 0;
  for (const { request } of gathered) {
    bytes += request.clientId.length + roughBytes(request.operation, bytesMax - bytes);
    if (count === requestsMax || (count > 0 && bytes > bytesMax)) {
      break;
    }
    count += 1;
  }
  return count;
}

const WORD_BYTES = 9;

/** About what `value` takes on the wire; stops counting beyond `enough`. */
function roughBytes(value: unknown, enough: number): number {
  if (typeof value === "string") {
    return value.length + WORD_BYTES;
  }
  if (value instanceof Uint8Array) {
    return value.byteLength + WORD_BYTES;
  }
  if (typeof value !== "object" || value === null) {
    return WORD_BYTES;
  }
  let bytes = WORD_BYTES;
  const entries: Iterable<readonly [unknown, unknown]> =
    value instanceof Map ? value : Array.isArray(value) ? value.entries() : Object.entries(value);
  for (const [key, item] of entries) {
    bytes += (typeof key === "string" ? key.length : 0) + roughBytes(item, enough - bytes);
    if (bytes > enough) {
      return bytes;
    }
  }
  return bytes;
}
