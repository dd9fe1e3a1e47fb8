/**
 * Starting one child of a supervisor at a time, whatever its start function does.
 *
 * A start that throws, returns nonsense, rejects or never settles is a failed start. One that was given
 * up on has no effect any more: should its process come up after all, it is killed.
 */
import type { Timer } from "../base/clock.ts";
import { abnormal, type ExitReason, reasonOfThrown } from "../base/reason.ts";
import type { CompleteSpec } from "./child-spec.ts";
import type { Process } from "./process.ts";
import { isPromise } from "./result.ts";
import { isStartOutcome, type StartOutcome } from "./start.ts";
import type { ChildKey, Event } from "./supervision-types.ts";

/** A start that is under way. */
interface Attempt {
  readonly key: ChildKey;
  timer: Timer | undefined;
}

export class ChildStart {
  readonly #parent: Process;
  readonly #ended: (event: Event) => void;
  #attempt: Attempt | null = null;

  /** `ended` is told how each start ended, unless it was given up on. */
  constructor(parent: Process, ended: (event: Event) => void) {
    this.#parent = parent;
    this.#ended = ended;
  }

  begin(key: ChildKey, spec: CompleteSpec): void {
    const attempt: Attempt = { key, timer: undefined };
    this.#attempt = attempt;
    let outcome: unknown;
    try {
      outcome = spec.start(this.#parent);
    } catch (thrown) {
      this.#end(attempt, failed(reasonOfThrown(thrown)));
      return;
    }
    if (!isPromise(outcome)) {
      this.#end(attempt, outcome);
      return;
    }
    if (Number.isFinite(spec.startTimeoutMs)) {
      attempt.timer = this.#parent.setTimer(() => this.#cutOff(attempt, spec), spec.startTimeoutMs);
    }
    outcome.then(
      (settled: unknown) => this.#end(attempt, settled),
      (thrown: unknown) => this.#end(attempt, failed(reasonOfThrown(thrown))),
    );
  }

  /** Gives up on the start under way. The process whose init still runs is the caller's to stop. */
  giveUp(): Process | undefined {
    this.#close();
    for (const each of this.#parent.system.processes()) {
      if (each.parent === this.#parent && each.status === "starting") {
        return each;
      }
    }
    return undefined;
  }

  #end(attempt: Attempt, outcome: unknown): void {
    const started = isStartOutcome(outcome) && outcome.status === "started" ? outcome.process : undefined;
    const { signals } = this.#parent.system;
    if (this.#attempt !== attempt) {
      if (started !== undefined) {
        signals.unlink(this.#parent, started.pid);
        started.finish("killed");
      }
      return;
    }
    this.#close();
    if (started !== undefined) {
      signals.link(this.#parent, started.pid); // a start function of one's own may have left it out
    }
    this.#ended(startEvent(attempt.key, outcome));
  }

  #close(): void {
    const timer = this.#attempt?.timer;
    this.#attempt = null;
    if (timer !== undefined) {
      this.#parent.clearTimer(timer);
    }
  }

  #cutOff(attempt: Attempt, { id, startTimeoutMs }: CompleteSpec): void {
    if (this.#attempt === attempt) {
      this.giveUp()?.finish("killed");
      const reason = abnormal("timeout", `the start of child ${id} took longer than ${startTimeoutMs} ms`);
      this.#ended({ type: "startFailed", key: attempt.key, reason });
    }
  }
}

function failed(reason: ExitReason): StartOutcome {
  return { status: "failed", reason };
}

function startEvent(key: ChildKey, outcome: unknown): Event {
  if (!isStartOutcome(outcome)) {
    const reason = abnormal("bad_return_value", "a child's start function did not return a start outcome");
    return { type: "startFailed", key, reason };
  }
  switch (outcome.status) {
    case "started":
      return { type: "started", key, pid: outcome.process.pid };
    case "ignored":
      return { type: "startIgnored", key };
    case "already_started": {
      const reason = abnormal("already_started", outcome.pid);
      return { type: "startFailed", key, reason, owner: outcome.pid };
    }
    case "failed":
      return { type: "startFailed", key, reason: outcome.reason };
  }
}
