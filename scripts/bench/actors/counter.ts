/**
 * The actor that the local benches run: it counts, as everyone's example does. Its state is an object that
 * each message replaces, in ours and in every peer alike.
 */
import { Actor } from "../../../lib/actor/actor.ts";
import { LocalRef } from "../../../lib/actor/local-ref.ts";
import type { Call, CallMessage, Cast, CastMessage } from "../../../lib/actor/protocol.ts";
import type { CallResult } from "../../../lib/actor/result.ts";
import type { StartOptions } from "../../../lib/actor/start.ts";
import { ActorSystem } from "../../../lib/actor/system.ts";
import { systemClock } from "../../../lib/base/system-clock.ts";
import { systemRandom } from "../../../lib/base/system-random.ts";
import { logTo } from "../../../lib/telemetry/log.ts";

export interface Count {
  readonly count: number;
}

export type CounterProtocol = {
  add: Cast<{ n: number }>;
  addAndGet: Call<{ n: number }, number>;
};

/** Lets a sender wait for the message that makes the count reach a goal. */
export class Goal {
  #count = Number.POSITIVE_INFINITY;
  #reached: (() => void) | undefined;

  /** Resolves when a handler has seen the count `count`. */
  set(count: number): Promise<void> {
    this.#count = count;
    return new Promise((reached) => {
      this.#reached = reached;
    });
  }

  /** Called by every handler with its new count. */
  see(count: number): void {
    if (count === this.#count) {
      this.#reached?.();
    }
  }
}

export class Counter extends Actor<CounterProtocol, Count, Goal> {
  #goal = NOWHERE;

  init(goal: Goal): Count {
    this.#goal = goal;
    return { count: 0 };
  }

  override handleCast(message: CastMessage<CounterProtocol>): void {
    const count = this.state.count + message.n;
    this.state = { count };
    this.#goal.see(count);
  }

  override handleCall(message: CallMessage<CounterProtocol>): CallResult {
    const count = this.state.count + message.n;
    this.state = { count };
    return this.reply(message, count);
  }
}

export const NOWHERE = new Goal();

export const OURS =
  "ActorSystem as startNode makes it: real clock, no copies between local processes, log lines dropped";

/** A system with production's settings. Its log goes nowhere, so that no console is measured. */
export function makeSystem(): ActorSystem {
  const log = logTo(() => undefined);
  return new ActorSystem({
    node: "bench",
    incarnation: "mrh2k1x9qf4d8s0a2",
    clock: systemClock,
    random: systemRandom,
    log,
  });
}

/** Starts a Counter and returns the reference that a user gets. */
export function startCounter(
  system: ActorSystem,
  goal: Goal,
  options: StartOptions = {},
): LocalRef<CounterProtocol> {
  const outcome = system.start(Counter, goal, options);
  if (outcome instanceof Promise || outcome.status !== "started") {
    throw new Error("the counter did not start");
  }
  return new LocalRef<CounterProtocol>(outcome.process);
}
