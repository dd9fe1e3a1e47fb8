/**
 * Where the simulator looks into a running replica: its steps, its state, its log lines, and the fault points at
 * which it may crash.
 */
import type { Random } from "../../../lib/base/random.ts";
import type { FaultPoint, StreamProbe } from "../../../lib/stream/replica-options.ts";
import type { ReplicaState, StreamEffect } from "../../../lib/stream/replica-state.ts";
import { chance } from "./draw.ts";
import type { Armed, Host } from "./host.ts";
import type { Observer } from "./observer.ts";
import type { Trace } from "./trace.ts";

/** Thrown at a fault point. */
export class PlannedCrash extends Error {
  override readonly name = "PlannedCrash";
}

/** What the hooks ask of those who own the hosts. */
export interface HooksHost {
  readonly now: () => number;
  /** Whether the stream survives that a fault strikes here; `whole`: that the process ends. */
  mayStrike(host: Host, point: FaultPoint, whole: boolean): boolean;
  /** The process ends here and now, and is started again later. */
  end(host: Host): void;
}

export class HostHooks {
  /** Called with every step of every replica. */
  onStep: (after: ReplicaState, effects: readonly StreamEffect[]) => void = () => undefined;
  onCrashPoint: (point: FaultPoint, armed: Armed) => void = () => undefined;
  readonly #observer: Observer;
  readonly #trace: Trace;
  readonly #random: Random;
  readonly #host: HooksHost;

  constructor(observer: Observer, trace: Trace, random: Random, host: HooksHost) {
    this.#observer = observer;
    this.#trace = trace;
    this.#random = random;
    this.#host = host;
  }

  /** The probe of a replica that is started on `host` now. */
  probe(host: Host): StreamProbe {
    const observe = this.#observer.probe();
    const { life } = host;
    return (before, event, after, effects) => {
      if (host.life !== life) {
        return; // What a dead process still does in this turn reaches nobody.
      }
      if (host.replica !== after.self) {
        host.replica = after.self;
        host.stateSeen = null; // somebody else, with a state of its own
      }
      this.#sample(host);
      observe(before, event, after, effects);
      this.onStep(after, effects);
    };
  }

  /** A replica has begun: what it restored is compared with what the others had there. */
  begun({ home }: Host): void {
    if (home !== null) {
      const { replica, replicated } = home;
      this.#observer.applied(replica.self, replicated.appliedSeq, replicated.stateHash());
    }
  }

  /** What the log lines of a host say that must never be said. */
  look(host: Host): void {
    const lines = host.sim?.lines ?? [];
    for (const { level, message, fields } of lines.slice(host.linesSeen)) {
      if (level === "error") {
        const { error } = fields;
        const why = error instanceof Error ? error.message : "";
        this.#trace.note(host.name, `logs: ${message} ${why}`);
        if (message.includes("broke a rule")) {
          this.#observer.world.violate("step", `${message}: ${why}`);
        }
      }
    }
    host.linesSeen = lines.length;
  }

  /** The state hash, whenever more has been applied. */
  #sample(host: Host): void {
    const { home, appliedSeen } = host;
    if (home !== null && home.replicated.appliedSeq !== appliedSeen) {
      const { replica, replicated } = home;
      host.appliedSeen = replicated.appliedSeq;
      this.#observer.applied(replica.self, replicated.appliedSeq, replicated.stateHash());
      if (host.stateSeen !== null && host.stateSeen !== replicated) {
        this.#observer.replaced(replica.self, appliedSeen, replicated.appliedSeq);
      }
      host.stateSeen = replicated;
    }
  }

  /** The fault points of a process in its `life`. */
  pass(host: Host, life: number, point: FaultPoint): void {
    if (host.life !== life) {
      // What a dead process still runs in this turn ends here.
      throw new PlannedCrash("the process is dead");
    }
    const armed = host.armed.find((each) => each.point === point) ?? this.#storms(host, point);
    if (armed === null || !this.#host.mayStrike(host, point, armed.whole)) {
      return;
    }
    host.armed = host.armed.filter((each) => each !== armed);
    this.onCrashPoint(point, armed);
    this.#trace.note(host.name, `crashes at ${point}${armed.whole ? "" : ", the actor alone"}`);
    if (armed.whole) {
      this.#host.end(host);
    } else if (point.startsWith("store:")) {
      host.doomed = true; // a storage that has failed does nothing any more
    }
    throw new PlannedCrash(point);
  }

  #storms(host: Host, point: FaultPoint): Armed | null {
    const { storm } = host;
    if (storm === null || !storm.points.has(point) || storm.left === 0 || this.#host.now() > storm.untilMs) {
      return null;
    }
    if (!chance(this.#random, storm.probability)) {
      return null;
    }
    storm.left -= 1;
    return { point, whole: false, kind: "faultStorm" };
  }
}
