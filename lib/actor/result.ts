/**
 * What callbacks return: gen_server's result tuples as small classes.
 *
 * A callback returns one of these (or a promise of one); a cast or info handler that has nothing to
 * say returns nothing. Anything else crashes the process with `bad_return_value`, as in OTP.
 */
import { SupercastError } from "../base/errors.ts";
import { abnormal, type ExitReason } from "../base/reason.ts";

/** What all results of a running server share: an optional continue and an optional idle timeout. */
export abstract class Result {
  /** Set when `handleContinue` shall run before the next message. */
  continuation: { readonly term: unknown } | undefined;
  /** Milliseconds without a message after which `handleInfo({ type: "timeout" })` runs. */
  idleTimeoutMs: number | undefined;

  /** Runs `handleContinue(term)` before any message that waits. */
  continue(term: unknown): this {
    this.continuation = { term };
    return this;
  }

  /** Delivers `{ type: "timeout" }` to handleInfo unless a message comes within `idleMs`. */
  timeout(idleMs: number): this {
    if (!(idleMs >= 0)) {
      throw new SupercastError("invalid_message", `idleMs is ${idleMs}; allowed: milliseconds from 0`);
    }
    this.idleTimeoutMs = idleMs;
    return this;
  }
}

/** Answers the call that is being handled. Made by `this.reply(message, value)`. */
export class Reply extends Result {
  readonly value: unknown;

  constructor(value: unknown) {
    super();
    this.value = value;
  }
}

/** Answers nothing now: the call is answered later through `from`, or this was no call. */
export class NoReply extends Result {}

/** Ends the process with `reason` after `terminate`; answers the call first-hand when it has a reply. */
export class Stop {
  readonly reason: ExitReason;
  readonly reply: Reply | undefined;

  constructor(reason: ExitReason, reply?: Reply) {
    this.reason = reason;
    this.reply = reply;
  }
}

/** From init: the process starts with `state`. Returning the bare state means the same. */
export class Started extends Result {
  readonly state: unknown;

  constructor(state: unknown) {
    super();
    this.state = state;
  }
}

/** From init: do not start, and that is no error. */
export class Ignore {
  /** An empty class would be any value's type, and every wrong state would compile. */
  readonly ignored = true;
}

/** From init: the start fails with `reason`, but the process ends `normal` and nothing is reported. */
export class Refuse {
  readonly reason: ExitReason;

  constructor(reason: ExitReason) {
    this.reason = reason;
  }
}

export type CallResult = Reply | NoReply | Stop;
export type CastResult = NoReply | Stop;
/** A callback's result now or later. */
export type Awaitable<T> = T | Promise<T>;
/** The result of `init`: the state itself, or one of the results that say more. */
export type InitResultOf<State> = State | Started | Ignore | Refuse | Stop;

export function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** OTP's bad_return_value, with what was returned. */
export function badReturn(value: unknown): ExitReason {
  const shown =
    typeof value === "object" && value !== null
      ? `an instance of ${value.constructor?.name ?? "Object"}`
      : String(value);
  return abnormal("bad_return_value", `a callback returned ${shown}; see the results in result.ts`);
}
